//! What comes of an input, as compact text.

use ringback_core::{
    Call, CallState, Conversation, Effect, Event, Identity, Input, LegId, LegPhase, Notice, Now, Operation,
    OperationId, OperationKind, OperationStatus, Prompt, Recording, Repeat, ResultInfo, Told,
};

use crate::world::{LEG, PHONES, operation_number, since_start};

/// Texts longer than this are printed as their length.
const LONGEST: usize = 100;

/// Refusal; or events, effects, notices, and the state they lead to. One line each.
pub(crate) fn outcome(mut conversation: Conversation, now: Now, input: &Input) -> String {
    let before = conversation.clone();
    let decided = conversation.decide(now, input.clone());
    assert_eq!(conversation, before, "deciding changes nothing");
    let events = match decided {
        Err(refusal) => return format!("refused {refusal:?}: {refusal}\n"),
        Ok(events) if events.is_empty() => return "nothing\n".to_owned(),
        Ok(events) => events,
    };
    let (mut effects, mut notices) = (vec![], vec![]);
    for event in &events {
        conversation.evolve(now, event);
        effects.extend(conversation.effects(event));
        notices.extend(conversation.notices(event));
    }
    let mut text = String::new();
    let mut lines = |word: &str, lines: Vec<String>| {
        lines.iter().for_each(|line| text.push_str(&format!("{word:<8}{line}\n")));
    };
    lines("event", events.iter().map(event).collect());
    lines("effect", effects.iter().map(effect).collect());
    lines("notice", notices.iter().map(|(_, told)| notice(told)).collect());
    lines("now", vec![state(&conversation)]);
    text
}

/// A phone's leg in a meeting, as ` phone{n}`; nothing for the call's own.
fn phone(leg: LegId) -> String {
    if leg == LEG { String::new() } else { format!(" {}", leg_name(leg)) }
}

fn leg_name(leg: LegId) -> String {
    let n = PHONES.iter().position(|phone| *phone == leg);
    n.map_or_else(|| leg.to_string(), |n| format!("phone{}", n + 1))
}

fn name(id: OperationId) -> String {
    format!("op{}", operation_number(id))
}

fn long(text: &str) -> String {
    match text.chars().count() {
        count if count > LONGEST => format!("<{count} characters>"),
        _ => text.to_owned(),
    }
}

fn result(result: &ResultInfo) -> String {
    format!("{}/{} \"{}\"", result.code, result.subcode, long(&result.message))
}

fn status(status: OperationStatus) -> &'static str {
    match status {
        OperationStatus::NotStarted => "notStarted",
        OperationStatus::Running => "running",
        OperationStatus::Completed => "completed",
        OperationStatus::Failed => "failed",
    }
}

fn played(prompts: &[Prompt], repeat: Repeat) -> String {
    let times = |times: i32| if times == 1 { String::new() } else { format!(" {times} times") };
    let uris: Vec<String> = prompts.iter().map(|prompt| format!("{}{}", prompt.uri, times(prompt.times))).collect();
    let uris = if uris.len() > 3 { format!("{} prompts", uris.len()) } else { uris.join(" ") };
    match repeat {
        Repeat::Once => uris,
        Repeat::Forever => format!("{uris} forever"),
    }
}

fn recording(it: &Recording) -> String {
    let prompt = it.prompt.as_ref().map_or("no prompt", |prompt| prompt.uri.as_str());
    let beep = if it.beep { " beep" } else { "" };
    let tones = if it.stop_tones.is_empty() { String::new() } else { format!(" until {:?}", it.stop_tones) };
    format!("{prompt}{beep} {}/{}/{} s{tones}", it.initial_silence, it.max_silence, it.max_duration)
}

fn operation(operation: &Operation) -> String {
    let kind = match &operation.kind {
        OperationKind::PlayPrompt { prompts, repeat } => format!("playPrompt {}", played(prompts, *repeat)),
        OperationKind::RecordResponse(it) => format!("recordResponse {}", recording(it)),
        OperationKind::SendDtmfTones { tones, delay } => format!("sendDtmfTones {tones:?} {delay} ms"),
        OperationKind::SubscribeToTone => "subscribeToTone".to_owned(),
        OperationKind::CancelMediaProcessing => "cancelMediaProcessing".to_owned(),
    };
    let context = operation.client_context.as_ref().map(|text| format!(" context \"{}\"", long(text)));
    let result = operation.result.as_ref().map(|it| format!(" {}", result(it)));
    let reason = operation.completion_reason().map(|reason| format!(" {reason:?}"));
    let location = operation.recording_location().map(|location| format!(" at \"{location}\""));
    let more: String = [context, result, reason, location].into_iter().flatten().collect();
    format!("{} {kind} {}{more}", name(operation.id), status(operation.status))
}

fn event(event: &Event) -> String {
    match event {
        Event::CallOffered(begun) => format!("callOffered until {}", since_start(begun.until)),
        Event::CallPlaced(begun) => {
            let meeting = begun.meeting.as_ref().map(|it| format!(" in {}", it.thread)).unwrap_or_default();
            format!("callPlaced until {}{meeting}", since_start(begun.until))
        }
        Event::LegAdmitted { leg, identity, .. } => format!("legAdmitted {} {}", leg_name(*leg), who(identity)),
        Event::RosterChanged { .. } => "rosterChanged".to_owned(),
        Event::AskRedirected { callback, .. } => format!("askRedirected to {callback}"),
        Event::CallbackChanged { callback, .. } => format!("callbackChanged to {callback}"),
        Event::CallAnswered { callback, until, .. } => {
            format!("callAnswered callback {callback} until {}", since_start(*until))
        }
        Event::CallEstablished { .. } => "callEstablished".to_owned(),
        Event::AudioChanged { active, .. } => format!("audioChanged active {active}"),
        Event::CallKeptAlive { .. } => "callKeptAlive".to_owned(),
        Event::CallTerminating { .. } => "callTerminating".to_owned(),
        Event::CallEnding { result: it, until, .. } => {
            format!("callEnding {} until {}", result(it), since_start(*until))
        }
        Event::CallTerminated { result: it, .. } => format!("callTerminated {}", result(it)),
        Event::LegAnswered { leg, dialog } => format!("legAnswered{} {dialog}", phone(*leg)),
        Event::LegReleased { leg, decline } => match decline {
            Some(status) => format!("legReleased{} decline {status}", phone(*leg)),
            None => format!("legReleased{}", phone(*leg)),
        },
        Event::LegEnded { leg, cause } => format!("legEnded{} {}", phone(*leg), long(&format!("{cause:?}"))),
        Event::OperationStarted { operation: it, .. } => format!("operationStarted {}", operation(it)),
        Event::OperationBegan { operation, .. } => format!("operationBegan {}", name(*operation)),
        Event::OperationEnded { operation, status: it, result: why, .. } => {
            format!("operationEnded {} {} {}", name(*operation), status(*it), result(why))
        }
        Event::ToneHeard { sequence, tone, .. } => format!("toneHeard {sequence} {tone:?}"),
        Event::Adopted { epoch } => format!("adopted by epoch {}", epoch.0),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Place { app, tenant, from, to, .. } => {
            format!("place {} to {} for {app} of {tenant}", who(from), who(to))
        }
        Effect::TakeSeat { .. } => "takeSeat".to_owned(),
        Effect::Admit { leg, .. } => format!("admit{}", phone(*leg)),
        Effect::Accept { .. } => "accept".to_owned(),
        Effect::Decline { status, .. } => format!("decline {status}"),
        Effect::HangUp { leg, dialog } => match dialog {
            Some(dialog) => format!("hangUp{} {dialog}", phone(*leg)),
            None => format!("hangUp{}", phone(*leg)),
        },
        Effect::Play { operation, prompts, repeat, .. } => {
            format!("play {} {}", name(*operation), played(prompts, *repeat))
        }
        Effect::SendTones { operation, tones, delay, .. } => {
            format!("send {} {tones:?} {delay} ms", name(*operation))
        }
        Effect::Record { operation, recording: it, .. } => format!("record {} {}", name(*operation), recording(it)),
        Effect::Keep { operation, .. } => format!("keep {}", name(*operation)),
        Effect::Stop { operation, .. } => format!("stop {}", name(*operation)),
    }
}

fn notice(notice: &Notice) -> String {
    let told = match &notice.told {
        Told::Incoming { source, target, .. } => format!("incoming from {} to {}", who(source), who(target)),
        Told::Establishing => "establishing".to_owned(),
        Told::Established { direction, audio: None } => format!("established {direction:?}"),
        Told::Established { direction, audio: Some(active) } => format!("established {direction:?}, audio {active}"),
        Told::Terminating => "terminating".to_owned(),
        Told::Terminated(why) => format!("terminated {}", result(why)),
        Told::Roster(parties) => {
            let parties: Vec<String> = parties.iter().map(|(_, identity)| who(identity)).collect();
            format!("roster {}", parties.join(" "))
        }
        Told::OperationEnded(ended) => operation(ended),
        Told::Tone { sequence, tone } => format!("tone {sequence} {tone:?}"),
    };
    let meeting = notice.meeting.as_ref().map(|it| format!(" in {}", it.thread)).unwrap_or_default();
    let until = notice.ask_until.map(|until| format!(" until {}", since_start(until))).unwrap_or_default();
    format!("{} < {told}{meeting}{until}", notice.callback)
}

fn who(identity: &Identity) -> String {
    format!("{:?}:{}", identity.kind, identity.id)
}

fn state(conversation: &Conversation) -> String {
    let calls = conversation.calls().map(call);
    let legs = conversation.legs().map(|leg| {
        let phase = match &leg.phase {
            LegPhase::Offered => "offered",
            LegPhase::Accepting => "accepting",
            LegPhase::Placing => "placing",
            LegPhase::Up(_) => "up",
            LegPhase::Releasing { .. } => "releasing",
            LegPhase::Ended => "ended",
        };
        format!("leg{} {phase}", phone(leg.id))
    });
    let deadline = conversation.next_deadline().map(|at| format!("deadline {}", since_start(at)));
    let parts: Vec<String> = calls.chain(legs).chain(deadline).collect();
    parts.join("; ")
}

fn call(call: &Call) -> String {
    let state = match &call.state {
        CallState::Incoming { redirects: 0, .. } => "incoming".to_owned(),
        CallState::Incoming { redirects, .. } => format!("incoming, redirects {redirects}"),
        CallState::Establishing { .. } => "establishing".to_owned(),
        CallState::Established { audio: true } => "established".to_owned(),
        CallState::Established { audio: false } => "established without audio".to_owned(),
        CallState::Terminating => "terminating".to_owned(),
        CallState::Ending { .. } => "ending".to_owned(),
        CallState::Terminated(_) => "terminated".to_owned(),
    };
    let open = call.open_operations().map(|it| format!("{} {}", name(it.id), status(it.status)));
    let all: Vec<String> = std::iter::once(state).chain(open).collect();
    if all.len() > 4 { format!("{}, {} operations open", all[0], all.len() - 1) } else { all.join(", ") }
}
