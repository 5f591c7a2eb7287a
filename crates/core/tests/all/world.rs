//! The little world of the transcripts: one bot, one phone, one call, and inputs one second apart.
//! [`check`] is the only way in which a transcript is made.

use expect_test::Expect;
use ringback_core::{
    AppId, CallId, Conversation, ConversationId, EndCause, Epoch, Event, Identity, IdentityKind, Input, LegId, Meeting,
    MeetingInfo, NewCall, Now, OperationId, ParticipantId, PlayOutcome, PlayPrompt, Prompt, Record, RecordOutcome,
    RecordResponse, Refusal, RejectReason, Repeat, SendDtmfTones, TenantId, Tone,
};
use uuid::Uuid;

use crate::print;

/// The call of every transcript.
pub(crate) const CALL: CallId = CallId(Uuid::from_u128(0xca11));
/// A call nobody ever made.
pub(crate) const STRANGER: CallId = CallId(Uuid::from_u128(0xdead));
/// The call's leg.
pub(crate) const LEG: LegId = LegId(Uuid::from_u128(0x1e6));
/// Legs of phones that join a meeting.
pub(crate) const PHONES: [LegId; 3] =
    [LegId(Uuid::from_u128(0x1e7)), LegId(Uuid::from_u128(0x1e8)), LegId(Uuid::from_u128(0x1e9))];
/// Where the bot listens.
pub(crate) const BOT: &str = "https://bot/calls";

/// 2026-01-01T00:00:00Z: all times of the transcripts are seconds after it.
const START: i64 = 1_767_225_600;

/// A time of the transcripts.
pub(crate) fn seconds(seconds: i64) -> Now {
    Now((START + seconds) * 1_000_000)
}

/// A time of the transcripts as text.
pub(crate) fn since_start(now: Now) -> String {
    let micros = now.0 - START * 1_000_000;
    assert_eq!(micros % 1_000_000, 0, "transcripts count in whole seconds");
    format!("{}s", micros / 1_000_000)
}

/// The `n`th operation, printed as `op{n}`.
pub(crate) fn operation(n: u32) -> OperationId {
    OperationId(Uuid::from_u128(0x0f00_0000_0000 + u128::from(n)))
}

/// The `n` of [`operation`].
pub(crate) fn operation_number(id: OperationId) -> u128 {
    id.0.as_u128() - 0x0f00_0000_0000
}

/// An input, and when: one second after the one before unless [`Step::at`] says.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) input: Input,
    at: Option<i64>,
}

impl Step {
    /// This many seconds after the start.
    pub(crate) fn at(self, seconds: i64) -> Self {
        Self { at: Some(seconds), ..self }
    }
}

impl From<Input> for Step {
    fn from(input: Input) -> Self {
        Self { input, at: None }
    }
}

/// A named state, as the inputs that lead to it. Each must make something true.
#[derive(Clone)]
pub(crate) struct Given {
    name: &'static str,
    steps: Vec<Step>,
}

impl Given {
    fn new(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { name, steps: steps.into_iter().collect() }
    }

    /// And then.
    pub(crate) fn then(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// Under another name.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The conversation in this state, and when it came there.
    pub(crate) fn conversation(&self) -> (Conversation, i64) {
        self.live(|_| {})
    }

    /// What was recorded on the way to this state.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = vec![];
        self.live(|record| records.push(record));
        records
    }

    fn live(&self, mut recorded: impl FnMut(Record)) -> (Conversation, i64) {
        let mut conversation = Conversation::new(ConversationId(Uuid::from_u128(0xc0)));
        let mut clock = 0;
        for Step { input, at } in &self.steps {
            clock = at.unwrap_or(clock + 1);
            let events = conversation.decide(seconds(clock), input.clone());
            let events = events.unwrap_or_else(|refusal| panic!("{}: {input:?} was refused: {refusal}", self.name));
            assert!(!events.is_empty(), "{}: {input:?} makes nothing true", self.name);
            let record = Record::new(seconds(clock), events);
            conversation.fold(&record);
            recorded(record);
        }
        (conversation, clock)
    }
}

/// One state is a list of states.
impl AsRef<[Given]> for Given {
    fn as_ref(&self) -> &[Given] {
        std::slice::from_ref(self)
    }
}

/// What an input makes true in each of the given states: its refusal, or its events, then what the
/// world must do, then what the bot is told, then where call and leg stand. States in which the
/// same comes of it are printed together.
#[track_caller]
pub(crate) fn check(given: impl AsRef<[Given]>, when: impl Into<Step>, expected: Expect) {
    let when = when.into();
    let given = given.as_ref();
    let mut groups: Vec<(Vec<&str>, String)> = vec![];
    for given in given {
        let (conversation, clock) = given.conversation();
        let outcome = print::outcome(conversation, seconds(when.at.unwrap_or(clock + 1)), &when.input);
        match groups.iter_mut().find(|(_, printed)| *printed == outcome) {
            Some((names, _)) => names.push(given.name),
            None => groups.push((vec![given.name], outcome)),
        }
    }
    if let ([_], [(_, outcome)]) = (given, groups.as_slice()) {
        expected.assert_eq(outcome);
        return;
    }
    let groups: Vec<String> =
        groups.iter().map(|(names, outcome)| format!("[{}]\n{outcome}", names.join(", "))).collect();
    expected.assert_eq(&groups.join("\n"));
}

/// What an input makes true, or its refusal, where a transcript would say no more.
pub(crate) fn decided(given: &Given, when: impl Into<Step>) -> Result<Vec<Event>, Refusal> {
    let when = when.into();
    let (conversation, clock) = given.conversation();
    conversation.decide(seconds(when.at.unwrap_or(clock + 1)), when.input)
}

/// Nothing is recorded.
pub(crate) fn nothing() -> Given {
    Given::new("nothing", [])
}

/// A phone rings the bot.
pub(crate) fn incoming() -> Given {
    Given::new("incoming", [offered()])
}

/// The bot answered, the leg is not up.
pub(crate) fn accepting() -> Given {
    incoming().then([answer()]).named("accepting")
}

/// The bot placed a call, the leg is not up.
pub(crate) fn placing() -> Given {
    Given::new("placing", [placed()])
}

/// Up, with audio.
pub(crate) fn established() -> Given {
    accepting().then([leg_answered()]).named("established")
}

/// Up, placed by the bot.
pub(crate) fn placed_and_up() -> Given {
    placing().then([leg_answered()]).named("placed and up")
}

/// The bot is in a meeting, alone.
pub(crate) fn in_meeting() -> Given {
    Given::new("in a meeting", [joins(), leg_answered()])
}

/// Two phones are with it.
pub(crate) fn met() -> Given {
    let phones = [phone_joins(0), phone_answered(0), phone_joins(1), phone_answered(1)];
    in_meeting().then(phones).named("met by two phones")
}

/// Up, without audio.
pub(crate) fn held() -> Given {
    established().then([leg_held(true)]).named("held")
}

/// The bot hung up, the leg still goes.
pub(crate) fn releasing() -> Given {
    established().then([hang_up()]).named("releasing")
}

/// The phone hung up while it was recorded: the call waits for the recording.
pub(crate) fn ending() -> Given {
    established().then([record(1), play(2), leg_ended(EndCause::FarHangUp)]).named("ending")
}

/// Call and leg are over.
pub(crate) fn over() -> Given {
    releasing().then([leg_ended(EndCause::LocalHangUp)]).named("over")
}

/// Every state of a call.
pub(crate) fn every_state() -> Vec<Given> {
    vec![
        nothing(),
        incoming(),
        accepting(),
        placing(),
        established(),
        placed_and_up(),
        held(),
        established().then([play(1), play(2)]).named("playing, one queued"),
        established().then([record(1), play(2)]).named("recording, one queued"),
        ending(),
        releasing(),
        over(),
        in_meeting(),
        met(),
    ]
}

/// A call to be begun, waiting until then.
pub(crate) fn new_call(source: Identity, target: Identity, until: i64) -> NewCall {
    NewCall {
        call: CALL,
        leg: LEG,
        app: AppId::new("app"),
        tenant: TenantId::new("tenant"),
        callback: BOT.to_owned(),
        source,
        target: Some(target),
        me: ParticipantId(Uuid::from_u128(0xb07)),
        them: Some(ParticipantId(Uuid::from_u128(0xface))),
        subject: None,
        meeting: None,
        until: seconds(until),
    }
}

/// The bot's identity.
pub(crate) fn the_bot() -> Identity {
    Identity { kind: IdentityKind::Application, id: "app".to_owned(), display_name: None, tenant: None }
}

/// The phone's identity.
pub(crate) fn the_phone() -> Identity {
    Identity { kind: IdentityKind::User, id: "1001".to_owned(), display_name: None, tenant: None }
}

/// A phone rings the bot, which has 15 seconds.
pub(crate) fn offered() -> Step {
    Input::CallOffered(new_call(the_phone(), the_bot(), 15)).into()
}

/// The bot places a call, which rings for a minute.
pub(crate) fn placed() -> Step {
    Input::PlaceCall(new_call(the_bot(), the_phone(), 60)).into()
}

/// The bot joins a meeting.
pub(crate) fn joins() -> Step {
    let info = MeetingInfo::JoinMeetingId { id: "123 456".to_owned(), passcode: Some("psw".to_owned()) };
    let meeting = Meeting {
        thread: "19:meeting@thread.v2".to_owned(),
        message: Some("0".to_owned()),
        reply_chain: None,
        info: Some(info),
    };
    let new = NewCall { target: None, them: None, meeting: Some(meeting), ..new_call(the_bot(), the_phone(), 60) };
    Input::PlaceCall(new).into()
}

/// The `n`th phone dials the meeting.
pub(crate) fn phone_joins(n: usize) -> Step {
    let identity = Identity { kind: IdentityKind::User, id: format!("100{}", n + 1), display_name: None, tenant: None };
    let participant = ParticipantId(Uuid::from_u128(0xface_0000 + n as u128));
    Input::PhoneJoins { leg: PHONES[n], participant, identity }.into()
}

/// It is up.
pub(crate) fn phone_answered(n: usize) -> Step {
    Input::LegAnswered { leg: PHONES[n], dialog: format!("dialog{}", n + 1) }.into()
}

/// It is gone.
pub(crate) fn phone_ended(n: usize, cause: EndCause) -> Step {
    Input::LegEnded { leg: PHONES[n], cause }.into()
}

/// answer, without a callback.
pub(crate) fn answer() -> Step {
    Input::Answer { call: CALL, callback: None }.into()
}

/// reject.
pub(crate) fn reject(reason: RejectReason) -> Step {
    Input::Reject { call: CALL, reason, callback: None }.into()
}

/// reject, told elsewhere.
pub(crate) fn reject_told_at(callback: &str) -> Step {
    Input::Reject { call: CALL, reason: RejectReason::None, callback: Some(callback.to_owned()) }.into()
}

/// Hang up.
pub(crate) fn hang_up() -> Step {
    Input::HangUp { call: CALL }.into()
}

/// The operator ends the call.
pub(crate) fn remove() -> Step {
    Input::Remove { call: CALL }.into()
}

/// keepAlive.
pub(crate) fn keep_alive() -> Step {
    Input::KeepAlive { call: CALL }.into()
}

/// playPrompt's body: one prompt, once.
pub(crate) fn prompts(n: u32) -> PlayPrompt {
    PlayPrompt {
        call: CALL,
        operation: operation(n),
        client_context: None,
        prompts: vec![Prompt { uri: format!("https://bot/{n}.wav"), resource_id: None, times: 1 }],
        repeat: Repeat::Once,
    }
}

/// playPrompt: one prompt, once.
pub(crate) fn play(n: u32) -> Step {
    Input::PlayPrompt(prompts(n)).into()
}

/// recordResponse's body: one prompt, a beep, and everything else as it is by default.
pub(crate) fn recording(n: u32) -> RecordResponse {
    RecordResponse {
        call: CALL,
        operation: operation(n),
        client_context: None,
        prompts: prompts(n).prompts,
        prompt_optional: false,
        barge_in: false,
        beep: true,
        initial_silence: None,
        max_silence: None,
        max_duration: None,
        stop_tones: vec![],
        location: format!("https://ringback/recordings/{n}"),
    }
}

/// recordResponse, as [`recording`].
pub(crate) fn record(n: u32) -> Step {
    Input::RecordResponse(recording(n)).into()
}

/// The same, which cuts in.
pub(crate) fn barge_in(n: u32) -> Step {
    Input::RecordResponse(RecordResponse { barge_in: true, ..recording(n) }).into()
}

/// Recording ended.
pub(crate) fn recorded(n: u32, outcome: RecordOutcome) -> Step {
    Input::RecordFinished { operation: operation(n), outcome }.into()
}

/// sendDtmfTones' body: two tones.
pub(crate) fn tones(n: u32) -> SendDtmfTones {
    SendDtmfTones {
        call: CALL,
        operation: operation(n),
        client_context: None,
        tones: vec![Tone::Tone1, Tone::Pound],
        delay: Some(200),
    }
}

/// sendDtmfTones: two tones.
pub(crate) fn send(n: u32) -> Step {
    Input::SendDtmfTones(tones(n)).into()
}

/// subscribeToTone.
pub(crate) fn subscribe(n: u32) -> Step {
    Input::SubscribeToTone { call: CALL, operation: operation(n), client_context: None }.into()
}

/// cancelMediaProcessing.
pub(crate) fn cancel(n: u32) -> Step {
    Input::CancelMediaProcessing { call: CALL, operation: operation(n), client_context: None }.into()
}

/// The webhook sends the ask elsewhere.
pub(crate) fn ask_redirected(callback: &str) -> Step {
    Input::AskRedirected { call: CALL, callback: callback.to_owned() }.into()
}

/// The leg is up.
pub(crate) fn leg_answered() -> Step {
    Input::LegAnswered { leg: LEG, dialog: "dialog".to_owned() }.into()
}

/// The far end put us on hold, or took us off.
pub(crate) fn leg_held(held: bool) -> Step {
    Input::LegHeld { leg: LEG, held }.into()
}

/// The leg is gone.
pub(crate) fn leg_ended(cause: EndCause) -> Step {
    Input::LegEnded { leg: LEG, cause }.into()
}

/// Playing ended.
pub(crate) fn finished(n: u32, outcome: PlayOutcome) -> Step {
    Input::PlayFinished { operation: operation(n), outcome }.into()
}

/// A key was pressed.
pub(crate) fn tone(tone: Tone) -> Step {
    Input::ToneHeard { leg: LEG, tone }.into()
}

/// Time passed.
pub(crate) fn deadline() -> Step {
    Input::Deadline.into()
}

/// A new epoch takes over.
pub(crate) fn adopt(epoch: u64) -> Step {
    adopt_keeping(epoch, [])
}

/// A new epoch takes over, and these operations' recordings could be made whole.
pub(crate) fn adopt_keeping<const N: usize>(epoch: u64, kept: [u32; N]) -> Step {
    Input::Adopt { epoch: Epoch(epoch), kept: kept.map(operation).to_vec() }.into()
}
