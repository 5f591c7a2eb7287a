//! A session refresh of ours (RFC 4028 §7.4): UPDATE where the far end takes it, else a re-INVITE
//! with the session as it is; and what its responses mean.

use ringback_media::Codec;
use rsipstack::sip::{Header, Method, Response, StatusCodeKind};

use super::leg::Leg;
use super::message::{self, header};
use super::wire::Sent;
use super::{challenged, timers};
use crate::dialog::Dialog;
use crate::sdp;
use crate::session_timer::{self, SessionTimer};

/// One under way.
pub(crate) struct Refresh {
    sent: Sent,
    interval: u32,
    /// It was sent again because of what a response asked for.
    again: bool,
}

/// What a response came to.
pub(crate) enum Outcome {
    Waiting(Box<Refresh>),
    /// Refreshed; or not, and the session runs out unless somebody else refreshes it.
    Done,
    /// There is no such call at the far end.
    Lost,
}

/// The next response; never, where nothing is under way. Cancel-safe.
pub(crate) async fn response(refresh: &mut Option<Refresh>) -> Option<Response> {
    match refresh {
        Some(refresh) => refresh.sent.response().await,
        None => std::future::pending().await,
    }
}

impl Refresh {
    /// It is an INVITE, with an offer.
    pub(crate) fn is_invite(&self) -> bool {
        self.sent.request.method == Method::Invite
    }

    /// Asks for what was agreed last.
    pub(crate) async fn begin(leg: &mut Leg, dialog: &mut Dialog) -> Option<Refresh> {
        let interval = leg.timer?.terms().interval;
        leg.answerer.begin();
        let sent = send(leg, dialog, interval, Vec::new()).await?;
        Some(Refresh { sent, interval, again: false })
    }

    pub(crate) async fn answered(mut self, leg: &mut Leg, dialog: &mut Dialog, response: Option<Response>) -> Outcome {
        let Some(response) = response else {
            return Outcome::Lost;
        };
        let status = response.status_code.code();
        match response.status_code.kind() {
            StatusCodeKind::Provisional => return Outcome::Waiting(Box::new(self)),
            StatusCodeKind::Successful => {
                self.granted(leg, dialog, &response);
                return Outcome::Done;
            }
            _ => {}
        }
        let mut headers = Vec::new();
        match status {
            // RFC 4028 §10: no answer, or no such call.
            408 | 481 => return Outcome::Lost,
            401 | 407 => match challenged::credentials(&mut leg.answerer, &self.sent.request, &response) {
                Some(credentials) => headers.push(credentials),
                None => return Outcome::Done,
            },
            422 if !self.again => match timers::least(&response) {
                Some(least) => self.interval = self.interval.max(least),
                None => return Outcome::Done,
            },
            405 | 501 if self.sent.request.method == Method::Update => leg.updates = false,
            _ => {
                if let Some(timer) = &mut leg.timer {
                    timer.try_later(leg.core.now());
                }
                return Outcome::Done;
            }
        }
        match send(leg, dialog, self.interval, headers).await {
            Some(sent) => Outcome::Waiting(Box::new(Refresh { sent, interval: self.interval, again: true })),
            None => Outcome::Lost,
        }
    }

    fn granted(mut self, leg: &mut Leg, dialog: &mut Dialog, response: &Response) {
        let terms = session_timer::agreed(&timers::said(response), leg.core.config.session);
        leg.timer = terms.map(|terms| SessionTimer::start(terms, leg.core.now()));
        if let Some(target) = message::contact(response) {
            dialog.target = target;
        }
        if !self.is_invite() {
            return;
        }
        if let Ok(agreed) = sdp::read_answer(&response.body, Codec::ALL) {
            leg.connect(agreed);
        }
        // Repetitions of the answer are acknowledged as long as someone listens.
        tokio::spawn(async move { while self.sent.response().await.is_some() {} });
    }
}

async fn send(leg: &mut Leg, dialog: &mut Dialog, interval: u32, extra: Vec<Header>) -> Option<Sent> {
    let core = leg.core.clone();
    let to = core.wire.hop(dialog).await?;
    let mut request = dialog.request(if leg.updates { Method::Update } else { Method::Invite });
    request.headers.push(leg.contact.clone());
    request.headers.push(header("Supported", timers::TIMER));
    request.headers.extend(timers::asked(interval, core.config.session, true).into());
    request.headers.extend(extra);
    if request.method == Method::Invite {
        let local = leg.next_local()?;
        request.headers.push(header("Allow", message::ALLOW));
        request.headers.push(header("Content-Type", message::SDP));
        request.body = sdp::offer(&local, sdp::Direction::SendReceive);
    }
    core.wire.send(request, &to)
}
