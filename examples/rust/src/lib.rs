//! A small IVR on `ringback-client`, made to be copied: it answers, plays a menu, and by the key pressed tells the
//! opening hours or the address, or records a message. It knows the SDK and nothing of the platform behind it.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringback_client::wire::{CommsOperation, OperationStatus, ResultInfo, Tone};
use ringback_client::{Call, Calls, Config, Error, Graph, Notifications, OperationHandle, Webhook};

/// How long a caller may think before the bot says goodbye.
const KEY_TIME: Duration = Duration::from_secs(30);

/// What became of one call.
#[derive(Debug, Clone)]
pub struct Report {
    /// The key pressed, if any was.
    pub key: Option<Tone>,
    /// The operations in the order of their requests: how each was answered, and how it ended.
    pub operations: Vec<(OperationStatus, CommsOperation<'static>)>,
    /// Why the call ended.
    pub ended: Option<ResultInfo<'static>>,
}

/// The bot, listening.
pub struct Bot {
    /// Its calls.
    pub calls: Calls,
    url: String,
}

impl Bot {
    /// Begins to listen; notifications come to `url`, or to the address bound. `prompts` are names and WAV files (mono,
    /// 16 bit, 16 kHz).
    ///
    /// # Errors
    /// Settings that cannot work, or an address that cannot be bound.
    pub async fn start(
        config: Config,
        listen: SocketAddr,
        url: Option<String>,
        prompts: [(&str, Vec<u8>); 5],
    ) -> Result<Bot, Box<dyn StdError + Send + Sync>> {
        let graph = Graph::new(config)?;
        let webhook = prompts
            .into_iter()
            .fold(Webhook::at("/api/calls"), |webhook, (name, wav)| webhook.wav(format!("/prompts/{name}.wav"), wav));
        let notifications = Notifications::listen(listen, Arc::new(graph.verifier()), webhook).await?;
        let bound = notifications.address().unwrap_or(listen);
        Ok(Bot { calls: Calls::new(graph, notifications), url: url.unwrap_or_else(|| format!("http://{bound}")) })
    }

    /// The address to register at the platform for incoming calls.
    pub fn webhook(&self) -> String {
        format!("{}/api/calls", self.url)
    }

    /// Takes one call from its answer to its end.
    ///
    /// # Errors
    /// The first thing that failed; code 8522 is a request to a call that has ended.
    pub async fn serve(&self, call: &Call) -> Result<Report, Error> {
        call.answer(&self.webhook()).await?;
        call.established().await?;
        let subscribed = call.subscribe_to_tone().client_context("keys").await?;
        let menu = self.play(call, "menu").await?;
        let key = tokio::time::timeout(KEY_TIME, call.tones().recv()).await.ok().flatten().map(|key| key.tone);
        call.cancel_media_processing().client_context("cancel").await?; // whoever knows the menu need not hear it out

        let mut begun = vec![subscribed, menu];
        match key {
            Some(Tone::Tone1) => begun.push(self.play(call, "hours").await?),
            Some(Tone::Tone2) => begun.push(self.play(call, "address").await?),
            Some(Tone::Tone3) => {
                let message = call.record_response(self.prompt("message")).client_context("message");
                begun.push(message.stop_tones([Tone::Pound]).max_duration(60).await?);
            }
            _ => {}
        }
        begun.push(self.play(call, "bye").await?); // waits its turn: answered `notStarted`

        let mut operations = Vec::new();
        for operation in begun {
            let ended = match operation.finished().await {
                Err(Error::OperationFailed(cut_short)) => *cut_short,
                ended => ended?,
            };
            operations.push((operation.status(), ended));
        }
        let _ = call.hang_up().await; // refused if the caller was quicker
        Ok(Report { key, operations, ended: call.ended().await? })
    }

    async fn play(&self, call: &Call, name: &str) -> Result<OperationHandle, Error> {
        call.play_prompt([self.prompt(name)]).client_context(name).await
    }

    fn prompt(&self, name: &str) -> String {
        format!("{}/prompts/{name}.wav", self.url)
    }
}
