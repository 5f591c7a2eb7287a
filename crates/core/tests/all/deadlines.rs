//! Each timer of the closed table: what it ends, and that it is gone once it was decided.

use expect_test::expect;

use crate::world::*;

#[test]
fn nothing_is_due_before_its_time() {
    check(
        every_state(),
        deadline(),
        expect![[r#"
            [nothing, incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing
        "#]],
    );
    check(
        incoming(),
        deadline().at(14),
        expect![[r#"
            nothing
        "#]],
    );
}

#[test]
fn the_bot_does_not_answer() {
    check(
        incoming(),
        deadline().at(15),
        expect![[r#"
            event   callTerminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            event   legReleased decline 480
            effect  decline 480
            notice  https://bot/calls < terminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn the_caller_does_not_acknowledge() {
    check(
        accepting(),
        deadline().at(33),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        accepting(),
        deadline().at(34),
        expect![[r#"
            event   callTerminated 408/1106 "The caller did not acknowledge the answer in time. DiagCode: 408#1106.@"
            event   legReleased
            effect  hangUp
            notice  https://bot/calls < terminated 408/1106 "The caller did not acknowledge the answer in time. DiagCode: 408#1106.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn the_callee_does_not_answer() {
    check(
        placing(),
        deadline().at(60),
        expect![[r#"
            event   callTerminated 480/10076 "The callee did not answer in time. DiagCode: 480#10076.@"
            event   legReleased
            effect  hangUp
            notice  https://bot/calls < terminated 480/10076 "The callee did not answer in time. DiagCode: 480#10076.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn a_call_is_not_kept_alive() {
    let playing = established().then([play(1), play(2)]);
    check(
        &playing,
        deadline().at(2700),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        playing,
        deadline().at(2701),
        expect![[r#"
            event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            event   callTerminated 408/8537 "The call was not kept alive. DiagCode: 408#8537.@"
            event   legReleased
            effect  stop op1
            effect  stop op2
            effect  hangUp dialog
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < terminated 408/8537 "The call was not kept alive. DiagCode: 408#8537.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn a_call_kept_alive_lives_for_another_45_minutes() {
    let kept = established().then([keep_alive().at(2700)]);
    check(
        &kept,
        deadline().at(2701),
        expect![[r#"
            nothing
        "#]],
    );
    check(
        kept,
        deadline().at(5400),
        expect![[r#"
            event   callTerminated 408/8537 "The call was not kept alive. DiagCode: 408#8537.@"
            event   legReleased
            effect  hangUp dialog
            notice  https://bot/calls < terminated 408/8537 "The call was not kept alive. DiagCode: 408#8537.@"
            now     terminated; leg releasing
        "#]],
    );
}

#[test]
fn keeping_alive_does_not_lengthen_the_ask() {
    check(
        incoming().then([keep_alive().at(14)]),
        deadline().at(15),
        expect![[r#"
            event   callTerminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            event   legReleased decline 480
            effect  decline 480
            notice  https://bot/calls < terminated 408/8544 "Callee could not be reached. DiagCode: 408#8544.@"
            now     terminated; leg releasing
        "#]],
    );
}
