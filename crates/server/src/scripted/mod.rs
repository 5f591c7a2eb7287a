//! Scripted phones: far ends that a test drives step by step, through the operator's door (docs/TESTING.md). Each is a
//! SIP phone with sockets of its own, so that a test goes the way of every call: signalling, codec, packets. The server
//! knows them by their addresses: they need no password, and may bear any number.
//!
//! This room must not know: HTTP, lanes, what a call may do, nor how the server makes its own legs.

mod expect;
mod line;
mod phone;
mod sip;
pub mod step;
mod story;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ringback_core::CallId;
use ringback_media::PromptError;
use ringback_signal::phone::PhoneError;
use thiserror::Error;
use uuid::Uuid;

use crate::directory::{APP_NUMBERS, SharedDirectory, dialled, reached_here};
use crate::limits;
use crate::trace::Timeline;
pub(crate) use expect::Terms;
pub(crate) use phone::{Await, Called, NewPhone, Outcome, ScriptedPhone};

/// Why a scripted phone cannot be had, or a step not be taken. The texts say what to do.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// No phone of this id.
    #[error("There is no scripted phone of this id; it may have been removed after a time of disuse.")]
    NoPhone,
    /// As many phones as there may be.
    #[error(
        "There are {} scripted phones already, which is as many as there may be: delete some.",
        limits::SCRIPTED_PHONES
    )]
    Full,
    /// Another scripted phone has the number.
    #[error("Another scripted phone has this number: delete that one, or choose another number.")]
    Taken,
    /// The number is a bot's.
    #[error("The number belongs to an app: a phone needs a number of its own.")]
    IsApp,
    /// Not a number or name.
    #[error("A number has 1 to 64 digits, letters or characters of -_.+*#.")]
    BadNumber,
    /// No `to`, and not one app.
    #[error("Say whom to call, in `to`: there is not exactly one app here.")]
    ToWhom,
    /// No codec of a phone.
    #[error("A phone's codec is one of {}.", step::Voice::NAMES.join(", "))]
    BadCodec,
    /// Not keys.
    #[error("Keys are 1 to {} of 0-9 * # A B C D, without spaces.", limits::SCRIPTED_KEYS)]
    BadKeys,
    /// Not a WAV file that can be said or compared.
    #[error("It cannot be said or listened for: {0}.")]
    BadWav(#[from] PromptError),
    /// Too long.
    #[error("The WAV file lasts longer than {} s: shorten it.", limits::SCRIPTED_SOUND.as_secs())]
    TooLong,
    /// Nothing to compare with.
    #[error("The WAV file holds only silence, as far as a telephone carries it: there is nothing to listen for.")]
    Silent,
    /// As many steps as may wait.
    #[error("{} steps of this phone are waiting already: wait for their answers.", limits::SCRIPTED_STEPS)]
    Busy,
    /// The phone has a call.
    #[error("The phone has a call: hang up first, or make another phone.")]
    HasCall,
    /// It could not be switched on.
    #[error("The phone could not be made: {0}.")]
    Start(#[from] PhoneError),
    /// SIP does not listen yet, or no more.
    #[error("The server does not take calls at the moment.")]
    Closed,
}

/// The scripted phones: a handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct ScriptedPhones {
    shared: Arc<Shared>,
}

struct Shared {
    directory: SharedDirectory,
    timeline: Timeline,
    /// Where SIP listens.
    server: OnceLock<SocketAddr>,
    table: Mutex<Table>,
}

/// The phones there are. Few, so they are searched one by one.
#[derive(Default)]
struct Table {
    phones: Vec<Arc<ScriptedPhone>>,
    /// The numbers of phones that are being made: each has its place before it has a socket.
    making: Vec<String>,
}

impl Table {
    /// A place for one more phone, with the number that was wanted, or with one that nobody has.
    fn reserve(&mut self, wanted: Option<String>, is_known: impl Fn(&str) -> bool) -> Result<String, ScriptError> {
        if self.phones.len() + self.making.len() >= limits::SCRIPTED_PHONES {
            return Err(ScriptError::Full);
        }
        let has = |number: &str| {
            let mut others = self.phones.iter().map(|phone| phone.number());
            others.any(|other| other == number) || self.making.iter().any(|other| other == number)
        };
        let number = match wanted {
            Some(number) if has(&number) => return Err(ScriptError::Taken),
            Some(number) => number,
            // Exchange 019 is given to no one (North American Numbering Plan).
            None => (0..)
                .map(|n| format!("+1555019{n:04}"))
                .find(|number| !is_known(number) && !has(number))
                .expect("numbers do not end"),
        };
        self.making.push(number.clone());
        Ok(number)
    }
}

/// A place in the table while its phone is made; given back when dropped.
struct Place<'a> {
    phones: &'a ScriptedPhones,
    number: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.phones.table().making.retain(|number| *number != self.number);
    }
}

impl ScriptedPhones {
    pub(crate) fn new(directory: SharedDirectory, timeline: Timeline) -> Self {
        let shared = Shared { directory, timeline, server: OnceLock::new(), table: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Connects them to where SIP listens. Once; until then there are none.
    pub(crate) fn connect(&self, server: SocketAddr) {
        let _ = self.shared.server.set(reached_here(server));
    }

    /// Makes a phone.
    pub(crate) async fn make(&self, new: NewPhone) -> Result<Arc<ScriptedPhone>, ScriptError> {
        let server = *self.shared.server.get().ok_or(ScriptError::Closed)?;
        let wanted = new.number.map(|number| self.check(&number)).transpose()?;
        let place = self.reserve(wanted)?;
        let number = place.number.clone();
        let phone = ScriptedPhone::start(server, &self.shared.timeline, number, new.called, new.voice).await?;
        let phone = Arc::new(phone);
        self.table().phones.push(Arc::clone(&phone));
        Ok(phone)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<ScriptedPhone>> {
        self.table().phones.clone()
    }

    /// The phone of this id.
    pub(crate) fn get(&self, id: Uuid) -> Result<Arc<ScriptedPhone>, ScriptError> {
        let phone = self.table().phones.iter().find(|phone| phone.id() == id).cloned().ok_or(ScriptError::NoPhone)?;
        phone.touch();
        Ok(phone)
    }

    /// Removes a phone. Its call is hung up, without waiting for steps under way.
    pub(crate) fn remove(&self, id: Uuid) -> Result<(), ScriptError> {
        let phone = self.get(id)?;
        self.table().phones.retain(|other| other.id() != id);
        phone.switch_off();
        Ok(())
    }

    /// Removes all: the server stops.
    pub(crate) fn clear(&self) {
        for phone in self.table().phones.drain(..) {
            phone.switch_off();
        }
    }

    /// Whom a phone calls that was not told: the only bot there is; in an open directory, the one that was heard of last.
    pub(crate) fn only_app(&self) -> Result<String, ScriptError> {
        let directory = self.shared.directory.current();
        if directory.is_open() && directory.app_by_number(APP_NUMBERS[0]).is_some() {
            return Ok(APP_NUMBERS[0].to_owned());
        }
        let mut apps = directory.apps();
        match (apps.next(), apps.next()) {
            (Some(app), None) => Ok(app.id.as_str().to_owned()),
            _ => Err(ScriptError::ToWhom),
        }
    }

    /// The SIP address of the scripted phone at this number or login, if there is one: a call there reaches it and nobody
    /// else.
    pub(crate) fn address_of(&self, number: &str) -> Option<(Uuid, String)> {
        let table = self.table();
        let phone = table.phones.iter().find(|phone| phone.number() == number)?;
        Some((phone.id(), format!("sip:{}@{}", phone.number(), phone.address())))
    }

    /// A phone's call is this one.
    pub(crate) fn joined(&self, id: Uuid, call: CallId) {
        if let Some(phone) = self.table().phones.iter().find(|phone| phone.id() == id) {
            phone.joined(call);
        }
    }

    fn check(&self, number: &str) -> Result<String, ScriptError> {
        let number = dialled(number);
        let is_fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.+*#".contains(&b);
        if number.is_empty() || number.len() > 64 || !number.bytes().all(is_fine) {
            return Err(ScriptError::BadNumber);
        }
        match self.shared.directory.current().app_by_number(&number) {
            Some(_) => Err(ScriptError::IsApp),
            None => Ok(number),
        }
    }

    /// A place, after those that nobody asked for in a long time made room.
    fn reserve(&self, wanted: Option<String>) -> Result<Place<'_>, ScriptError> {
        let directory = self.shared.directory.current();
        let is_known =
            |number: &str| directory.app_by_number(number).is_some() || directory.user_by_sip(number).is_some();
        let mut table = self.table();
        table.phones.retain(|phone| !phone.is_disused());
        let number = table.reserve(wanted, is_known)?;
        Ok(Place { phones: self, number })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Changed only by whole inserts and removes, so a poisoned lock is still sound.
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_made_at_once_have_numbers_of_their_own_and_no_more_places_than_there_are() {
        let mut table = Table::default();
        let is_known = |number: &str| number == "+15550190001";
        assert_eq!(table.reserve(None, is_known).unwrap(), "+15550190000");
        assert_eq!(table.reserve(None, is_known).unwrap(), "+15550190002", "what is being made has its number");
        assert!(matches!(table.reserve(Some("+15550190002".to_owned()), is_known), Err(ScriptError::Taken)));
        assert_eq!(table.reserve(Some("ada".to_owned()), is_known).unwrap(), "ada");
        while table.making.len() < limits::SCRIPTED_PHONES {
            table.reserve(None, is_known).unwrap();
        }
        assert!(matches!(table.reserve(None, is_known), Err(ScriptError::Full)), "before a socket is opened");
    }
}
