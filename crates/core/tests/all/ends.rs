//! How a call ends: hung up, its leg gone, or both at once.

use expect_test::expect;
use ringback_core::{EndCause, Input, LegId, RejectReason, Tone};

use crate::world::*;

#[test]
fn the_operator_ends_a_call_in_every_state() {
    check(
        every_state(),
        remove(),
        expect![[r#"
        [nothing, ending, releasing, over]
        refused CallNotFound: Call not found.

        [incoming]
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased decline 603
        effect  decline 603
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        now     terminated; leg releasing

        [accepting, placing]
        event   callTerminating
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased
        effect  hangUp
        notice  https://bot/calls < terminating
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        now     terminated; leg releasing

        [established, placed and up, held]
        event   callTerminating
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased
        effect  hangUp dialog
        notice  https://bot/calls < terminating
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        now     terminated; leg releasing

        [playing, one queued]
        event   callTerminating
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased
        effect  stop op1
        effect  stop op2
        effect  hangUp dialog
        notice  https://bot/calls < terminating
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        now     terminated; leg releasing

        [recording, one queued]
        event   callTerminating
        event   callEnding 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@" until 16s
        event   legReleased
        effect  keep op1
        effect  hangUp dialog
        notice  https://bot/calls < terminating
        now     ending, op1 running, op2 notStarted; leg releasing; deadline 16s

        [in a meeting]
        event   callTerminating
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased
        effect  hangUp dialog
        notice  https://bot/calls < terminating in 19:meeting@thread.v2
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@" in 19:meeting@thread.v2
        now     terminated; leg releasing

        [met by two phones]
        event   callTerminating
        event   callTerminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@"
        event   legReleased
        event   legReleased phone1
        event   legReleased phone2
        effect  hangUp dialog
        effect  hangUp phone1 dialog1
        effect  hangUp phone2 dialog2
        notice  https://bot/calls < terminating in 19:meeting@thread.v2
        notice  https://bot/calls < terminated 200/5000 "The call was ended by the operator. DiagCode: 200#5000.@" in 19:meeting@thread.v2
        now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing
    "#]],
    );
}

#[test]
fn hang_up_in_every_state() {
    check(
        every_state(),
        hang_up(),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming]
            refused StillIncoming: The call has not been answered yet: use reject.

            [accepting, placing]
            event   callTerminating
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            event   legReleased
            effect  hangUp
            notice  https://bot/calls < terminating
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            now     terminated; leg releasing

            [established, placed and up, held]
            event   callTerminating
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < terminating
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            now     terminated; leg releasing

            [playing, one queued]
            event   callTerminating
            event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            event   legReleased
            effect  stop op1
            effect  stop op2
            effect  hangUp dialog
            notice  https://bot/calls < terminating
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            now     terminated; leg releasing

            [recording, one queued]
            event   callTerminating
            event   callEnding 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" until 16s
            event   legReleased
            effect  keep op1
            effect  hangUp dialog
            notice  https://bot/calls < terminating
            now     ending, op1 running, op2 notStarted; leg releasing; deadline 16s

            [in a meeting]
            event   callTerminating
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < terminating in 19:meeting@thread.v2
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" in 19:meeting@thread.v2
            now     terminated; leg releasing

            [met by two phones]
            event   callTerminating
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            event   legReleased
            event   legReleased phone1
            event   legReleased phone2
            effect  hangUp dialog
            effect  hangUp phone1 dialog1
            effect  hangUp phone2 dialog2
            notice  https://bot/calls < terminating in 19:meeting@thread.v2
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" in 19:meeting@thread.v2
            now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing
        "#]],
    );
}

#[test]
fn leg_ended_in_every_state() {
    check(
        every_state(),
        leg_ended(EndCause::FarHangUp),
        expect![[r#"
            [nothing, ending, over]
            nothing

            [incoming, accepting, placing, established, placed and up, held]
            event   legEnded FarHangUp
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            now     terminated; leg ended

            [playing, one queued]
            event   legEnded FarHangUp
            event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            now     terminated; leg ended

            [recording, one queued]
            event   legEnded FarHangUp
            event   callEnding 200/5002 "The conversation has ended. DiagCode: 0#5002.@" until 16s
            effect  keep op1
            now     ending, op1 running, op2 notStarted; leg ended; deadline 16s

            [releasing]
            event   legEnded FarHangUp
            now     terminated; leg ended

            [in a meeting]
            event   legEnded FarHangUp
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@" in 19:meeting@thread.v2
            now     terminated; leg ended

            [met by two phones]
            event   legEnded FarHangUp
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            event   legReleased phone1
            event   legReleased phone2
            effect  hangUp phone1 dialog1
            effect  hangUp phone2 dialog2
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@" in 19:meeting@thread.v2
            now     terminated; leg ended; leg phone1 releasing; leg phone2 releasing
        "#]],
    );
}

#[test]
fn each_cause_of_a_legs_end() {
    for (cause, expected) in [
        (
            EndCause::FarHangUp,
            expect![[r#"
                event   legEnded FarHangUp
                event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
                notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::Cancelled,
            expect![[r#"
                event   legEnded Cancelled
                event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
                notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::Busy,
            expect![[r#"
                event   legEnded Busy
                event   callTerminated 486/0 "The callee is busy. DiagCode: 486#0.@"
                notice  https://bot/calls < terminated 486/0 "The callee is busy. DiagCode: 486#0.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::NoAnswer,
            expect![[r#"
                event   legEnded NoAnswer
                event   callTerminated 480/10076 "The callee did not answer in time. DiagCode: 480#10076.@"
                notice  https://bot/calls < terminated 480/10076 "The callee did not answer in time. DiagCode: 480#10076.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::Unreachable,
            expect![[r#"
                event   legEnded Unreachable
                event   callTerminated 480/10037 "The callee could not be reached. DiagCode: 480#10037.@"
                notice  https://bot/calls < terminated 480/10037 "The callee could not be reached. DiagCode: 480#10037.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::Declined(603),
            expect![[r#"
                event   legEnded Declined(603)
                event   callTerminated 603/0 "The callee declined. DiagCode: 603#0.@"
                notice  https://bot/calls < terminated 603/0 "The callee declined. DiagCode: 603#0.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::LocalHangUp,
            expect![[r#"
                event   legEnded LocalHangUp
                event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
                notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::MediaTimeout,
            expect![[r#"
                event   legEnded MediaTimeout
                event   callTerminated 410/301005 "No media was received from the other side. DiagCode: 410#301005.@"
                notice  https://bot/calls < terminated 410/301005 "No media was received from the other side. DiagCode: 410#301005.@"
                now     terminated; leg ended
            "#]],
        ),
        (
            EndCause::Failed("no port is free".to_owned()),
            expect![[r#"
                event   legEnded Failed("no port is free")
                event   callTerminated 500/7106 "Server Internal Error: no port is free. DiagCode: 500#7106.@"
                notice  https://bot/calls < terminated 500/7106 "Server Internal Error: no port is free. DiagCode: 500#7106.@"
                now     terminated; leg ended
            "#]],
        ),
    ] {
        check(placing(), leg_ended(cause), expected);
    }
}

#[test]
fn a_long_reason_is_cut() {
    check(
        placing(),
        leg_ended(EndCause::Failed("ü".repeat(100_000))),
        expect![[r#"
            event   legEnded <410 characters>
            event   callTerminated 500/7106 "<222 characters>"
            notice  https://bot/calls < terminated 500/7106 "<222 characters>"
            now     terminated; leg ended
        "#]],
    );
}

#[test]
fn an_unknown_leg_changes_nothing() {
    let leg = LegId(STRANGER.0);
    for happening in [
        Input::LegAnswered { leg, dialog: "dialog".to_owned() },
        Input::LegHeld { leg, held: true },
        Input::LegEnded { leg, cause: EndCause::FarHangUp },
        Input::ToneHeard { leg, tone: Tone::Star },
    ] {
        for given in every_state() {
            assert_eq!(decided(&given, happening.clone()), Ok(vec![]));
        }
    }
}

#[test]
fn a_caller_who_gives_up_while_the_bot_is_asked() {
    check(
        incoming(),
        leg_ended(EndCause::Cancelled),
        expect![[r#"
            event   legEnded Cancelled
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            now     terminated; leg ended
        "#]],
    );
    check(
        incoming().then([leg_ended(EndCause::Cancelled)]),
        answer(),
        expect![[r#"
            refused CallNotFound: Call not found.
        "#]],
    );
}

#[test]
fn a_hang_up_that_crosses_the_callees_answer_is_done_again_with_its_dialog() {
    let crossed = placing().then([hang_up()]);
    check(
        &crossed,
        leg_answered(),
        expect![[r#"
            event   legAnswered dialog
            effect  hangUp dialog
            now     terminated; leg releasing
        "#]],
    );
    let crossed = crossed.then([leg_answered()]);
    check(
        &crossed,
        leg_answered(),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        crossed,
        leg_ended(EndCause::LocalHangUp),
        expect![[r#"
            event   legEnded LocalHangUp
            now     terminated; leg ended
        "#]],
    );
}

#[test]
fn a_hang_up_that_crosses_the_callees_refusal_ends_the_call_once() {
    check(
        placing().then([hang_up()]),
        leg_ended(EndCause::Busy),
        expect![[r#"
            event   legEnded Busy
            now     terminated; leg ended
        "#]],
    );
}

#[test]
fn a_declined_leg_ends() {
    check(
        incoming().then([reject(RejectReason::Busy)]),
        leg_ended(EndCause::Declined(486)),
        expect![[r#"
            event   legEnded Declined(486)
            now     terminated; leg ended
        "#]],
    );
}

#[test]
fn keep_alive_in_every_state() {
    check(
        every_state(),
        keep_alive(),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming]
            event   callKeptAlive
            now     incoming; leg offered; deadline 15s

            [accepting]
            event   callKeptAlive
            now     establishing; leg accepting; deadline 34s

            [placing]
            event   callKeptAlive
            now     establishing; leg placing; deadline 60s

            [established]
            event   callKeptAlive
            now     established; leg up; deadline 2704s

            [placed and up, in a meeting]
            event   callKeptAlive
            now     established; leg up; deadline 2703s

            [held]
            event   callKeptAlive
            now     established without audio; leg up; deadline 2705s

            [playing, one queued, recording, one queued]
            event   callKeptAlive
            now     established, op1 running, op2 notStarted; leg up; deadline 2706s

            [met by two phones]
            event   callKeptAlive
            now     established; leg up; leg phone1 up; leg phone2 up; deadline 2707s
        "#]],
    );
}
