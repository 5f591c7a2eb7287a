//! A call in a bot's hands: ask, and await what becomes of it.

use std::sync::Arc;

use bytes::Bytes;
use ringback_graph as wire;

use crate::action::{Action, CancelMediaProcessing, PlayPrompt, RecordResponse, SendDtmfTones, SubscribeToTone};
use crate::follow::Followed;
use crate::operation::OperationHandle;
use crate::whichever::whichever;
use crate::{Error, Graph};

/// One call. Clones are the same call.
#[derive(Clone)]
pub struct Call {
    pub(crate) graph: Graph,
    pub(crate) followed: Arc<Followed>,
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
        Action::new(self, wire::PlayPrompt { prompts, ..Default::default() })
    }

    /// Plays a WAV file, beeps, and records what the far end says. Await it to send it; when the operation has
    /// [finished](OperationHandle::finished) `completed`, [`Call::recording`] reads it.
    pub fn record_response(&self, prompt: impl Into<String>) -> RecordResponse<'_> {
        let prompts = vec![wire::MediaPrompt::of(prompt.into())];
        Action::new(self, wire::RecordResponse { prompts, ..Default::default() })
    }

    /// The bytes of a recording, a WAV file.
    ///
    /// # Errors
    /// Those of [`Graph::recording`].
    pub async fn recording(&self, operation: &wire::CommsOperation<'_>) -> Result<Bytes, Error> {
        self.graph.recording(operation).await
    }

    /// Presses keys for the far end. Await it to send it. The operation ends `completed` in any case; its
    /// `completion_reason` says how.
    pub fn send_dtmf_tones(&self, tones: impl IntoIterator<Item = wire::Tone>) -> SendDtmfTones<'_> {
        Action::new(self, wire::SendDtmfTones { tones: tones.into_iter().collect(), ..Default::default() })
    }

    /// From now on [`Call::tones`] gives the keys pressed. Await it to send it.
    pub fn subscribe_to_tone(&self) -> Action<'_, SubscribeToTone> {
        Action::new(self, SubscribeToTone::default())
    }

    /// Ends what is played and what is queued behind; each such operation ends `failed`. Await it to send it.
    pub fn cancel_media_processing(&self) -> Action<'_, CancelMediaProcessing> {
        Action::new(self, CancelMediaProcessing::default())
    }

    /// Waits until the call is established and its audio active, as notifications tell or, where none comes, as the
    /// call is read.
    ///
    /// # Errors
    /// [`Error::CallEnded`] if it ends before or has ended; [`Error::NotNotified`], [`Error::Closed`]; those of
    /// [`Graph::get_call`].
    pub async fn established(&self) -> Result<(), Error> {
        let told = async { self.followed.established().await.map(|up| up.map_err(Error::CallEnded)) };
        let read = || async {
            Ok(match self.read().await? {
                Some(call) => is_up(&call).then_some(Ok(())),
                None => Some(Err(Error::CallEnded(None))),
            })
        };
        whichever(self.id(), told, || self.followed.was_heard_of(), read).await?
    }

    /// Waits for the call's end and gives its reason, where the platform told one.
    ///
    /// # Errors
    /// [`Error::Closed`]; those of [`Graph::get_call`].
    pub async fn ended(&self) -> Result<Option<wire::ResultInfo<'static>>, Error> {
        let told = self.followed.ended();
        let read = || async { Ok(self.read().await?.is_none().then_some(None)) };
        // A call may live for hours of which there is nothing to tell.
        whichever(self.id(), told, || true, read).await
    }

    /// The call as it is now; `None` if it is over.
    async fn read(&self) -> Result<Option<wire::Call<'static>>, Error> {
        match self.graph.get_call(self.id()).await {
            Ok(call) => Ok(Some(call)),
            Err(Error::Graph(error)) if error.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The keys pressed, each given once, whoever takes it.
    pub fn tones(&self) -> Tones {
        Tones(self.followed.clone())
    }

    pub(crate) fn handle(&self, answered: wire::CommsOperation<'static>) -> OperationHandle {
        OperationHandle::new(self.clone(), answered)
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

/// What bots wait for before they play (client-facts §4).
fn is_up(call: &wire::Call<'_>) -> bool {
    let audio = call.media_state.as_ref().map(|media| media.audio);
    call.state == Some(wire::CallState::Established) && audio == Some(wire::MediaState::Active)
}
