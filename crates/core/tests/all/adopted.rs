//! A new epoch takes a conversation over, in every state of the old one.

use expect_test::expect;
use ringback_core::{EndCause, RejectReason};

use crate::world::*;

#[test]
fn adopt_in_every_state() {
    check(
        every_state(),
        adopt(2),
        expect![[r#"
            [nothing, over]
            nothing

            [incoming, accepting, placing]
            event   adopted by epoch 2
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legEnded Failed("restart")
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            now     terminated; leg ended

            [established, placed and up, held]
            event   adopted by epoch 2
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            now     terminated; leg releasing

            [playing, one queued]
            event   adopted by epoch 2
            event   operationEnded op1 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            now     terminated; leg releasing

            [recording, one queued]
            event   adopted by epoch 2
            event   operationEnded op1 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 500/8512 "Action failed, the server was restarted while the operation was in flight." UnspecifiedError at ""
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            now     terminated; leg releasing

            [ending]
            event   adopted by epoch 2
            event   operationEnded op1 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 500/8512 "Action failed, the server was restarted while the operation was in flight." UnspecifiedError at ""
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            now     terminated; leg ended

            [releasing]
            event   adopted by epoch 2
            now     terminated; leg releasing

            [in a meeting]
            event   adopted by epoch 2
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@" in 19:meeting@thread.v2
            now     terminated; leg releasing

            [met by two phones]
            event   adopted by epoch 2
            event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
            event   legReleased
            event   legReleased phone1
            event   legReleased phone2
            effect  hangUp dialog
            effect  hangUp phone1 dialog1
            effect  hangUp phone2 dialog2
            notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@" in 19:meeting@thread.v2
            now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing
        "#]],
    );
}

#[test]
fn adopt_while_a_leg_is_let_go() {
    let declined = incoming().then([reject(RejectReason::Busy)]).named("declined");
    let cancelled = placing().then([hang_up()]).named("cancelled");
    let crossed = placing().then([hang_up(), leg_answered()]).named("cancelled, then answered");
    check(
        [declined, cancelled, crossed],
        adopt(2),
        expect![[r#"
        [declined, cancelled]
        event   adopted by epoch 2
        event   legEnded Failed("restart")
        now     terminated; leg ended

        [cancelled, then answered]
        event   adopted by epoch 2
        now     terminated; leg releasing
    "#]],
    );
}

#[test]
fn one_epoch_adopts_once() {
    let adopted = established().then([adopt(2)]);
    check(
        &adopted,
        adopt(2),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        &adopted,
        adopt(1),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        adopted,
        adopt(3),
        expect![[r#"
            event   adopted by epoch 3
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn an_adopted_conversation_is_over_when_its_far_end_was_told() {
    let adopted = established().then([adopt(2)]);
    check(
        &adopted,
        leg_ended(EndCause::LocalHangUp),
        expect![[r#"
            event   legEnded LocalHangUp
            now     terminated; leg ended
        "#]],
    );
    check(
        adopted,
        hang_up(),
        expect![[r#"
            refused CallNotFound: Call not found.
        "#]],
    );
}
