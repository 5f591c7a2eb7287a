//! A call that is up, whoever placed it: requests of the far end within it (BYE, re-INVITE, hold,
//! INFO, OPTIONS), our own end of it, and what both owe each other afterwards.

use ringback_media::Codec;
use rsipstack::sip::{Header, Method, Request, Response, StatusCodeKind};

use super::info::{self, Info};
use super::leg::{Heard, Leg};
use super::message::{self, header};
use super::refresh::{self, Outcome, Refresh};
use super::wire::{Asked, InviteEvent, Invited, Sent};
use super::{Core, EndCause, LegEvent, challenged, timers};
use crate::dialog::Dialog;
use crate::limits;
use crate::sdp;
use crate::session_timer::{self, Due, Granted, SessionTimer};

/// Carries a call from its answer to its end. `first`: a request that came before the call was known to be up.
pub(crate) async fn run(leg: Leg, dialog: Dialog, first: Option<Asked>) {
    leg.tell(LegEvent::Answered { dialog: dialog.to_text() });
    let mut call = Call { leg, dialog, reinvite: None, refresh: None };
    if call.leg.agreed.is_some_and(|agreed| agreed.held()) {
        call.leg.tell(LegEvent::Held(true));
    }
    let ended_by_first = match first {
        Some(request) => call.request(request).await,
        None => false,
    };
    let over = if ended_by_first { Over::FarHungUp } else { call.carry().await };
    match over {
        Over::FarHungUp => call.leg.end(EndCause::FarHangUp),
        Over::Ordered => hang_up(call.leg, call.dialog, EndCause::LocalHangUp).await,
        Over::Lost(why) => hang_up(call.leg, call.dialog, EndCause::Failed(why.to_owned())).await,
    }
}

/// How a call that is up comes to its end.
enum Over {
    FarHungUp,
    Ordered,
    /// The far end is gone; why we think so.
    Lost(&'static str),
}

struct Call {
    leg: Leg,
    dialog: Dialog,
    /// A re-INVITE answered and not yet acknowledged. The next one takes its place: who sends it is done with this.
    reinvite: Option<Invited>,
    /// A refresh of the session under way.
    refresh: Option<Refresh>,
}

impl Call {
    async fn carry(&mut self) -> Over {
        loop {
            let due = self.leg.timer.map(|timer| self.leg.core.started + timer.next());
            let over = tokio::select! {
                heard = self.leg.heard(|o| o.hang_up) => match heard {
                    Heard::Orders(_) => Some(Over::Ordered),
                    Heard::Request(request) => self.request(request).await.then_some(Over::FarHungUp),
                },
                event = next(&mut self.reinvite) => {
                    self.reinvited(event);
                    None
                }
                response = refresh::response(&mut self.refresh) => self.refreshed(response).await,
                () = at(due) => self.session_due().await,
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    async fn session_due(&mut self) -> Option<Over> {
        let now = self.leg.core.now();
        match self.leg.timer.as_mut()?.at(now) {
            Due::Nothing => None,
            Due::Refresh => {
                self.refresh = Refresh::begin(&mut self.leg, &mut self.dialog).await;
                None
            }
            Due::HangUp => Some(Over::Lost("the session was not refreshed in time")),
        }
    }

    async fn refreshed(&mut self, response: Option<Response>) -> Option<Over> {
        let refresh = self.refresh.take()?;
        match refresh.answered(&mut self.leg, &mut self.dialog, response).await {
            Outcome::Waiting(refresh) => self.refresh = Some(*refresh),
            Outcome::Done => {}
            Outcome::Lost => return Some(Over::Lost("the far end does not know the call any more")),
        }
        None
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
        let unsupported = message::unsupported(&request.original);
        if !unsupported.is_empty() && request.original.method != Method::Ack {
            wire.answer(request, 420, vec![header("Unsupported", unsupported.join(", "))]).await;
            return false;
        }
        match request.original.method {
            Method::Bye => {
                wire.answer(request, 200, Vec::new()).await;
                return true;
            }
            Method::Invite => self.reinvite(request).await,
            Method::Update => self.update(request).await,
            Method::Info => {
                let kind = message::values(&request.original, "Content-Type").next().unwrap_or_default();
                let (status, headers) = match info::read(kind, &request.original.body) {
                    Info::Key(tone) => {
                        core.media.signalled(self.leg.id, tone);
                        (200, Vec::new())
                    }
                    Info::Nothing => (200, Vec::new()),
                    Info::Malformed => (400, Vec::new()),
                    Info::Unknown => (415, vec![header("Accept", info::ACCEPT)]),
                };
                wire.answer(request, status, headers).await;
            }
            Method::Options => wire.answer(request, 200, allow()).await,
            Method::Ack => {}
            _ => wire.answer(request, 405, allow()).await,
        }
        false
    }

    /// What a re-INVITE or UPDATE does to the session timer, and what our 2xx says of it; `None`:
    /// it asks for too brief a time.
    fn retime(&mut self, request: &Request) -> Option<Vec<Header>> {
        let core = &self.leg.core;
        let bounds = core.config.session;
        match session_timer::grant(&timers::said(request), bounds) {
            Granted::TooBrief => None,
            Granted::Nothing => {
                self.leg.timer = None;
                Some(Vec::new())
            }
            Granted::Terms(terms) => {
                self.leg.timer = Some(SessionTimer::start(terms, core.now()));
                self.refresh = None;
                Some(timers::granted(terms))
            }
        }
    }

    /// An UPDATE: a refresh of the session, perhaps with a new offer (RFC 3311 §5.2).
    async fn update(&mut self, request: Asked) {
        let core = self.leg.core.clone();
        let wire = &core.wire;
        let offer = &request.original.body;
        if !offer.is_empty() && (self.reinvite.is_some() || self.refresh.is_some()) {
            return wire.answer(request, 491, Vec::new()).await;
        }
        let answer = match (offer.is_empty(), self.leg.next_local()) {
            (true, _) | (_, None) => Ok(None),
            (false, Some(local)) => sdp::answer(offer, &local).map(Some),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(sdp::SdpError::Malformed) => return wire.answer(request, 400, Vec::new()).await,
            Err(sdp::SdpError::NothingInCommon) => return wire.answer(request, 488, Vec::new()).await,
        };
        let Some(timing) = self.retime(&request.original) else {
            return wire.answer(request, 422, vec![too_brief(&core)]).await;
        };
        self.dialog.retarget(&request.original);
        let headers = [vec![self.leg.contact.clone(), header("Allow", message::ALLOW)], timing].concat();
        match answer {
            None => wire.answer(request, 200, headers).await,
            Some((body, agreed)) => {
                self.leg.connect(agreed);
                wire.answer_with(request, headers, body).await;
            }
        }
    }

    /// A re-INVITE: a new offer, most often hold, or a question for ours (RFC 3261 §14.2).
    async fn reinvite(&mut self, request: Asked) {
        let core = self.leg.core.clone();
        let invited = core.wire.invited(request, String::new());
        // Ours is under way: one of the two has to wait (RFC 3261 §14.2).
        if self.refresh.as_ref().is_some_and(Refresh::is_invite) {
            return invited.respond(core.wire.response(&invited.request, 491, "", Vec::new(), None));
        }
        let Some(local) = self.leg.next_local() else {
            return;
        };
        let offer = &invited.request.body;
        let answer = if offer.is_empty() {
            Ok((sdp::offer(&local, sdp::Direction::SendReceive), None))
        } else {
            sdp::answer(offer, &local).map(|(answer, agreed)| (answer, Some(agreed)))
        };
        // Only what is answered with a 2xx refreshes the session (RFC 4028 §9).
        let answer = answer.map(|answer| (answer, self.retime(&invited.request)));
        let (status, timing, body) = match answer {
            Ok(((body, agreed), Some(timing))) => {
                self.dialog.retarget(&invited.request);
                if let Some(agreed) = agreed {
                    self.leg.connect(agreed);
                }
                (200, timing, Some(body))
            }
            Ok((_, None)) => (422, vec![too_brief(&core)], None),
            Err(sdp::SdpError::Malformed) => (400, Vec::new(), None),
            Err(sdp::SdpError::NothingInCommon) => (488, Vec::new(), None),
        };
        let headers = [vec![self.leg.contact.clone(), header("Allow", message::ALLOW)], timing].concat();
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

/// `Min-SE`, for a 422 (RFC 4028 §6).
pub(crate) fn too_brief(core: &Core) -> Header {
    header("Min-SE", core.config.session.least.to_string())
}

async fn at(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
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
        Method::Update => 500,
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
    leg.answerer.begin();
    let aftermath = async {
        loop {
            tokio::select! {
                response = bye.last() => {
                    let response = response.filter(challenged::is_challenge);
                    let again = response.and_then(|r| challenged::credentials(&mut leg.answerer, &bye.request, &r));
                    let Some(credentials) = again else {
                        return;
                    };
                    match send_in_dialog(&leg.core, &mut dialog, Method::Bye, vec![credentials]).await {
                        Some(again) => bye = again,
                        None => return,
                    }
                }
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
    send_in_dialog(core, dialog, Method::Bye, Vec::new()).await
}

/// Sends a request without a body within a dialog; `None` when there is nowhere to send it.
pub(crate) async fn send_in_dialog(
    core: &Core,
    dialog: &mut Dialog,
    method: Method,
    headers: Vec<Header>,
) -> Option<Sent> {
    let to = core.wire.hop(dialog).await?;
    let mut request = dialog.request(method);
    request.headers.extend(headers);
    core.wire.send(request, &to)
}
