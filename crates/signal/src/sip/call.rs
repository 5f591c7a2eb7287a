//! A call that is up, whoever placed it: requests of the far end within it (BYE, re-INVITE, hold,
//! INFO, OPTIONS), our own end of it, and what both owe each other afterwards.

use ringback_media::Codec;
use rsipstack::sip::{Method, StatusCodeKind};

use super::leg::{Heard, Leg};
use super::message::{self, header};
use super::wire::{Asked, InviteEvent, Invited, Sent};
use super::{Core, EndCause, LegEvent};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp;

/// Carries a call from its answer to its end. `first`: a request that came before the call was known to be up.
pub(crate) async fn run(leg: Leg, dialog: Dialog, first: Option<Asked>) {
    leg.tell(LegEvent::Answered { dialog: dialog.to_text() });
    let mut call = Call { leg, dialog, reinvite: None };
    if call.leg.agreed.is_some_and(|agreed| agreed.held()) {
        call.leg.tell(LegEvent::Held(true));
    }
    let ended_by_first = match first {
        Some(request) => call.request(request).await,
        None => false,
    };
    let far_hung_up = ended_by_first || call.carry().await;
    if far_hung_up {
        call.leg.end(EndCause::FarHangUp);
    } else {
        hang_up(call.leg, call.dialog, EndCause::LocalHangUp).await;
    }
}

struct Call {
    leg: Leg,
    dialog: Dialog,
    /// A re-INVITE answered and not yet acknowledged. The next one takes its place: who sends it is done with this.
    reinvite: Option<Invited>,
}

impl Call {
    /// True when the far end hung up, false when we are to.
    async fn carry(&mut self) -> bool {
        loop {
            tokio::select! {
                heard = self.leg.heard(|o| o.hang_up) => match heard {
                    Heard::Orders(_) => return false,
                    Heard::Request(request) => {
                        if self.request(request).await {
                            return true;
                        }
                    }
                },
                event = next(&mut self.reinvite) => self.reinvited(event),
            }
        }
    }

    /// Answers a request within the call; true when it ended it.
    async fn request(&mut self, request: Asked) -> bool {
        let core = self.leg.core.clone();
        let wire = &core.wire;
        if !self.dialog.is_of(&request.original) {
            wire.answer_stateless(request, 481, Vec::new()).await;
            return false;
        }
        if !self.dialog.advance(&request.original) {
            wire.answer(request, 500, Vec::new()).await;
            return false;
        }
        let allow = || vec![header("Allow", message::ALLOW)];
        match request.original.method {
            Method::Bye => {
                wire.answer(request, 200, Vec::new()).await;
                return true;
            }
            Method::Invite => self.reinvite(request).await,
            // Keys come by RFC 4733; an INFO is taken politely and means nothing.
            Method::Info => wire.answer(request, 200, Vec::new()).await,
            Method::Options => wire.answer(request, 200, allow()).await,
            Method::Ack => {}
            _ => wire.answer(request, 405, allow()).await,
        }
        false
    }

    /// A re-INVITE: a new offer, most often hold, or a question for ours (RFC 3261 §14.2).
    async fn reinvite(&mut self, request: Asked) {
        let core = self.leg.core.clone();
        let invited = core.wire.invited(request, String::new());
        let Some(local) = self.leg.next_local() else {
            return;
        };
        let offer = &invited.request.body;
        let answer = if offer.is_empty() {
            Ok((sdp::offer(&local, sdp::Direction::SendReceive), None))
        } else {
            sdp::answer(offer, &local).map(|(answer, agreed)| (answer, Some(agreed)))
        };
        let (status, body) = match answer {
            Ok((body, agreed)) => {
                self.dialog.retarget(&invited.request);
                if let Some(agreed) = agreed {
                    self.leg.connect(agreed);
                }
                (200, Some(body))
            }
            Err(sdp::SdpError::Malformed) => (400, None),
            Err(sdp::SdpError::NothingInCommon) => (488, None),
        };
        let headers = vec![self.leg.contact.clone(), header("Allow", message::ALLOW)];
        let response = core.wire.response(&invited.request, status, &invited.tag, headers, body);
        let accepted = response.status_code.kind() == StatusCodeKind::Successful;
        invited.respond(response);
        if accepted {
            self.reinvite = Some(invited);
        }
    }

    fn reinvited(&mut self, event: Option<InviteEvent>) {
        let Some(reinvite) = self.reinvite.take() else {
            return;
        };
        if let Some(InviteEvent::Acknowledged(answer)) = event
            && reinvite.request.body.is_empty()
            && let Ok(agreed) = sdp::read_answer(&answer, Codec::ALL)
        {
            self.leg.connect(agreed);
        }
    }
}

async fn next(invited: &mut Option<Invited>) -> Option<InviteEvent> {
    match invited {
        Some(invited) => invited.event().await,
        None => std::future::pending().await,
    }
}

/// A request in a dialog whose INVITE is not settled yet, other than BYE.
pub(crate) async fn too_early(core: &Core, dialog: &Dialog, request: Asked) {
    let status = match request.original.method {
        _ if !dialog.is_of(&request.original) => 481,
        Method::Options | Method::Info => 200,
        Method::Invite => 491,
        Method::Ack => return,
        _ => 405,
    };
    core.wire.answer_stateless(request, status, Vec::new()).await;
}

/// Ends a leg that is up: told at once, then BYE, and polite to what crosses it.
pub(crate) async fn hang_up(mut leg: Leg, mut dialog: Dialog, cause: EndCause) {
    leg.end(cause);
    let Some(mut bye) = send_bye(&leg.core, &mut dialog).await else {
        return;
    };
    let aftermath = async {
        loop {
            tokio::select! {
                _ = bye.last() => return,
                Heard::Request(request) = leg.heard(|_| false) => {
                    let is_bye = request.original.method == Method::Bye;
                    let status = if is_bye && dialog.is_of(&request.original) { 200 } else { 481 };
                    leg.core.wire.answer(request, status, Vec::new()).await;
                }
            }
        }
    };
    let _ = tokio::time::timeout(limits::AFTERMATH, aftermath).await;
}

/// Sends a BYE; `None` when there is nowhere to send it.
pub(crate) async fn send_bye(core: &Core, dialog: &mut Dialog) -> Option<Sent> {
    let to = core.wire.hop(dialog).await?;
    core.wire.send(dialog.request(Method::Bye), &to)
}
