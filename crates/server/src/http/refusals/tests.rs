//! Prints the table of refusals, and the catalogue of results, and compares them with docs/errors.md. Whatever is printed
//! must stand in the catalogue, with its message where bots compare that; and what the catalogue says is given, must be.
//!
//! A message with a number or a name in it is shown with an example. Every enum is matched whole in
//! one place, so that a new refusal does not compile until it is listed here.

use std::fmt::Write as _;

use expect_test::expect_file;
use ringback_core::{EndCause, ResultInfo};
use ringback_graph::results::{self, Known, Of};

use super::*;
use crate::directory::BadBase;
use crate::first_seen::BadWish;

const HEAD: &str = "\
# Errors and ends

For the author of a bot. A test prints this page from the code, so it is what the server says; run it with
`UPDATE_EXPECT=1` after a change.

## What a request is refused with

The body is `{\"error\": {\"code\", \"message\", \"innerError\": {\"date\", \"request-id\", \"client-request-id\"}}}`. What was
refused with 4xx, 501 or 503 had no effect. Switch on status and code; messages are for people and may change. Numbers
and names in the messages below are examples. `Retry-After` is in seconds. `ringback explain` says of each code, and of those
below, what it means.

| status | code | message | when | header |
|---|---|---|---|---|
";

const ELSEWHERE: &str = "
Before a request comes that far: 413 `invalidRequest` for a body over 256 KiB, 408 for one that is not sent within 15 s,
400 for one that breaks off. A target that cannot be called is 400 `invalidRequest` with the reason. The token endpoint
answers in the shape of RFC 6749, with Azure's numbers (`AADSTS…`).

## How operations and calls end

`resultInfo` of an operation that has ended and of a call that is `terminated`. A name in the message is an example. The mark
says how the meaning at Microsoft is known: D documented; A documented for Azure Communication Services, which shares these
codes; R seen in real traffic; G general to Graph; I inferred; or the code is ours.

| code | subcode | message | when | at Microsoft | mark |
|---|---|---|---|---|---|
";

const NOT_GIVEN: &str = "
## What Microsoft gives, and Ringback does not

| of | code | subcode or code | at Microsoft | mark |
|---|---|---|---|---|
";

/// Refusals of what is not yet a request, which [`ELSEWHERE`] tells of.
const BEFORE: [(u16, &str); 2] = [(408, "invalidRequest"), (413, "invalidRequest")];

/// The page, and which results it shows.
struct Table(String, Vec<&'static Known>);

impl Table {
    /// The entry of a result; none that is given may be missing, nor say something else.
    fn known(&mut self, of: Of, code: u16, subcode: &str, message: &str) -> &'static Known {
        let known =
            results::find(of, code, subcode).unwrap_or_else(|| panic!("{code}#{subcode} is not in the catalogue"));
        assert!(known.given.is_some(), "the catalogue does not say when {known} is given");
        assert!(known.says.is_empty() || known.may_say(message), "{known} says in the catalogue: {:?}", known.says);
        self.1.push(known);
        known
    }

    fn refused(&mut self, refused: impl Into<Refused>, when: &str) {
        let Refused { status, code, message, retry_after, allow, finding: _ } = refused.into();
        let status = status.as_u16();
        self.known(Of::Request, status, code, &message);
        let retry = retry_after.map(|seconds| format!("`Retry-After: {seconds}`"));
        let allow = allow.map(|methods| format!("`Allow: {methods}`"));
        let header = [retry, allow].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let row = format!("| {status} | `{code}` | {message} | {when} | {header} |");
        let _ = writeln!(self.0, "{}", row.replace("|  |", "| |"));
    }

    fn end(&mut self, of: Of, end: &ResultInfo) {
        let ResultInfo { code, subcode, message } = end;
        let known = self.known(of, u16::try_from(*code).expect("a code"), &subcode.to_string(), message);
        let (when, meaning, mark) = (known.given.unwrap_or_default(), known.meaning, known.evidence.mark());
        let _ = writeln!(self.0, "| {code} | {subcode} | {message} | {when} | {meaning} | {mark} |");
    }

    /// What the catalogue has besides, and nothing that it says is given.
    fn rest(&mut self) {
        self.0.push_str(NOT_GIVEN);
        for known in results::ALL.iter().filter(|known| !self.1.contains(known)) {
            let before = known.of == Of::Request && BEFORE.iter().any(|(status, code)| known.is(*status, code));
            assert!(known.given.is_none() || before, "{known} is said to be given, and is not on the page");
            if before {
                continue;
            }
            let code = known.code.map_or("-".to_owned(), |code| code.to_string());
            let Known { of, subcode, meaning, evidence, .. } = known;
            let _ = writeln!(self.0, "| {of} | {code} | {subcode} | {meaning} | {} |", evidence.mark());
        }
    }
}

fn machine(table: &mut Table) {
    let all = [
        Refusal::CallNotFound,
        Refusal::NotIncoming,
        Refusal::StillIncoming,
        Refusal::NotEstablished,
        Refusal::ClientContextTooLong { units: 257 },
        Refusal::NoPrompts,
        Refusal::TooManyPrompts { count: 21 },
        Refusal::NotOnePrompt { count: 2 },
        Refusal::BadSeconds { member: "maxRecordDurationInSeconds", seconds: 300 },
        Refusal::BadPromptUri { index: 0 },
        Refusal::BadPromptLoop { index: 0 },
        Refusal::NoTones,
        Refusal::TooManyTones { count: 101 },
        Refusal::BadToneDelay { delay: -1 },
        Refusal::BadCallback,
        Refusal::QueueFull,
        Refusal::ConversationFull,
        Refusal::AlreadyBegun,
        Refusal::MeetingFull,
    ];
    for refusal in all {
        let when = match refusal {
            Refusal::CallNotFound => "the call has ended, never was, or is another app's",
            Refusal::NotIncoming => "answer, reject",
            Refusal::StillIncoming => "DELETE on an incoming call",
            Refusal::NotEstablished => {
                "playPrompt, recordResponse, sendDtmfTones, subscribeToTone, cancelMediaProcessing"
            }
            Refusal::ClientContextTooLong { .. } => "every verb with a clientContext",
            Refusal::NoPrompts | Refusal::TooManyPrompts { .. } => "playPrompt",
            Refusal::BadPromptUri { .. } => "playPrompt, recordResponse",
            Refusal::BadPromptLoop { .. } => "playPrompt, recordResponse, on beta",
            Refusal::NotOnePrompt { .. } => "recordResponse; beta's record may do without",
            Refusal::BadSeconds { .. } => "recordResponse, each of its three times",
            Refusal::NoTones | Refusal::TooManyTones { .. } | Refusal::BadToneDelay { .. } => "sendDtmfTones",
            Refusal::BadCallback => "create call, answer, reject",
            Refusal::QueueFull => "playPrompt, recordResponse, sendDtmfTones",
            Refusal::ConversationFull => "every verb but those that end the call",
            Refusal::AlreadyBegun => "never to a bot: ids are made here",
            Refusal::MeetingFull => "never to a bot: a phone that joins is declined with 503",
        };
        table.refused(refusal, when);
    }
}

fn engine(table: &mut Table) {
    let all = [
        EngineError::TooManyCalls(100),
        EngineError::Busy("the call's mailbox"),
        EngineError::Stopping,
        EngineError::StorageFull,
        EngineError::MeetingTaken,
        EngineError::NobodyThere,
        EngineError::Ledger("not shown".to_owned()),
    ];
    for error in all {
        let when = match error {
            EngineError::TooManyCalls(_) => "create call, over the app's `max_calls`",
            EngineError::Busy(_) => "a queue or table is full",
            EngineError::Stopping => "the server stops, or gave this call up",
            EngineError::StorageFull => "only what ends something is recorded until there is room",
            EngineError::MeetingTaken => "create call with a meeting",
            EngineError::NobodyThere => "never to a bot: a phone that joins is declined with 480",
            EngineError::Ledger(_) => "a fault of the server; the trace says more",
            EngineError::Refused(_) => "see above",
        };
        table.refused(error, when);
    }
}

fn wire(table: &mut Table) {
    let routes = [
        RouteError::UnknownSegment("frobnicate".to_owned()),
        RouteError::MissingId("playPrompt"),
        RouteError::BadOption("$top"),
        RouteError::UnservedOption("$search"),
        RouteError::BadFilter("understood are eq, in and startswith, joined by and, or and brackets".to_owned()),
        RouteError::Elsewhere { method: "GET".to_owned(), path: "/me/messages".to_owned() },
        RouteError::MethodNotAllowed { allow: "GET, DELETE" },
        RouteError::NotServed { what: "mute" },
    ];
    for error in routes {
        let when = match error {
            RouteError::UnknownSegment(_) => "a path that is not in the contract",
            RouteError::MissingId(_) => "`/calls//playPrompt`",
            RouteError::BadOption(_) => "lists",
            RouteError::UnservedOption(_) => "users, meetings, messages",
            RouteError::BadFilter(_) => "a `$filter` in another form",
            RouteError::Elsewhere { .. } => "the rest of Graph; counted by its shape at `/_ringback/unserved`",
            RouteError::MethodNotAllowed { .. } => "the path exists, with other methods",
            RouteError::NotServed { .. } => "in the contract, and not here yet",
        };
        table.refused(error, when);
    }
    table.refused(
        Refused::not_served("Calling more than one target"),
        "create call with several targets, app-hosted media",
    );
    table.refused(
        Refused::lacks_role(Role::AccessMedia),
        "recordResponse, subscribeToTone; create call wants `Calls.Initiate.All`",
    );
    table
        .refused(Refused::no_resource("ada@one.example"), "a user, organization, meeting or message that is not there");
    table.refused(
        Refused::unsupported_filter("department", "User"),
        "users are found by id, userPrincipalName, mail, displayName",
    );
    table.refused(NotKept::TooLong(70_000), "a chat message over 64 KiB");
    table.refused(NotKept::Ledger("not shown".to_owned()), "a chat message: the disk is full or busy");
    table.refused(Refused::tenant_mismatch(), "create call's `tenantId` is not the token's");
    table.refused(
        Refused::source_invalid(),
        "create call to the telephone network without `source.identity.applicationInstance`, or in another app's name",
    );
    table.refused(Refused::no_meetings(), "create call with a meeting");
    table.refused(Refused::operation_not_found(), "the call is known, the operation is not");
    table.refused(Refused::participant_not_found(), "the call is known, and nobody of that id is in it");
    table.refused(Refused::no_room_for_recordings(1_024), "recordResponse, over the app's `max_recording_mib`");
    seen(table);
    pages(table);
    table.refused(Refused::only_here(), "with `identities = \"any\"`, a client from elsewhere");
    table.refused(Refused::passed_on(), "the same, through a proxy or tunnel that says so");
    table.refused(Refused::not_its_token(), "`recordingLocation`, with another token or none");
    table.refused(Refused::recording_not_found(), "`recordingLocation`, with the right token");
    table.refused(Refused::too_many_reads(), "`recordingLocation`");
    let path = "prompts[0].mediaInfo.uri".to_owned();
    let bodies = [
        BodyError::NotJson { reason: "expected value at line 1 column 1".to_owned() },
        BodyError::Missing { path: path.clone(), expected: "a text".into() },
        BodyError::Wrong { path, expected: "a text".into(), found: "a number" },
    ];
    for error in bodies {
        let when = match error {
            BodyError::NotJson { .. } | BodyError::Missing { .. } | BodyError::Wrong { .. } => "every verb with a body",
        };
        table.refused(error, when);
    }
}

fn seen(table: &mut Table) {
    let all = [
        NotTaken::Strict,
        NotTaken::BadId,
        NotTaken::Wish(BadWish::Local(BadBase.to_string())),
        NotTaken::TenantConfigured,
        NotTaken::TooMany,
        NotTaken::Unknown,
        NotTaken::NotKept("the disk that holds the ledger is full".to_owned()),
    ];
    for error in all {
        let when = match error {
            NotTaken::Strict => "`/_ringback/apps/…`, where only configured apps are known",
            NotTaken::Unknown => "GET, DELETE `/_ringback/apps/{id}`",
            NotTaken::BadId
            | NotTaken::Wish(_)
            | NotTaken::TenantConfigured
            | NotTaken::TooMany
            | NotTaken::NotKept(_) => "PUT `/_ringback/apps/{id}`",
        };
        table.refused(error, when);
    }
}

fn pages(table: &mut Table) {
    let all = [
        PageError::NotSignedIn,
        PageError::NobodyThere,
        PageError::NoLeg,
        PageError::Taken,
        PageError::TooManySessions,
        PageError::TooManyLegs,
        PageError::Offer(OfferError::Malformed),
        PageError::Offer(OfferError::NothingInCommon),
        PageError::Offer(OfferError::Full),
        PageError::Offer(OfferError::Unavailable),
    ];
    for error in all {
        let when = match error {
            PageError::NotSignedIn => "`/_ringback/phone/…`, the door of a page's phone",
            PageError::NobodyThere | PageError::TooManyLegs => "there, a call",
            PageError::NoLeg => "there, a leg",
            PageError::Taken => "there, an answer",
            PageError::TooManySessions => "there, signing in",
            PageError::Offer(_) => "there, a call or an answer",
        };
        table.refused(error, when);
    }
}

fn tokens(table: &mut Table) {
    let all = [
        TokenError::Missing,
        TokenError::Malformed,
        TokenError::Expired,
        TokenError::WrongAudience,
        TokenError::BadSignature,
        TokenError::UnknownApp,
        TokenError::OtherTenant,
    ];
    for error in all {
        let when = match error {
            TokenError::Missing => "no `Authorization: Bearer`",
            TokenError::Malformed => "not a token",
            TokenError::Expired => "an hour after it was issued: ask for another",
            TokenError::WrongAudience => "a token for something else",
            TokenError::BadSignature => "another server's token",
            TokenError::UnknownApp => "the app was removed",
            TokenError::OtherTenant => "the app was moved to another tenant",
        };
        table.refused(error, when);
    }
}

fn operations(table: &mut Table) {
    let why = "prompts[0]: the host is at a private address";
    let no_wav = "prompts[0]: the prompt is not a WAV file: save it as WAV, mono, 16-bit PCM, 16 kHz";
    for end in [
        ResultInfo::success(),
        ResultInfo::cancelled(),
        ResultInfo::prompt_invalid(no_wav),
        ResultInfo::prompt_unavailable(why),
        ResultInfo::prompt_failed("the leg is busy"),
        ResultInfo::tones_failed("the leg is busy"),
        ResultInfo::stop_tone(),
        ResultInfo::max_duration(),
        ResultInfo::max_silence(),
        ResultInfo::cut_short("the call ended during the recording"),
        ResultInfo::initial_silence(),
        ResultInfo::recording_failed("the disk is full"),
        ResultInfo::operation_lost(),
    ] {
        table.end(Of::Operation, &end);
    }
}

fn calls(table: &mut Table) {
    for end in [
        ResultInfo::call_lost(),
        ResultInfo::removed(),
        ResultInfo::rejected(),
        ResultInfo::not_answered_by_bot(),
        ResultInfo::not_acknowledged(),
        ResultInfo::not_kept_alive(),
    ] {
        table.end(Of::Call, &end);
    }
    for cause in [
        EndCause::LocalHangUp,
        EndCause::FarHangUp,
        EndCause::Cancelled,
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Unreachable,
        EndCause::Declined(603),
        EndCause::MediaTimeout,
        EndCause::Failed("the server was stopped".to_owned()),
    ] {
        match &cause {
            // One result for both.
            EndCause::Cancelled => {}
            EndCause::LocalHangUp
            | EndCause::FarHangUp
            | EndCause::Busy
            | EndCause::NoAnswer
            | EndCause::Unreachable
            | EndCause::Declined(_)
            | EndCause::MediaTimeout
            | EndCause::Failed(_) => table.end(Of::Call, &ResultInfo::of_leg(&cause)),
        }
    }
}

#[test]
fn the_page_of_errors_is_what_the_server_says() {
    let mut table = Table(HEAD.to_owned(), vec![]);
    tokens(&mut table);
    wire(&mut table);
    machine(&mut table);
    engine(&mut table);
    table.0.push_str(ELSEWHERE);
    operations(&mut table);
    calls(&mut table);
    table.rest();
    expect_file!["../../../../../docs/errors.md"].assert_eq(&table.0);
}
