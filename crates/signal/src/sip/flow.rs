//! Where messages go and come from: a transport, an address and, where TLS must prove it, a name.
//! Pure but for the look-up of names; knows no connection and no call.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use rsipstack::sip::{Param, Scheme, Transport as Word, Uri};

use super::message;
use crate::limits;

/// How SIP travels (RFC 3261 §18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
}

impl Transport {
    /// The library's word for it.
    pub(crate) fn word(self) -> Word {
        match self {
            Transport::Udp => Word::Udp,
            Transport::Tcp => Word::Tcp,
            Transport::Tls => Word::Tls,
        }
    }

    fn of_word(word: Word) -> Option<Transport> {
        match word {
            Word::Udp => Some(Transport::Udp),
            Word::Tcp => Some(Transport::Tcp),
            Word::Tls => Some(Transport::Tls),
            Word::TlsSctp | Word::Sctp | Word::Ws | Word::Wss => None,
        }
    }

    /// Whether messages travel in order and are not lost while the connection stands.
    pub(crate) fn is_stream(self) -> bool {
        self != Transport::Udp
    }

    /// What an address asks for (RFC 3261 §19.1.1): `sips:` is TLS, `;transport=` says, else UDP.
    /// `None`: a transport we do not speak.
    pub(crate) fn of(uri: &Uri) -> Option<Transport> {
        let named = uri.params.iter().find_map(|p| if let Param::Transport(word) = p { Some(*word) } else { None });
        match (&uri.scheme, named) {
            (Some(Scheme::Sips), None | Some(Word::Tcp | Word::Tls)) => Some(Transport::Tls),
            (Some(Scheme::Sips), Some(_)) => None,
            (_, None) => Some(Transport::Udp),
            (_, Some(word)) => Transport::of_word(word),
        }
    }

    /// The port of an address that names none (RFC 3261 §19.1.2).
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        })
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(text: &str) -> Result<Transport, ()> {
        match text {
            "udp" => Ok(Transport::Udp),
            "tcp" => Ok(Transport::Tcp),
            "tls" => Ok(Transport::Tls),
            _ => Err(()),
        }
    }
}

/// Where a message came from. Of a stream: the connection, as long as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How it came.
    pub transport: Transport,
    /// The far address.
    pub address: SocketAddr,
}

impl Flow {
    /// A flow of datagrams.
    pub fn udp(address: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, address }
    }
}

/// As text: `192.0.2.1:5060` by UDP, `tcp 192.0.2.1:5060` otherwise.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Udp => self.address.fmt(f),
            stream => write!(f, "{stream} {}", self.address),
        }
    }
}

impl FromStr for Flow {
    type Err = ();

    fn from_str(text: &str) -> Result<Flow, ()> {
        let (transport, address) = text.split_once(' ').unwrap_or(("udp", text));
        Ok(Flow { transport: transport.parse()?, address: address.parse().map_err(|_| ())? })
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) flow: Flow,
    /// The name or address that the certificate of a TLS connection we open must bear. `None`:
    /// only a connection that stands already is good.
    pub(crate) name: Option<String>,
}

impl Hop {
    /// Back where something came from.
    pub(crate) fn back(flow: Flow) -> Hop {
        Hop { flow, name: None }
    }

    /// Where an address leads: by number, or looked up as a host name (A and AAAA records only)
    /// within [`limits::RESOLVE_LIMIT`].
    pub(crate) async fn of(uri: &Uri) -> Option<Hop> {
        let transport = Transport::of(uri)?;
        let port = uri.host_with_port.port.as_ref().map_or(transport.default_port(), |p| p.value());
        let host = uri.host_with_port.host.to_string();
        let address = match message::ip(uri) {
            Some(ip) => SocketAddr::new(ip, port),
            None => {
                let found = tokio::net::lookup_host((host.as_str(), port));
                tokio::time::timeout(limits::RESOLVE_LIMIT, found).await.ok()?.ok()?.next()?
            }
        };
        Some(Hop { flow: Flow { transport, address }, name: Some(host.trim_matches(['[', ']']).to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_its_transport() {
        for (text, transport) in [
            ("sip:a@192.0.2.1", Some(Transport::Udp)),
            ("sip:a@192.0.2.1;transport=udp", Some(Transport::Udp)),
            ("sip:a@192.0.2.1;transport=TCP", Some(Transport::Tcp)),
            ("sip:a@192.0.2.1;transport=tls", Some(Transport::Tls)),
            ("sips:a@192.0.2.1", Some(Transport::Tls)),
            ("sips:a@192.0.2.1;transport=tcp", Some(Transport::Tls)),
            ("sips:a@192.0.2.1;transport=udp", None),
            ("sip:a@192.0.2.1;transport=ws", None),
        ] {
            assert_eq!(Transport::of(&Uri::try_from(text).unwrap()), transport, "{text}");
        }
    }

    #[tokio::test]
    async fn an_address_leads_to_its_port() {
        for (text, flow) in [
            ("sip:a@192.0.2.1", "192.0.2.1:5060"),
            ("sip:a@192.0.2.1:5070;transport=tcp", "tcp 192.0.2.1:5070"),
            ("sips:a@192.0.2.1", "tls 192.0.2.1:5061"),
            ("sip:a@[2001:db8::1];transport=tls", "tls [2001:db8::1]:5061"),
        ] {
            let hop = Hop::of(&Uri::try_from(text).unwrap()).await.unwrap();
            assert_eq!(hop.flow.to_string(), flow);
            assert_eq!(flow.parse(), Ok(hop.flow));
        }
    }

    #[test]
    fn other_text_is_no_flow() {
        for text in ["", "udp", "ws 192.0.2.1:1", "192.0.2.1", "tcp host:5060"] {
            assert_eq!(text.parse::<Flow>(), Err(()), "{text}");
        }
    }
}
