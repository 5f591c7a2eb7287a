//! Far ends behind a NAT, reached by UDP: their contacts are put right before the library reads
//! them. Knows addresses; no users and no calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rsipstack::sip::{SipMessage, Transport as Word};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;

use super::message;

/// Addresses whose contacts are not to be believed: the far end is behind a NAT and is reached
/// where its messages come from. Counted, since several calls may share one.
#[derive(Clone, Default)]
pub(crate) struct NatFlows(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl NatFlows {
    /// Marks an address for as long as the mark is kept.
    pub(crate) fn mark(&self, flow: SocketAddr) -> NatMark {
        *self.locked().entry(flow).or_default() += 1;
        NatMark { flows: self.clone(), flow }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`NatFlows::mark`].
pub(crate) struct NatMark {
    flows: NatFlows,
    flow: SocketAddr,
}

impl Drop for NatMark {
    fn drop(&mut self) {
        let mut flows = self.flows.locked();
        if let Some(count) = flows.get_mut(&self.flow) {
            *count -= 1;
            if *count == 0 {
                flows.remove(&self.flow);
            }
        }
    }
}

/// The library acknowledges a 2xx by itself, to the contact in it, before anyone else sees it. So
/// the contact of a far end behind a NAT is put right on arrival.
impl MessageInspector for NatFlows {
    fn before_send(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        let SipMessage::Response(mut response) = message else {
            return message;
        };
        let by_udp = from.filter(|f| f.r#type == Some(Word::Udp));
        let source = by_udp.and_then(|f| f.get_socketaddr().ok());
        let marked = source.filter(|s| self.locked().contains_key(s));
        if let (Some(source), Some(mut uri)) = (marked, message::contact(&response)) {
            uri.host_with_port = source.into();
            let contact = message::header("Contact", format!("<{uri}>"));
            response.headers.unique_push(contact);
        }
        response.into()
    }
}
