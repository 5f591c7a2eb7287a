//! What the SIP side is told of scripted phones, beside the directory: which one a message comes from.

use ringback_signal::{Flow, Peer, SipDirectory, Transport, Trunk};

use super::ScriptedPhones;
use crate::directory::SharedDirectory;

/// The directory, and the scripted phones beside it.
struct Both {
    directory: SharedDirectory,
    phones: ScriptedPhones,
}

impl ScriptedPhones {
    /// The directory as the SIP side asks it.
    pub(crate) fn beside(&self, directory: SharedDirectory) -> impl SipDirectory {
        Both { directory, phones: self.clone() }
    }
}

impl SipDirectory for Both {
    fn ha1(&self, user: &str) -> Option<String> {
        self.directory.ha1(user)
    }

    fn trunk_of(&self, source: Flow) -> Option<String> {
        self.directory.trunk_of(source)
    }

    fn scripted(&self, source: Flow) -> Option<String> {
        let table = self.phones.table();
        let of = |phone: &&std::sync::Arc<super::ScriptedPhone>| {
            source.transport == Transport::Udp && phone.address() == source.address
        };
        table.phones.iter().find(of).map(|phone| phone.id().to_string())
    }

    fn trunks(&self) -> Vec<Trunk> {
        self.directory.trunks()
    }

    fn nat(&self, peer: &Peer) -> bool {
        self.directory.nat(peer)
    }
}
