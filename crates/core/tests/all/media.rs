//! Media verbs and what they lead to: prompts one after another, tones, hold, cancelling.

use expect_test::expect;
use ringback_core::{Input, PlayOutcome, PlayPrompt, Prompt, Refusal, Repeat, Tone};

use crate::world::*;

#[test]
fn play_prompt_in_every_state() {
    check(
        every_state(),
        play(9),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming, accepting, placing]
            refused NotEstablished: The call is not established: wait for the notification with state established.

            [established, placed and up, in a meeting]
            event   operationStarted op9 playPrompt https://bot/9.wav running
            effect  play op9 https://bot/9.wav
            now     established, op9 running; leg up; deadline 2701s

            [held]
            event   operationStarted op9 playPrompt https://bot/9.wav running
            effect  play op9 https://bot/9.wav
            now     established without audio, op9 running; leg up; deadline 2701s

            [playing, one queued, recording, one queued]
            event   operationStarted op9 playPrompt https://bot/9.wav notStarted
            now     established, op1 running, op2 notStarted, op9 notStarted; leg up; deadline 2701s

            [met by two phones]
            event   operationStarted op9 playPrompt https://bot/9.wav running
            effect  play op9 https://bot/9.wav
            now     established, op9 running; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
}

#[test]
fn a_prompt_may_be_played_for_ever() {
    let play = PlayPrompt { repeat: Repeat::Forever, ..prompts(1) };
    check(
        established(),
        Input::PlayPrompt(play),
        expect![[r#"
            event   operationStarted op1 playPrompt https://bot/1.wav forever running
            effect  play op1 https://bot/1.wav forever
            now     established, op1 running; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn a_prompt_may_be_played_several_times_in_a_row() {
    let with = |times| {
        let mut play = prompts(1);
        play.prompts[0].times = times;
        Input::PlayPrompt(play)
    };
    check(
        established(),
        with(3),
        expect![[r#"
        event   operationStarted op1 playPrompt https://bot/1.wav 3 times running
        effect  play op1 https://bot/1.wav 3 times
        now     established, op1 running; leg up; deadline 2701s
    "#]],
    );
    for times in [0, 1, 120] {
        assert!(decided(&established(), with(times)).is_ok());
    }
    for times in [-1, 121, i32::MAX] {
        assert_eq!(decided(&established(), with(times)), Err(Refusal::BadPromptLoop { index: 0 }));
    }
    check(
        established(),
        with(121),
        expect![[r#"
        refused BadPromptLoop { index: 0 }: prompts[0].loop must be 0 to 120; loop of playPrompt itself plays for ever.
    "#]],
    );
}

#[test]
fn a_prompts_uri_is_a_web_url() {
    let with = |uri: &str| {
        let mut play = prompts(1);
        play.prompts.push(Prompt { uri: uri.to_owned(), resource_id: None, times: 1 });
        Input::PlayPrompt(play)
    };
    for uri in ["", "file:///etc/passwd", "http://", "https://bot/a b.wav", "https://bot/a\n.wav"] {
        assert_eq!(decided(&established(), with(uri)), Err(Refusal::BadPromptUri { index: 1 }));
    }
    check(
        established(),
        with("prompt.wav"),
        expect![[r#"
        refused BadPromptUri { index: 1 }: prompts[1].mediaInfo.uri must be an http or https URL of at most 2048 characters.
    "#]],
    );
    check(
        established(),
        with("HTTP://bot/other.wav"),
        expect![[r#"
        event   operationStarted op1 playPrompt https://bot/1.wav HTTP://bot/other.wav running
        effect  play op1 https://bot/1.wav HTTP://bot/other.wav
        now     established, op1 running; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn a_finished_prompt_ends_its_operation_and_the_next_begins_in_the_same_record() {
    let queued = established().then([play(1), play(2), play(3)]);
    check(
        queued,
        finished(1, PlayOutcome::Played),
        expect![[r#"
            event   operationEnded op1 completed 200/0 "Action completed successfully."
            event   operationBegan op2
            effect  play op2 https://bot/2.wav
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav completed 200/0 "Action completed successfully." CompletedSuccessfully
            now     established, op2 running, op3 notStarted; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn each_outcome_of_playing() {
    let playing = || established().then([play(1)]);
    check(
        playing(),
        finished(1, PlayOutcome::Played),
        expect![[r#"
            event   operationEnded op1 completed 200/0 "Action completed successfully."
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav completed 200/0 "Action completed successfully." CompletedSuccessfully
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        playing(),
        finished(1, PlayOutcome::Unavailable("404 Not Found".to_owned())),
        expect![[r#"
            event   operationEnded op1 failed 400/8536 "Action failed, the audio file could not be downloaded: 404 Not Found"
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8536 "Action failed, the audio file could not be downloaded: 404 Not Found" Unknown
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        playing(),
        finished(1, PlayOutcome::Invalid("stereo".to_owned())),
        expect![[r#"
            event   operationEnded op1 failed 400/8535 "Action failed, the audio file format is invalid: stereo"
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8535 "Action failed, the audio file format is invalid: stereo" Unknown
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        playing(),
        finished(1, PlayOutcome::Failed("no codec".to_owned())),
        expect![[r#"
            event   operationEnded op1 failed 500/8511 "Action failed, the prompt could not be played: no codec"
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 500/8511 "Action failed, the prompt could not be played: no codec" Unknown
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        playing(),
        finished(1, PlayOutcome::Failed("é".repeat(100_000))),
        expect![[r#"
            event   operationEnded op1 failed 500/8511 "<400 characters>"
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 500/8511 "<400 characters>" Unknown
            now     established; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn only_what_is_running_can_finish() {
    check(
        every_state(),
        finished(7, PlayOutcome::Played),
        expect![[r#"
            [nothing, incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing
        "#]],
    );
    let queued = established().then([play(1), play(2)]);
    check(
        queued.named("queued"),
        finished(2, PlayOutcome::Played),
        expect![[r#"
            nothing
        "#]],
    );
    let played = established().then([play(1), finished(1, PlayOutcome::Played)]);
    let cancelled = established().then([play(1), cancel(2)]);
    let hung_up = established().then([play(1), hang_up()]);
    check(
        [played.named("played"), cancelled.named("cancelled"), hung_up.named("hung up")],
        finished(1, PlayOutcome::Played),
        expect![[r#"
            [played, cancelled, hung up]
            nothing
        "#]],
    );
}

#[test]
fn subscribe_to_tone_in_every_state() {
    check(
        every_state(),
        subscribe(9),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming, accepting, placing]
            refused NotEstablished: The call is not established: wait for the notification with state established.

            [established, placed and up, in a meeting]
            event   operationStarted op9 subscribeToTone completed 200/0 "Action completed successfully."
            now     established; leg up; deadline 2701s

            [held]
            event   operationStarted op9 subscribeToTone completed 200/0 "Action completed successfully."
            now     established without audio; leg up; deadline 2701s

            [playing, one queued, recording, one queued]
            event   operationStarted op9 subscribeToTone completed 200/0 "Action completed successfully."
            now     established, op1 running, op2 notStarted; leg up; deadline 2701s

            [met by two phones]
            event   operationStarted op9 subscribeToTone completed 200/0 "Action completed successfully."
            now     established; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
}

#[test]
fn a_key_is_told_only_to_who_subscribed() {
    check(
        every_state(),
        tone(Tone::Tone1),
        expect![[r#"
            [nothing, incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing
        "#]],
    );
    let subscribed = established().then([subscribe(1)]);
    check(
        &subscribed,
        tone(Tone::Tone1),
        expect![[r#"
            event   toneHeard 1 Tone1
            notice  https://bot/calls < tone 1 Tone1
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        subscribed.clone().then([tone(Tone::Tone1)]),
        tone(Tone::Pound),
        expect![[r#"
            event   toneHeard 2 Pound
            notice  https://bot/calls < tone 2 Pound
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        subscribed.clone().then([cancel(2)]).named("cancelled"),
        tone(Tone::A),
        expect![[r#"
            event   toneHeard 1 A
            notice  https://bot/calls < tone 1 A
            now     established; leg up; deadline 2701s
        "#]],
    );
    check(
        subscribed.then([hang_up()]),
        tone(Tone::Flash),
        expect![[r#"
            nothing
        "#]],
    );
}

#[test]
fn cancel_media_processing_in_every_state() {
    check(
        every_state(),
        cancel(9),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming, accepting, placing]
            refused NotEstablished: The call is not established: wait for the notification with state established.

            [established, placed and up, in a meeting]
            event   operationStarted op9 cancelMediaProcessing completed 200/0 "Action completed successfully."
            now     established; leg up; deadline 2701s

            [held]
            event   operationStarted op9 cancelMediaProcessing completed 200/0 "Action completed successfully."
            now     established without audio; leg up; deadline 2701s

            [playing, one queued]
            event   operationStarted op9 cancelMediaProcessing completed 200/0 "Action completed successfully."
            event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            effect  stop op1
            effect  stop op2
            notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            now     established; leg up; deadline 2701s

            [recording, one queued]
            event   operationStarted op9 cancelMediaProcessing completed 200/0 "Action completed successfully."
            event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
            event   operationEnded op2 failed 400/8508 "Action failed, the operation was cancelled."
            effect  stop op1
            effect  stop op2
            notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s failed 400/8508 "Action failed, the operation was cancelled." OperationCanceled at ""
            notice  https://bot/calls < op2 playPrompt https://bot/2.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
            now     established; leg up; deadline 2701s

            [met by two phones]
            event   operationStarted op9 cancelMediaProcessing completed 200/0 "Action completed successfully."
            now     established; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
}

#[test]
fn what_is_played_after_cancelling_starts_at_once() {
    check(
        established().then([play(1), play(2), cancel(3)]),
        play(4),
        expect![[r#"
            event   operationStarted op4 playPrompt https://bot/4.wav running
            effect  play op4 https://bot/4.wav
            now     established, op4 running; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn hold_and_off_hold() {
    check(
        every_state(),
        leg_held(true),
        expect![[r#"
            [nothing, incoming, accepting, placing, held, ending, releasing, over]
            nothing

            [established]
            event   audioChanged active false
            notice  https://bot/calls < established Incoming, audio false
            now     established without audio; leg up; deadline 2701s

            [placed and up]
            event   audioChanged active false
            notice  https://bot/calls < established Outgoing, audio false
            now     established without audio; leg up; deadline 2701s

            [playing, one queued, recording, one queued]
            event   audioChanged active false
            notice  https://bot/calls < established Incoming, audio false
            now     established without audio, op1 running, op2 notStarted; leg up; deadline 2701s

            [in a meeting]
            event   audioChanged active false
            notice  https://bot/calls < established Outgoing, audio false in 19:meeting@thread.v2
            now     established without audio; leg up; deadline 2701s

            [met by two phones]
            event   audioChanged active false
            notice  https://bot/calls < established Outgoing, audio false in 19:meeting@thread.v2
            now     established without audio; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
    check(
        every_state(),
        leg_held(false),
        expect![[r#"
            [nothing, incoming, accepting, placing, established, placed and up, playing, one queued, recording, one queued, ending, releasing, over, in a meeting, met by two phones]
            nothing

            [held]
            event   audioChanged active true
            notice  https://bot/calls < established Incoming, audio true
            notice  https://bot/calls < roster Application:app User:1001
            now     established; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn send_dtmf_tones_in_every_state() {
    check(
        every_state(),
        send(9),
        expect![[r#"
            [nothing, ending, releasing, over]
            refused CallNotFound: Call not found.

            [incoming, accepting, placing]
            refused NotEstablished: The call is not established: wait for the notification with state established.

            [established, placed and up, in a meeting]
            event   operationStarted op9 sendDtmfTones [Tone1, Pound] 200 ms running
            effect  send op9 [Tone1, Pound] 200 ms
            now     established, op9 running; leg up; deadline 2701s

            [held]
            event   operationStarted op9 sendDtmfTones [Tone1, Pound] 200 ms running
            effect  send op9 [Tone1, Pound] 200 ms
            now     established without audio, op9 running; leg up; deadline 2701s

            [playing, one queued, recording, one queued]
            event   operationStarted op9 sendDtmfTones [Tone1, Pound] 200 ms notStarted
            now     established, op1 running, op2 notStarted, op9 notStarted; leg up; deadline 2701s

            [met by two phones]
            event   operationStarted op9 sendDtmfTones [Tone1, Pound] 200 ms running
            effect  send op9 [Tone1, Pound] 200 ms
            now     established, op9 running; leg up; leg phone1 up; leg phone2 up; deadline 2701s
        "#]],
    );
}

#[test]
fn tones_are_sent_in_turn_with_prompts() {
    check(
        established().then([play(1), send(2), play(3)]),
        finished(1, PlayOutcome::Played),
        expect![[r#"
        event   operationEnded op1 completed 200/0 "Action completed successfully."
        event   operationBegan op2
        effect  send op2 [Tone1, Pound] 200 ms
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav completed 200/0 "Action completed successfully." CompletedSuccessfully
        now     established, op2 running, op3 notStarted; leg up; deadline 2701s
    "#]],
    );
    check(
        established().then([send(1), play(2)]),
        finished(1, PlayOutcome::Played),
        expect![[r#"
        event   operationEnded op1 completed 200/0 "Action completed successfully."
        event   operationBegan op2
        effect  play op2 https://bot/2.wav
        notice  https://bot/calls < op1 sendDtmfTones [Tone1, Pound] 200 ms completed 200/0 "Action completed successfully." CompletedSuccessfully
        now     established, op2 running; leg up; deadline 2701s
    "#]],
    );
}

/// `contract §2.8`: both failing cases are still `completed`.
#[test]
fn tones_that_are_not_sent_are_completed_too() {
    let sending = || established().then([send(1), send(2)]);
    check(
        sending(),
        finished(1, PlayOutcome::Failed("the leg is busy".to_owned())),
        expect![[r#"
        event   operationEnded op1 completed 500/8511 "Action failed, the tones could not be sent: the leg is busy"
        event   operationBegan op2
        effect  send op2 [Tone1, Pound] 200 ms
        notice  https://bot/calls < op1 sendDtmfTones [Tone1, Pound] 200 ms completed 500/8511 "Action failed, the tones could not be sent: the leg is busy" Unknown
        now     established, op2 running; leg up; deadline 2701s
    "#]],
    );
    check(
        sending(),
        cancel(3),
        expect![[r#"
        event   operationStarted op3 cancelMediaProcessing completed 200/0 "Action completed successfully."
        event   operationEnded op1 completed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 completed 400/8508 "Action failed, the operation was cancelled."
        effect  stop op1
        effect  stop op2
        notice  https://bot/calls < op1 sendDtmfTones [Tone1, Pound] 200 ms completed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < op2 sendDtmfTones [Tone1, Pound] 200 ms completed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        now     established; leg up; deadline 2701s
    "#]],
    );
    check(
        sending(),
        hang_up(),
        expect![[r#"
        event   callTerminating
        event   operationEnded op1 completed 400/8508 "Action failed, the operation was cancelled."
        event   operationEnded op2 completed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        event   legReleased
        effect  stop op1
        effect  stop op2
        effect  hangUp dialog
        notice  https://bot/calls < terminating
        notice  https://bot/calls < op1 sendDtmfTones [Tone1, Pound] 200 ms completed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < op2 sendDtmfTones [Tone1, Pound] 200 ms completed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled
        notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        now     terminated; leg releasing
    "#]],
    );
    check(
        sending(),
        adopt(2),
        expect![[r#"
        event   adopted by epoch 2
        event   operationEnded op1 completed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   operationEnded op2 completed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
        event   legReleased
        effect  hangUp dialog
        notice  https://bot/calls < op1 sendDtmfTones [Tone1, Pound] 200 ms completed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
        notice  https://bot/calls < op2 sendDtmfTones [Tone1, Pound] 200 ms completed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown
        notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
        now     terminated; leg releasing
    "#]],
    );
}
