//! A call we place: whom to send the INVITE to, what its responses mean, and giving up before an
//! answer. Up, it is `call`'s.

use std::sync::Arc;

use ringback_media::Codec;
use ringback_media::LegId;
use rsipstack::sip::{Method, Request, Response, StatusCodeKind, Uri, Version};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::flow::{Flow, Hop, Transport};
use super::leg::{Heard, Leg};
use super::message::{self, header};
use super::nat::NatMark;
use super::wire::{self, Sent};
use super::{Core, Destination, EndCause, LegEvent, Peer, Place, call, lock};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp;

/// A placed leg before its INVITE.
pub(crate) struct PlacedLeg {
    leg: Leg,
    call_id: String,
    tag: String,
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
    Some(PlacedLeg { leg, call_id, tag })
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
    let invite = placed.invite(&place, &target);
    let Some(mut invite) = invite.and_then(|invite| core.wire.send(invite, &target.to)) else {
        let cause = EndCause::Failed("the INVITE could not be made".to_owned());
        return placed.leg.end(cause);
    };
    match placed.ring(&mut invite).await {
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
    fn invite(&self, place: &Place, target: &Target) -> Option<Request> {
        let wire = &self.leg.core.wire;
        let from = message::address_of(&place.from_user, &wire.reached.to_string())?;
        let display = place.from_display.as_deref();
        let local = self.leg.local?;
        let headers = vec![
            header("Call-ID", self.call_id.as_str()),
            header("From", message::name_address(display, &from, Some(&self.tag))),
            header("To", message::name_address(None, &target.uri, None)),
            header("CSeq", "1 INVITE"),
            self.leg.contact.clone(),
            header("Allow", message::ALLOW),
            header("Content-Type", message::SDP),
        ];
        Some(Request {
            method: Method::Invite,
            uri: target.uri.clone(),
            version: Version::V2,
            headers: headers.into(),
            body: sdp::offer(&local, sdp::Direction::SendReceive),
        })
    }

    async fn ring(&mut self, invite: &mut Sent) -> Rung {
        let mut until = Instant::now() + limits::FIRST_RESPONSE;
        let mut provisional = false;
        let mut ringing = false;
        loop {
            let response = tokio::select! {
                response = invite.response() => response,
                heard = self.leg.heard(|o| o.hang_up) => match heard {
                    Heard::Orders(_) => return Rung::GivenUp(EndCause::LocalHangUp),
                    Heard::Request(request) => {
                        // No dialog is known before the answer, so nothing can be in it.
                        self.leg.core.wire.answer_stateless(request, 481, Vec::new()).await;
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
                }
                StatusCodeKind::Successful => return Rung::Answered(Box::new(response)),
                _ => return Rung::Refused(meaning(response.status_code.code())),
            }
        }
    }

    async fn answered(mut self, invite: Sent, response: &Response, target: &Target) {
        let flow = target.flow();
        let Some(dialog) = Dialog::uac(response, flow) else {
            // It was acknowledged, but without a contact nothing more can be said to it.
            let cause = EndCause::Failed("the answer names no contact".to_owned());
            return self.leg.end(cause);
        };
        tokio::spawn(end_forks(self.leg.core.clone(), invite, dialog.remote_tag.clone(), flow));
        match sdp::read_answer(&response.body, Codec::ALL) {
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

/// What a final refusal means.
fn meaning(status: u16) -> EndCause {
    match status {
        486 | 600 => EndCause::Busy,
        404 | 408 | 480 => EndCause::Unreachable,
        other => EndCause::Declined(other),
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
