//! A call and its operations in a bot's hands: ask, and await what becomes of it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringback_graph as wire;
use tokio::sync::oneshot;

use crate::follow::Followed;
use crate::{Error, Graph};

/// One call. Clones are the same call.
#[derive(Clone)]
pub struct Call {
    graph: Graph,
    followed: Arc<Followed>,
}

impl Call {
    pub(crate) fn new(graph: Graph, followed: Arc<Followed>) -> Call {
        Call { graph, followed }
    }

    /// The call's id.
    pub fn id(&self) -> &str {
        self.followed.id()
    }

    /// The call as an incoming call was announced (who calls whom); `None` for others.
    pub fn announced(&self) -> Option<wire::Call<'static>> {
        self.followed.announced()
    }

    /// Answers an incoming call, with audio hosted by the platform; further notifications go to
    /// `callback_uri`.
    ///
    /// # Errors
    /// Those of [`Graph::answer`].
    pub async fn answer(&self, callback_uri: &str) -> Result<(), Error> {
        self.graph.answer(self.id(), callback_uri).await
    }

    /// Rejects an incoming call.
    ///
    /// # Errors
    /// Those of [`Graph::reject`].
    pub async fn reject(&self, reason: wire::RejectReason) -> Result<(), Error> {
        self.graph.reject(self.id(), reason).await
    }

    /// Hangs up; [`Call::ended`] tells when it is done.
    ///
    /// # Errors
    /// Those of [`Graph::hang_up`].
    pub async fn hang_up(&self) -> Result<(), Error> {
        self.graph.hang_up(self.id()).await
    }

    /// Keeps the call for another 45 minutes.
    ///
    /// # Errors
    /// Those of [`Graph::keep_alive`].
    pub async fn keep_alive(&self) -> Result<(), Error> {
        self.graph.keep_alive(self.id()).await
    }

    /// Plays WAV files, fetched from these addresses, one after another. Await it to send it.
    pub fn play_prompt<I>(&self, uris: I) -> PlayPrompt<'_>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let prompts = uris.into_iter().map(|uri| wire::MediaPrompt::of(uri.into())).collect();
        let play = wire::PlayPrompt { prompts, repeat_forever: false, client_context: None };
        PlayPrompt { call: self, play }
    }

    /// Plays a WAV file, beeps, and records what the far end says. Await it to send it; when the operation has
    /// [finished](OperationHandle::finished) `completed`, [`Call::recording`] reads it.
    pub fn record_response(&self, prompt: impl Into<String>) -> RecordResponse<'_> {
        let prompts = vec![wire::MediaPrompt::of(prompt.into())];
        RecordResponse { call: self, record: wire::RecordResponse { prompts, ..Default::default() } }
    }

    /// The bytes of a recording, a WAV file.
    ///
    /// # Errors
    /// Those of [`Graph::recording`].
    pub async fn recording(&self, operation: &wire::CommsOperation<'_>) -> Result<Bytes, Error> {
        self.graph.recording(operation).await
    }

    /// Presses keys for the far end, with a pause of at least `delay` between two. The operation ends `completed` in any
    /// case; its `completion_reason` says how.
    ///
    /// # Errors
    /// Those of [`Graph::send_dtmf_tones`].
    pub async fn send_dtmf_tones<I>(&self, tones: I, delay: Duration) -> Result<OperationHandle, Error>
    where
        I: IntoIterator<Item = wire::Tone>,
    {
        let delay = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
        let tones = tones.into_iter().collect();
        let send = wire::SendDtmfTones { tones, delay_between_tones_ms: Some(delay), client_context: None };
        Ok(self.handle(self.graph.send_dtmf_tones(self.id(), &send).await?))
    }

    /// From now on [`Call::tones`] gives the keys pressed.
    ///
    /// # Errors
    /// Those of [`Graph::subscribe_to_tone`].
    pub async fn subscribe_to_tone(&self) -> Result<OperationHandle, Error> {
        Ok(self.handle(self.graph.subscribe_to_tone(self.id(), None).await?))
    }

    /// Ends what is played and what is queued behind; each such operation ends `failed`.
    ///
    /// # Errors
    /// Those of [`Graph::cancel_media_processing`].
    pub async fn cancel_media_processing(&self) -> Result<OperationHandle, Error> {
        Ok(self.handle(self.graph.cancel_media_processing(self.id(), None).await?))
    }

    /// Waits until the call is established and its audio active.
    ///
    /// # Errors
    /// [`Error::CallEnded`] if it ends before or has ended, [`Error::Closed`].
    pub async fn established(&self) -> Result<(), Error> {
        self.followed.established().await
    }

    /// Waits for the call's end and gives its reason, where the platform told one.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn ended(&self) -> Result<Option<wire::ResultInfo<'static>>, Error> {
        self.followed.ended().await
    }

    /// The keys pressed, each given once, whoever takes it.
    pub fn tones(&self) -> Tones {
        Tones(self.followed.clone())
    }

    fn handle(&self, answered: wire::CommsOperation<'static>) -> OperationHandle {
        let ending = if is_terminal(answered.status) {
            Ending::Known(answered.clone())
        } else {
            Ending::Awaited(self.followed.end_of(&answered.id))
        };
        OperationHandle { call: self.clone(), answered, ending }
    }
}

/// Keys pressed during a call.
pub struct Tones(Arc<Followed>);

impl Tones {
    /// The next key; `None` when the call is over and all were taken. Cancel-safe.
    pub async fn recv(&mut self) -> Option<wire::ToneInfo> {
        self.0.key_pressed().await
    }
}

/// A playPrompt to be sent by awaiting it.
#[must_use = "it is sent by awaiting it"]
pub struct PlayPrompt<'a> {
    call: &'a Call,
    play: wire::PlayPrompt<'static>,
}

impl PlayPrompt<'_> {
    /// The bot's own text (at most 256 UTF-16 units), given back in the operation (`S5`).
    pub fn client_context(mut self, text: impl Into<String>) -> Self {
        self.play.client_context = Some(text.into().into());
        self
    }

    /// Plays for ever, until cancelled or the call ends (beta `loop`).
    pub fn looped(mut self) -> Self {
        self.play.repeat_forever = true;
        self
    }
}

impl<'a> IntoFuture for PlayPrompt<'a> {
    type Output = Result<OperationHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let PlayPrompt { call, play } = self;
            Ok(call.handle(call.graph.play_prompt(call.id(), &play).await?))
        })
    }
}

/// A recordResponse to be sent by awaiting it. Times are whole seconds, 1 to 120; 5 where none is given.
#[must_use = "it is sent by awaiting it"]
pub struct RecordResponse<'a> {
    call: &'a Call,
    record: wire::RecordResponse<'static>,
}

impl RecordResponse<'_> {
    /// The bot's own text (at most 256 UTF-16 units), given back in the operation (`S5`).
    pub fn client_context(mut self, text: impl Into<String>) -> Self {
        self.record.client_context = Some(text.into().into());
        self
    }

    /// Keys that end it.
    pub fn stop_tones(mut self, tones: impl IntoIterator<Item = wire::Tone>) -> Self {
        self.record.stop_tones = tones.into_iter().collect();
        self
    }

    /// How long it waits for a first word; then it ends `failed`, without a recording.
    pub fn initial_silence(mut self, seconds: i32) -> Self {
        self.record.initial_silence_timeout_in_seconds = Some(seconds);
        self
    }

    /// How long a pause ends it, once something was said.
    pub fn max_silence(mut self, seconds: i32) -> Self {
        self.record.max_silence_timeout_in_seconds = Some(seconds);
        self
    }

    /// How long it may become.
    pub fn max_duration(mut self, seconds: i32) -> Self {
        self.record.max_record_duration_in_seconds = Some(seconds);
        self
    }

    /// No beep behind the prompt.
    pub fn without_beep(mut self) -> Self {
        self.record.play_beep = Some(false);
        self
    }

    /// Ends whatever plays, is recorded or waits in the call, as if it were cancelled.
    pub fn barging_in(mut self) -> Self {
        self.record.barge_in_allowed = Some(true);
        self
    }
}

impl<'a> IntoFuture for RecordResponse<'a> {
    type Output = Result<OperationHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let RecordResponse { call, record } = self;
            Ok(call.handle(call.graph.record_response(call.id(), &record).await?))
        })
    }
}

/// An operation: what the action answered, and its end when it comes.
pub struct OperationHandle {
    call: Call,
    answered: wire::CommsOperation<'static>,
    ending: Ending,
}

enum Ending {
    Known(wire::CommsOperation<'static>),
    Awaited(oneshot::Receiver<wire::CommsOperation<'static>>),
    /// No notification will tell it.
    Untold,
}

impl OperationHandle {
    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.answered.id
    }

    /// The status its action was answered with (`S3`, `S4`).
    pub fn status(&self) -> wire::OperationStatus {
        self.answered.status
    }

    /// The operation as its action was answered.
    pub fn answered(&self) -> &wire::CommsOperation<'static> {
        &self.answered
    }

    /// Waits for the operation's end: the answer itself if that was the end, else the
    /// notification. If the call ends without one, the platform is asked. Cancel-safe; once it
    /// is known, it is given again each time.
    ///
    /// # Errors
    /// [`Error::Closed`] if neither tells an end; those of [`Graph::get_operation`].
    pub async fn finished(&mut self) -> Result<wire::CommsOperation<'static>, Error> {
        if let Ending::Awaited(told) = &mut self.ending {
            self.ending = told.await.map_or(Ending::Untold, Ending::Known);
        }
        if let Ending::Untold = self.ending {
            self.ending = Ending::Known(self.ask().await?);
        }
        match &self.ending {
            Ending::Known(operation) => Ok(operation.clone()),
            Ending::Awaited(_) | Ending::Untold => Err(Error::Closed),
        }
    }

    async fn ask(&self) -> Result<wire::CommsOperation<'static>, Error> {
        let operation = self.call.graph.get_operation(self.call.id(), self.id()).await?;
        if is_terminal(operation.status) { Ok(operation) } else { Err(Error::Closed) }
    }
}

/// Final: nothing more will be told of it (`S3`).
fn is_terminal(status: wire::OperationStatus) -> bool {
    matches!(status, wire::OperationStatus::Completed | wire::OperationStatus::Failed)
}
