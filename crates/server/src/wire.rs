//! From the machine's words to the wire's: how `core` state is printed as Graph resources. Shared by
//! http (answers) and notify (notifications), so that both say the same (`S2`).
//!
//! It must not know: sockets, queues, who asks.

use ringback_core as core;
use ringback_graph as graph;

use crate::auth::Auth;
use crate::engine::{CallView, LaneOwner};

fn identity_kind(kind: core::IdentityKind) -> graph::IdentityKind {
    match kind {
        core::IdentityKind::User => graph::IdentityKind::User,
        core::IdentityKind::Phone => graph::IdentityKind::Phone,
        core::IdentityKind::Application => graph::IdentityKind::Application,
        core::IdentityKind::ApplicationInstance => graph::IdentityKind::ApplicationInstance,
        core::IdentityKind::Guest => graph::IdentityKind::Guest,
        core::IdentityKind::Device => graph::IdentityKind::Device,
        core::IdentityKind::Encrypted => graph::IdentityKind::Encrypted,
        core::IdentityKind::OnPremises => graph::IdentityKind::OnPremises,
        core::IdentityKind::AzureCommunicationServicesUser => graph::IdentityKind::AzureCommunicationServicesUser,
    }
}

/// The machine's kind of an identity of the wire.
pub(crate) fn core_identity_kind(kind: graph::IdentityKind) -> core::IdentityKind {
    match kind {
        graph::IdentityKind::User => core::IdentityKind::User,
        graph::IdentityKind::Phone => core::IdentityKind::Phone,
        graph::IdentityKind::Application => core::IdentityKind::Application,
        graph::IdentityKind::ApplicationInstance => core::IdentityKind::ApplicationInstance,
        graph::IdentityKind::Guest => core::IdentityKind::Guest,
        graph::IdentityKind::Device => core::IdentityKind::Device,
        graph::IdentityKind::Encrypted => core::IdentityKind::Encrypted,
        graph::IdentityKind::OnPremises => core::IdentityKind::OnPremises,
        graph::IdentityKind::AzureCommunicationServicesUser => core::IdentityKind::AzureCommunicationServicesUser,
    }
}

fn identity_set(identity: &core::Identity) -> graph::IdentitySet<'_> {
    let one = graph::Identity {
        id: Some(identity.id.as_str().into()),
        display_name: identity.display_name.as_deref().map(Into::into),
        tenant_id: identity.tenant.as_deref().map(Into::into),
    };
    graph::IdentitySet(vec![(identity_kind(identity.kind), one)])
}

fn participant_info(identity: &core::Identity) -> graph::ParticipantInfo<'_> {
    graph::ParticipantInfo { identity: identity_set(identity), ..Default::default() }
}

fn invitation(identity: &core::Identity) -> graph::InvitationParticipantInfo<'_> {
    graph::InvitationParticipantInfo { identity: identity_set(identity), ..Default::default() }
}

fn chat_info(meeting: &core::Meeting) -> graph::ChatInfo<'_> {
    graph::ChatInfo {
        thread_id: Some(meeting.thread.as_str().into()),
        message_id: meeting.message.as_deref().map(Into::into),
        reply_chain_message_id: meeting.reply_chain.as_deref().map(Into::into),
    }
}

fn meeting_info(meeting: &core::Meeting) -> Option<graph::MeetingInfo<'_>> {
    Some(match meeting.info.as_ref()? {
        core::MeetingInfo::Organizer(organizer) => graph::MeetingInfo::Organizer { organizer: identity_set(organizer) },
        core::MeetingInfo::Token(token) => graph::MeetingInfo::Token { token: token.as_str().into() },
        core::MeetingInfo::JoinMeetingId { id, passcode } => graph::MeetingInfo::JoinMeetingId {
            join_meeting_id: id.as_str().into(),
            passcode: passcode.as_deref().map(Into::into),
        },
    })
}

/// Everyone in a conversation.
pub(crate) fn participants(roster: &[(core::ParticipantId, core::Identity)]) -> Vec<graph::Participant<'_>> {
    let mut participants = Vec::with_capacity(roster.len());
    for (index, (id, identity)) in roster.iter().enumerate() {
        participants.push(graph::Participant {
            id: id.to_string().into(),
            info: participant_info(identity),
            media_streams: vec![graph::MediaStream::audio((index + 1).to_string())],
            ..Default::default()
        });
    }
    participants
}

fn result_info(result: &core::ResultInfo) -> graph::ResultInfo<'_> {
    graph::ResultInfo { code: result.code, subcode: result.subcode, message: Some(result.message.as_str().into()) }
}

fn direction(direction: core::Direction) -> graph::CallDirection {
    match direction {
        core::Direction::Incoming => graph::CallDirection::Incoming,
        core::Direction::Outgoing => graph::CallDirection::Outgoing,
    }
}

fn media_state(active: bool) -> graph::CallMediaState {
    graph::CallMediaState { audio: if active { graph::MediaState::Active } else { graph::MediaState::Inactive } }
}

fn tone(tone: core::Tone) -> graph::Tone {
    match tone {
        core::Tone::Tone0 => graph::Tone::Tone0,
        core::Tone::Tone1 => graph::Tone::Tone1,
        core::Tone::Tone2 => graph::Tone::Tone2,
        core::Tone::Tone3 => graph::Tone::Tone3,
        core::Tone::Tone4 => graph::Tone::Tone4,
        core::Tone::Tone5 => graph::Tone::Tone5,
        core::Tone::Tone6 => graph::Tone::Tone6,
        core::Tone::Tone7 => graph::Tone::Tone7,
        core::Tone::Tone8 => graph::Tone::Tone8,
        core::Tone::Tone9 => graph::Tone::Tone9,
        core::Tone::Star => graph::Tone::Star,
        core::Tone::Pound => graph::Tone::Pound,
        core::Tone::A => graph::Tone::A,
        core::Tone::B => graph::Tone::B,
        core::Tone::C => graph::Tone::C,
        core::Tone::D => graph::Tone::D,
        core::Tone::Flash => graph::Tone::Flash,
    }
}

/// The machine's word for a key of the wire.
pub(crate) fn core_tone(tone: graph::Tone) -> core::Tone {
    match tone {
        graph::Tone::Tone0 => core::Tone::Tone0,
        graph::Tone::Tone1 => core::Tone::Tone1,
        graph::Tone::Tone2 => core::Tone::Tone2,
        graph::Tone::Tone3 => core::Tone::Tone3,
        graph::Tone::Tone4 => core::Tone::Tone4,
        graph::Tone::Tone5 => core::Tone::Tone5,
        graph::Tone::Tone6 => core::Tone::Tone6,
        graph::Tone::Tone7 => core::Tone::Tone7,
        graph::Tone::Tone8 => core::Tone::Tone8,
        graph::Tone::Tone9 => core::Tone::Tone9,
        graph::Tone::Star => core::Tone::Star,
        graph::Tone::Pound => core::Tone::Pound,
        graph::Tone::A => core::Tone::A,
        graph::Tone::B => core::Tone::B,
        graph::Tone::C => core::Tone::C,
        graph::Tone::D => core::Tone::D,
        graph::Tone::Flash => core::Tone::Flash,
    }
}

/// An operation: the same in an answer, in GET and in a notification (`S2`). Without `auth`, which makes the token of a
/// recording, it is for the operator's eyes, and bears none.
pub(crate) fn operation<'a>(operation: &'a core::Operation, auth: Option<&Auth>) -> graph::CommsOperation<'a> {
    let location = operation.recording_location();
    let token = |location: &str| match auth {
        Some(auth) if !location.is_empty() => auth.recording_token(operation.id),
        Some(_) | None => String::new(),
    };
    let (kind, prompts) = match &operation.kind {
        core::OperationKind::PlayPrompt { prompts, .. } => (graph::OperationKind::PlayPrompt, prompts.as_slice()),
        core::OperationKind::RecordResponse(_) => (graph::OperationKind::Record, &[][..]),
        core::OperationKind::SendDtmfTones { .. } => (graph::OperationKind::SendDtmfTones, &[][..]),
        core::OperationKind::SubscribeToTone => (graph::OperationKind::SubscribeToTone, &[][..]),
        core::OperationKind::CancelMediaProcessing => (graph::OperationKind::CancelMediaProcessing, &[][..]),
    };
    graph::CommsOperation {
        id: operation.id.to_string().into(),
        kind,
        status: match operation.status {
            core::OperationStatus::NotStarted => graph::OperationStatus::NotStarted,
            core::OperationStatus::Running => graph::OperationStatus::Running,
            core::OperationStatus::Completed => graph::OperationStatus::Completed,
            core::OperationStatus::Failed => graph::OperationStatus::Failed,
        },
        client_context: operation.client_context.as_deref().map(Into::into),
        result_info: operation.result.as_ref().map(result_info),
        completion_reason: operation.completion_reason().map(|reason| match reason {
            core::CompletionReason::CompletedSuccessfully => graph::CompletionReason::CompletedSuccessfully,
            core::CompletionReason::MediaOperationCanceled => graph::CompletionReason::MediaOperationCanceled,
            core::CompletionReason::Unknown => graph::CompletionReason::Unknown,
            core::CompletionReason::OperationCanceled => graph::CompletionReason::OperationCanceled,
            core::CompletionReason::StopToneDetected => graph::CompletionReason::StopToneDetected,
            core::CompletionReason::MaxRecordDurationReached => graph::CompletionReason::MaxRecordDurationReached,
            core::CompletionReason::InitialSilenceTimeout => graph::CompletionReason::InitialSilenceTimeout,
            core::CompletionReason::MaxSilenceTimeout => graph::CompletionReason::MaxSilenceTimeout,
            core::CompletionReason::PlayPromptFailed => graph::CompletionReason::PlayPromptFailed,
            core::CompletionReason::MediaReceiveTimeout => graph::CompletionReason::MediaReceiveTimeout,
            core::CompletionReason::UnspecifiedError => graph::CompletionReason::UnspecifiedError,
        }),
        prompts: prompts
            .iter()
            .map(|prompt| graph::MediaPrompt {
                media_info: graph::MediaInfo {
                    uri: prompt.uri.as_str().into(),
                    resource_id: prompt.resource_id.as_deref().map(Into::into),
                },
                repeat: (prompt.times != 1).then_some(prompt.times),
            })
            .collect(),
        recording_location: location.map(Into::into),
        recording_access_token: location.map(|location| token(location).into()),
    }
}

/// A call, whole.
pub(crate) fn call(view: &CallView) -> graph::Call<'_> {
    let begun = &view.call.begun;
    let (state, audio, result) = match &view.call.state {
        core::CallState::Incoming { .. } => (graph::CallState::Incoming, None, None),
        core::CallState::Establishing { .. } => (graph::CallState::Establishing, None, None),
        core::CallState::Established { audio } => (graph::CallState::Established, Some(*audio), None),
        core::CallState::Terminating | core::CallState::Ending { .. } => (graph::CallState::Terminating, None, None),
        core::CallState::Terminated(result) => (graph::CallState::Terminated, None, Some(result)),
    };
    graph::Call {
        id: Some(begun.call.to_string().into()),
        state: Some(state),
        direction: Some(direction(view.call.direction)),
        callback_uri: Some(view.call.callback.as_str().into()),
        call_chain_id: Some(view.conversation.to_string().into()),
        source: Some(participant_info(&begun.source)),
        targets: begun.target.iter().map(invitation).collect(),
        requested_modalities: vec![graph::Modality::Audio],
        active_modalities: audio.filter(|active| *active).map(|_| graph::Modality::Audio).into_iter().collect(),
        media_config: Some(graph::MediaConfig::service_hosted()),
        media_state: audio.map(media_state),
        my_participant_id: Some(begun.me.to_string().into()),
        tenant_id: Some(begun.tenant.as_str().into()),
        subject: begun.subject.as_deref().map(Into::into),
        result_info: result.map(result_info),
        chat_info: begun.meeting.as_ref().map(chat_info),
        meeting_info: begun.meeting.as_ref().and_then(meeting_info),
        ..Default::default()
    }
}

/// A notice, as its notification.
pub(crate) fn notification<'a>(owner: &'a LaneOwner, notice: &'a core::Notice, auth: &Auth) -> graph::Notification<'a> {
    let id = owner.call.to_string();
    let part = |state: graph::CallState| graph::Call {
        id: Some(id.clone().into()),
        state: Some(state),
        call_chain_id: Some(owner.conversation.to_string().into()),
        tenant_id: Some(owner.tenant.as_str().into()),
        ..Default::default()
    };
    // Real notices of a meeting's call name it once it is there (client-facts §3).
    let met = |call: graph::Call<'a>| graph::Call {
        chat_info: notice.meeting.as_ref().map(chat_info),
        meeting_info: notice.meeting.as_ref().and_then(meeting_info),
        ..call
    };
    let mut notification = match &notice.told {
        core::Told::Incoming { source, target, me, them: _ } => {
            let call = graph::Call {
                direction: Some(graph::CallDirection::Incoming),
                callback_uri: Some(notice.callback.as_str().into()),
                source: Some(participant_info(source)),
                targets: vec![invitation(target)],
                requested_modalities: vec![graph::Modality::Audio],
                my_participant_id: Some(me.to_string().into()),
                ..part(graph::CallState::Incoming)
            };
            graph::Notification::incoming(id.clone(), call)
        }
        core::Told::Establishing => graph::Notification::updated(id.clone(), met(part(graph::CallState::Establishing))),
        core::Told::Established { direction: began, audio } => {
            let call = graph::Call {
                direction: Some(direction(*began)),
                media_state: audio.map(media_state),
                ..part(graph::CallState::Established)
            };
            graph::Notification::updated(id.clone(), met(call))
        }
        core::Told::Terminating => graph::Notification::updated(id.clone(), part(graph::CallState::Terminating)),
        core::Told::Terminated(result) => {
            let call = graph::Call { result_info: Some(result_info(result)), ..part(graph::CallState::Terminated) };
            graph::Notification::terminated(id.clone(), call)
        }
        core::Told::Roster(parties) => graph::Notification::roster(id.clone(), participants(parties)),
        core::Told::OperationEnded(ended) => {
            graph::Notification::operation_ended(id.clone(), operation(ended, Some(auth)))
        }
        core::Told::Tone { sequence, tone: pressed } => {
            let tone_info = graph::ToneInfo { sequence_id: *sequence, tone: tone(*pressed) };
            let call = graph::Call { tone_info: Some(tone_info), ..part(graph::CallState::Established) };
            graph::Notification::updated(id.clone(), call)
        }
    };
    if let core::Told::Establishing | core::Told::Established { .. } = notice.told {
        notification.callback_uri = Some(notice.callback.as_str().into());
    }
    notification
}
