//! Where an app is told of things: its webhook, and where the bot really listens when its URLs name a public host that
//! leads nowhere, or away from this machine (a tunnel's name, say). Only the operator names these.
//!
//! Pure. It must not know what is posted or fetched.

use super::{BadUrl, Origin};
use std::fmt;
use url::{Host, Url};

/// A URL that an app's owner answers on, and the origin which is thereby named by the operator.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    url: Url,
    origin: Origin,
}

/// An http or https URL of nothing but scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    origin: Origin,
}

/// Why a URL is no origin; says what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an origin such as \"http://127.0.0.1:3978\": http or https, a host, perhaps a port, and nothing else")]
pub struct BadBase;

/// What the bot calls by one name is reached by another.
#[derive(Clone, PartialEq, Eq)]
pub struct Moved {
    /// The origin in the bot's URLs.
    pub public: Base,
    /// Where the bot listens.
    pub local: Base,
}

/// All that the operator named for an app. What is named may be private.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reach {
    webhook: Option<Webhook>,
    local: Option<Base>,
    callbacks: Vec<Moved>,
    named: Vec<Origin>,
}

impl Reach {
    /// `webhook`: where incoming calls are told. `local`: where the bot listens, whatever public name its URLs have.
    /// `callbacks`: the same name by name; they go first.
    pub fn new(webhook: Option<Webhook>, local: Option<Base>, callbacks: Vec<Moved>) -> Reach {
        let bases = local.iter().chain(callbacks.iter().map(|moved| &moved.local)).map(|base| &base.origin);
        let named = webhook.iter().map(Webhook::origin).chain(bases).cloned().collect();
        Reach { webhook, local, callbacks, named }
    }

    /// Where the app is told of incoming calls.
    pub fn webhook(&self) -> Option<&Webhook> {
        self.webhook.as_ref()
    }

    /// Where the bot listens, whatever public name its URLs have.
    pub fn local(&self) -> Option<&Base> {
        self.local.as_ref()
    }

    /// Origins that lead elsewhere, by name.
    pub fn callbacks(&self) -> &[Moved] {
        &self.callbacks
    }

    /// The origins that the operator named.
    pub fn named(&self) -> &[Origin] {
        &self.named
    }

    /// Where a notification for this URL goes; `None`: as it stands. Path and query stay.
    pub fn of_callback(&self, url: &Url) -> Option<Url> {
        let by_name = self.by_name(url);
        by_name.or_else(|| self.local.as_ref().filter(|_| is_public_name(url)).map(|local| local.with_path_of(url)))
    }

    /// Where a file of this URL is fetched: what lies where the bot is told of things moves with that (`is_own`: one of
    /// its callbacks has this origin), other hosts' files do not.
    pub fn of_file(&self, url: &Url, is_own: bool) -> Option<Url> {
        let is_webhooks = self.webhook.as_ref().is_some_and(|webhook| webhook.url.origin() == url.origin());
        if is_own || is_webhooks { self.of_callback(url) } else { self.by_name(url) }
    }

    fn by_name(&self, url: &Url) -> Option<Url> {
        let moved = self.callbacks.iter().find(|moved| moved.public.url.origin() == url.origin());
        moved.map(|moved| moved.local.with_path_of(url))
    }
}

/// A name that others than this machine and its network would look up: several labels, and none of the endings that
/// are for local use (RFC 6761, RFC 6762, RFC 8375, and the common `.internal` and `.lan`).
fn is_public_name(url: &Url) -> bool {
    const LOCAL: [&str; 6] = ["localhost", "local", "internal", "lan", "home", "arpa"];
    let Some(Host::Domain(name)) = url.host() else { return false };
    let name = name.trim_end_matches('.');
    name.rsplit_once('.').is_some_and(|(_, last)| !LOCAL.iter().any(|local| last.eq_ignore_ascii_case(local)))
}

impl Webhook {
    /// Reads a URL. Both http and https are accepted: bots under development listen on http.
    pub fn parse(text: &str) -> Result<Webhook, BadUrl> {
        let url = Url::parse(text).map_err(|_| BadUrl)?;
        let origin = Origin::of(&url)?;
        Ok(Webhook { url, origin })
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host and port, which the operator named by configuring the webhook.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Base {
    /// Reads an origin; a slash at its end is forgiven.
    pub fn parse(text: &str) -> Result<Base, BadBase> {
        let url = Url::parse(text).map_err(|_| BadBase)?;
        let origin = Origin::of(&url).map_err(|_| BadBase)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if bare { Ok(Base { url, origin }) } else { Err(BadBase) }
    }

    fn with_path_of(&self, url: &Url) -> Url {
        let mut moved = self.url.clone();
        moved.set_path(url.path());
        moved.set_query(url.query());
        moved
    }
}

/// Without a slash at its end.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

// Callbacks may hold secrets: what may end in a trace shows hosts and ports.

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({}:{})", self.origin.host, self.origin.port)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        Base::parse(text).unwrap()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_public_name_leads_to_where_the_bot_listens() {
        let reach = Reach::new(None, Some(base("http://127.0.0.1:3978")), Vec::new());
        for (callback, goes) in [
            ("https://x.example/api/calls?code=1", Some("http://127.0.0.1:3978/api/calls?code=1")),
            ("https://abc.ngrok-free.app", Some("http://127.0.0.1:3978/")),
            ("https://bot.example.:8443/a", Some("http://127.0.0.1:3978/a")),
            ("http://localhost:4000/api", None),
            ("http://bot.localhost/api", None),
            ("http://bot:3978/api", None),
            ("http://bot.internal/api", None),
            ("http://127.0.0.1:4000/api", None),
            ("http://203.0.113.1/api", None),
            ("http://[::1]/api", None),
        ] {
            assert_eq!(reach.of_callback(&url(callback)).as_ref().map(Url::as_str), goes, "{callback}");
        }
        assert_eq!(reach.named(), [Origin { host: "127.0.0.1".into(), port: 3978 }]);
        assert_eq!(Reach::default().of_callback(&url("https://x.example/")), None);
    }

    #[test]
    fn what_is_named_one_by_one_goes_first() {
        let moved = Moved { public: base("https://x.example"), local: base("http://bot:80/") };
        let reach = Reach::new(None, Some(base("http://127.0.0.1:3978")), vec![moved]);
        let goes = |callback: &str| reach.of_callback(&url(callback)).unwrap().to_string();
        assert_eq!(goes("https://X.example:443/a"), "http://bot/a");
        assert_eq!(goes("http://x.example/a"), "http://127.0.0.1:3978/a", "another scheme is another origin");
        assert_eq!(reach.named().len(), 2);
    }

    #[test]
    fn a_file_of_the_bots_own_moves_with_its_callback() {
        let webhook = Webhook::parse("https://bot.example/calls").ok();
        let moved = Moved { public: base("https://files.example"), local: base("http://files") };
        let reach = Reach::new(webhook, Some(base("http://127.0.0.1:3978")), vec![moved]);
        let goes = |file: &str, own| reach.of_file(&url(file), own).map(|url| url.to_string());
        assert_eq!(goes("https://x.example/hello.wav", true).as_deref(), Some("http://127.0.0.1:3978/hello.wav"));
        assert_eq!(goes("https://x.example/hello.wav", false), None);
        assert_eq!(goes("https://bot.example/a.wav", false).as_deref(), Some("http://127.0.0.1:3978/a.wav"));
        assert_eq!(goes("https://files.example/a.wav", false).as_deref(), Some("http://files/a.wav"));
    }

    #[test]
    fn an_origin_is_nothing_but_an_origin() {
        for bad in
            ["", "127.0.0.1:3978", "ftp://x", "http://x/a", "http://x/?a", "http://x/#a", "http://u@x", "http://x:0"]
        {
            assert_eq!(Base::parse(bad), Err(BadBase), "{bad}");
        }
        assert_eq!(base("http://127.0.0.1:3978/").to_string(), "http://127.0.0.1:3978");
    }
}
