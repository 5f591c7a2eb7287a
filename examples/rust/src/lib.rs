//! A small IVR on `ringback-client`, made to be copied: it answers, greets, waits for a key,
//! says two more things and hangs up. It knows the SDK and nothing of the platform behind it.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringback_client::wire::{CommsOperation, OperationStatus, ResultInfo, Tone};
use ringback_client::{Call, Calls, Config as Graphs, Error, Graph, Notifications, OperationHandle, Webhook};

/// How long a caller may think before the bot goes on without a key.
const KEY_TIME: Duration = Duration::from_secs(30);

/// The bot's settings.
pub struct Config {
    /// The platform and the app's credentials.
    pub graph: Graphs,
    /// Where the bot listens for notifications and serves its prompts; port 0 = any free one.
    pub listen: SocketAddr,
    /// How the platform reaches that; `None` = `http://` and the address bound.
    pub public_url: Option<String>,
    /// What it says.
    pub prompts: Prompts,
}

/// WAV files: mono, 16 bit, 16 kHz.
pub struct Prompts {
    /// Played when the call is up.
    pub welcome: Vec<u8>,
    /// Played after the key.
    pub chosen: Vec<u8>,
    /// Queued behind it.
    pub goodbye: Vec<u8>,
}

/// What became of one call.
#[derive(Debug, Clone)]
pub struct Report {
    /// The call's id.
    pub call: String,
    /// The key pressed, if any was.
    pub key: Option<Tone>,
    /// The operations in the order of their requests.
    pub operations: Vec<Step>,
    /// Why the call ended.
    pub ended: Option<ResultInfo<'static>>,
}

/// One operation: how its action was answered, and how it ended.
#[derive(Debug, Clone)]
pub struct Step {
    /// `subscribe`, `welcome`, `chosen` or `goodbye`; also its clientContext, but for `subscribe`.
    pub name: &'static str,
    /// Status in the action's answer.
    pub answered: OperationStatus,
    /// The operation at its end.
    pub ended: CommsOperation<'static>,
}

impl Step {
    /// Waits for the operation's end.
    async fn of(name: &'static str, operation: OperationHandle) -> Result<Step, Error> {
        Ok(Step { name, answered: operation.status(), ended: operation.finished().await? })
    }
}

/// The bot, listening.
pub struct Bot {
    calls: Calls,
    url: String,
}

impl Bot {
    /// Begins to listen.
    ///
    /// # Errors
    /// Settings that cannot work, or an address that cannot be bound.
    pub async fn start(config: Config) -> Result<Bot, Box<dyn StdError + Send + Sync>> {
        let Config { graph, listen, public_url, prompts } = config;
        let graph = Graph::new(graph)?;
        let webhook = Webhook::at("/api/calls")
            .wav("/prompts/welcome.wav", prompts.welcome)
            .wav("/prompts/chosen.wav", prompts.chosen)
            .wav("/prompts/goodbye.wav", prompts.goodbye);
        let notifications = Notifications::listen(listen, Arc::new(graph.verifier()), webhook).await?;
        let url = public_url.unwrap_or_else(|| format!("http://{}", notifications.address()));
        Ok(Bot { calls: Calls::new(graph, notifications), url })
    }

    /// The address to register at the platform for incoming calls.
    pub fn webhook(&self) -> String {
        format!("{}/api/calls", self.url)
    }

    /// The next incoming call; `None` when the listener is gone.
    pub async fn incoming(&self) -> Option<Call> {
        self.calls.incoming().await
    }

    /// Takes one call from its answer to its end.
    ///
    /// # Errors
    /// The first thing that failed; a caller who hangs up early is [`Error::CallEnded`] or, from
    /// a request that came too late, a Graph error with code 8522.
    pub async fn serve(&self, call: &Call) -> Result<Report, Error> {
        call.answer(&self.webhook()).await?;
        call.established().await?;
        let mut operations = vec![Step::of("subscribe", call.subscribe_to_tone().await?).await?];

        operations.push(Step::of("welcome", self.play(call, "welcome").await?).await?);
        let key = tokio::time::timeout(KEY_TIME, call.tones().recv()).await.ok().flatten().map(|key| key.tone);

        let chosen = self.play(call, "chosen").await?;
        let goodbye = self.play(call, "goodbye").await?; // waits its turn: answered `notStarted`
        operations.push(Step::of("chosen", chosen).await?);
        operations.push(Step::of("goodbye", goodbye).await?);

        call.hang_up().await?;
        let ended = call.ended().await?;
        Ok(Report { call: call.id().to_owned(), key, operations, ended })
    }

    async fn play(&self, call: &Call, name: &str) -> Result<OperationHandle, Error> {
        call.play_prompt([format!("{}/prompts/{name}.wav", self.url)]).client_context(name).await
    }
}
