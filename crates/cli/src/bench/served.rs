//! The server of a benchmark: its folder and configuration, an ordinary `serve` in a process of its own, and how
//! figures are printed.

use std::ffi::OsStr;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use ringback_server::directory as development;
use serde_json::Value;

use super::process::Talker;
use crate::Failure;

/// A fresh folder, to be removed by who asked for it.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("ringback-bench-{}-{}", std::process::id(), now.as_nanos()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Where its SIP is to be, which the phones must know before it is configured: a port that is free now, below those that
/// the system hands out and those of the configured media.
pub(super) fn sip_address() -> Result<SocketAddr, Failure> {
    let first = 10_000 + (std::process::id() % 5_000) as u16;
    let free = (first..first + 1_000).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
    Ok(free.ok_or("no free port for SIP")?.local_addr()?)
}

/// Starts it, on these processors and from this program if they are named.
pub(super) fn start(
    folder: &Path,
    sip: Option<SocketAddr>,
    processors: Option<&str>,
    program: Option<&Path>,
) -> Result<Talker, Failure> {
    let (data, config) = (folder.join("data"), folder.join("ringback.toml"));
    let sip = sip.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))).to_string();
    let any = "127.0.0.1:0";
    let words = ["serve", "--json", "--http", any, "--https", any, "--sip", &sip, "--sip-tls", any, "--data"];
    let mut all: Vec<&OsStr> = words.iter().map(|word| OsStr::new(*word)).collect();
    all.extend([data.as_os_str(), OsStr::new("--config"), config.as_os_str()]);
    Talker::start_on(processors, program, &all)
}

/// Where it serves HTTP, once it does.
pub(super) async fn address(server: &mut Talker) -> Result<String, Failure> {
    let ready = server.hear().await?;
    Ok(ready["http"].as_str().ok_or("the server did not say where it listens")?.to_owned())
}

/// Prints figures: JSON, or a name and a value a line.
pub(super) fn print(figures: &Value, json: bool) {
    if json {
        return println!("{figures}");
    }
    for (name, value) in figures.as_object().into_iter().flatten() {
        match value.as_object() {
            None => println!("{name:<28} {value}"),
            Some(inner) => {
                inner.iter().for_each(|(inner, value)| println!("{:<28} {value}", format!("{name} {inner}")))
            }
        }
    }
}

/// To a tenth.
pub(super) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// To a hundredth.
pub(super) fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Writes the configuration: one bot with this webhook, a phone, a test line, and whatever is added.
pub(super) fn configure(folder: &Path, webhook: &str, more: &str) -> Result<(), Failure> {
    let (phone, login) = development::PHONES[0];
    let text = format!(
        r#"[server]
allow_private_targets = ["127.0.0.1"]
media_ports = "20000-31999"

[[tenants]]
id = "{tenant}"
name = "bench"

[[apps]]
id = "{app}"
tenant = "{tenant}"
name = "Bench bot"
secret_hash = "{hash}"
webhook = "{webhook}"
numbers = ["{number}"]
max_calls = 10000

[[users]]
id = "{phone}"
tenant = "{tenant}"
name = "Phone"
sip = "{login}"
password = "{password}"

[[users]]
id = "{user}"
tenant = "{tenant}"
name = "Test line"
sip = "{line}"
phone = "null"

{more}"#,
        tenant = development::TENANT_ID,
        app = development::APP_ID,
        hash = development::hash_secret(development::APP_SECRET)?,
        number = development::APP_NUMBERS[0],
        password = development::PHONE_PASSWORD,
        user = development::NULL_LINE.0,
        line = development::NULL_LINE.1,
    );
    Ok(std::fs::write(folder.join("ringback.toml"), text)?)
}
