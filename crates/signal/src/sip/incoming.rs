//! A call that comes in: told, rung, and then accepted, declined, given up by its caller or left
//! ringing too long. Up, it is `call`'s.

use std::sync::Arc;

use ringback_media::Codec;
use ringback_media::LegId;
use rsipstack::sip::Method;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::flow::Flow;
use super::leg::{Heard, Leg};
use super::wire::{self, Asked, InviteEvent, Invited};
use super::{Core, EndCause, Incoming, LegEvent, Peer, call, message, timers};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp::{self, SdpError};
use crate::session_timer::{self, Granted, SessionTimer};

/// An INVITE that may become a call.
pub(crate) struct IncomingLeg {
    leg: Leg,
    invited: Invited,
    dialog: Dialog,
    peer: Peer,
}

/// What an incoming leg's ringing came to.
enum Rung {
    Accepted,
    /// The INVITE gets this status, the leg ends so.
    Over(u16, EndCause),
}

/// Gives an INVITE a leg of its own, so that requests in its dialog find it from now on. `None`:
/// it has no readable dialog (it was looked at before; its transaction then ends unanswered).
pub(crate) fn enrol(
    core: &Arc<Core>,
    transaction: Asked,
    peer: Peer,
    source: Flow,
    slot: OwnedSemaphorePermit,
) -> Option<IncomingLeg> {
    let tag = wire::tag();
    let nat = core.directory.nat(&peer);
    let back = nat || source.transport.is_stream();
    let dialog = Dialog::uas(&transaction.original, &tag, back.then_some(source))?;
    let mut id = [0u8; 16];
    aws_lc_rs::rand::fill(&mut id).expect("the system gives random bytes");
    let id = LegId::from_u128(u128::from_be_bytes(id) & !(0xf << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62);
    let mut leg = Leg::enrol(core, id, (dialog.call_id.clone(), tag.clone()), slot)?;
    leg.nat = nat;
    leg.contact = core.wire.contact(source.transport, message::is_secure(&transaction.original.uri));
    Some(IncomingLeg { leg, invited: core.wire.invited(transaction, tag), dialog, peer })
}

impl IncomingLeg {
    /// From INVITE to the end.
    pub(crate) async fn run(mut self) {
        self.respond(100, None);
        if !self.leg.open_media() {
            tracing::warn!("no media port is free; an incoming call is refused");
            return self.refuse_untold(503);
        }
        let granted = session_timer::grant(&timers::said(&self.invited.request), self.leg.core.config.session);
        if granted == Granted::TooBrief {
            return self.refuse_untold(422);
        }
        let body = match self.prepare() {
            Ok(body) => body,
            Err(SdpError::Malformed) => return self.refuse_untold(400),
            Err(SdpError::NothingInCommon) => return self.refuse_untold(488),
        };
        let (from, from_display) = message::caller(&self.invited.request);
        let from = match &self.peer {
            Peer::User(user) => user.clone(),
            Peer::Trunk(_) | Peer::Scripted(_) => from,
        };
        self.leg.tell(LegEvent::Incoming(Incoming {
            peer: self.peer.clone(),
            from,
            from_display,
            called: message::user(&self.invited.request.uri),
        }));
        self.respond(180, None);
        match self.ring().await {
            Rung::Over(status, cause) => {
                self.respond(status, None);
                self.leg.end(cause);
            }
            Rung::Accepted => {
                if let Some(agreed) = self.leg.agreed.take() {
                    self.leg.connect(agreed);
                }
                if let Granted::Terms(terms) = granted {
                    self.leg.timer = Some(SessionTimer::start(terms, self.leg.core.now()));
                }
                self.leg.updates = message::lists(&self.invited.request, ["Allow"; 2], "UPDATE");
                self.respond(200, Some(body));
                self.acknowledged().await;
            }
        }
    }

    fn respond(&self, status: u16, body: Option<Vec<u8>>) {
        let mut headers = Vec::new();
        if status > 100 && status < 300 {
            let routes = message::values(&self.invited.request, "Record-Route");
            headers.extend(routes.map(|route| message::header("Record-Route", route)));
            headers.push(self.leg.contact.clone());
            headers.push(message::header("Allow", message::ALLOW));
        }
        if status == 200 {
            headers.push(message::header("Supported", timers::TIMER));
            headers.extend(self.leg.timer.map(|timer| timers::granted(timer.terms())).unwrap_or_default());
        }
        if status == 422 {
            headers.push(call::too_brief(&self.leg.core));
        }
        if status == 503 {
            let seconds = limits::RETRY_AFTER_SECONDS.to_string();
            headers.push(message::header("Retry-After", seconds));
        }
        let Invited { request, tag, .. } = &self.invited;
        let response = self.leg.core.wire.response(request, status, tag, headers, body);
        self.invited.respond(response);
    }

    /// Refuses a call nobody was told of, and tells nobody.
    fn refuse_untold(self, status: u16) {
        self.respond(status, None);
        self.leg.forget();
    }

    /// The description our 200 will carry: an answer to the caller's offer, or an offer where
    /// there was none (its answer then comes in the ACK).
    fn prepare(&mut self) -> Result<Vec<u8>, SdpError> {
        let local = self.leg.local.ok_or(SdpError::NothingInCommon)?;
        let offer = &self.invited.request.body;
        if offer.is_empty() {
            return Ok(sdp::offer(&local, sdp::Direction::SendReceive));
        }
        let (answer, agreed) = sdp::answer(offer, &local)?;
        self.leg.agreed = Some(agreed);
        Ok(answer)
    }

    async fn ring(&mut self) -> Rung {
        let until = Instant::now() + limits::RING_LIMIT;
        loop {
            tokio::select! {
                event = self.invited.event() => return match event {
                    Some(InviteEvent::Cancelled) => Rung::Over(487, EndCause::Cancelled),
                    // No acknowledgement can come before an answer.
                    Some(InviteEvent::Acknowledged(_)) | None => {
                        Rung::Over(500, EndCause::Failed("the INVITE's transaction ended".to_owned()))
                    }
                },
                heard = self.leg.heard(|o| o.accept || o.decline.is_some() || o.hang_up) => {
                    let orders = match heard {
                        Heard::Orders(orders) => orders,
                        // A caller may end an early dialog by BYE too (RFC 3261 §15).
                        Heard::Request(request) => match self.is_ended_by(request).await {
                            true => return Rung::Over(487, EndCause::Cancelled),
                            false => continue,
                        },
                    };
                    return match (orders.hang_up, orders.decline) {
                        (true, _) => Rung::Over(603, EndCause::LocalHangUp),
                        (false, Some(status)) => Rung::Over(status, EndCause::LocalHangUp),
                        (false, None) => Rung::Accepted,
                    };
                }
                () = sleep_until(until) => return Rung::Over(480, EndCause::NoAnswer),
            }
        }
    }

    /// Waits for the ACK of our 200, which must come before anything else may be sent (RFC 3261
    /// §15), then carries the call.
    async fn acknowledged(mut self) {
        let mut cancelled = false;
        loop {
            tokio::select! {
                event = self.invited.event() => match event {
                    Some(InviteEvent::Acknowledged(answer)) => {
                        return if cancelled {
                            call::hang_up(self.leg, self.dialog, EndCause::Cancelled).await;
                        } else if self.agreed_late(&answer) {
                            call::run(self.leg, self.dialog, None).await;
                        } else {
                            let cause = EndCause::Failed("no audio stream in common".to_owned());
                            call::hang_up(self.leg, self.dialog, cause).await;
                        };
                    }
                    // The CANCEL crossed our 200: the call exists and needs a BYE.
                    Some(InviteEvent::Cancelled) => cancelled = true,
                    None => {
                        let cause = EndCause::Failed("the answer was not acknowledged".to_owned());
                        return call::hang_up(self.leg, self.dialog, cause).await;
                    }
                },
                Heard::Request(request) = self.leg.heard(|_| false) => {
                    // Who asks for something within the call has our 200; the ACK may come by
                    // another way and later, or be lost.
                    if !cancelled && self.leg.agreed.is_some() && self.dialog.is_of(&request.original) {
                        return call::run(self.leg, self.dialog, Some(request)).await;
                    }
                    if self.is_ended_by(request).await {
                        return self.leg.end(EndCause::FarHangUp);
                    }
                }
            }
        }
    }

    /// Answers a request that comes before the call is settled; true when it was a BYE.
    async fn is_ended_by(&self, request: Asked) -> bool {
        let core = &self.leg.core;
        if request.original.method == Method::Bye && self.dialog.is_of(&request.original) {
            core.wire.answer(request, 200, Vec::new()).await;
            return true;
        }
        call::too_early(core, &self.dialog, request).await;
        false
    }

    /// Where our 200 made the offer, the ACK brings the answer.
    fn agreed_late(&mut self, answer: &[u8]) -> bool {
        if self.leg.agreed.is_none()
            && let Ok(agreed) = sdp::read_answer(answer, Codec::ALL)
        {
            self.leg.connect(agreed);
        }
        self.leg.agreed.is_some()
    }
}
