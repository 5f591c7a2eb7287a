//! What holds for every life of a conversation, whatever bots, phones and crashes do.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ringback_core::limits::{ENDED_OPERATIONS, OPEN_OPERATIONS};
use ringback_core::{
    Call, Conversation, Effect, Epoch, Event, IllegalStep, Input, LegId, LegPhase, Now, Operation, OperationId,
    OperationKind, OperationStatus, Record, Told, operations_of,
};

use crate::runs::{Run, act, life};
use crate::world::{CALL, PHONES, nothing, seconds};

/// The same lives in each run: a failure is a failure every time. `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

fn leg_of(event: &Event) -> Option<LegId> {
    match event {
        Event::LegAnswered { leg, .. } | Event::LegReleased { leg, .. } | Event::LegEnded { leg, .. } => Some(*leg),
        _ => None,
    }
}

/// An effect that was asked for is no longer owed after this event.
fn answered_by(effect: &Effect, event: &Event) -> bool {
    match effect {
        // Up, let go or gone.
        Effect::Place { leg, .. } | Effect::TakeSeat { leg } | Effect::Accept { leg } | Effect::Admit { leg, .. } => {
            leg_of(event) == Some(*leg)
        }
        // Gone; or up after all, which asks for a hang-up that knows its dialog.
        Effect::Decline { leg, .. } | Effect::HangUp { leg, .. } => {
            leg_of(event) == Some(*leg) && !matches!(event, Event::LegReleased { .. })
        }
        Effect::Play { operation, .. }
        | Effect::SendTones { operation, .. }
        | Effect::Record { operation, .. }
        | Effect::Keep { operation, .. } => {
            matches!(event, Event::OperationEnded { operation: ended, .. } if ended == operation)
        }
        // Done when asked for.
        Effect::Stop { .. } => true,
    }
}

fn statuses(conversation: &Conversation) -> BTreeMap<OperationId, OperationStatus> {
    let operations = conversation.calls().flat_map(|call| &call.operations);
    operations.map(|operation| (operation.id, operation.status)).collect()
}

/// The lifecycle, said again on its own (S8).
fn may_follow(from: OperationStatus, to: OperationStatus) -> bool {
    use OperationStatus::{Completed, Failed, NotStarted, Running};
    matches!((from, to), (NotStarted, Running | Completed | Failed) | (Running, Completed | Failed))
}

#[test]
fn the_lifecycle_is_one_table() {
    use OperationStatus::{Completed, Failed, NotStarted, Running};
    for from in [NotStarted, Running, Completed, Failed] {
        for to in [NotStarted, Running, Completed, Failed] {
            let step = if may_follow(from, to) { Ok(to) } else { Err(IllegalStep { from, to }) };
            assert_eq!(from.step(to), step);
        }
    }
}

/// No operation kept in both steps back.
fn no_step_back(before: &Conversation, after: &Conversation) -> bool {
    let after = statuses(after);
    statuses(before).iter().all(|(id, from)| after.get(id).is_none_or(|to| from == to || may_follow(*from, *to)))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn effects_of_a_history_minus_those_answered_are_outstanding(life in life()) {
        let mut owed: Vec<Effect> = vec![];
        Run::of(&life).walk(|event, conversation| {
            owed.retain(|effect| !answered_by(effect, event));
            owed.extend(conversation.effects(event));
            owed.retain(|effect| !matches!(effect, Effect::Stop { .. }));
            let (mut owed, mut outstanding) = (owed.clone(), conversation.outstanding());
            owed.sort_by_key(|effect| format!("{effect:?}"));
            outstanding.sort_by_key(|effect| format!("{effect:?}"));
            assert_eq!(owed, outstanding, "after {event:?}");
        });
    }

    #[test]
    fn a_fold_of_the_log_is_the_conversation_that_lived(life in life()) {
        let run = Run::of(&life);
        let (mut folded, _) = nothing().conversation();
        run.records.iter().for_each(|record| folded.fold(record));
        prop_assert_eq!(folded, run.conversation);
    }

    #[test]
    fn any_events_in_any_order_fold_without_a_step_back(events in disorder()) {
        let (mut conversation, _) = nothing().conversation();
        for (at, event) in events {
            let before = conversation.clone();
            conversation.evolve(at, &event);
            let _ = (conversation.effects(&event), conversation.notices(&event), conversation.outstanding());
            prop_assert!(no_step_back(&before, &conversation));
            for call in before.calls().filter(|call| call.is_over()) {
                prop_assert_eq!(Some(call), conversation.call(call.id()), "what is over stays as it was");
            }
        }
    }

    #[test]
    fn status_only_moves_forward(life in life()) {
        let (mut before, _) = nothing().conversation();
        Run::to_the_end(&life).walk(|event, after| {
            assert!(no_step_back(&before, after), "after {event:?}");
            before = after.clone();
        });
    }

    #[test]
    fn what_was_answered_open_ends_once_and_what_was_answered_terminal_is_not_told(life in life()) {
        let run = Run::to_the_end(&life);
        let mut ends: BTreeMap<OperationId, usize> = BTreeMap::new();
        for event in run.events() {
            if let Event::OperationEnded { operation, .. } = event {
                *ends.entry(*operation).or_default() += 1;
            }
        }
        let mut told: BTreeMap<OperationId, usize> = BTreeMap::new();
        for (_, notice) in &run.notices {
            if let Told::OperationEnded(operation) = &notice.told {
                *told.entry(operation.id).or_default() += 1;
            }
        }
        prop_assert_eq!(&ends, &told);
        for event in run.events() {
            if let Event::OperationStarted { operation, .. } = event {
                let expected = usize::from(!operation.status.is_terminal());
                prop_assert_eq!(ends.remove(&operation.id).unwrap_or(0), expected);
            }
        }
        prop_assert!(ends.is_empty(), "ended, but never started: {:?}", ends);
    }

    #[test]
    fn a_result_is_there_exactly_when_the_status_is_terminal(life in life()) {
        Run::to_the_end(&life).walk(|event, conversation| {
            for operation in conversation.calls().flat_map(|call| &call.operations) {
                assert_eq!(operation.result.is_some(), operation.status.is_terminal(), "after {event:?}");
            }
        });
    }

    #[test]
    fn what_is_told_read_and_logged_is_the_same_operation(life in life()) {
        let mut log: Vec<Event> = vec![];
        Run::to_the_end(&life).walk(|event, conversation| {
            log.push(event.clone());
            let Event::OperationEnded { operation: id, .. } = event else { return };
            let read = conversation.call(CALL).and_then(|call| call.operation(*id)).cloned();
            let told: Vec<Operation> = conversation.notices(event).into_iter().filter_map(|(_, notice)| match notice.told {
                Told::OperationEnded(operation) => Some(operation),
                _ => None,
            }).collect();
            let logged = operations_of(CALL, &log).into_iter().find(|operation| operation.id == *id);
            assert_eq!(told, Vec::from_iter(read.clone()));
            assert_eq!(read, logged);
        });
    }

    #[test]
    fn the_queue_plays_its_first_and_only_its_first(life in life()) {
        let run = Run::to_the_end(&life);
        let (mut conversation, _) = nothing().conversation();
        for record in &run.records {
            conversation.fold(record);
            let open = conversation.calls().flat_map(Call::open_operations);
            for (place, operation) in open.enumerate() {
                let expected = if place == 0 { OperationStatus::Running } else { OperationStatus::NotStarted };
                prop_assert_eq!(operation.status, expected);
            }
        }
    }

    #[test]
    fn a_call_ends_once_after_its_operations_and_in_their_record(life in life()) {
        let run = Run::to_the_end(&life);
        let begun = run.events().any(|event| matches!(event, Event::CallOffered(_) | Event::CallPlaced(_)));
        let terminated = run.events().filter(|event| matches!(event, Event::CallTerminated { .. })).count();
        prop_assert_eq!(terminated, usize::from(begun));
        let told = |(_, notice): &&(_, ringback_core::Notice)| matches!(notice.told, Told::Terminated(_));
        prop_assert_eq!(run.notices.iter().filter(told).count(), terminated);
        prop_assert!(run.notices.last().is_none_or(|last| told(&last)), "nothing is told after the end");
        let mut open = 0_usize;
        for record in &run.records {
            let open_before = open;
            for event in &record.events {
                match event {
                    Event::OperationStarted { operation, .. } => open += usize::from(!operation.status.is_terminal()),
                    Event::OperationEnded { .. } => open -= 1,
                    Event::CallTerminated { .. } => prop_assert_eq!(open, 0),
                    _ => {}
                }
            }
            if record.events.iter().any(|event| matches!(event, Event::CallTerminated { .. })) {
                let ended = record.events.iter().filter(|event| matches!(event, Event::OperationEnded { .. }));
                prop_assert_eq!(ended.count(), open_before);
            }
        }
    }

    #[test]
    fn a_call_that_is_over_leaves_no_leg_behind(life in life()) {
        let run = Run::of(&life);
        let (mut conversation, _) = nothing().conversation();
        for record in &run.records {
            conversation.fold(record);
            for leg in conversation.legs() {
                let over = conversation.call(leg.call).is_some_and(|call| call.is_over() || call.is_ending());
                let let_go = matches!(leg.phase, LegPhase::Releasing { .. } | LegPhase::Ended);
                prop_assert_eq!(over, let_go);
            }
        }
    }

    #[test]
    fn after_an_adoption_only_what_outlives_a_process_is_owed(life in life()) {
        let mut run = Run::of(&life);
        run.input(Input::Adopt { epoch: Epoch(9), kept: vec![] }).unwrap();
        for effect in run.conversation.outstanding() {
            prop_assert!(matches!(effect, Effect::HangUp { dialog: Some(_), .. }), "{:?}", effect);
        }
        let legs = run.conversation.legs().filter(|leg| leg.phase != LegPhase::Ended).count();
        prop_assert_eq!(run.conversation.outstanding().len(), legs, "every leg that is left is hung up");
        prop_assert_eq!(run.conversation.calls().flat_map(Call::open_operations).count(), 0);
        prop_assert!(run.conversation.calls().all(Call::is_over));
        prop_assert_eq!(run.conversation.next_deadline(), None);
        let again = run.conversation.decide(run.now(), Input::Adopt { epoch: Epoch(9), kept: vec![] });
        prop_assert_eq!(again, Ok(vec![]));
    }

    #[test]
    fn a_call_waits_for_nothing_but_a_recording(life in life()) {
        let run = Run::to_the_end(&life);
        let (mut conversation, _) = nothing().conversation();
        for record in &run.records {
            conversation.fold(record);
            for call in conversation.calls().filter(|call| call.is_ending()) {
                let running = call.running().map(|it| &it.kind);
                prop_assert!(matches!(running, Some(OperationKind::RecordResponse(_))), "{:?}", running);
            }
        }
    }

    #[test]
    fn what_ended_completed_has_a_recording_and_what_failed_has_none(life in life()) {
        for (_, notice) in Run::to_the_end(&life).notices {
            let Told::OperationEnded(ended) = notice.told else { continue };
            let location = ended.recording_location();
            match (&ended.kind, ended.status) {
                (OperationKind::RecordResponse(recording), OperationStatus::Completed) => {
                    prop_assert_eq!(location, Some(recording.location.as_str()));
                }
                (OperationKind::RecordResponse(_), _) => prop_assert_eq!(location, Some("")),
                _ => prop_assert_eq!(location, None),
            }
        }
    }

    #[test]
    fn the_log_tells_what_was_told_live(life in life()) {
        let run = Run::of(&life);
        let mut told = vec![];
        run.walk(|event, conversation| told.extend(conversation.notices(event)));
        prop_assert_eq!(told, run.notices);
    }

    #[test]
    fn tones_are_counted_from_one(life in life()) {
        let run = Run::of(&life);
        let tones = run.notices.iter().filter_map(|(_, notice)| match notice.told {
            Told::Tone { sequence, .. } => Some(sequence),
            _ => None,
        });
        for (sequence, expected) in tones.zip(1..) {
            prop_assert_eq!(sequence, expected);
        }
    }

    #[test]
    fn the_roster_is_told_whenever_it_changes(life in life()) {
        let mut last = vec![];
        let run = Run::of(&life);
        let (mut conversation, _) = nothing().conversation();
        for record in &run.records {
            for event in &record.events {
                conversation.evolve(record.at, event);
                for (_, notice) in conversation.notices(event) {
                    if let Told::Roster(roster) = notice.told {
                        last = roster;
                    }
                }
            }
            let met = conversation.calls().any(|call| call.is_established() && call.begun.meeting.is_some());
            if met {
                prop_assert_eq!(&last, &conversation.roster());
            }
        }
    }

    #[test]
    fn state_is_bounded(life in life()) {
        Run::of(&life).walk(|_, conversation| {
            assert!(conversation.calls().count() <= 1 && conversation.legs().count() <= 1 + PHONES.len());
            for call in conversation.calls() {
                assert!(call.open_operations().count() <= OPEN_OPERATIONS);
                assert!(call.operations.len() <= OPEN_OPERATIONS + ENDED_OPERATIONS);
            }
        });
    }

    #[test]
    fn every_event_is_stored_and_read_back(life in life()) {
        for record in Run::to_the_end(&life).records {
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }

    #[test]
    fn nothing_becomes_true_once_all_is_over(life in life(), then in vec(act(), 1..30)) {
        let mut run = Run::to_the_end(&life);
        prop_assume!(run.conversation.is_over());
        for input in then.iter().flat_map(|act| run.inputs(act)).collect::<Vec<_>>() {
            let decided = run.conversation.decide(run.now(), input);
            prop_assert!(decided.as_ref().map_or(true, Vec::is_empty), "{:?}", decided);
        }
    }

    #[test]
    fn a_deadline_is_due_once(life in life()) {
        let run = Run::of(&life);
        let (mut conversation, _) = nothing().conversation();
        for record in &run.records {
            conversation.fold(record);
            let Some(due) = conversation.next_deadline() else { continue };
            prop_assert_eq!(conversation.decide(Now(due.0 - 1), Input::Deadline), Ok(vec![]), "not before");
            let mut later = conversation.clone();
            let events = later.decide(due, Input::Deadline).unwrap();
            prop_assert!(!events.is_empty(), "something is due");
            later.fold(&Record::new(due, events));
            prop_assert!(later.next_deadline().is_none_or(|next| next > due), "and then no more");
            prop_assert_eq!(later.decide(due, Input::Deadline), Ok(vec![]));
        }
    }
}

/// The events of two lives, shuffled: what no log ever holds.
fn disorder() -> impl Strategy<Value = Vec<(Now, Event)>> {
    let events = |life: &[_]| Run::to_the_end(life).events().cloned().collect::<Vec<_>>();
    (life(), life()).prop_flat_map(move |(one, other)| {
        let all = events(&one).into_iter().chain(events(&other));
        Just(all.map(|event| (seconds(1), event)).collect::<Vec<_>>()).prop_shuffle()
    })
}
