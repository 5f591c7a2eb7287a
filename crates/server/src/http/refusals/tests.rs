//! Prints the table of refusals, and the catalogue of ends, and compares them with docs/errors.md.
//!
//! A message with a number or a name in it is shown with an example. Every enum is matched whole in
//! one place, so that a new refusal does not compile until it is listed here.

use std::fmt::Write as _;

use expect_test::expect_file;
use ringback_core::{EndCause, ResultInfo};

use super::*;

const HEAD: &str = "\
# Errors and ends

For the author of a bot. A test prints this page from the code, so it is what the server says; run it with
`UPDATE_EXPECT=1` after a change.

## What a request is refused with

The body is `{\"error\": {\"code\", \"message\", \"innerError\": {\"date\", \"request-id\", \"client-request-id\"}}}`. What was
refused with 4xx, 501 or 503 had no effect. Switch on status and code; messages are for people and may change. Numbers
and names in the messages below are examples. `Retry-After` is in seconds.

| status | code | message | when | header |
|---|---|---|---|---|
";

const ELSEWHERE: &str = "
Before a request comes that far: 413 `invalidRequest` for a body over 256 KiB, 408 for one that is not sent within 15 s,
400 for one that breaks off. A target that cannot be called is 400 `invalidRequest` with the reason. The token endpoint
answers in the shape of RFC 6749, with Azure's numbers (`AADSTS…`).

## How operations and calls end

`resultInfo` of an operation that has ended and of a call that is `terminated`. A name in the message is an example.

| code | subcode | message | when |
|---|---|---|---|
";

struct Table(String);

impl Table {
    fn refused(&mut self, refused: impl Into<Refused>, when: &str) {
        let Refused { status, code, message, retry_after, allow, finding: _ } = refused.into();
        let status = status.as_u16();
        let retry = retry_after.map(|seconds| format!("`Retry-After: {seconds}`"));
        let allow = allow.map(|methods| format!("`Allow: {methods}`"));
        let header = [retry, allow].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let row = format!("| {status} | `{code}` | {message} | {when} | {header} |");
        let _ = writeln!(self.0, "{}", row.replace("|  |", "| |"));
    }

    fn end(&mut self, end: &ResultInfo, when: &str) {
        let ResultInfo { code, subcode, message } = end;
        let _ = writeln!(self.0, "| {code} | {subcode} | {message} | {when} |");
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
        EngineError::Ledger("not shown".to_owned()),
    ];
    for error in all {
        let when = match error {
            EngineError::TooManyCalls(_) => "create call, over the app's `max_calls`",
            EngineError::Busy(_) => "a queue or table is full",
            EngineError::Stopping => "the server stops, or gave this call up",
            EngineError::StorageFull => "only what ends something is recorded until there is room",
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
        RouteError::MethodNotAllowed { allow: "GET, DELETE" },
        RouteError::NotServed { what: "mute" },
    ];
    for error in routes {
        let when = match error {
            RouteError::UnknownSegment(_) => "a path that is not in the contract",
            RouteError::MissingId(_) => "`/calls//playPrompt`",
            RouteError::BadOption(_) => "lists",
            RouteError::MethodNotAllowed { .. } => "the path exists, with other methods",
            RouteError::NotServed { .. } => "in the contract, and not here yet",
        };
        table.refused(error, when);
    }
    table.refused(
        Refused::not_served("Joining a meeting"),
        "create call with meetings, several targets, app-hosted media",
    );
    table.refused(Refused::operation_not_found(), "the call is known, the operation is not");
    table.refused(Refused::no_room_for_recordings(1_024), "recordResponse, over the app's `max_recording_mib`");
    table.refused(Refused::only_here(), "with `identities = \"any\"`, a client from elsewhere");
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

fn tokens(table: &mut Table) {
    let all = [
        TokenError::Missing,
        TokenError::Malformed,
        TokenError::Expired,
        TokenError::WrongAudience,
        TokenError::BadSignature,
        TokenError::UnknownApp,
    ];
    for error in all {
        let when = match error {
            TokenError::Missing => "no `Authorization: Bearer`",
            TokenError::Malformed => "not a token",
            TokenError::Expired => "an hour after it was issued: ask for another",
            TokenError::WrongAudience => "a token for something else",
            TokenError::BadSignature => "another server's token",
            TokenError::UnknownApp => "the app was removed",
        };
        table.refused(error, when);
    }
}

fn ends(table: &mut Table) {
    let why = "prompts[0]: the host is at a private address";
    table.end(&ResultInfo::success(), "an operation did what was asked");
    table.end(&ResultInfo::cancelled(), "an operation was cancelled, or its call ended");
    table.end(
        &ResultInfo::prompt_invalid(
            "prompts[0]: the prompt is not a WAV file: save it as WAV, mono, 16-bit PCM, 16 kHz",
        ),
        "playPrompt, recordResponse: not a WAV that can be played",
    );
    table.end(&ResultInfo::prompt_unavailable(why), "playPrompt, recordResponse: the prompt could not be fetched");
    table.end(&ResultInfo::prompt_failed("the leg is busy"), "playPrompt, recordResponse: a fault while playing");
    table.end(&ResultInfo::stop_tone(), "recordResponse: a stop tone");
    table.end(&ResultInfo::max_duration(), "recordResponse: it became as long as it may");
    table.end(&ResultInfo::max_silence(), "recordResponse: a pause, once something was said");
    table.end(
        &ResultInfo::cut_short("the call ended during the recording"),
        "recordResponse: the call ended, the server was restarted, or the disk did not keep up",
    );
    table.end(&ResultInfo::initial_silence(), "recordResponse: nobody said anything; there is no recording");
    table.end(&ResultInfo::recording_failed("the disk is full"), "recordResponse: a fault; there is no recording");
    table.end(
        &ResultInfo::tones_failed("the leg is busy"),
        "sendDtmfTones: a fault while sending; `status` is `completed`",
    );
    table.end(&ResultInfo::operation_lost(), "an operation was open when the server died");
    table.end(&ResultInfo::call_lost(), "the call was open when the server died");
    table.end(&ResultInfo::rejected(), "the bot rejected the call");
    table.end(&ResultInfo::not_answered_by_bot(), "the bot did not answer within 15 s");
    table.end(&ResultInfo::not_acknowledged(), "the caller never acknowledged the answer");
    table.end(&ResultInfo::not_kept_alive(), "no keepAlive for 45 minutes");
    let causes = [
        EndCause::LocalHangUp,
        EndCause::FarHangUp,
        EndCause::Cancelled,
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Unreachable,
        EndCause::Declined(603),
        EndCause::MediaTimeout,
        EndCause::Failed("the server was stopped".to_owned()),
    ];
    for cause in causes {
        let when = match &cause {
            EndCause::LocalHangUp => "the bot hung up",
            EndCause::FarHangUp => "the far end hung up",
            EndCause::Cancelled => "the caller gave up before the bot answered",
            EndCause::Busy => "the phone is busy",
            EndCause::NoAnswer => "it rang, and nobody answered",
            EndCause::Unreachable => "the phone is not registered, or does not respond",
            EndCause::Declined(_) => "the phone refused; `code` is its SIP status",
            EndCause::MediaTimeout => "no audio came for 60 s",
            EndCause::Failed(_) => "signalling or media failed, or the server was stopped",
        };
        table.end(&ResultInfo::of_leg(&cause), when);
    }
}

#[test]
fn the_page_of_errors_is_what_the_server_says() {
    let mut table = Table(HEAD.to_owned());
    tokens(&mut table);
    wire(&mut table);
    machine(&mut table);
    engine(&mut table);
    table.0.push_str(ELSEWHERE);
    ends(&mut table);
    expect_file!["../../../../../docs/errors.md"].assert_eq(&table.0);
}
