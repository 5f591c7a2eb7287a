//! How a call begins: placed or offered, asked, answered, rejected, up.

use expect_test::expect;
use ringback_core::{Input, NewCall, PlayPrompt, Refusal, RejectReason};

use crate::world::*;

#[test]
fn place_call() {
    check(
        every_state(),
        placed(),
        expect![[r#"
            [nothing]
            event   callPlaced until 60s
            effect  place Application:app to User:1001 for app of tenant
            notice  https://bot/calls < establishing
            now     establishing; leg placing; deadline 60s

            [incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            refused AlreadyBegun: The conversation has already begun.
        "#]],
    );
}

#[test]
fn call_offered() {
    check(
        every_state(),
        offered(),
        expect![[r#"
            [nothing]
            event   callOffered until 15s
            notice  https://bot/calls < incoming from User:1001 to Application:app until 15s
            now     incoming; leg offered; deadline 15s

            [incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            refused AlreadyBegun: The conversation has already begun.
        "#]],
    );
}

#[test]
fn a_call_begins_only_with_a_callback_that_is_a_web_url() {
    let with = |callback: &str| NewCall { callback: callback.to_owned(), ..new_call(the_phone(), the_bot(), 15) };
    for callback in ["", "bot", "https://", "ftp://bot/calls", "https://bot/ calls", "sip:bot@host", "hťtps://bot"] {
        assert_eq!(decided(&nothing(), Input::CallOffered(with(callback))), Err(Refusal::BadCallback));
        assert_eq!(decided(&nothing(), Input::PlaceCall(with(callback))), Err(Refusal::BadCallback));
    }
}

#[test]
fn answer_in_every_state() {
    check(
        every_state(),
        answer(),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming]
            event   callAnswered callback https://bot/calls until 34s
            effect  accept
            notice  https://bot/calls < establishing
            now     establishing; leg accepting; deadline 34s

            [accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, in a meeting, met by two phones]
            refused NotIncoming: The call is not waiting to be answered: it was answered, rejected or redirected before.
        "#]],
    );
}

#[test]
fn answer_may_name_another_callback() {
    let with = |callback: &str| Input::Answer { call: CALL, callback: Some(callback.to_owned()) };
    check(
        incoming(),
        with("HTTPS://bot/calls/7"),
        expect![[r#"
            event   callAnswered callback HTTPS://bot/calls/7 until 34s
            effect  accept
            notice  HTTPS://bot/calls/7 < establishing
            now     establishing; leg accepting; deadline 34s
        "#]],
    );
    check(
        incoming(),
        with("bot/calls/7"),
        expect![[r#"
            refused BadCallback: callbackUri must be an http or https URL of at most 2048 characters.
        "#]],
    );
}

#[test]
fn after_an_answer_everything_goes_to_its_callback() {
    let answer = Input::Answer { call: CALL, callback: Some("https://bot/7".to_owned()) };
    check(
        incoming().then([answer.into()]),
        leg_answered(),
        expect![[r#"
            event   legAnswered dialog
            event   callEstablished
            event   audioChanged active true
            notice  https://bot/7 < established Incoming
            notice  https://bot/7 < established Incoming, audio true
            notice  https://bot/7 < roster Application:app User:1001
            now     established; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn reject_in_every_state() {
    check(
        every_state(),
        reject(RejectReason::None),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming]
            event   callTerminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            event   legReleased decline 603
            effect  decline 603
            notice  https://bot/calls < terminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            now     terminated; leg releasing

            [accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, in a meeting, met by two phones]
            refused NotIncoming: The call is not waiting to be answered: it was answered, rejected or redirected before.
        "#]],
    );
}

#[test]
fn reject_may_name_where_its_end_is_told() {
    check(
        incoming(),
        reject_told_at("https://other/calls"),
        expect![[r#"
        event   callbackChanged to https://other/calls
        event   callTerminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
        event   legReleased decline 603
        effect  decline 603
        notice  https://other/calls < terminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
        now     terminated; leg releasing
    "#]],
    );
    assert_eq!(decided(&incoming(), reject_told_at("not a url")), Err(Refusal::BadCallback));
}

#[test]
fn reject_with_each_reason() {
    check(
        incoming(),
        reject(RejectReason::Busy),
        expect![[r#"
            event   callTerminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            event   legReleased decline 486
            effect  decline 486
            notice  https://bot/calls < terminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            now     terminated; leg releasing
        "#]],
    );
    check(
        incoming(),
        reject(RejectReason::Forbidden),
        expect![[r#"
            event   callTerminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            event   legReleased decline 403
            effect  decline 403
            notice  https://bot/calls < terminated 403/0 "The call was rejected by the bot. DiagCode: 403#0.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn a_verb_on_an_unknown_call_is_refused() {
    for verb in [
        Input::Answer { call: STRANGER, callback: None },
        Input::Reject { call: STRANGER, reason: RejectReason::None, callback: None },
        Input::HangUp { call: STRANGER },
        Input::Remove { call: STRANGER },
        Input::KeepAlive { call: STRANGER },
        Input::PlayPrompt(PlayPrompt { call: STRANGER, ..prompts(1) }),
        Input::SubscribeToTone { call: STRANGER, operation: operation(1), client_context: None },
        Input::CancelMediaProcessing { call: STRANGER, operation: operation(1), client_context: None },
    ] {
        for given in every_state() {
            assert_eq!(decided(&given, verb.clone()), Err(Refusal::CallNotFound));
        }
    }
}

#[test]
fn an_answer_counts_until_the_end_of_the_ask_is_decided() {
    check(
        incoming(),
        answer().at(16),
        expect![[r#"
        event   callAnswered callback https://bot/calls until 48s
        effect  accept
        notice  https://bot/calls < establishing
        now     establishing; leg accepting; deadline 48s
    "#]],
    );
    check(
        incoming().then([deadline().at(15)]),
        answer().at(16),
        expect![[r#"
        refused CallNotFound: Call not found.
    "#]],
    );
}

#[test]
fn the_ask_is_redirected() {
    check(
        every_state(),
        ask_redirected("https://other/calls"),
        expect![[r#"
            [nothing, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing

            [incoming]
            event   askRedirected to https://other/calls
            notice  https://other/calls < incoming from User:1001 to Application:app until 15s
            now     incoming, redirects 1; leg offered; deadline 15s
        "#]],
    );
}

#[test]
fn a_redirect_to_no_web_url_leaves_the_ask_where_it_is() {
    check(
        incoming(),
        ask_redirected("other/calls"),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        incoming(),
        Input::AskRedirected { call: STRANGER, callback: BOT.to_owned() },
        expect![[r#"
            nothing
        "#]],
    );
}

#[test]
fn the_ask_is_redirected_five_times_at_most() {
    let redirected = |times| incoming().then(vec![ask_redirected("https://other/calls"); times]);
    check(
        [redirected(4).named("four times"), redirected(5).named("five times")],
        ask_redirected("https://last/calls"),
        expect![[r#"
            [four times]
            event   askRedirected to https://last/calls
            notice  https://last/calls < incoming from User:1001 to Application:app until 15s
            now     incoming, redirects 5; leg offered; deadline 15s

            [five times]
            nothing
        "#]],
    );
}

#[test]
fn a_redirected_ask_ends_where_it_was_sent() {
    let redirected = incoming().then([ask_redirected("https://other/calls")]);
    check(
        &redirected,
        answer(),
        expect![[r#"
            event   callAnswered callback https://other/calls until 35s
            effect  accept
            notice  https://other/calls < establishing
            now     establishing; leg accepting; deadline 35s
        "#]],
    );
    check(
        redirected,
        deadline().at(15),
        expect![[r#"
            event   callTerminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            event   legReleased decline 480
            effect  decline 480
            notice  https://other/calls < terminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn leg_answered_in_every_state() {
    check(
        every_state(),
        leg_answered(),
        expect![[r#"
            [nothing, incoming, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing

            [accepting]
            event   legAnswered dialog
            event   callEstablished
            event   audioChanged active true
            notice  https://bot/calls < established Incoming
            notice  https://bot/calls < established Incoming, audio true
            notice  https://bot/calls < roster Application:app User:1001
            now     established; leg up; deadline 2701s

            [placing]
            event   legAnswered dialog
            event   callEstablished
            event   audioChanged active true
            notice  https://bot/calls < established Outgoing
            notice  https://bot/calls < established Outgoing, audio true
            notice  https://bot/calls < roster Application:app User:1001
            now     established; leg up; deadline 2701s
        "#]],
    );
}
