//! Findings: what the server noticed of a bot, or of how it is set up, that its author would want to know; each with
//! what to do. Shown in the timeline as it is found (kind `lint`), and kept for `ringback lint` and `ringback doctor`.
//!
//! It must not know how a thing is noticed: others tell it. It holds ids and words of ours, no secret and no number.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ringback_core::{AppId, CallId, Now};
use serde::Serialize;

use crate::limits;

/// What a finding is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Concern {
    /// The bot's code: what `ringback lint` lists.
    Bot,
    /// Names, networks, clocks and secrets: what `ringback doctor` lists.
    SetUp,
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "what each is, it says of itself: `Rule::says`")]
pub enum Rule {
    PlayedBeforeAudio,
    NeverReacted,
    WebhookSlow,
    WebhookUnfinished,
    TokenUnchecked,
    TokenRefused,
    NoClientContext,
    AppHostedMedia,
    SourceIdentity,
    WebhookUnreachable,
    SecretRejected,
    WrongAudience,
    ClockOff,
    CertificateNotTrusted,
    ProxyIgnored,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 15] = [
        Rule::PlayedBeforeAudio,
        Rule::NeverReacted,
        Rule::WebhookSlow,
        Rule::WebhookUnfinished,
        Rule::TokenUnchecked,
        Rule::TokenRefused,
        Rule::NoClientContext,
        Rule::AppHostedMedia,
        Rule::SourceIdentity,
        Rule::WebhookUnreachable,
        Rule::SecretRejected,
        Rule::WrongAudience,
        Rule::ClockOff,
        Rule::CertificateNotTrusted,
        Rule::ProxyIgnored,
    ];

    /// Whose it is.
    pub fn concern(self) -> Concern {
        self.row().0
    }

    /// What was found, in a sentence.
    pub fn says(self) -> &'static str {
        self.row().1
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (Concern, &'static str, &'static str) {
        use Concern::{Bot, SetUp};
        match self {
            Rule::PlayedBeforeAudio => (
                Bot,
                "asked for media before it knew that audio is active",
                "Wait for the notification whose resourceData has state established and mediaState.audio active, or \
                 read the call until it says so; against Teams what is asked for earlier is refused or not heard.",
            ),
            Rule::NeverReacted => (
                Bot,
                "took what it was sent and did nothing",
                "A notification's body is a collection: read resourceData of each entry of value[], not of the body \
                 itself, and answer, reject or use the call.",
            ),
            Rule::WebhookSlow => (
                Bot,
                "its webhook did not answer within 5 s",
                "Answer 202 first, and do the work afterwards. The notification was repeated once; what is slow is \
                 stepped over.",
            ),
            Rule::WebhookUnfinished => (
                Bot,
                "its webhook began an answer and did not finish it",
                "End the response in every branch of the handler; an open one holds a connection on both sides.",
            ),
            Rule::TokenUnchecked => (
                Bot,
                "its webhook accepted a token that it must refuse",
                "Verify the bearer token of each notification: its signature by the keys of \
                 https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration, its audience (your app id), its time. \
                 Anyone who knows the webhook's address can call your bot otherwise.",
            ),
            Rule::TokenRefused => (
                Bot,
                "its webhook refused a token that is right",
                "Look at what the bot checks: issuer https://api.botframework.com, audience your app id, keys of \
                 https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration, and the bot's clock.",
            ),
            Rule::NoClientContext => (
                Bot,
                "began an operation without a clientContext",
                "Give each operation one: it comes back in the operation's notification, and tells apart which ended.",
            ),
            Rule::AppHostedMedia => (
                Bot,
                "asked for media hosted by the app (appHostedMediaConfig)",
                "Its blob belongs to Microsoft's media platform for Windows, whose protocol is not published, so it \
                 cannot run here. Use serviceHostedMediaConfig, and playPrompt and recordResponse.",
            ),
            Rule::SourceIdentity => (
                Bot,
                "called the telephone network in no name that Teams would take",
                "Give source.identity.applicationInstance the object id of a resource account of the app; without it \
                 Teams refuses the call with 403, 7507.",
            ),
            Rule::WebhookUnreachable => (
                SetUp,
                "its webhook could not be connected to",
                "Is the bot running, and does it listen at that address? Where it is told of calls elsewhere, say where: \
                 `ringback run --webhook URL`. A public name that leads to this machine is \
                 sent to its local port by `ringback run`, or by --callback PUBLIC=LOCAL.",
            ),
            Rule::SecretRejected => (
                SetUp,
                "a token was asked for with a wrong client secret",
                "Compare the secret that the bot has with the one it had at first, or with secret_hash in the \
                 configuration.",
            ),
            Rule::WrongAudience => (
                SetUp,
                "a token for another audience was presented",
                "Ask for the scope https://graph.microsoft.com/.default: calls are Graph's, not the Bot Framework's.",
            ),
            Rule::ClockOff => (
                SetUp,
                "its clock and the server's are more than five minutes apart",
                "Set the clocks: tokens are good for a time, and each side refuses what is outside of it.",
            ),
            Rule::CertificateNotTrusted => (
                SetUp,
                "a client did not trust the server's certificate",
                "Start the bot with `ringback run`, or have its program trust ca.pem of the data folder \
                 (`ringback trust`).",
            ),
            Rule::ProxyIgnored => (
                SetUp,
                "connects past the proxy",
                "Its HTTP library ignores HTTPS_PROXY. Let Microsoft's host names lead to the server instead: \
                 a container network's aliases, or /etc/hosts.",
            ),
        }
    }
}

/// Something that was found, perhaps often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What.
    pub rule: Rule,
    /// Of what.
    pub concern: Concern,
    /// Whose, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// In which call, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What was found.
    pub says: &'static str,
    /// The case at hand, in words of ours; may be empty.
    pub detail: String,
    /// What to do.
    pub advice: &'static str,
    /// How often.
    pub count: u64,
    /// The last time, in microseconds since the Unix epoch.
    pub last: i64,
}

/// A finding as a line of the timeline, whose entry names the app.
pub(super) fn line(rule: Rule, app: Option<&AppId>, detail: &str) -> String {
    let detail: String = detail.chars().take(limits::FINDING_CHARS).collect();
    let says = rule.says();
    let bot = if app.is_some() { "the bot" } else { "a bot" };
    let says = match says.strip_prefix("its ") {
        Some(of_the_bot) => format!("{bot}'s {of_the_bot}"),
        // A sentence that has a subject of its own.
        None if says.starts_with("a ") => says.to_owned(),
        None => format!("{bot} {says}"),
    };
    match detail.as_str() {
        "" => format!("{says}. {}", rule.advice()),
        detail => format!("{says}: {detail}. {}", rule.advice()),
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Mutex<BTreeMap<(Rule, Option<AppId>), Finding>>,
}

impl Findings {
    /// Keeps a finding; one of the same kind and app is counted.
    pub(super) fn add(&self, rule: Rule, app: Option<&AppId>, call: Option<CallId>, detail: &str, at: Now) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rule, app.cloned());
        if !kept.contains_key(&key) && kept.len() >= limits::FINDINGS {
            return;
        }
        let finding = kept.entry(key).or_insert_with(|| Finding {
            rule,
            concern: rule.concern(),
            app: app.map(|app| app.as_str().to_owned()),
            call: None,
            says: rule.says(),
            detail: String::new(),
            advice: rule.advice(),
            count: 0,
            last: 0,
        });
        finding.count += 1;
        finding.last = at.0;
        finding.call = call.map(|call| call.to_string());
        finding.detail.clear();
        finding.detail.extend(detail.chars().take(limits::FINDING_CHARS));
    }

    /// What was wrong with an app's bot is not any more.
    pub(super) fn mended(&self, rule: Rule, app: &AppId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_empty() {
            kept.remove(&(rule, Some(app.clone())));
        }
    }

    /// All of them, those of bots first.
    pub(super) fn list(&self) -> Vec<Finding> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets those of an app.
    pub(super) fn clear_of(&self, app: &AppId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, whose), _| whose.as_ref() != Some(app));
    }
}
