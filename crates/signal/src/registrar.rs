//! The registrar: a pure function from a REGISTER's facts, the time and the bindings there are
//! to the bindings there will be, or a refusal (RFC 3261 §10.3). Knows no message, no socket, no
//! clock and no password; who may register was settled before.

use std::collections::HashMap;
use std::time::Duration;

use crate::limits::{
    MAX_BINDINGS, MAX_BINDINGS_PER_USER, MAX_CONTACT, MAX_EXPIRES_SECONDS, MAX_REGISTERED_USERS, MIN_EXPIRES_SECONDS,
};
use crate::sip::flow::Flow;

/// Where a user can be reached, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The contact address as the phone gave it, a SIP URI.
    pub(crate) contact: String,
    /// Where the REGISTER came from. Of a stream: the only way back.
    pub(crate) flow: Flow,
    /// The registration's `Call-ID` and sequence number: an older one changes nothing.
    pub(crate) call_id: String,
    /// See `call_id`.
    pub(crate) cseq: u32,
    /// When it was last refreshed (time since start); the newest binding is the one called.
    pub(crate) since: Duration,
    /// When it ends (time since start).
    pub(crate) until: Duration,
}

/// What a REGISTER asks.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    /// The contacts named.
    pub(crate) contacts: Contacts,
    /// The `Expires` header, in seconds: for contacts without an expiry of their own.
    pub(crate) expires: Option<u32>,
    /// `Call-ID`.
    pub(crate) call_id: String,
    /// Sequence number.
    pub(crate) cseq: u32,
    /// Where it came from.
    pub(crate) flow: Flow,
}

/// The contacts of a REGISTER.
#[derive(Clone, Debug)]
pub(crate) enum Contacts {
    /// None: a question.
    Query,
    /// `*`: all of the user's, to be removed.
    All,
    /// These, each with its own expiry in seconds if it gave one.
    These(Vec<(String, Option<u32>)>),
}

/// Why a REGISTER changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: `*` with an expiry other than 0, or a contact too long.
    BadRequest,
    /// 423 with `Min-Expires`.
    TooBrief,
    /// 500: older than the registration it would change.
    OutOfOrder,
    /// 403: more bindings than a user may have.
    TooMany,
    /// 503: no room for one more.
    Full,
}

/// The user's bindings after `request`, newest last, or why nothing changed. All or nothing.
pub(crate) fn register(request: &Register, now: Duration, bindings: &[Binding]) -> Result<Vec<Binding>, Refusal> {
    let mut after: Vec<Binding> = bindings.iter().filter(|b| b.until > now).cloned().collect();
    match &request.contacts {
        Contacts::Query => {}
        Contacts::All => {
            if request.expires != Some(0) {
                return Err(Refusal::BadRequest);
            }
            if after.iter().any(|b| is_out_of_order(request, b)) {
                return Err(Refusal::OutOfOrder);
            }
            after.clear();
        }
        Contacts::These(list) => {
            for (contact, expires) in list {
                let asked = expires.or(request.expires).unwrap_or(MAX_EXPIRES_SECONDS);
                bind(request, contact, asked, now, &mut after)?;
            }
        }
    }
    if after.len() > MAX_BINDINGS_PER_USER {
        return Err(Refusal::TooMany);
    }
    Ok(after)
}

fn bind(
    request: &Register,
    contact: &str,
    asked: u32,
    now: Duration,
    bindings: &mut Vec<Binding>,
) -> Result<(), Refusal> {
    if contact.len() > MAX_CONTACT {
        return Err(Refusal::BadRequest);
    }
    if asked > 0 && asked < MIN_EXPIRES_SECONDS {
        return Err(Refusal::TooBrief);
    }
    if let Some(index) = bindings.iter().position(|b| b.contact == contact) {
        if is_out_of_order(request, &bindings[index]) {
            return Err(Refusal::OutOfOrder);
        }
        bindings.remove(index);
    }
    if asked > 0 {
        let granted = asked.min(MAX_EXPIRES_SECONDS);
        bindings.push(Binding {
            contact: contact.to_owned(),
            flow: request.flow,
            call_id: request.call_id.clone(),
            cseq: request.cseq,
            since: now,
            until: now + Duration::from_secs(granted.into()),
        });
    }
    Ok(())
}

/// RFC 3261 §10.3 step 7: within one registration, sequence numbers rise.
fn is_out_of_order(request: &Register, binding: &Binding) -> bool {
    binding.call_id == request.call_id && binding.cseq >= request.cseq
}

/// All users' bindings.
#[derive(Default)]
pub(crate) struct Registrar {
    users: HashMap<String, Vec<Binding>>,
    /// Bindings of all users, those that ran out and were not yet forgotten included.
    bindings: usize,
}

impl Registrar {
    /// Applies a REGISTER of `user` and gives the bindings there are now.
    pub(crate) fn register(&mut self, user: &str, request: &Register, now: Duration) -> Result<&[Binding], Refusal> {
        let before = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let (had, after) = (before.len(), register(request, now, before)?);
        // Whoever has a place may keep it and give it up.
        if after.len() > had && self.is_full(now) {
            return Err(Refusal::Full);
        }
        let had = self.users.get(user).map_or(0, Vec::len);
        self.bindings = self.bindings - had + after.len();
        if after.is_empty() {
            self.users.remove(user);
            return Ok(&[]);
        }
        let kept = self.users.entry(user.to_owned()).or_default();
        *kept = after;
        Ok(kept)
    }

    /// Whether there is no room for one more, not even after forgetting what ran out.
    fn is_full(&mut self, now: Duration) -> bool {
        let full = |this: &Registrar| this.users.len() >= MAX_REGISTERED_USERS || this.bindings >= MAX_BINDINGS;
        if full(self) {
            self.users.retain(|_, bindings| {
                bindings.retain(|b| b.until > now);
                !bindings.is_empty()
            });
            self.bindings = self.users.values().map(Vec::len).sum();
        }
        full(self)
    }

    /// Places where phones can be reached now.
    pub(crate) fn live(&self, now: Duration) -> usize {
        self.users.values().flatten().filter(|binding| binding.until > now).count()
    }

    /// The binding of `user` that was refreshed last, still lives and can be reached.
    pub(crate) fn current(&self, user: &str, now: Duration, is_open: impl Fn(Flow) -> bool) -> Option<&Binding> {
        let live = self.users.get(user)?.iter().filter(|b| b.until > now && is_open(b.flow));
        live.max_by_key(|b| b.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Duration = Duration::from_secs(500);

    fn request(contacts: &[(&str, Option<u32>)], expires: Option<u32>, cseq: u32) -> Register {
        let list = contacts.iter().map(|(c, e)| ((*c).to_owned(), *e)).collect();
        Register {
            contacts: Contacts::These(list),
            expires,
            call_id: "call".into(),
            cseq,
            flow: Flow::udp("192.0.2.1:5060".parse().unwrap()),
        }
    }

    fn seconds(bindings: &[Binding]) -> Vec<(String, u64)> {
        bindings.iter().map(|b| (b.contact.clone(), (b.until - NOW).as_secs())).collect()
    }

    #[test]
    fn grants_at_most_two_minutes_and_at_least_what_was_asked_below_it() {
        let after = register(&request(&[("sip:a", Some(3_600))], None, 1), NOW, &[]).unwrap();
        assert_eq!(seconds(&after), [("sip:a".into(), 120)]);
        let after = register(&request(&[("sip:a", Some(30))], Some(90), 1), NOW, &[]).unwrap();
        assert_eq!(seconds(&after), [("sip:a".into(), 30)]);
        let after = register(&request(&[("sip:a", None)], Some(90), 1), NOW, &[]).unwrap();
        assert_eq!(seconds(&after), [("sip:a".into(), 90)]);
        let after = register(&request(&[("sip:a", None)], None, 1), NOW, &[]).unwrap();
        assert_eq!(seconds(&after), [("sip:a".into(), 120)]);
    }

    #[test]
    fn too_brief_changes_nothing_even_beside_a_good_contact() {
        let asked = request(&[("sip:a", None), ("sip:b", Some(5))], None, 1);
        assert_eq!(register(&asked, NOW, &[]), Err(Refusal::TooBrief));
    }

    #[test]
    fn zero_removes_one_and_star_removes_all() {
        let two = register(&request(&[("sip:a", None), ("sip:b", None)], None, 1), NOW, &[]).unwrap();
        let one = register(&request(&[("sip:a", Some(0))], None, 2), NOW, &two).unwrap();
        assert_eq!(seconds(&one), [("sip:b".into(), 120)]);
        let mut star = request(&[], Some(0), 3);
        star.contacts = Contacts::All;
        assert_eq!(register(&star, NOW, &two), Ok(vec![]));
        star.expires = Some(60);
        assert_eq!(register(&star, NOW, &two), Err(Refusal::BadRequest));
        star.expires = None;
        assert_eq!(register(&star, NOW, &two), Err(Refusal::BadRequest));
    }

    #[test]
    fn an_old_request_is_refused_and_a_new_registration_is_not() {
        let one = register(&request(&[("sip:a", None)], None, 7), NOW, &[]).unwrap();
        let old = request(&[("sip:a", Some(0))], None, 7);
        assert_eq!(register(&old, NOW, &one), Err(Refusal::OutOfOrder));
        let mut other = old.clone();
        other.call_id = "another".into();
        assert_eq!(register(&other, NOW, &one), Ok(vec![]));
    }

    #[test]
    fn a_query_lists_what_lives() {
        let one = register(&request(&[("sip:a", Some(60))], None, 1), NOW, &[]).unwrap();
        let mut query = request(&[], None, 2);
        query.contacts = Contacts::Query;
        assert_eq!(register(&query, NOW, &one).unwrap(), one);
        assert_eq!(register(&query, NOW + Duration::from_secs(60), &one), Ok(vec![]));
    }

    #[test]
    fn a_ninth_binding_is_refused() {
        let names: Vec<String> = (0..9).map(|n| format!("sip:{n}")).collect();
        let list: Vec<_> = names.iter().map(|n| (n.as_str(), None)).collect();
        assert_eq!(register(&request(&list[..8], None, 1), NOW, &[]).unwrap().len(), 8);
        assert_eq!(register(&request(&list, None, 1), NOW, &[]), Err(Refusal::TooMany));
    }

    #[test]
    fn full_is_full_until_bindings_run_out() {
        let mut registrar = Registrar::default();
        let names: Vec<String> = (0..MAX_BINDINGS_PER_USER).map(|n| format!("sip:{n}")).collect();
        let list: Vec<_> = names.iter().map(|n| (n.as_str(), None)).collect();
        for user in 0..MAX_BINDINGS / MAX_BINDINGS_PER_USER {
            registrar.register(&user.to_string(), &request(&list, None, 1), NOW).unwrap();
        }
        let one = request(&[("sip:a", None)], None, 2);
        assert_eq!(registrar.register("late", &one, NOW), Err(Refusal::Full));
        let again = request(&list, None, 2);
        assert!(registrar.register("7", &again, NOW).is_ok(), "who has a place keeps it");
        assert!(registrar.register("7", &request(&[("sip:0", Some(0))], None, 3), NOW).is_ok());
        assert!(registrar.register("late", &one, NOW).is_ok(), "and may give it up");
        assert_eq!(registrar.register("later", &one, NOW), Err(Refusal::Full));
        let after = NOW + Duration::from_secs(u64::from(MAX_EXPIRES_SECONDS) + 1);
        assert!(registrar.register("later", &one, after).is_ok());
        assert_eq!(registrar.bindings, 1);
    }

    #[test]
    fn the_newest_binding_is_the_one_called() {
        let mut registrar = Registrar::default();
        registrar.register("u", &request(&[("sip:a", None)], None, 1), NOW).unwrap();
        let later = NOW + Duration::from_secs(1);
        registrar.register("u", &request(&[("sip:b", None)], None, 2), later).unwrap();
        assert_eq!(registrar.current("u", later, |_| true).unwrap().contact, "sip:b");
        assert_eq!(registrar.current("u", later, |_| false), None);
        assert_eq!(registrar.current("u", NOW + Duration::from_secs(200), |_| true), None);
        assert_eq!(registrar.current("nobody", NOW, |_| true), None);
    }

    proptest! {
        #[test]
        fn bounds_hold_whatever_is_asked(
            asks in prop::collection::vec((0u8..12, prop::option::of(0u32..4_000), 0u32..50, 0u64..300), 0..60)
        ) {
            let mut bindings = Vec::new();
            let mut now = NOW;
            for (contact, expires, cseq, later) in asks {
                now += Duration::from_secs(later);
                let contact = format!("sip:{contact}");
                if let Ok(after) = register(&request(&[(&contact, expires)], None, cseq), now, &bindings) {
                    bindings = after;
                }
                prop_assert!(bindings.len() <= MAX_BINDINGS_PER_USER);
                let longest = now + Duration::from_secs(MAX_EXPIRES_SECONDS.into());
                prop_assert!(bindings.iter().all(|b| b.until <= longest));
                let mut names: Vec<_> = bindings.iter().map(|b| &b.contact).collect();
                names.sort();
                names.dedup();
                prop_assert_eq!(names.len(), bindings.len());
            }
        }
    }
}
