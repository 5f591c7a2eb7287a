//! Random lives of a conversation: what bots, phones and time may do to it, in any order, with ids
//! and times that follow from the order alone.

use proptest::collection::vec;
use proptest::prelude::*;
use ringback_core::{
    CallId, Conversation, EndCause, Epoch, Event, Input, Notice, Now, OperationKind, PlayOutcome, PlayPrompt, Prompt,
    Record, RecordOutcome, RecordResponse, Refusal, RejectReason, Repeat, SendDtmfTones, Tone,
};

use crate::world::*;

/// Something that happens, and how many seconds after the last thing that did.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    after: i64,
    act: Act,
}

/// What happens, in terms of the conversation it happens to.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Offered,
    Placed,
    Joins,
    PhoneJoins(usize),
    PhoneAnswered(usize),
    PhoneHeld(usize, bool),
    PhoneTone(usize, Tone),
    PhoneEnded(usize, EndCause),
    Answer(Option<&'static str>),
    Reject(RejectReason),
    RejectToldAt(&'static str),
    HangUp,
    Remove,
    KeepAlive,
    Play {
        prompts: usize,
        repeat: Repeat,
    },
    PlayMany(usize),
    Send(usize),
    Record {
        prompts: usize,
        barge_in: bool,
        max_duration: Option<i32>,
    },
    Subscribe(Option<&'static str>),
    Cancel,
    Redirected(&'static str),
    LegAnswered,
    LegHeld(bool),
    LegEnded(EndCause),
    FinishedRunning(PlayOutcome),
    FinishedAny(u32, PlayOutcome),
    RecordedRunning(RecordOutcome),
    RecordedAny(u32, RecordOutcome),
    Tone(Tone),
    Deadline,
    /// Time goes on until the next deadline is due.
    Due,
    /// A new epoch; what was being recorded is kept, or not.
    Adopt(u64, bool),
}

/// A conversation that lives, and all that came of it.
pub(crate) struct Run {
    /// As it is now.
    pub(crate) conversation: Conversation,
    /// What was recorded.
    pub(crate) records: Vec<Record>,
    /// What bots were told, as it was told.
    pub(crate) notices: Vec<(CallId, Notice)>,
    clock: i64,
    operations: u32,
}

impl Run {
    /// Lives this life.
    pub(crate) fn of(life: &[Moment]) -> Self {
        let (conversation, clock) = nothing().conversation();
        let mut run = Self { conversation, records: vec![], notices: vec![], clock, operations: 0 };
        for moment in life {
            run.clock += moment.after;
            for input in run.inputs(&moment.act) {
                // A refusal has no effect; that it has none is the point.
                let _ = run.input(input);
            }
        }
        run
    }

    /// Lives this life, and then to its end.
    pub(crate) fn to_the_end(life: &[Moment]) -> Self {
        let kept = Act::RecordedRunning(RecordOutcome::CutShort("the call ended".to_owned()));
        let ends =
            [Act::HangUp, Act::Remove, Act::Reject(RejectReason::None), Act::LegEnded(EndCause::LocalHangUp), kept];
        let phones = (0..PHONES.len()).map(|n| Act::PhoneEnded(n, EndCause::LocalHangUp));
        let ends = ends.into_iter().chain(phones).map(|act| Moment { after: 1, act });
        let life: Vec<Moment> = life.iter().cloned().chain(ends).collect();
        Self::of(&life)
    }

    /// Now.
    pub(crate) fn now(&self) -> Now {
        seconds(self.clock)
    }

    /// What one input makes true now is recorded, and told.
    pub(crate) fn input(&mut self, input: Input) -> Result<(), Refusal> {
        let events = self.conversation.decide(self.now(), input)?;
        if events.is_empty() {
            return Ok(());
        }
        for event in &events {
            self.conversation.evolve(self.now(), event);
            self.notices.extend(self.conversation.notices(event));
        }
        self.records.push(Record::new(self.now(), events));
        Ok(())
    }

    /// What was recorded, again from the start: each event, and the conversation right after it.
    pub(crate) fn walk(&self, mut seen: impl FnMut(&Event, &Conversation)) {
        let (mut conversation, _) = nothing().conversation();
        for record in &self.records {
            for event in &record.events {
                conversation.evolve(record.at, event);
                seen(event, &conversation);
            }
        }
    }

    /// The events, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.records.iter().flat_map(|record| &record.events)
    }

    /// An act as the inputs that it is now.
    pub(crate) fn inputs(&mut self, act: &Act) -> Vec<Input> {
        let step = match act.clone() {
            Act::Offered => offered(),
            Act::Placed => placed(),
            Act::Joins => joins(),
            Act::PhoneJoins(n) => phone_joins(n),
            Act::PhoneAnswered(n) => phone_answered(n),
            Act::PhoneHeld(n, held) => return vec![Input::LegHeld { leg: PHONES[n], held }],
            Act::PhoneTone(n, tone) => return vec![Input::ToneHeard { leg: PHONES[n], tone }],
            Act::PhoneEnded(n, cause) => phone_ended(n, cause),
            Act::Answer(callback) => {
                return vec![Input::Answer { call: CALL, callback: callback.map(str::to_owned) }];
            }
            Act::Reject(reason) => reject(reason),
            Act::RejectToldAt(callback) => reject_told_at(callback),
            Act::HangUp => hang_up(),
            Act::Remove => remove(),
            Act::KeepAlive => keep_alive(),
            Act::Play { prompts, repeat } => return vec![self.play(prompts, repeat)],
            Act::PlayMany(count) => return (0..count).map(|_| self.play(1, Repeat::Once)).collect(),
            Act::Send(count) => {
                let send = tones(self.next());
                return vec![Input::SendDtmfTones(SendDtmfTones { tones: vec![Tone::Star; count], ..send })];
            }
            Act::Subscribe(context) => {
                let client_context = context.map(str::to_owned);
                return vec![Input::SubscribeToTone { call: CALL, operation: operation(self.next()), client_context }];
            }
            Act::Cancel => cancel(self.next()),
            Act::Redirected(callback) => ask_redirected(callback),
            Act::LegAnswered => leg_answered(),
            Act::LegHeld(held) => leg_held(held),
            Act::LegEnded(cause) => leg_ended(cause),
            Act::FinishedRunning(outcome) => {
                let running = self.conversation.calls().find_map(|call| call.running());
                return running.map(|it| Input::PlayFinished { operation: it.id, outcome }).into_iter().collect();
            }
            Act::FinishedAny(n, outcome) => finished(n, outcome),
            Act::Record { prompts, barge_in, max_duration } => {
                let record = recording(self.next());
                let prompts = vec![record.prompts[0].clone(); prompts];
                return vec![Input::RecordResponse(RecordResponse { prompts, barge_in, max_duration, ..record })];
            }
            Act::RecordedRunning(outcome) => {
                let running = self.conversation.calls().find_map(|call| call.running());
                return running.map(|it| Input::RecordFinished { operation: it.id, outcome }).into_iter().collect();
            }
            Act::RecordedAny(n, outcome) => recorded(n, outcome),
            Act::Tone(key) => tone(key),
            Act::Deadline => deadline(),
            Act::Due => {
                let due = self.conversation.next_deadline().map_or(0, |due| self.now().until(due).as_secs());
                self.clock += i64::try_from(due).unwrap();
                deadline()
            }
            Act::Adopt(epoch, keeps) => {
                let running = self.conversation.calls().find_map(|call| call.running()).filter(|_| keeps);
                let recording = running.filter(|it| matches!(it.kind, OperationKind::RecordResponse(_)));
                let kept = recording.map(|it| it.id).into_iter().collect();
                return vec![Input::Adopt { epoch: Epoch(epoch), kept }];
            }
        };
        vec![step.input]
    }

    fn next(&mut self) -> u32 {
        self.operations += 1;
        self.operations
    }

    fn play(&mut self, count: usize, repeat: Repeat) -> Input {
        let prompt = Prompt { uri: "https://bot/beep.wav".to_owned(), resource_id: None, times: 1 };
        let play = prompts(self.next());
        Input::PlayPrompt(PlayPrompt { prompts: vec![prompt; count], repeat, ..play })
    }
}

/// A life: a beginning more often than not, then anything.
pub(crate) fn life() -> impl Strategy<Value = Vec<Moment>> {
    let begin = prop_oneof![6 => Just(Act::Offered), 6 => Just(Act::Placed), 6 => Just(Act::Joins), 1 => act()];
    let up = vec(prop_oneof![Just(Act::Answer(None)), Just(Act::LegAnswered)], 0..4);
    (begin, up, vec((after(), act()), 0..60)).prop_map(|(begin, up, rest)| {
        let start = std::iter::once(begin).chain(up).map(|act| Moment { after: 1, act });
        start.chain(rest.into_iter().map(|(after, act)| Moment { after, act })).collect()
    })
}

fn after() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 0..3_i64, 2 => 10..70_i64, 1 => 2_690..2_710_i64]
}

/// Anything that may happen; what ends a call is rare.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    let callback = prop_oneof![Just(None), Just(Some("https://other/calls")), Just(Some("not a url"))];
    let bot = prop_oneof![
        6 => callback.prop_map(Act::Answer),
        1 => prop_oneof![Just(RejectReason::None), Just(RejectReason::Busy)].prop_map(Act::Reject),
        1 => prop_oneof![Just("https://other/calls"), Just("not a url")].prop_map(Act::RejectToldAt),
        1 => Just(Act::HangUp),
        1 => Just(Act::Remove),
        3 => Just(Act::KeepAlive),
        12 => (0..22_usize, prop_oneof![3 => Just(Repeat::Once), 1 => Just(Repeat::Forever)])
            .prop_map(|(prompts, repeat)| Act::Play { prompts, repeat }),
        1 => (1..130_usize).prop_map(Act::PlayMany),
        10 => (0..3_usize, any::<bool>(), prop_oneof![4 => Just(None), 1 => (-1..130_i32).prop_map(Some)])
            .prop_map(|(prompts, barge_in, max_duration)| Act::Record { prompts, barge_in, max_duration }),
        8 => (0..103_usize).prop_map(Act::Send),
        4 => prop_oneof![Just(None), Just(Some("context"))].prop_map(Act::Subscribe),
        3 => Just(Act::Cancel),
    ];
    let world = prop_oneof![
        1 => prop_oneof![Just(Act::Offered), Just(Act::Placed), Just(Act::Joins)],
        16 => (0..PHONES.len()).prop_flat_map(phone),
        2 => prop_oneof![Just("https://other/calls"), Just("nowhere")].prop_map(Act::Redirected),
        6 => Just(Act::LegAnswered),
        4 => any::<bool>().prop_map(Act::LegHeld),
        1 => cause().prop_map(Act::LegEnded),
        12 => outcome().prop_map(Act::FinishedRunning),
        3 => (1..30_u32, outcome()).prop_map(|(n, outcome)| Act::FinishedAny(n, outcome)),
        10 => record_outcome().prop_map(Act::RecordedRunning),
        2 => (1..30_u32, record_outcome()).prop_map(|(n, outcome)| Act::RecordedAny(n, outcome)),
        6 => prop_oneof![Just(Tone::Tone0), Just(Tone::Pound)].prop_map(Act::Tone),
        3 => Just(Act::Deadline),
        1 => Just(Act::Due),
        1 => (1..4_u64, any::<bool>()).prop_map(|(epoch, keeps)| Act::Adopt(epoch, keeps)),
    ];
    prop_oneof![bot, world]
}

/// What a phone does in a meeting; it rarely leaves.
fn phone(n: usize) -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::PhoneJoins(n)),
        4 => Just(Act::PhoneAnswered(n)),
        1 => any::<bool>().prop_map(move |held| Act::PhoneHeld(n, held)),
        2 => Just(Act::PhoneTone(n, Tone::Star)),
        2 => cause().prop_map(move |cause| Act::PhoneEnded(n, cause)),
    ]
}

fn outcome() -> impl Strategy<Value = PlayOutcome> {
    let why = || "because".to_owned();
    prop_oneof![
        5 => Just(PlayOutcome::Played),
        1 => Just(PlayOutcome::Unavailable(why())),
        1 => Just(PlayOutcome::Invalid(why())),
        1 => Just(PlayOutcome::Failed(why())),
    ]
}

fn record_outcome() -> impl Strategy<Value = RecordOutcome> {
    let why = || "because".to_owned();
    prop_oneof![
        3 => Just(RecordOutcome::StopTone),
        1 => Just(RecordOutcome::MaxDuration),
        1 => Just(RecordOutcome::MaxSilence),
        2 => Just(RecordOutcome::CutShort(why())),
        1 => Just(RecordOutcome::InitialSilence),
        1 => Just(RecordOutcome::Nothing),
        1 => outcome().prop_map(RecordOutcome::Prompt),
        1 => Just(RecordOutcome::Failed(why())),
    ]
}

fn cause() -> impl Strategy<Value = EndCause> {
    prop_oneof![
        Just(EndCause::FarHangUp),
        Just(EndCause::Cancelled),
        Just(EndCause::Busy),
        Just(EndCause::Declined(603)),
        Just(EndCause::LocalHangUp),
        Just(EndCause::MediaTimeout),
        Just(EndCause::Failed("because".to_owned())),
    ]
}
