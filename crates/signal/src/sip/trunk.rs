//! What signalling knows of a trunk: a SIP peer that leads to the telephone network. Knows no
//! number plan and no bounds of calls; whoever places a call settled these.

use std::time::Duration;

use super::flow::{Flow, Hop};
use crate::credentials::Login;

/// A trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// The operator's name for it.
    pub name: String,
    /// Where requests go, and by what.
    pub flow: Flow,
    /// The host its addresses bear (`sip:+15550100@host`), and the name its TLS certificate must.
    /// `None`: its address, by number.
    pub host: Option<String>,
    /// Who we are there, if it asks.
    pub login: Option<Login>,
    /// Register there, so that it finds us.
    pub register: bool,
    /// Ask it this often whether it is there (OPTIONS).
    pub keep_alive: Option<Duration>,
}

impl Trunk {
    /// A trunk at an address, without anything special.
    pub fn at(name: &str, flow: Flow) -> Trunk {
        Trunk { name: name.to_owned(), flow, host: None, login: None, register: false, keep_alive: None }
    }

    /// The host and port of its addresses.
    pub(crate) fn authority(&self) -> String {
        self.host.clone().unwrap_or_else(|| self.flow.address.to_string())
    }

    pub(crate) fn hop(&self) -> Hop {
        let name = self.host.clone().unwrap_or_else(|| self.flow.address.ip().to_string());
        Hop { flow: self.flow, name: Some(name) }
    }
}
