//! What the directory tells the SIP side: digests of passwords, trunks by address, who is behind NAT.

use super::{SharedDirectory, Trunk, User};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use ringback_signal::{Flow, Peer, SipDirectory};

/// The realm of SIP passwords: a configured `ha1` is `md5(login:ringback:password)`.
pub const SIP_REALM: &str = "ringback";

/// The digest of a SIP password in our realm.
pub(super) fn ha1(user: &str, password: &str) -> String {
    ringback_signal::ha1(user, SIP_REALM, password)
}

impl SipDirectory for SharedDirectory {
    fn ha1(&self, user: &str) -> Option<String> {
        self.current().user_by_sip(user)?.ha1.clone()
    }

    fn trunk_of(&self, source: Flow) -> Option<String> {
        Some(self.current().trunk_by_source(source)?.name.clone())
    }

    fn trunks(&self) -> Vec<ringback_signal::Trunk> {
        self.current().trunks().iter().map(|trunk| trunk.signal()).collect()
    }

    fn nat(&self, peer: &Peer) -> bool {
        match peer {
            Peer::User(name) => self.current().user_by_sip(name).is_some_and(|user| user.nat),
            Peer::Trunk(name) => self.current().trunk(name).is_some_and(|trunk| trunk.nat),
            Peer::Scripted(_) => false,
        }
    }
}

impl User {
    /// Whether this is the SIP password of the user's phone. Takes as long whatever is wrong with it.
    pub fn has_password(&self, password: &str) -> bool {
        let given = ha1(&self.sip, password);
        self.ha1.as_ref().is_some_and(|ha1| verify_slices_are_equal(ha1.as_bytes(), given.as_bytes()).is_ok())
    }
}

impl Trunk {
    /// The same for the signalling.
    pub fn signal(&self) -> ringback_signal::Trunk {
        ringback_signal::Trunk {
            name: self.name.clone(),
            flow: Flow { transport: self.transport, address: self.address },
            host: self.host.clone(),
            login: self.login.clone(),
            register: self.register,
            keep_alive: self.keep_alive,
        }
    }
}
