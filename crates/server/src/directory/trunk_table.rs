//! `[[trunks]]` of the configuration: read, and checked against everything that has a name. Opens no socket.

use std::net::SocketAddr;
use std::time::Duration;

use ringback_signal::{Login, Transport};
use serde::Deserialize;

use super::Trunk;
use super::config::{ConfigError, Key, Names, check_dialled, check_id, max_calls, prefixes};

/// One trunk, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrunkTable {
    name: String,
    address: String,
    transport: Option<String>,
    host: Option<String>,
    login: Option<String>,
    password: Option<String>,
    #[serde(default)]
    register: bool,
    keep_alive: Option<u64>,
    caller_id: Option<String>,
    #[serde(default)]
    nat: bool,
    max_calls: Option<u32>,
    #[serde(default)]
    prefixes: Vec<String>,
}

impl TrunkTable {
    /// Checks it and takes its names.
    pub(super) fn read(self, key: &Key, names: &mut Names) -> Result<Trunk, ConfigError> {
        let table = self;
        check_id(key, "name", &table.name)?;
        names.take(key, "name", "trunk", &table.name)?;
        let address: SocketAddr = table.address.parse().map_err(|_| {
            key.error("address", "is not an address and port such as \"192.0.2.1:5060\"; names are not looked up")
        })?;
        let transport = table.transport.as_deref().unwrap_or("udp").parse::<Transport>();
        let transport = transport.map_err(|()| key.error("transport", "is none of \"udp\", \"tcp\" and \"tls\""))?;
        // By a connection a trunk is known by its host alone.
        let place = match transport {
            Transport::Udp => address.to_string(),
            stream => format!("{stream} {}", address.ip()),
        };
        names.take(key, "address", "trunk address", &place)?;
        if let Some(host) = &table.host {
            check_host(key, host)?;
        }
        let login = match (table.login, table.password) {
            (None, None) if table.register => return Err(key.error("register", "needs a login and a password")),
            (None, None) => None,
            (Some(user), Some(password)) => {
                check_dialled(key, "login", &user)?;
                Some(Login { user, password })
            }
            (Some(_), None) => return Err(key.error("password", "is missing: a login has one")),
            (None, Some(_)) => return Err(key.error("login", "is missing: whose password is it?")),
        };
        if table.keep_alive.is_some_and(|seconds| !(5..=3_600).contains(&seconds)) {
            return Err(key.error("keep_alive", "is not a number of seconds from 5 to 3600"));
        }
        if let Some(number) = &table.caller_id {
            check_dialled(key, "caller_id", number)?;
        }
        Ok(Trunk {
            name: table.name,
            address,
            transport,
            host: table.host,
            login,
            register: table.register,
            keep_alive: table.keep_alive.map(Duration::from_secs),
            caller_id: table.caller_id,
            nat: table.nat,
            max_calls: max_calls(key, table.max_calls)?,
            prefixes: prefixes(key, &table.prefixes)?,
        })
    }
}

/// A host name, as it stands in SIP addresses and certificates.
fn check_host(key: &Key, text: &str) -> Result<(), ConfigError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    if !text.is_empty() && text.len() <= 253 && text.bytes().all(fine) {
        return Ok(());
    }
    Err(key.error("host", format!("{text:?} is not a host name such as \"sip.provider.example\"; no port, no scheme")))
}
