//! Sorts what comes in: requests of calls that are up go to their legs, REGISTER to the registrar,
//! INVITE becomes a leg once its sender is known, the rest is refused as cheaply as possible.

use std::net::IpAddr;
use std::sync::{Arc, Weak};

use rsipstack::sip::{Header, Method, Request, typed};
use rsipstack::transaction::TransactionReceiver;
use tokio::sync::mpsc::error::TrySendError;

use super::flow::Flow;
use super::message::{self, header};
use super::wire::Asked;
use super::{Core, Peer, incoming, lock, timers, wire};
use crate::digest::Verdict;
use crate::limits;
use crate::registrar::{Binding, Contacts, Refusal, Register};

/// Takes requests until the endpoint or its owner is gone.
pub(crate) async fn serve(core: Weak<Core>, mut requests: TransactionReceiver) {
    while let Some(transaction) = requests.recv().await {
        let Some(core) = core.upgrade() else {
            return;
        };
        dispatch(&core, Box::new(transaction)).await;
    }
}

async fn dispatch(core: &Arc<Core>, transaction: Asked) {
    let Some(source) = wire::source(&transaction) else {
        return;
    };
    if core.wire.transactions() > limits::MAX_TRANSACTIONS {
        return overloaded(core, transaction).await;
    }
    if let Some(local_tag) = message::to_tag(&transaction.original) {
        return in_dialog(core, transaction, local_tag, source).await;
    }
    let unsupported = message::unsupported(&transaction.original);
    if !unsupported.is_empty() && !matches!(transaction.original.method, Method::Ack | Method::Cancel) {
        if may_ask(core, source) {
            let unsupported = header("Unsupported", unsupported.join(", "));
            core.wire.answer_stateless(transaction, 420, vec![unsupported]).await;
        }
        return;
    }
    match transaction.original.method {
        Method::Register => register(core, transaction, source).await,
        Method::Invite => invite(core, transaction, source).await,
        Method::Ack | Method::Cancel => {}
        method => {
            if !may_ask(core, source) {
                return;
            }
            let (status, headers) = match method {
                Method::Options => (200, vec![header("Accept", message::SDP), header("Supported", timers::TIMER)]),
                Method::Bye | Method::Info | Method::PRack | Method::Update => (481, Vec::new()),
                _ => (405, Vec::new()),
            };
            let headers = [headers, vec![header("Allow", message::ALLOW)]].concat();
            core.wire.answer_stateless(transaction, status, headers).await;
        }
    }
}

async fn overloaded(core: &Core, transaction: Asked) {
    let retry = header("Retry-After", limits::RETRY_AFTER_SECONDS.to_string());
    core.wire.answer_stateless(transaction, 503, vec![retry]).await;
}

/// Whether a source may send one more request without proof of who it is. Beyond that it gets no
/// answer: a real phone repeats itself, and a guesser learns nothing.
fn may_ask(core: &Core, source: Flow) -> bool {
    core.directory.trunk_of(source).is_some() || lock(&core.sources).take(source.address.ip(), core.now())
}

/// A request within a dialog goes to its leg, which knows whether it is the far end's.
async fn in_dialog(core: &Arc<Core>, transaction: Asked, local_tag: String, source: Flow) {
    let key = message::call_id(&transaction.original).map(|call_id| (call_id, local_tag));
    let leg = key.and_then(|key| lock(&core.dialogs).get(&key).cloned());
    let transaction = match leg {
        None => transaction,
        Some(leg) => match leg.try_send(transaction) {
            Ok(()) => return,
            Err(TrySendError::Full(transaction)) => return overloaded(core, transaction).await,
            Err(TrySendError::Closed(transaction)) => transaction,
        },
    };
    if transaction.original.method != Method::Ack && may_ask(core, source) {
        core.wire.answer_stateless(transaction, 481, Vec::new()).await;
    }
}

/// Who sent a request, by digest. `None`: they were challenged, or dropped.
async fn authenticate(core: &Core, transaction: Asked, source: IpAddr) -> Option<(String, Asked)> {
    let now = core.now();
    if !lock(&core.sources).take(source, now) {
        return None;
    }
    let method = transaction.original.method.to_string();
    let given = message::values(&transaction.original, "Authorization").find(|value| {
        let realm = crate::digest::parameters(value).and_then(|mut p| p.remove("realm"));
        realm.as_deref() == Some(&core.config.realm)
    });
    let verdict = given.map_or(Verdict::Refused, |value| {
        core.challenger.judge(value, &method, source, now, |user| core.directory.ha1(user))
    });
    if let Verdict::Granted(user) = verdict {
        // This request's share, and that of the challenge it answers.
        lock(&core.sources).give_back(source, 2);
        return Some((user, transaction));
    }
    let stale = verdict == Verdict::Stale;
    let challenge = core.challenger.challenge(source, now, stale);
    let challenge = header("WWW-Authenticate", challenge);
    core.wire.answer_stateless(transaction, 401, vec![challenge]).await;
    None
}

async fn register(core: &Arc<Core>, transaction: Asked, source: Flow) {
    let Some((user, transaction)) = authenticate(core, transaction, source.address.ip()).await else {
        return;
    };
    let request = &transaction.original;
    if message::called_of_to(request) != user {
        return core.wire.answer_stateless(transaction, 403, Vec::new()).await;
    }
    let Some(facts) = facts(request, source) else {
        return core.wire.answer_stateless(transaction, 400, Vec::new()).await;
    };
    let now = core.now();
    let outcome = lock(&core.registrar)
        .register(&user, &facts, now)
        .map(|bindings| bindings.iter().map(|b| granted(b, now)).collect());
    let (status, headers) = match outcome {
        Ok(contacts) => (200, contacts),
        Err(Refusal::TooBrief) => {
            let least = limits::MIN_EXPIRES_SECONDS.to_string();
            (423, vec![header("Min-Expires", least)])
        }
        Err(Refusal::BadRequest) => (400, Vec::new()),
        Err(Refusal::OutOfOrder) => (500, Vec::new()),
        Err(Refusal::TooMany) => (403, Vec::new()),
        Err(Refusal::Full) => (503, vec![header("Retry-After", limits::RETRY_AFTER_SECONDS.to_string())]),
    };
    tracing::debug!(status, "registration");
    core.wire.answer(transaction, status, headers).await;
}

fn granted(binding: &Binding, now: std::time::Duration) -> Header {
    let seconds = binding.until.saturating_sub(now).as_secs_f64().round() as u64;
    header("Contact", format!("<{}>;expires={seconds}", binding.contact))
}

/// What a REGISTER asks; `None` when it cannot be read.
fn facts(request: &Request, source: Flow) -> Option<Register> {
    let mut list = Vec::new();
    let mut all = false;
    for value in message::values(request, "Contact") {
        if value.trim() == "*" {
            all = true;
            continue;
        }
        for contact in typed::Contact::parse_header_list(value).ok()? {
            let uri = message::address(&contact.uri.to_string())?;
            list.push((uri.to_string(), contact.expires()));
        }
    }
    let contacts = match (all, list.is_empty()) {
        (true, true) => Contacts::All,
        (true, false) => return None,
        (false, true) => Contacts::Query,
        (false, false) => Contacts::These(list),
    };
    let expires = message::values(request, "Expires").next();
    Some(Register {
        contacts,
        expires: expires.and_then(|e| e.trim().parse().ok()),
        call_id: message::call_id(request)?,
        cseq: message::cseq(request)?,
        flow: source,
    })
}

async fn invite(core: &Arc<Core>, transaction: Asked, source: Flow) {
    let by_address = core.directory.trunk_of(source).map(Peer::Trunk);
    let by_address = by_address.or_else(|| core.directory.scripted(source).map(Peer::Scripted));
    let (peer, transaction) = match by_address {
        Some(peer) => (peer, transaction),
        None => match authenticate(core, transaction, source.address.ip()).await {
            Some((user, transaction)) => (Peer::User(user), transaction),
            None => return,
        },
    };
    if let Some((status, headers)) = unfit(&transaction.original) {
        return core.wire.answer_stateless(transaction, status, headers).await;
    }
    let Ok(slot) = core.slots.clone().try_acquire_owned() else {
        return overloaded(core, transaction).await;
    };
    if let Some(leg) = incoming::enrol(core, transaction, peer, source, slot) {
        tokio::spawn(leg.run());
    }
}

/// Why an INVITE is refused whoever sent it.
fn unfit(request: &Request) -> Option<(u16, Vec<Header>)> {
    let kind = message::values(request, "Content-Type").next().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !request.body.is_empty() && !kind.eq_ignore_ascii_case(message::SDP) {
        return Some((415, vec![header("Accept", message::SDP)]));
    }
    if message::user(&request.uri).is_empty() {
        return Some((404, Vec::new()));
    }
    message::contact(request).is_none().then(|| (400, Vec::new()))
}
