//! The tables `[server]` and `[telemetry]` of `ringback.toml`: what listens where, and who is accepted at all. Read once at
//! start.

use super::allow::AllowList;
use super::config::ConfigError;
use super::{Open, Origin};
use ringback_signal::SessionBounds;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use url::Url;

/// Settings of the listening server, `[server]`.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
    /// `/metrics` needs no token from this machine.
    pub open_metrics: bool,
    /// Where SIP is served (UDP and TCP).
    pub sip: SocketAddr,
    /// Where SIP is served with TLS.
    pub sip_tls: SocketAddr,
    /// Where WebRTC is served to phones in pages (UDP).
    pub webrtc: SocketAddr,
    /// The certificate authorities that trunks are verified with, as a file; `None`: the system's.
    pub sip_ca: Option<PathBuf>,
    /// How clients reach the HTTP side, without a trailing slash; `None`: the way each client came.
    pub public_url: Option<String>,
    /// Further names to have a certificate for.
    pub tls_names: Vec<String>,
    /// The operator's own certificate and key; `None`: an authority of our own.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// The address that phones are told to send audio to; `None`: the address listened on.
    pub public_address: Option<IpAddr>,
    /// How long a SIP session lasts without a refresh.
    pub session: SessionBounds,
    /// UDP ports for audio.
    pub media_ports: RangeInclusive<u16>,
    /// The collector that spans are exported to (OTLP over HTTP), without a trailing slash; `None`: no spans.
    pub otlp: Option<String>,
    /// Private hosts and networks that webhooks, prompts and SIP addresses may lead to.
    pub allow_private_targets: AllowList,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerTable {
    http: Option<String>,
    https: Option<String>,
    sip: Option<String>,
    sip_tls: Option<String>,
    webrtc: Option<String>,
    sip_ca: Option<PathBuf>,
    public_url: Option<String>,
    metrics: Option<String>,
    tls_names: Vec<String>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    public_address: Option<String>,
    session_expires: Option<u32>,
    media_ports: Option<String>,
    allow_private_targets: Vec<String>,
    identities: Option<String>,
    identities_from: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetryTable {
    otlp: Option<String>,
}

/// What listens, where and how.
pub(super) fn settings(table: ServerTable, telemetry: TelemetryTable) -> Result<ServerSettings, ConfigError> {
    let error = |key: &str, problem: &str| ConfigError::Value { key: format!("server.{key}"), problem: problem.into() };
    let address = |key: &str, text: Option<String>, default: SocketAddr| match text {
        None => Ok(default),
        Some(text) => text.parse::<SocketAddr>().map_err(|_| {
            error(key, "is not an address and port such as \"127.0.0.1:8480\"; host names are not looked up")
        }),
    };
    let media_ports = table.media_ports.as_deref().unwrap_or("40000-41999");
    let ports =
        media_ports.split_once('-').and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
    let public_address = table.public_address.as_deref().map(str::parse::<IpAddr>).transpose();
    Ok(ServerSettings {
        http: address("http", table.http, SocketAddr::from(([127, 0, 0, 1], 8480)))?,
        https: address("https", table.https, SocketAddr::from(([127, 0, 0, 1], 8443)))?,
        sip: address("sip", table.sip, SocketAddr::from(([127, 0, 0, 1], 5060)))?,
        sip_tls: address("sip_tls", table.sip_tls, SocketAddr::from(([127, 0, 0, 1], 5061)))?,
        webrtc: match address("webrtc", table.webrtc, SocketAddr::from(([127, 0, 0, 1], 0)))? {
            any if any.ip().is_unspecified() && table.public_address.is_none() => {
                return Err(error(
                    "webrtc",
                    "is no address that a browser could send to: name one of the machine's, or set public_address",
                ));
            }
            one => one,
        },
        sip_ca: table.sip_ca,
        public_url: table
            .public_url
            .map(|text| {
                public_url(&text).ok_or_else(|| error("public_url", "is not an http or https URL without a path"))
            })
            .transpose()?,
        open_metrics: match table.metrics.as_deref() {
            None | Some("token") => false,
            Some("loopback") => true,
            Some(_) => {
                return Err(error("metrics", "is neither \"token\" nor \"loopback\" (this machine needs no token)"));
            }
        },
        tls_names: table.tls_names,
        tls_files: match (table.tls_certificate, table.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(error("tls_key", "is missing: a certificate is served with its key")),
            (None, Some(_)) => {
                return Err(error("tls_certificate", "is missing: a key is served with its certificate"));
            }
        },
        public_address: public_address.map_err(|_| error("public_address", "is not an IP address"))?,
        session: session(table.session_expires)?,
        media_ports: match ports {
            Some((from, to)) if from >= 1024 && from < to => from..=to,
            _ => {
                return Err(error("media_ports", "is not a range of ports from 1024 up such as \"40000-41999\""));
            }
        },
        otlp: telemetry.otlp.map(|text| otlp(&text)).transpose()?,
        allow_private_targets: AllowList::parse(&table.allow_private_targets)
            .map_err(|(index, problem)| error(&format!("allow_private_targets[{index}]"), &problem.to_string()))?,
    })
}

/// Who is accepted: those listed, or anyone, and then from where.
pub(super) fn open(table: &ServerTable) -> Result<Option<Open>, ConfigError> {
    let error = |key: &str, problem: &str| ConfigError::Value { key: format!("server.{key}"), problem: problem.into() };
    match (table.identities.as_deref(), table.identities_from.as_deref()) {
        (None | Some("listed"), None) => Ok(None),
        (None | Some("listed"), Some(_)) => {
            Err(error("identities_from", "is only for identities = \"any\": listed apps come from anywhere"))
        }
        (Some("any"), from) => Open::from_networks(from.unwrap_or_default())
            .map(Some)
            .map_err(|(index, problem)| error(&format!("identities_from[{index}]"), &problem.to_string())),
        (Some(_), _) => Err(error("identities", "is neither \"listed\" nor \"any\" (every app, on first sight)")),
    }
}

/// RFC 4028 §5: no session timer is below 90 s.
fn session(usual: Option<u32>) -> Result<SessionBounds, ConfigError> {
    let default = SessionBounds::default();
    match usual {
        None => Ok(default),
        Some(usual) if (default.least..=86_400).contains(&usual) => Ok(SessionBounds { usual, ..default }),
        Some(_) => Err(ConfigError::Value {
            key: "server.session_expires".into(),
            problem: format!("is not a number of seconds from {} to 86400", default.least),
        }),
    }
}

fn public_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    Origin::of(&url).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    bare.then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn otlp(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| Origin::of(url).is_ok() && url.query().is_none());
    let url = url.ok_or_else(|| ConfigError::Value {
        key: "telemetry.otlp".to_owned(),
        problem: "is not an http or https URL such as \"http://127.0.0.1:4318\"".to_owned(),
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
