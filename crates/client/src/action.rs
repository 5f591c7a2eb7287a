//! An action that is answered with an operation: built up, then sent by awaiting it. The same for every verb.

use std::borrow::Cow;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use ringback_graph as wire;

use crate::operation::OperationHandle;
use crate::{Call, Error, Graph};

/// A request to be sent by awaiting it, which gives its operation. `V` is the verb, whose settings it takes.
#[must_use = "it is sent by awaiting it"]
pub struct Action<'a, V> {
    call: &'a Call,
    verb: V,
}

/// Plays WAV files.
pub type PlayPrompt<'a> = Action<'a, wire::PlayPrompt<'static>>;
/// Plays a prompt and records the answer. Times are whole seconds, 1 to 120; 5 where none is given.
pub type RecordResponse<'a> = Action<'a, wire::RecordResponse<'static>>;
/// Presses keys for the far end.
pub type SendDtmfTones<'a> = Action<'a, wire::SendDtmfTones<'static>>;

/// A verb of the contract that is answered with an operation. Only this crate has any.
pub trait Verb: sealed::Sealed + Send + 'static {
    /// Where the bot's own text goes.
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>>;

    /// Sends the request.
    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send;
}

type Answered = Result<wire::CommsOperation<'static>, Error>;

mod sealed {
    pub trait Sealed {}
}

/// Asks to be told of keys pressed.
#[derive(Default)]
pub struct SubscribeToTone(Option<Cow<'static, str>>);

/// Ends what plays, is recorded or waits.
#[derive(Default)]
pub struct CancelMediaProcessing(Option<Cow<'static, str>>);

impl sealed::Sealed for wire::PlayPrompt<'static> {}
impl Verb for wire::PlayPrompt<'static> {
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>> {
        &mut self.client_context
    }

    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send {
        graph.play_prompt(call, self)
    }
}

impl sealed::Sealed for wire::RecordResponse<'static> {}
impl Verb for wire::RecordResponse<'static> {
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>> {
        &mut self.client_context
    }

    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send {
        graph.record_response(call, self)
    }
}

impl sealed::Sealed for wire::SendDtmfTones<'static> {}
impl Verb for wire::SendDtmfTones<'static> {
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>> {
        &mut self.client_context
    }

    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send {
        graph.send_dtmf_tones(call, self)
    }
}

impl sealed::Sealed for SubscribeToTone {}
impl Verb for SubscribeToTone {
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>> {
        &mut self.0
    }

    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send {
        graph.subscribe_to_tone(call, self.0.as_deref())
    }
}

impl sealed::Sealed for CancelMediaProcessing {}
impl Verb for CancelMediaProcessing {
    fn client_context(&mut self) -> &mut Option<Cow<'static, str>> {
        &mut self.0
    }

    fn send(&self, graph: &Graph, call: &str) -> impl Future<Output = Answered> + Send {
        graph.cancel_media_processing(call, self.0.as_deref())
    }
}

impl<'a, V: Verb> Action<'a, V> {
    pub(crate) fn new(call: &'a Call, verb: V) -> Self {
        Action { call, verb }
    }

    /// The bot's own text (at most 256 UTF-16 units), given back in the operation (`S5`).
    pub fn client_context(mut self, text: impl Into<String>) -> Self {
        *self.verb.client_context() = Some(text.into().into());
        self
    }
}

impl PlayPrompt<'_> {
    /// Plays for ever, until cancelled or the call ends (beta `loop`).
    pub fn looped(mut self) -> Self {
        self.verb.repeat_forever = true;
        self
    }
}

impl RecordResponse<'_> {
    /// Keys that end it.
    pub fn stop_tones(mut self, tones: impl IntoIterator<Item = wire::Tone>) -> Self {
        self.verb.stop_tones = tones.into_iter().collect();
        self
    }

    /// How long it waits for a first word; then it ends `failed`, without a recording.
    pub fn initial_silence(mut self, seconds: i32) -> Self {
        self.verb.initial_silence_timeout_in_seconds = Some(seconds);
        self
    }

    /// How long a pause ends it, once something was said.
    pub fn max_silence(mut self, seconds: i32) -> Self {
        self.verb.max_silence_timeout_in_seconds = Some(seconds);
        self
    }

    /// How long it may become.
    pub fn max_duration(mut self, seconds: i32) -> Self {
        self.verb.max_record_duration_in_seconds = Some(seconds);
        self
    }

    /// No beep behind the prompt.
    pub fn without_beep(mut self) -> Self {
        self.verb.play_beep = Some(false);
        self
    }

    /// Ends whatever plays, is recorded or waits in the call, as if it were cancelled.
    pub fn barging_in(mut self) -> Self {
        self.verb.barge_in_allowed = Some(true);
        self
    }
}

impl SendDtmfTones<'_> {
    /// The pause between two keys, at least.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.verb.delay_between_tones_ms = Some(i32::try_from(delay.as_millis()).unwrap_or(i32::MAX));
        self
    }
}

impl<'a, V: Verb> IntoFuture for Action<'a, V> {
    type Output = Result<OperationHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Action { call, verb } = self;
            Ok(call.handle(verb.send(&call.graph, call.id()).await?))
        })
    }
}
