//! Every bound of the room, one step on either side of it.

use expect_test::expect;
use ringback_core::limits::{ENDED_OPERATIONS, EVENTS, EVENTS_HEADROOM, OPEN_OPERATIONS, PROMPTS, TONES, URL_CHARS};
use ringback_core::{EndCause, Input, PlayOutcome, PlayPrompt, Prompt, RecordResponse, Refusal, SendDtmfTones, Tone};

use crate::world::*;

/// Every verb which takes a clientContext, with this one.
fn with_context(text: &str) -> [Input; 5] {
    let client_context = || Some(text.to_owned());
    [
        Input::PlayPrompt(PlayPrompt { client_context: client_context(), ..prompts(1) }),
        Input::RecordResponse(RecordResponse { client_context: client_context(), ..recording(1) }),
        Input::SendDtmfTones(SendDtmfTones { client_context: client_context(), ..tones(1) }),
        Input::SubscribeToTone { call: CALL, operation: operation(1), client_context: client_context() },
        Input::CancelMediaProcessing { call: CALL, operation: operation(1), client_context: client_context() },
    ]
}

#[test]
fn client_context_has_at_most_256_units() {
    let (conversation, _) = established().conversation();
    for (text, units) in [
        (String::new(), 0),
        ("x".repeat(255), 255),
        ("x".repeat(256), 256),
        ("x".repeat(257), 257),
        ("ü".repeat(256), 256),
        ("☎".repeat(257), 257),
        ("📞".repeat(128), 256),
        ("📞".repeat(129), 258),
    ] {
        assert_eq!(text.encode_utf16().count(), units);
        for verb in with_context(&text) {
            let decided = conversation.decide(seconds(9), verb);
            if units > 256 {
                assert_eq!(decided, Err(Refusal::ClientContextTooLong { units }));
                continue;
            }
            let mut conversation = conversation.clone();
            decided.unwrap().iter().for_each(|event| conversation.evolve(seconds(9), event));
            let kept = conversation.call(CALL).unwrap().operation(operation(1)).unwrap();
            assert_eq!(kept.client_context.as_ref(), Some(&text), "it comes back unchanged (S5)");
        }
    }
}

#[test]
fn a_client_context_too_long_is_refused_in_words() {
    let [play, ..] = with_context(&"📞".repeat(129));
    check(
        established(),
        play,
        expect![[r#"
        refused ClientContextTooLong { units: 258 }: clientContext has 258 UTF-16 code units; at most 256 are allowed.
    "#]],
    );
}

fn with_prompts(count: usize) -> Input {
    let prompt = Prompt { uri: "https://bot/1.wav".to_owned(), resource_id: None, times: 1 };
    Input::PlayPrompt(PlayPrompt { prompts: vec![prompt; count], ..prompts(1) })
}

#[test]
fn a_play_prompt_has_1_to_20_prompts() {
    check(
        established(),
        with_prompts(0),
        expect![[r#"
            refused NoPrompts: prompts must hold at least one prompt.
        "#]],
    );
    check(
        established(),
        with_prompts(PROMPTS),
        expect![[r#"
            event   operationStarted op1 playPrompt 20 prompts running
            effect  play op1 20 prompts
            now     established, op1 running; leg up; deadline 2701s
        "#]],
    );
    check(
        established(),
        with_prompts(PROMPTS + 1),
        expect![[r#"
            refused TooManyPrompts { count: 21 }: prompts holds 21 prompts; at most 20 are allowed.
        "#]],
    );
}

#[test]
fn a_send_dtmf_tones_has_1_to_100_tones_and_at_most_10_seconds_between() {
    let sends = |count: usize, delay: Option<i32>| {
        let send = SendDtmfTones { tones: vec![Tone::Tone1; count], delay, ..tones(1) };
        decided(&established(), Input::SendDtmfTones(send)).map(drop)
    };
    for (count, delay) in [(1, None), (TONES, Some(0)), (1, Some(10_000))] {
        assert_eq!(sends(count, delay), Ok(()));
    }
    assert_eq!(sends(0, None), Err(Refusal::NoTones));
    assert_eq!(sends(TONES + 1, None), Err(Refusal::TooManyTones { count: TONES + 1 }));
    for delay in [-1, 10_001, i32::MIN, i32::MAX] {
        assert_eq!(sends(1, Some(delay)), Err(Refusal::BadToneDelay { delay }));
    }
    check(
        established(),
        Input::SendDtmfTones(SendDtmfTones { delay: Some(-1), ..tones(1) }),
        expect![[r#"
        refused BadToneDelay { delay: -1 }: delayBetweenTonesMs is -1; it must be 0 to 10000.
    "#]],
    );
}

#[test]
fn a_url_has_at_most_2048_characters() {
    let url = |chars: usize| format!("https://bot/{}", "ü".repeat(chars - "https://bot/".len()));
    let answer = |chars: usize| Input::Answer { call: CALL, callback: Some(url(chars)) };
    assert!(decided(&incoming(), answer(URL_CHARS)).is_ok());
    assert_eq!(decided(&incoming(), answer(URL_CHARS + 1)), Err(Refusal::BadCallback));
    let play = |chars: usize| {
        let mut play = prompts(1);
        play.prompts[0].uri = url(chars);
        Input::PlayPrompt(play)
    };
    assert!(decided(&established(), play(URL_CHARS)).is_ok());
    assert_eq!(decided(&established(), play(URL_CHARS + 1)), Err(Refusal::BadPromptUri { index: 0 }));
}

/// A call whose media queue is full.
fn full_queue() -> Given {
    let open = u32::try_from(OPEN_OPERATIONS).unwrap();
    established().then((1..=open).map(play)).named("full queue")
}

#[test]
fn a_call_has_at_most_100_open_operations() {
    check(
        full_queue(),
        play(101),
        expect![[r#"
            refused QueueFull: The call has 100 media operations open: wait for some to end, or cancel them.
        "#]],
    );
    check(
        full_queue(),
        subscribe(101),
        expect![[r#"
            event   operationStarted op101 subscribeToTone completed 200/0 "Action completed successfully."
            now     established, 100 operations open; leg up; deadline 2701s
        "#]],
    );
    check(
        full_queue().then([cancel(101)]),
        play(102),
        expect![[r#"
            event   operationStarted op102 playPrompt https://bot/102.wav running
            effect  play op102 https://bot/102.wav
            now     established, op102 running; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn the_last_100_ended_operations_are_kept() {
    let many = established().then([play(1), play(2)]).then((3..=150).map(subscribe));
    let (conversation, _) = many.conversation();
    let call = conversation.call(CALL).unwrap();
    let kept: Vec<_> = call.operations.iter().map(|operation| operation.id).collect();
    let open_and_last = [1, 2].into_iter().chain(51..=150).map(operation);
    assert_eq!(kept, open_and_last.collect::<Vec<_>>(), "what is open is never forgotten");
    assert_eq!(kept.len(), ENDED_OPERATIONS + 2);
}

/// A conversation that has recorded as much as one may, with a full queue.
fn full() -> Given {
    let so_far = 5 + OPEN_OPERATIONS + 1;
    let rest = usize::try_from(EVENTS - EVENTS_HEADROOM).unwrap() + 1 - so_far;
    let steps = full_queue().then([subscribe(101)]).then(vec![keep_alive(); rest]);
    steps.named("full conversation")
}

#[test]
fn a_full_conversation_refuses_what_could_wait() {
    let (conversation, clock) = full().conversation();
    let now = seconds(clock + 1);
    for verb in [keep_alive(), play(102), subscribe(102), cancel(102)] {
        assert_eq!(conversation.decide(now, verb.input), Err(Refusal::ConversationFull));
    }
    for happening in [leg_held(true), tone(Tone::Star)] {
        assert_eq!(conversation.decide(now, happening.input), Ok(vec![]));
    }
}

#[test]
fn a_full_conversation_has_room_to_end() {
    let (mut conversation, clock) = full().conversation();
    let mut recorded = EVENTS - EVENTS_HEADROOM + 1;
    let mut live = |step: Step| {
        let events = conversation.decide(seconds(clock + 1), step.input).unwrap();
        events.iter().for_each(|event| conversation.evolve(seconds(clock + 1), event));
        recorded += u64::try_from(events.len()).unwrap();
    };
    let open = u32::try_from(OPEN_OPERATIONS).unwrap();
    (1..open).for_each(|n| live(finished(n, PlayOutcome::Played)));
    live(hang_up());
    live(adopt(2));
    live(leg_ended(EndCause::LocalHangUp));
    assert!(conversation.is_over());
    assert!(recorded <= EVENTS);
}
