//! `$metadata`: what is served, in CSDL (OData 4.01). Printed from the tables here, which tests hold to what is printed and
//! routed elsewhere in this room; types have the members that are printed, so it is a subset of Graph's own.

use std::fmt::Write as _;

use crate::path::{Action, Version};

/// The version whose `$metadata` a path asks for.
pub fn asked(path: &str) -> Option<Version> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let version = match segments.next()? {
        v if v.eq_ignore_ascii_case("v1.0") => Version::V1,
        v if v.eq_ignore_ascii_case("beta") => Version::Beta,
        _ => return None,
    };
    let last = segments.next()?;
    let metadata = last.eq_ignore_ascii_case("$metadata") || last.eq_ignore_ascii_case("%24metadata");
    (metadata && segments.next().is_none()).then_some(version)
}

/// A type with its members, each `name: type`. A type in brackets is a collection; one without a dot is Graph's own; a
/// member that begins with `>` is a contained navigation property; one that ends in `+` is of beta only.
struct Type {
    kind: Kind,
    name: &'static str,
    base: Option<&'static str>,
    members: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entity,
    Complex,
}

const fn entity(name: &'static str, members: &'static str) -> Type {
    Type { kind: Kind::Entity, name, base: None, members }
}

const fn complex(name: &'static str, members: &'static str) -> Type {
    Type { kind: Kind::Complex, name, base: None, members }
}

impl Type {
    const fn of(self, base: &'static str) -> Type {
        Type { base: Some(base), ..self }
    }
}

const TYPES: &[Type] = &[
    entity("entity", "id: Edm.String"),
    entity(
        "call",
        "state: Edm.String, direction: Edm.String, callbackUri: Edm.String, callChainId: Edm.String, source: participantInfo, \
         targets: [invitationParticipantInfo], requestedModalities: [Edm.String], mediaConfig: mediaConfig, \
         mediaState: callMediaState, myParticipantId: Edm.String, tenantId: Edm.String, subject: Edm.String, \
         resultInfo: resultInfo, toneInfo: toneInfo, chatInfo: chatInfo, meetingInfo: meetingInfo, \
         activeModalities: [Edm.String]+, terminationReason: Edm.String+, ringingTimeoutInSeconds: Edm.Int32+, \
         >operations: [commsOperation], >participants: [participant]",
    )
    .of("entity"),
    entity("commsOperation", "clientContext: Edm.String, resultInfo: resultInfo, status: Edm.String").of("entity"),
    entity("playPromptOperation", "prompts: [mediaPrompt]+, completionReason: Edm.String+").of("commsOperation"),
    entity(
        "recordOperation",
        "recordingLocation: Edm.String, recordingAccessToken: Edm.String, completionReason: Edm.String+",
    )
    .of("commsOperation"),
    entity("sendDtmfTonesOperation", "completionReason: Edm.String").of("commsOperation"),
    entity("subscribeToToneOperation", "").of("commsOperation"),
    entity("cancelMediaProcessingOperation", "").of("commsOperation"),
    entity(
        "participant",
        "info: participantInfo, mediaStreams: [mediaStream], isMuted: Edm.Boolean, isInLobby: Edm.Boolean, \
         meetingRole: Edm.String+",
    )
    .of("entity"),
    entity("cloudCommunications", ">calls: [call]"),
    entity(
        "user",
        "displayName: Edm.String, userPrincipalName: Edm.String, mail: Edm.String, businessPhones: [Edm.String], \
         givenName: Edm.String, surname: Edm.String, jobTitle: Edm.String, mobilePhone: Edm.String, \
         officeLocation: Edm.String, preferredLanguage: Edm.String, accountEnabled: Edm.Boolean, userType: Edm.String, \
         >onlineMeetings: [onlineMeeting]",
    )
    .of("entity"),
    entity(
        "organization",
        "displayName: Edm.String, verifiedDomains: [verifiedDomain], businessPhones: [Edm.String], tenantType: Edm.String, \
         countryLetterCode: Edm.String, preferredLanguage: Edm.String, createdDateTime: Edm.DateTimeOffset",
    )
    .of("entity"),
    entity(
        "onlineMeeting",
        "joinWebUrl: Edm.String, subject: Edm.String, chatInfo: chatInfo, joinMeetingIdSettings: joinMeetingIdSettings, \
         participants: meetingParticipants, creationDateTime: Edm.DateTimeOffset, startDateTime: Edm.DateTimeOffset, \
         endDateTime: Edm.DateTimeOffset, audioConferencing: audioConferencing, videoTeleconferenceId: Edm.String",
    )
    .of("entity"),
    entity("chat", ">messages: [chatMessage]").of("entity"),
    entity(
        "chatMessage",
        "etag: Edm.String, chatId: Edm.String, messageType: Edm.String, createdDateTime: Edm.DateTimeOffset, \
         lastModifiedDateTime: Edm.DateTimeOffset, importance: Edm.String, locale: Edm.String, from: identitySet, \
         body: itemBody, attachments: [chatMessageAttachment], mentions: [chatMessageMention], \
         reactions: [chatMessageReaction], replyToId: Edm.String, lastEditedDateTime: Edm.DateTimeOffset, \
         deletedDateTime: Edm.DateTimeOffset, subject: Edm.String, summary: Edm.String, webUrl: Edm.String, \
         channelIdentity: channelIdentity, policyViolation: chatMessagePolicyViolation, \
         eventDetail: eventMessageDetail",
    )
    .of("entity"),
    complex("identity", "id: Edm.String, displayName: Edm.String, tenantId: Edm.String"),
    complex("teamworkApplicationIdentity", "applicationIdentityType: Edm.String").of("identity"),
    complex("identitySet", "application: identity, device: identity, user: identity"),
    complex(
        "participantInfo",
        "identity: identitySet, countryCode: Edm.String, endpointType: Edm.String, languageId: Edm.String, region: Edm.String, \
         participantId: Edm.String",
    ),
    complex("invitationParticipantInfo", "identity: identitySet, replacesCallId: Edm.String"),
    complex("mediaConfig", ""),
    complex("serviceHostedMediaConfig", "preFetchMedia: [mediaInfo]").of("mediaConfig"),
    complex("mediaInfo", "uri: Edm.String, resourceId: Edm.String"),
    complex("prompt", ""),
    complex("mediaPrompt", "mediaInfo: mediaInfo, loop: Edm.Int32+").of("prompt"),
    complex(
        "mediaStream",
        "mediaType: Edm.String, label: Edm.String, sourceId: Edm.String, direction: Edm.String, serverMuted: Edm.Boolean",
    ),
    complex("callMediaState", "audio: Edm.String"),
    complex("resultInfo", "code: Edm.Int32, subcode: Edm.Int32, message: Edm.String"),
    complex("toneInfo", "sequenceId: Edm.Int64, tone: Edm.String"),
    complex("chatInfo", "threadId: Edm.String, messageId: Edm.String, replyChainMessageId: Edm.String"),
    complex("meetingInfo", ""),
    complex("organizerMeetingInfo", "organizer: identitySet").of("meetingInfo"),
    complex("tokenMeetingInfo", "token: Edm.String").of("meetingInfo"),
    complex("joinMeetingIdMeetingInfo", "joinMeetingId: Edm.String, passcode: Edm.String").of("meetingInfo"),
    complex("joinMeetingIdSettings", "joinMeetingId: Edm.String, isPasscodeRequired: Edm.Boolean, passcode: Edm.String"),
    complex("meetingParticipantInfo", "identity: identitySet, role: Edm.String, upn: Edm.String"),
    complex("meetingParticipants", "organizer: meetingParticipantInfo, attendees: [meetingParticipantInfo]"),
    complex("audioConferencing", ""),
    complex(
        "verifiedDomain",
        "name: Edm.String, isDefault: Edm.Boolean, isInitial: Edm.Boolean, type: Edm.String, capabilities: Edm.String",
    ),
    complex("itemBody", "contentType: Edm.String, content: Edm.String"),
    complex("chatMessageAttachment", ""),
    complex("chatMessageMention", ""),
    complex("chatMessageReaction", ""),
    complex("channelIdentity", ""),
    complex("chatMessagePolicyViolation", ""),
    complex("eventMessageDetail", ""),
];

/// What an action takes, and the operation that it answers; in the form of [`Type::members`].
fn signature(action: Action) -> (&'static str, Option<&'static str>) {
    match action {
        Action::Answer => (
            "callbackUri: Edm.String, mediaConfig: mediaConfig, acceptedModalities: [Edm.String], \
             participantCapacity: Edm.Int32",
            None,
        ),
        Action::Reject => ("reason: Edm.String, callbackUri: Edm.String", None),
        Action::KeepAlive => ("", None),
        Action::PlayPrompt => {
            ("prompts: [prompt], loop: Edm.Boolean+, clientContext: Edm.String", Some("playPromptOperation"))
        }
        Action::RecordResponse | Action::Record => (
            "prompts: [prompt], bargeInAllowed: Edm.Boolean, initialSilenceTimeoutInSeconds: Edm.Int32, \
             maxSilenceTimeoutInSeconds: Edm.Int32, maxRecordDurationInSeconds: Edm.Int32, playBeep: Edm.Boolean, \
             stopTones: [Edm.String], clientContext: Edm.String",
            Some("recordOperation"),
        ),
        Action::SendDtmfTones => (
            "tones: [Edm.String], delayBetweenTonesMs: Edm.Int32, clientContext: Edm.String",
            Some("sendDtmfTonesOperation"),
        ),
        Action::SubscribeToTone => ("clientContext: Edm.String", Some("subscribeToToneOperation")),
        Action::CancelMediaProcessing => ("clientContext: Edm.String", Some("cancelMediaProcessingOperation")),
    }
}

/// What stands at the root, and what it is of.
const SETS: &[(&str, &str)] = &[("users", "user"), ("organization", "organization"), ("chats", "chat")];
const SINGLETONS: &[(&str, &str)] = &[("communications", "cloudCommunications")];

/// The document.
pub fn print(version: Version) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\n<edmx:DataServices>\n\
         <Schema Namespace=\"microsoft.graph\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n",
    );
    // Text takes text.
    let _ = write(&mut out, version);
    out + "</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n"
}

fn write(out: &mut String, version: Version) -> std::fmt::Result {
    for found in TYPES {
        let element = match found.kind {
            Kind::Entity => "EntityType",
            Kind::Complex => "ComplexType",
        };
        write!(out, "<{element} Name=\"{}\"", found.name)?;
        if let Some(base) = found.base {
            write!(out, " BaseType=\"microsoft.graph.{base}\"")?;
        }
        // Bots send members that no table has, and get them back where they are kept.
        out.push_str(" OpenType=\"true\">\n");
        if found.name == "entity" {
            out.push_str("<Key><PropertyRef Name=\"id\"/></Key>\n");
        }
        for member in members(found.members, version) {
            match member.name.strip_prefix('>') {
                Some(name) => writeln!(
                    out,
                    "<NavigationProperty Name=\"{name}\" Type=\"{}\" ContainsTarget=\"true\"/>",
                    member.of
                )?,
                // What a key is made of is there (OData CSDL XML 4.01 §6.5).
                None if found.name == "entity" => {
                    writeln!(out, "<Property Name=\"{}\" Type=\"{}\" Nullable=\"false\"/>", member.name, member.of)?;
                }
                None => writeln!(out, "<Property Name=\"{}\" Type=\"{}\"/>", member.name, member.of)?,
            }
        }
        writeln!(out, "</{element}>")?;
    }
    for action in Action::ALL.into_iter().filter(|action| version == Version::Beta || *action != Action::Record) {
        let (takes, answers) = signature(action);
        writeln!(out, "<Action Name=\"{}\" IsBound=\"true\">", action.as_str())?;
        out.push_str("<Parameter Name=\"bindingParameter\" Type=\"microsoft.graph.call\"/>\n");
        for member in members(takes, version) {
            writeln!(out, "<Parameter Name=\"{}\" Type=\"{}\"/>", member.name, member.of)?;
        }
        if let Some(operation) = answers {
            writeln!(out, "<ReturnType Type=\"microsoft.graph.{operation}\"/>")?;
        }
        out.push_str("</Action>\n");
    }
    out.push_str("<EntityContainer Name=\"GraphService\">\n");
    for (name, of) in SETS {
        writeln!(out, "<EntitySet Name=\"{name}\" EntityType=\"microsoft.graph.{of}\"/>")?;
    }
    for (name, of) in SINGLETONS {
        writeln!(out, "<Singleton Name=\"{name}\" Type=\"microsoft.graph.{of}\"/>")?;
    }
    out.push_str("</EntityContainer>\n");
    Ok(())
}

/// A member of a type, or a parameter.
struct Member {
    name: &'static str,
    of: String,
}

fn members(text: &'static str, version: Version) -> impl Iterator<Item = Member> {
    let pairs = text.split(',').filter_map(|pair| pair.trim().split_once(": "));
    pairs.filter_map(move |(name, of)| {
        let beta = of.strip_suffix('+');
        if beta.is_some() && version == Version::V1 {
            return None;
        }
        let of = beta.unwrap_or(of);
        let whole = |of: &str| if of.contains('.') { of.to_owned() } else { format!("microsoft.graph.{of}") };
        let many = of.strip_prefix('[').and_then(|of| of.strip_suffix(']'));
        Some(Member { name, of: many.map_or_else(|| whole(of), |of| format!("Collection({})", whole(of))) })
    })
}
