//! Registered at trunks until we stop, and asking them whether they are there: a task for all of them, which
//! reads the directory again each time, and what it found, for the operator. Knows no calls.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, Response, StatusCodeKind, Version};
use tokio::task::{JoinHandle, JoinSet};

use super::message::{self, header};
use super::trunk::Trunk;
use super::{Core, challenged, lock, wire};
use crate::credentials::Answerer;
use crate::limits;
use crate::upkeep::{Failure, Upkeep, refresh_after};

/// How a trunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Its name.
    pub name: String,
    /// Whether we are registered there; `None`: not asked for.
    pub registered: Option<bool>,
    /// Whether it answered when it was asked last; `None`: not asked, or not yet.
    pub answers: Option<bool>,
    /// What went wrong last, in words for an operator.
    pub problem: Option<String>,
}

/// What is kept of all trunks that are looked after.
#[derive(Default)]
pub(crate) struct Trunks {
    kept: HashMap<String, Kept>,
    /// We stop: nothing begins any more.
    left: bool,
}

struct Kept {
    trunk: Trunk,
    registration: Upkeep,
    /// The registration under way, or the last one.
    registering: Option<JoinHandle<()>>,
    asking: Upkeep,
    /// The registration's `Call-ID` and last sequence number.
    call_id: String,
    cseq: u32,
    registered_until: Option<Duration>,
    answers: Option<bool>,
    problem: Option<String>,
}

impl Kept {
    fn new(trunk: Trunk, now: Duration) -> Kept {
        Kept {
            trunk,
            registration: Upkeep::new(now),
            registering: None,
            asking: Upkeep::new(now),
            call_id: wire::tag(),
            cseq: 0,
            registered_until: None,
            answers: None,
            problem: None,
        }
    }
}

impl Trunks {
    /// As the directory has them now; what changed begins anew.
    fn follow(&mut self, trunks: Vec<Trunk>, now: Duration) {
        let looked_after = |trunk: &Trunk| trunk.register || trunk.keep_alive.is_some();
        let trunks: HashMap<String, Trunk> =
            trunks.into_iter().filter(looked_after).map(|trunk| (trunk.name.clone(), trunk)).collect();
        self.kept.retain(|name, kept| trunks.get(name) == Some(&kept.trunk));
        for (name, trunk) in trunks {
            self.kept.entry(name).or_insert_with(|| Kept::new(trunk, now));
        }
    }

    pub(crate) fn status(&self, now: Duration) -> Vec<TrunkStatus> {
        let mut all: Vec<_> = self
            .kept
            .values()
            .map(|kept| TrunkStatus {
                name: kept.trunk.name.clone(),
                registered: kept.trunk.register.then(|| kept.registered_until.is_some_and(|until| until > now)),
                answers: kept.answers,
                problem: kept.problem.clone(),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The trunk, unless it was changed meanwhile.
    fn of(&mut self, trunk: &Trunk) -> Option<&mut Kept> {
        self.kept.get_mut(&trunk.name).filter(|kept| kept.trunk == *trunk)
    }
}

/// Looks after the trunks until the endpoint is gone.
pub(crate) async fn keep(core: Weak<Core>) {
    loop {
        {
            let Some(core) = core.upgrade() else {
                return;
            };
            let now = core.now();
            let trunks = core.directory.trunks();
            let mut all = lock(&core.trunks);
            if all.left {
                return;
            }
            all.follow(trunks, now);
            for kept in all.kept.values_mut() {
                if kept.trunk.register && kept.registration.is_due(now) {
                    kept.registration.begun();
                    let registering = register(core.clone(), kept.trunk.clone(), kept.call_id.clone(), kept.cseq);
                    kept.registering = Some(tokio::spawn(registering));
                }
                if kept.trunk.keep_alive.is_some() && kept.asking.is_due(now) {
                    kept.asking.begun();
                    tokio::spawn(ask(core.clone(), kept.trunk.clone()));
                }
            }
        }
        tokio::time::sleep(limits::UPKEEP_TICK).await;
    }
}

/// Registers nowhere any more, and takes us off the trunks where we are registered (RFC 3261 §10.2.2), within
/// [`limits::UNREGISTER`].
pub(crate) async fn leave(core: &Arc<Core>) {
    let mut leaving = JoinSet::new();
    {
        let mut all = lock(&core.trunks);
        all.left = true;
        for kept in all.kept.values_mut() {
            leaving.spawn(unregister(core.clone(), kept.trunk.clone(), kept.registering.take()));
        }
    }
    if tokio::time::timeout(limits::UNREGISTER, leaving.join_all()).await.is_err() {
        tracing::warn!("a trunk did not answer in time, and has us registered still");
    }
}

async fn unregister(core: Arc<Core>, trunk: Trunk, registering: Option<JoinHandle<()>>) {
    // One that is under way may still be granted, and its sequence number is the last.
    if let Some(registering) = registering {
        let _ = registering.await;
    }
    let (call_id, cseq) = {
        let mut all = lock(&core.trunks);
        let Some(kept) = all.of(&trunk) else { return };
        if kept.registered_until.take().is_none_or(|until| until <= core.now()) {
            return;
        }
        (kept.call_id.clone(), kept.cseq)
    };
    let headers = vec![header("Expires", "0")];
    if let Some(request) = request(&core, &trunk, Method::Register, &call_id, headers)
        && let Err((problem, _)) = outcome(exchange(&core, &trunk, request, cseq).await.0.as_ref())
    {
        tracing::warn!(trunk = %trunk.name, problem, "still registered at a trunk");
    }
}

/// A request outside of calls, from us at the trunk, without its sequence number.
fn request(core: &Core, trunk: &Trunk, method: Method, call_id: &str, extra: Vec<Header>) -> Option<Request> {
    let host = trunk.authority();
    let user = trunk.login.as_ref().map_or("ringback", |login| &login.user);
    let own = message::address_of(user, &host)?;
    let mut contact = core.wire.contact(trunk.flow.transport, false);
    if method == Method::Register
        && let Some(mut uri) = message::address(contact.value().trim_matches(['<', '>']))
    {
        // What the trunk calls us by.
        uri.auth = own.auth.clone();
        contact = header("Contact", format!("<{uri}>"));
    }
    let mut headers = vec![
        header("Call-ID", call_id),
        header("From", message::name_address(None, &own, Some(&wire::tag()))),
        header("To", message::name_address(None, &own, None)),
        contact,
    ];
    headers.extend(extra);
    let uri = message::address(&format!("sip:{host}"))?;
    Some(Request { method, uri, version: Version::V2, headers: headers.into(), body: Vec::new() })
}

/// Sends a request, again if it is challenged, and gives the final response and the last sequence
/// number.
async fn exchange(core: &Core, trunk: &Trunk, mut request: Request, mut cseq: u32) -> (Option<Response>, u32) {
    let mut answerer = Answerer::new(trunk.login.clone());
    loop {
        cseq += 1;
        request.headers.unique_push(header("CSeq", format!("{cseq} {}", request.method)));
        let Some(mut sent) = core.wire.send(request.clone(), &trunk.hop()) else {
            return (None, cseq);
        };
        let response = sent.last().await;
        let again = response.as_ref().and_then(|r| challenged::credentials(&mut answerer, &request, r));
        match again {
            Some(credentials) => request.headers.unique_push(credentials),
            None => return (response, cseq),
        }
    }
}

async fn register(core: Arc<Core>, trunk: Trunk, call_id: String, cseq: u32) {
    let mut expires = limits::TRUNK_EXPIRES_SECONDS;
    let (mut response, mut cseq) = (None, cseq);
    // Once more if the time asked for is too brief.
    for _ in 0..2 {
        let headers = vec![header("Expires", expires.to_string())];
        let Some(request) = request(&core, &trunk, Method::Register, &call_id, headers) else {
            break;
        };
        (response, cseq) = exchange(&core, &trunk, request, cseq).await;
        let brief = response.as_ref().filter(|r| r.status_code.code() == 423);
        match brief.and_then(|r| message::values(r, "Min-Expires").next()?.trim().parse().ok()) {
            Some(least) if least > expires => expires = least,
            _ => break,
        }
    }
    let now = core.now();
    let mut all = lock(&core.trunks);
    let Some(kept) = all.of(&trunk) else {
        return;
    };
    kept.cseq = cseq;
    match outcome(response.as_ref()) {
        Ok(()) => {
            let contacts = response.map(|r| r.typed_contact_headers().unwrap_or_default()).unwrap_or_default();
            let seconds = contacts.iter().filter_map(|contact| contact.expires()).min().unwrap_or(expires);
            let granted = Duration::from_secs(seconds.max(limits::MIN_EXPIRES_SECONDS).into());
            kept.registered_until = Some(now + granted);
            kept.problem = None;
            kept.registration.done(now, refresh_after(granted));
        }
        Err((problem, failure)) => {
            tracing::warn!(trunk = %trunk.name, problem, "not registered at a trunk");
            kept.problem = Some(format!("registration: {problem}"));
            kept.registration.failed(now, failure);
        }
    }
}

/// What a final response to a REGISTER means.
fn outcome(response: Option<&Response>) -> Result<(), (String, Failure)> {
    let Some(response) = response else {
        return Err(("no connection".to_owned(), Failure::Passing));
    };
    match (response.status_code.kind(), response.status_code.code()) {
        (StatusCodeKind::Successful, _) => Ok(()),
        (_, 401 | 403 | 407) => Err(("the trunk refuses the configured login".to_owned(), Failure::Lasting)),
        (_, 408) => Err(("no answer".to_owned(), Failure::Passing)),
        (_, status) => Err((format!("the trunk answers {status}"), Failure::Passing)),
    }
}

/// Asks a trunk whether it is there. Whatever it answers says that it is.
async fn ask(core: Arc<Core>, trunk: Trunk) {
    let request = request(&core, &trunk, Method::Options, &wire::tag(), vec![header("Accept", message::SDP)]);
    let response = match request {
        Some(request) => exchange(&core, &trunk, request, 0).await.0,
        None => None,
    };
    let answers = response.is_some_and(|response| response.status_code.code() != 408);
    let now = core.now();
    let mut all = lock(&core.trunks);
    if let Some(kept) = all.of(&trunk) {
        if kept.answers != Some(answers) {
            tracing::info!(trunk = %trunk.name, answers, "a trunk");
        }
        kept.answers = Some(answers);
        kept.asking.done(now, trunk.keep_alive.unwrap_or(limits::UPKEEP_LONGEST_WAIT));
    }
}
