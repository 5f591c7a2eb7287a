//! Places for connections: so many in all, and of one source no more than leave room for others.
//!
//! It must not know what is spoken on a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::network_of;

/// The places.
#[derive(Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_one: usize,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    source: IpAddr,
    places: Places,
}

impl Places {
    /// `all` places; `of_one`: how many of them one source may have.
    pub(super) fn new(all: Arc<Semaphore>, of_one: usize) -> Places {
        Places { all, taken: Arc::default(), of_one }
    }

    /// Waits until a place is free; whoever comes next will have it.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Gives it to a client at this address; `None`: its source has as many as it may.
    pub(super) fn give(&self, permit: OwnedSemaphorePermit, client: IpAddr) -> Option<Place> {
        let source = network_of(client);
        let mut taken = self.taken();
        let count = taken.entry(source).or_default();
        if *count >= self.of_one {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place { _permit: permit, source, places: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Counts change by one at a time, so a poisoned lock is still sound.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_source_leaves_room_for_others() {
        let places = Places::new(Arc::new(Semaphore::new(3)), 2);
        let give = async |address: &str| places.give(places.free().await.unwrap(), address.parse().unwrap());
        let one = give("192.0.2.1").await.unwrap();
        let mapped = give("::ffff:192.0.2.1").await;
        assert!(mapped.is_some() && give("192.0.2.1").await.is_none());
        let other = give("192.0.2.2").await;
        assert!(other.is_some(), "what was refused took no place");
        assert_eq!(places.all.available_permits(), 0);
        drop(one);
        assert!(give("192.0.2.1").await.is_some());
        drop((mapped, other));
        assert!(places.taken().is_empty());
        let network = [give("2001:db8::1").await, give("2001:db8::2").await];
        assert!(
            network.iter().all(Option::is_some) && give("2001:db8::3").await.is_none(),
            "an IPv6 /64 is one source"
        );
    }
}
