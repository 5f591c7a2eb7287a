//! A call we place: whom to send the INVITE to, what its responses mean, and giving up before an
//! answer. Up, it is `call`'s.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ringback_media::{Codec, LegId};
use rsipstack::sip::{Method, Request, Response, StatusCodeKind, Uri, Version};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::flow::{Flow, Hop, Transport};
use super::leg::{Heard, Leg};
use super::message::{self, header};
use super::nat::NatMark;
use super::wire::{self, Asked, Sent};
use super::{Core, Destination, EndCause, LegEvent, Peer, Place, call, challenged, lock, timers};
use crate::credentials::Answerer;
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp;
use crate::session_timer::{self, SessionTimer};

/// The option tag of provisional responses that are acknowledged (RFC 3262).
const RELIABLE: &str = "100rel";

/// A placed leg before its answer.
pub(crate) struct PlacedLeg {
    leg: Leg,
    call_id: String,
    tag: String,
    /// The INVITE as it is sent next, but for its sequence number.
    draft: Request,
    cseq: u32,
    /// What the INVITE asks a session to last without a refresh, in seconds.
    interval: u32,
    /// Dialogs of provisional responses, by the far end's tag.
    early: HashMap<String, Early>,
}

/// A dialog that a provisional response made (RFC 3261 §12.1).
struct Early {
    dialog: Dialog,
    /// `RSeq` of the last reliable response acknowledged (RFC 3262 §4).
    acknowledged: Option<u32>,
}

/// Where an INVITE goes.
struct Target {
    uri: Uri,
    to: Hop,
    nat: bool,
}

impl Target {
    /// Where requests of the call go, whatever the far end's contact says.
    fn flow(&self) -> Option<Flow> {
        (self.nat || self.to.flow.transport.is_stream()).then_some(self.to.flow)
    }
}

/// What ringing came to.
enum Rung {
    Answered(Box<Response>),
    Refused(EndCause),
    /// We give up; told so.
    GivenUp(EndCause),
}

/// Puts a leg to be placed on the lists. `None` when its id is taken.
pub(crate) fn enrol(core: &Arc<Core>, id: LegId, slot: OwnedSemaphorePermit) -> Option<PlacedLeg> {
    let (call_id, tag) = (wire::tag(), wire::tag());
    let leg = Leg::enrol(core, id, (call_id.clone(), tag.clone()), slot)?;
    let draft = Request {
        method: Method::Invite,
        uri: Uri::default(),
        version: Version::V2,
        headers: Vec::new().into(),
        body: Vec::new(),
    };
    let interval = core.config.session.usual;
    Some(PlacedLeg { leg, call_id, tag, draft, cseq: 0, interval, early: HashMap::new() })
}

/// From order to end.
pub(crate) async fn run(mut placed: PlacedLeg, place: Place) {
    let core = placed.leg.core.clone();
    let Some(target) = find(&core, &place.to).await else {
        return placed.leg.end(EndCause::Unreachable);
    };
    placed.leg.nat = target.nat;
    placed.leg.contact = core.wire.contact(target.to.flow.transport, message::is_secure(&target.uri));
    let _mark: Option<NatMark> = target.nat.then(|| core.wire.nat.mark(target.to.flow.address));
    if !placed.leg.open_media() {
        tracing::warn!("no media port is free; a call is not placed");
        let cause = EndCause::Failed("no media port is free".to_owned());
        return placed.leg.end(cause);
    }
    if let Destination::Trunk { trunk, .. } = &place.to {
        placed.leg.answerer = Answerer::new(trunk.login.clone());
    }
    let invite = placed.draft(&place, &target).and_then(|()| placed.send(&target));
    let Some(mut invite) = invite else {
        let cause = EndCause::Failed("the INVITE could not be made".to_owned());
        return placed.leg.end(cause);
    };
    match placed.ring(&mut invite, &target).await {
        Rung::Answered(response) => placed.answered(invite, &response, &target).await,
        Rung::Refused(cause) => placed.leg.end(cause),
        Rung::GivenUp(cause) => {
            placed.leg.end(cause);
            placed.give_up(invite, &target).await;
        }
    }
}

/// Where a destination is now. `None`: nowhere.
async fn find(core: &Core, destination: &Destination) -> Option<Target> {
    match destination {
        Destination::User(user) => {
            let binding = lock(&core.registrar).current(user, core.now(), |flow| core.wire.is_open(flow)).cloned()?;
            let uri = message::address(&binding.contact)?;
            let nat = core.directory.nat(&Peer::User(user.clone()));
            // A contact may name another port of the phone, never another host: else a user could point calls, which
            // carry our address, at a trunk or at anyone inside.
            // Nor does a contact change the transport: a stream is the only way back to who opened it.
            let direct = nat || binding.flow.transport.is_stream();
            let contact = if direct { None } else { Hop::of(&uri).await };
            let is_same =
                |hop: &Hop| hop.flow.transport == Transport::Udp && hop.flow.address.ip() == binding.flow.address.ip();
            let to = contact.filter(is_same).unwrap_or(Hop::back(binding.flow));
            Some(Target { uri, to, nat })
        }
        Destination::Trunk { trunk, number } => Some(Target {
            uri: message::address_of(number, &trunk.authority())?,
            to: trunk.hop(),
            nat: core.directory.nat(&Peer::Trunk(trunk.name.clone())),
        }),
        Destination::Uri(text) => {
            let uri = message::address(text)?;
            let to = Hop::of(&uri).await?;
            Some(Target { uri, to, nat: false })
        }
    }
}

impl PlacedLeg {
    fn draft(&mut self, place: &Place, target: &Target) -> Option<()> {
        let core = &self.leg.core;
        let host = match &place.to {
            Destination::Trunk { trunk, .. } => trunk.host.clone(),
            Destination::User(_) | Destination::Uri(_) => None,
        };
        let from = message::address_of(&place.from_user, &host.unwrap_or_else(|| core.wire.reached.to_string()))?;
        let display = place.from_display.as_deref();
        let local = self.leg.local?;
        let mut headers = vec![
            header("Call-ID", self.call_id.as_str()),
            header("From", message::name_address(display, &from, Some(&self.tag))),
            header("To", message::name_address(None, &target.uri, None)),
            self.leg.contact.clone(),
            header("Allow", message::ALLOW),
            header("Supported", format!("{}, {RELIABLE}", timers::TIMER)),
            header("Content-Type", message::SDP),
        ];
        headers.extend(timers::asked(self.interval, core.config.session, false));
        self.draft.headers = headers.into();
        self.draft.uri = target.uri.clone();
        self.draft.body = sdp::offer(&local, sdp::Direction::SendReceive);
        Some(())
    }

    /// Sends the INVITE, each time with the next number.
    fn send(&mut self, target: &Target) -> Option<Sent> {
        self.cseq += 1;
        self.early.clear();
        self.draft.headers.unique_push(header("CSeq", format!("{} INVITE", self.cseq)));
        self.leg.core.wire.send(self.draft.clone(), &target.to)
    }

    /// The INVITE once more, where a refusal says how it would be taken: with credentials, or with a
    /// longer session.
    fn again(&mut self, response: &Response, target: &Target) -> Option<Sent> {
        if let Some(credentials) = challenged::credentials(&mut self.leg.answerer, &self.draft, response) {
            self.draft.headers.unique_push(credentials);
            return self.send(target);
        }
        let least = timers::least(response).filter(|least| *least > self.interval)?;
        if response.status_code.code() != 422 {
            return None;
        }
        self.interval = least;
        for asked in timers::asked(least, self.leg.core.config.session, false) {
            self.draft.headers.unique_push(asked);
        }
        self.send(target)
    }

    async fn ring(&mut self, invite: &mut Sent, target: &Target) -> Rung {
        let mut until = Instant::now() + limits::FIRST_RESPONSE;
        let mut provisional = false;
        let mut ringing = false;
        loop {
            let response = tokio::select! {
                response = invite.response() => response,
                heard = self.leg.heard(|o| o.hang_up) => match heard {
                    Heard::Orders(_) => return Rung::GivenUp(EndCause::LocalHangUp),
                    Heard::Request(request) => {
                        self.too_early(request).await;
                        continue;
                    }
                },
                () = sleep_until(until) => return if provisional {
                    Rung::GivenUp(EndCause::NoAnswer)
                } else {
                    invite.abandon();
                    Rung::Refused(EndCause::Unreachable)
                },
            };
            let Some(response) = response else {
                return Rung::Refused(EndCause::Unreachable);
            };
            match response.status_code.kind() {
                StatusCodeKind::Provisional => {
                    if !provisional {
                        provisional = true;
                        until = Instant::now() + limits::RING_LIMIT;
                    }
                    let rings = matches!(response.status_code.code(), 180 | 183);
                    if rings && !std::mem::replace(&mut ringing, true) {
                        self.leg.tell(LegEvent::Ringing);
                    }
                    self.provisional(&response, target).await;
                }
                StatusCodeKind::Successful => return Rung::Answered(Box::new(response)),
                _ => match self.again(&response, target) {
                    Some(again) => *invite = again,
                    None => return Rung::Refused(self.meaning(&response)),
                },
            }
        }
    }

    /// A request before the answer. What is not of an early dialog cannot be in any.
    async fn too_early(&mut self, request: Asked) {
        let tag = message::from_tag(&request.original).unwrap_or_default();
        let core = self.leg.core.clone();
        match self.early.get(&tag) {
            Some(early) => call::too_early(&core, &early.dialog, request).await,
            None => core.wire.answer_stateless(request, 481, Vec::new()).await,
        }
    }

    /// A provisional response may bring audio before the answer, and may want to be acknowledged.
    async fn provisional(&mut self, response: &Response, target: &Target) {
        if let Ok(agreed) = sdp::read_answer(&response.body, Codec::ALL)
            && self.leg.agreed != Some(agreed)
        {
            self.leg.connect(agreed);
        }
        let reliable = message::lists(response, ["Require"; 2], RELIABLE);
        let number = message::values(response, "RSeq").next().and_then(|number| number.trim().parse::<u32>().ok());
        let (true, Some(number), Some(dialog)) = (reliable, number, Dialog::uac(response, target.flow())) else {
            return;
        };
        let room = self.early.len() < limits::MAX_INVITE_EVENTS;
        let early = match self.early.entry(dialog.remote_tag.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if room => new.insert(Early { dialog, acknowledged: None }),
            Entry::Vacant(_) => return,
        };
        // One after the other; what is out of order is sent again (RFC 3262 §4).
        if early.acknowledged.is_some_and(|last| number != last.wrapping_add(1)) {
            return;
        }
        early.acknowledged = Some(number);
        let acknowledged = vec![header("RAck", format!("{number} {} INVITE", self.cseq))];
        let _ = call::send_in_dialog(&self.leg.core, &mut early.dialog, Method::PRack, acknowledged).await;
    }

    /// What a final refusal means.
    fn meaning(&self, response: &Response) -> EndCause {
        match response.status_code.code() {
            486 | 600 => EndCause::Busy,
            404 | 408 | 480 => EndCause::Unreachable,
            401 | 407 if self.leg.answerer.has_login() => {
                EndCause::Failed("the trunk refuses the configured login".to_owned())
            }
            other => EndCause::Declined(other),
        }
    }

    async fn answered(mut self, invite: Sent, response: &Response, target: &Target) {
        let flow = target.flow();
        let Some(mut dialog) = Dialog::uac(response, flow) else {
            // It was acknowledged, but without a contact nothing more can be said to it.
            let cause = EndCause::Failed("the answer names no contact".to_owned());
            return self.leg.end(cause);
        };
        tokio::spawn(end_forks(self.leg.core.clone(), invite, dialog.remote_tag.clone(), flow));
        // Acknowledged provisional responses were numbered too.
        if let Some(early) = self.early.get(&dialog.remote_tag) {
            dialog.local_cseq = early.dialog.local_cseq.max(dialog.local_cseq);
        }
        let core = self.leg.core.clone();
        self.leg.updates = message::lists(response, ["Allow"; 2], "UPDATE");
        let terms = session_timer::agreed(&timers::said(response), core.config.session);
        self.leg.timer = terms.map(|terms| SessionTimer::start(terms, core.now()));
        // What an earlier response answered need not be answered again (RFC 3261 §13.2.1).
        let agreed = match self.leg.agreed {
            Some(early) if response.body.is_empty() => Ok(early),
            _ => sdp::read_answer(&response.body, Codec::ALL),
        };
        match agreed {
            Ok(agreed) => {
                self.leg.connect(agreed);
                call::run(self.leg, dialog, None).await;
            }
            Err(_) => {
                let cause = EndCause::Failed("the answer has no audio stream we know".to_owned());
                call::hang_up(self.leg, dialog, cause).await;
            }
        }
    }

    /// Takes an INVITE back. A CANCEL may only follow a provisional response (RFC 3261 §9.1), and
    /// a 2xx may cross it: then the call is up and is hung up.
    async fn give_up(self, mut invite: Sent, target: &Target) {
        let core = &self.leg.core;
        let until = Instant::now() + limits::AFTERMATH;
        let mut cancel = None;
        if invite.provisional() {
            cancel = core.wire.cancel(&invite);
        }
        while let Ok(Some(response)) = timeout_at(until, invite.response()).await {
            match response.status_code.kind() {
                StatusCodeKind::Provisional if cancel.is_none() => {
                    cancel = core.wire.cancel(&invite);
                }
                StatusCodeKind::Provisional => {}
                StatusCodeKind::Successful => {
                    let flow = target.flow();
                    let Some(mut dialog) = Dialog::uac(&response, flow) else {
                        return;
                    };
                    let bye = call::send_bye(core, &mut dialog).await;
                    tokio::spawn(end_forks(core.clone(), invite, dialog.remote_tag, flow));
                    if let Some(mut bye) = bye {
                        let _ = timeout_at(until, bye.last()).await;
                    }
                    return;
                }
                _ => return,
            }
        }
        invite.abandon();
    }
}

/// A proxy may let several phones answer one INVITE. The first won; the others are hung up. Runs
/// until the INVITE's transaction is over, 32 s after its first answer.
async fn end_forks(core: Arc<Core>, mut invite: Sent, winner: String, flow: Option<Flow>) {
    let mut ended = vec![winner];
    while let Some(response) = invite.response().await {
        if response.status_code.kind() != StatusCodeKind::Successful {
            continue;
        }
        let Some(mut dialog) = Dialog::uac(&response, flow) else {
            continue;
        };
        let known = ended.contains(&dialog.remote_tag);
        if !known && ended.len() < limits::MAX_INVITE_EVENTS {
            ended.push(dialog.remote_tag.clone());
            let _ = call::send_bye(&core, &mut dialog).await;
        }
    }
}
