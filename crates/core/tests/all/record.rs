//! recordResponse and what it leads to: its bounds, its place in the queue, barge-in, each way it ends, and the end of a
//! call that waits for its recording.

use expect_test::expect;
use ringback_core::{EndCause, Input, PlayOutcome, Prompt, RecordOutcome, RecordResponse, Refusal, Tone};

use crate::world::*;

#[test]
fn record_response_in_every_state() {
    check(
        every_state(),
        record(9),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming, accepting, placing]
            refused NotEstablished: The call is not established: wait for the notification with state established.

            [established, placed and up, in a meeting]
            event   operationStarted op9 recordResponse https://bot/9.wav beep 5/5/5 s running
            effect  record op9 https://bot/9.wav beep 5/5/5 s
            now     established, op9 running; leg up; deadline 2701s

            [held]
            event   operationStarted op9 recordResponse https://bot/9.wav beep 5/5/5 s running
            effect  record op9 https://bot/9.wav beep 5/5/5 s
            now     established without audio, op9 running; leg up; deadline 2701s

            [playing, one queued, recording, one queued]
            event   operationStarted op9 recordResponse https://bot/9.wav beep 5/5/5 s notStarted
            now     established, op1 running, op2 notStarted, op9 notStarted; leg up; deadline 2701s

            [met by two phones]
            event   operationStarted op9 recordResponse https://bot/9.wav beep 5/5/5 s running
            effect  record op9 https://bot/9.wav beep 5/5/5 s
            now     established, op9 running; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
}

#[test]
fn record_response_takes_exactly_one_prompt() {
    let with = |count: usize, prompt_optional| {
        let prompts = vec![recording(1).prompts[0].clone(); count];
        Input::RecordResponse(RecordResponse { prompts, prompt_optional, ..recording(1) })
    };
    check(
        established(),
        with(0, false),
        expect![[r#"
        refused NotOnePrompt { count: 0 }: prompts must hold exactly one prompt; it holds 0.
    "#]],
    );
    assert_eq!(decided(&established(), with(2, false)), Err(Refusal::NotOnePrompt { count: 2 }));
    assert_eq!(decided(&established(), with(2, true)), Err(Refusal::NotOnePrompt { count: 2 }));
    assert!(decided(&established(), with(1, true)).is_ok());
    // Beta's record needs none.
    check(
        established(),
        with(0, true),
        expect![[r#"
        event   operationStarted op1 recordResponse no prompt beep 5/5/5 s running
        effect  record op1 no prompt beep 5/5/5 s
        now     established, op1 running; leg up; deadline 2701s
    "#]],
    );
    let bad = Prompt { uri: "prompt.wav".to_owned(), resource_id: None, times: 1 };
    let bad = Input::RecordResponse(RecordResponse { prompts: vec![bad], ..recording(1) });
    assert_eq!(decided(&established(), bad), Err(Refusal::BadPromptUri { index: 0 }));
}

#[test]
fn its_times_are_1_to_120_seconds() {
    for seconds in [i32::MIN, -1, 0, 121, 300, i32::MAX] {
        let cases = [
            ("initialSilenceTimeoutInSeconds", RecordResponse { initial_silence: Some(seconds), ..recording(1) }),
            ("maxSilenceTimeoutInSeconds", RecordResponse { max_silence: Some(seconds), ..recording(1) }),
            ("maxRecordDurationInSeconds", RecordResponse { max_duration: Some(seconds), ..recording(1) }),
        ];
        for (member, record) in cases {
            let refused = decided(&established(), Input::RecordResponse(record));
            assert_eq!(refused, Err(Refusal::BadSeconds { member, seconds }));
        }
    }
    let bad = RecordResponse { max_duration: Some(121), ..recording(1) };
    check(
        established(),
        Input::RecordResponse(bad),
        expect![[r#"
        refused BadSeconds { member: "maxRecordDurationInSeconds", seconds: 121 }: maxRecordDurationInSeconds is 121; it must be 1 to 120 seconds.
    "#]],
    );
    let all = RecordResponse {
        initial_silence: Some(1),
        max_silence: Some(2),
        max_duration: Some(120),
        beep: false,
        stop_tones: vec![Tone::Pound, Tone::Star],
        ..recording(1)
    };
    check(
        established(),
        Input::RecordResponse(all),
        expect![[r#"
        event   operationStarted op1 recordResponse https://bot/1.wav 1/2/120 s until [Pound, Star] running
        effect  record op1 https://bot/1.wav 1/2/120 s until [Pound, Star]
        now     established, op1 running; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn each_outcome_of_recording() {
    let recording = || established().then([record(1)]);
    check(
        recording(),
        recorded(1, RecordOutcome::StopTone),
        expect![[r#"
        event   operationEnded op1 completed 200/8514 "Action completed, stop tone detected."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8514 "Action completed, stop tone detected." StopToneDetected at "https://ringback/recordings/1"
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::MaxDuration),
        expect![[r#"
        event   operationEnded op1 completed 200/8515 "Action completed, max record duration reached."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8515 "Action completed, max record duration reached." MaxRecordDurationReached at "https://ringback/recordings/1"
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::MaxSilence),
        expect![[r#"
        event   operationEnded op1 completed 200/8516 "Action completed, max silence timeout reached."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8516 "Action completed, max silence timeout reached." MaxSilenceTimeout at "https://ringback/recordings/1"
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::CutShort("the call ended".to_owned())),
        expect![[r#"
        event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the call ended."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the call ended." MediaReceiveTimeout at "https://ringback/recordings/1"
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::InitialSilence),
        expect![[r#"
        event   operationEnded op1 failed 400/8510 "Action failed, initial silence timeout reached."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8510 "Action failed, initial silence timeout reached." InitialSilenceTimeout at ""
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::Nothing),
        expect![[r#"
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        effect  stop op1
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        now     established; leg up; deadline 2701s
    "#]],
    );
    let missing = PlayOutcome::Unavailable("404 Not Found".to_owned());
    check(
        recording(),
        recorded(1, RecordOutcome::Prompt(missing)),
        expect![[r#"
        event   operationEnded op1 failed 400/8536 "Action failed, the audio file could not be downloaded: 404 Not Found"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8536 "Action failed, the audio file could not be downloaded: 404 Not Found" PlayPromptFailed at ""
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        recording(),
        recorded(1, RecordOutcome::Failed("the disk is full".to_owned())),
        expect![[r#"
        event   operationEnded op1 failed 500/8512 "Action failed, the recording could not be kept: the disk is full."
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 500/8512 "Action failed, the recording could not be kept: the disk is full." UnspecifiedError at ""
        now     established; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn prompts_and_recordings_share_the_queue() {
    let queue = established().then([play(1), record(2), play(3)]);
    check(
        &queue,
        finished(1, PlayOutcome::Played),
        expect![[r#"
        event   operationEnded op1 completed 200/0 "Action completed successfully."
        event   operationBegan op2
        effect  record op2 https://bot/2.wav beep 5/5/5 s
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav completed 200/0 "Action completed successfully." CompletedSuccessfully
        now     established, op2 running, op3 notStarted; leg up; deadline 2701s
    "#]],
    );
    let queue = queue.then([finished(1, PlayOutcome::Played)]);
    check(
        &queue,
        recorded(2, RecordOutcome::MaxSilence),
        expect![[r#"
        event   operationEnded op2 completed 200/8516 "Action completed, max silence timeout reached."
        event   operationBegan op3
        effect  play op3 https://bot/3.wav
        notice  https://bot/calls < op2 recordResponse https://bot/2.wav beep 5/5/5 s completed 200/8516 "Action completed, max silence timeout reached." MaxSilenceTimeout at "https://ringback/recordings/2"
        now     established, op3 running; leg up; deadline 2701s
    "#]],
    );
    // What ended, or has not begun, is not ended by a late word.
    for n in [1, 3, 9] {
        assert_eq!(decided(&queue, recorded(n, RecordOutcome::StopTone)), Ok(vec![]));
    }
}

#[test]
fn barging_in_ends_what_is_open_and_runs_at_once() {
    check(
        established(),
        barge_in(1),
        expect![[r#"
        event   operationStarted op1 recordResponse https://bot/1.wav beep 5/5/5 s running
        effect  record op1 https://bot/1.wav beep 5/5/5 s
        now     established, op1 running; leg up; deadline 2701s
    "#]],
    );
    check(
        established().then([record(1), play(2)]),
        barge_in(3),
        expect![[r#"
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationStarted op3 recordResponse https://bot/3.wav beep 5/5/5 s running
        effect  stop op1
        effect  stop op2
        effect  record op3 https://bot/3.wav beep 5/5/5 s
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        now     established, op3 running; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn a_cancelled_recording_is_not_kept() {
    check(
        established().then([record(1), record(2)]),
        cancel(3),
        expect![[r#"
        event   operationStarted op3 cancelMediaProcessing completed 200/0 "Action completed successfully."
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        effect  stop op1
        effect  stop op2
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        notice  https://bot/calls < op2 recordResponse https://bot/2.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        now     established; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn a_call_that_ends_while_recording_waits_for_the_recording() {
    let recording = established().then([record(1), play(2)]);
    check(
        &recording,
        leg_ended(EndCause::FarHangUp),
        expect![[r#"
        event   legEnded FarHangUp
        event   callEnding 200/5002 "The conversation has ended. DiagCode: 0#5002.@" until 16s
        effect  keep op1
        now     ending, op1 running, op2 notStarted; leg ended; deadline 16s
    "#]],
    );
    check(
        &recording,
        hang_up(),
        expect![[r#"
        event   callTerminating
        event   callEnding 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" until 16s
        event   legReleased
        effect  keep op1
        effect  hangUp dialog
        notice  https://bot/calls < terminating
        now     ending, op1 running, op2 notStarted; leg releasing; deadline 16s
    "#]],
    );
    let far = ending();
    let bot = recording.then([hang_up()]).named("the bot hung up");
    check(
        [far.clone(), bot.clone()],
        recorded(1, RecordOutcome::CutShort("the call ended".to_owned())),
        expect![[r#"
        [ending]
        event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the call ended."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the call ended." MediaReceiveTimeout at "https://ringback/recordings/1"
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        now     terminated; leg ended

        [the bot hung up]
        event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the call ended."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the call ended." MediaReceiveTimeout at "https://ringback/recordings/1"
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        now     terminated; leg releasing
    "#]],
    );
    check(
        [far.clone(), bot.clone()],
        recorded(1, RecordOutcome::Nothing),
        expect![[r#"
        [ending]
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        now     terminated; leg ended

        [the bot hung up]
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        now     terminated; leg releasing
    "#]],
    );
    // Nothing else is heard of it meanwhile, and it does not wait for ever.
    for verb in [hang_up(), keep_alive(), play(9), subscribe(9), cancel(9), record(9)] {
        assert_eq!(decided(&far, verb), Err(Refusal::CallNotFound));
    }
    assert_eq!(decided(&far, tone(Tone::Pound)), Ok(vec![]));
    check(
        &bot,
        leg_ended(EndCause::LocalHangUp),
        expect![[r#"
        event   legEnded LocalHangUp
        now     ending, op1 running, op2 notStarted; leg ended; deadline 16s
    "#]],
    );
    check(
        far,
        deadline().at(16),
        expect![[r#"
            event   operationEnded op1 failed 500/8512 "Action failed, the recording could not be kept: the disk did not take it in time."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 500/8512 "Action failed, the recording could not be kept: the disk did not take it in time." UnspecifiedError at ""
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
            now     terminated; leg ended
        "#]],
    );
}

#[test]
fn a_restart_keeps_what_could_be_made_whole() {
    check(
        [established().then([record(1), play(2)]), ending()],
        adopt_keeping(2, [1]),
        expect![[r#"
        [established]
        event   adopted by epoch 2
        event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the server was restarted during the recording."
        event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
        event   legReleased
        effect  hangUp dialog
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the server was restarted during the recording." MediaReceiveTimeout at "https://ringback/recordings/1"
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
        notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
        now     terminated; leg releasing

        [ending]
        event   adopted by epoch 2
        event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the server was restarted during the recording."
        event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the server was restarted during the recording." MediaReceiveTimeout at "https://ringback/recordings/1"
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
        notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        now     terminated; leg ended
    "#]],
    );
    check(
        ending(),
        adopt(2),
        expect![[r#"
        event   adopted by epoch 2
        event   operationEnded op1 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   operationEnded op2 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   callTerminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 500/8512 "Action failed, the server was restarted while the operation was in flight." UnspecifiedError at ""
        notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
        notice  https://bot/calls < terminated 200/5002 "The conversation has ended. DiagCode: 0#5002.@"
        now     terminated; leg ended
    "#]],
    );
}
