//! A dialog's numbers (RFC 3261 §12): what is needed to send a request to the far end of a call,
//! now or after a restart. Pure; knows no socket and no transaction.

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, Uri, Version, typed};

use crate::sip::flow::Flow;
use crate::sip::message;

/// First line of the text form; another form gets another number.
const FORM: &str = "ringback-dialog 1";

/// One dialog, seen from us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// Our `From` value, tag included.
    pub(crate) local: String,
    /// Our `To` value, tag included.
    pub(crate) remote: String,
    /// The far end's tag.
    pub(crate) remote_tag: String,
    /// Sequence number of our last request.
    pub(crate) local_cseq: u32,
    /// Sequence number of the far end's last request.
    pub(crate) remote_cseq: Option<u32>,
    /// The far end's contact.
    pub(crate) target: Uri,
    /// `Route` values, nearest first.
    pub(crate) routes: Vec<String>,
    /// Where to send instead of where the numbers above say: the far end is behind a NAT, or its
    /// messages come by a connection.
    pub(crate) flow: Option<Flow>,
}

impl Dialog {
    /// The dialog an INVITE to us makes (RFC 3261 §12.1.1). `None` where a header is missing.
    pub(crate) fn uas(invite: &Request, local_tag: &str, flow: Option<Flow>) -> Option<Dialog> {
        Some(Dialog {
            call_id: message::call_id(invite)?,
            local: format!("{};tag={local_tag}", invite.to_header().ok()?.value()),
            remote: invite.from_header().ok()?.value().to_owned(),
            remote_tag: message::from_tag(invite)?,
            local_cseq: 0,
            remote_cseq: message::cseq(invite),
            target: message::contact(invite)?,
            routes: message::record_routes(invite),
            flow,
        })
    }

    /// The dialog a 2xx to our INVITE makes (RFC 3261 §12.1.2). `None` where a header is missing.
    pub(crate) fn uac(response: &Response, flow: Option<Flow>) -> Option<Dialog> {
        let mut routes = message::record_routes(response);
        routes.reverse();
        Some(Dialog {
            call_id: message::call_id(response)?,
            local: response.from_header().ok()?.value().to_owned(),
            remote: response.to_header().ok()?.value().to_owned(),
            remote_tag: message::to_tag(response)?,
            local_cseq: message::cseq(response)?,
            remote_cseq: None,
            target: message::contact(response)?,
            routes,
            flow,
        })
    }

    /// Whether a request is of this dialog: its `From` bears the far end's tag. (`Call-ID` and
    /// our own tag are what it was found by.)
    pub(crate) fn is_of(&self, request: &Request) -> bool {
        message::from_tag(request).as_deref() == Some(&self.remote_tag)
    }

    /// Takes note of a request's sequence number; false when it is out of order (RFC 3261
    /// §12.2.2).
    pub(crate) fn advance(&mut self, request: &Request) -> bool {
        let Some(seq) = message::cseq(request) else {
            return false;
        };
        if self.remote_cseq.is_some_and(|last| seq < last) {
            return false;
        }
        self.remote_cseq = Some(seq);
        true
    }

    /// A far end's re-INVITE may move it (RFC 3261 §12.2.2).
    pub(crate) fn retarget(&mut self, request: &Request) {
        if let Some(target) = message::contact(request) {
            self.target = target;
        }
    }

    /// The next request within the dialog, without `Via` and body (RFC 3261 §12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        let mut headers = vec![
            message::header("Call-ID", self.call_id.as_str()),
            message::header("From", self.local.as_str()),
            message::header("To", self.remote.as_str()),
            message::header("CSeq", format!("{} {method}", self.local_cseq)),
        ];
        headers.extend(self.routes.iter().map(|r| message::header("Route", r.as_str())));
        Request { method, uri: self.target.clone(), version: Version::V2, headers: headers.into(), body: Vec::new() }
    }

    /// The address the next request goes to, and that it names a host of.
    pub(crate) fn next_hop(&self) -> Uri {
        let route = self.routes.first().and_then(|r| typed::Route::parse_header_list(r).ok());
        let route = route.and_then(|list| list.into_iter().next());
        route.map_or_else(|| self.target.clone(), |r| r.uri)
    }

    /// As text, for a record that outlives this process.
    pub(crate) fn to_text(&self) -> String {
        let flow = self.flow.map(|f| f.to_string()).unwrap_or_default();
        let fixed = [
            FORM,
            &self.call_id,
            &self.local,
            &self.remote,
            &self.remote_tag,
            &self.local_cseq.to_string(),
            &self.target.to_string(),
            &flow,
        ];
        let routes = self.routes.iter().map(String::as_str);
        fixed.into_iter().chain(routes).collect::<Vec<_>>().join("\n")
    }

    /// From [`Dialog::to_text`]; `None` when it is not that.
    pub(crate) fn from_text(text: &str) -> Option<Dialog> {
        let mut lines = text.split('\n');
        if lines.next()? != FORM {
            return None;
        }
        let mut next = || lines.next().map(str::to_owned);
        let dialog = Dialog {
            call_id: next()?,
            local: next()?,
            remote: next()?,
            remote_tag: next()?,
            local_cseq: next()?.parse().ok()?,
            remote_cseq: None,
            target: message::address(&next()?)?,
            flow: match next()?.as_str() {
                "" => None,
                flow => Some(flow.parse().ok()?),
            },
            routes: Vec::new(),
        };
        let routes = lines.map(str::to_owned).collect();
        Some(Dialog { routes, ..dialog })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rsipstack::sip::SipMessage;

    fn message(text: &str) -> SipMessage {
        text.replace('\n', "\r\n").as_str().try_into().unwrap()
    }

    fn invite() -> Request {
        let text = "INVITE sip:bot@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\n\
            Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:p1.example;lr>\n\
            From: \"A\" <sip:1001@192.0.2.1>;tag=far\nTo: <sip:bot@192.0.2.1>\nCall-ID: c\n\
            CSeq: 7 INVITE\nContact: <sip:1001@192.0.2.9:5070;ob>\nContent-Length: 0\n\n";
        match message(text) {
            SipMessage::Request(request) => request,
            SipMessage::Response(_) => panic!("a request"),
        }
    }

    fn ok() -> Response {
        let text = "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n\
            Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\n\
            From: <sip:bot@192.0.2.1>;tag=near\nTo: <sip:1001@192.0.2.9>;tag=far\nCall-ID: c\n\
            CSeq: 3 INVITE\nContact: <sip:1001@192.0.2.9:5070>\nContent-Length: 0\n\n";
        match message(text) {
            SipMessage::Response(response) => response,
            SipMessage::Request(_) => panic!("a response"),
        }
    }

    #[test]
    fn a_bye_of_either_side() {
        let mut called = Dialog::uas(&invite(), "near", None).unwrap();
        let bye = called.request(Method::Bye).to_string();
        for line in [
            "BYE sip:1001@192.0.2.9:5070;ob SIP/2.0",
            "From: <sip:bot@192.0.2.1>;tag=near",
            "To: \"A\" <sip:1001@192.0.2.1>;tag=far",
            "CSeq: 1 BYE",
            "Route: <sip:p2.example;lr>\r\nRoute: <sip:p1.example;lr>",
        ] {
            assert!(bye.contains(line), "{line} is not in {bye}");
        }
        assert_eq!(called.next_hop().to_string(), "sip:p2.example;lr");
        let mut calling = Dialog::uac(&ok(), None).unwrap();
        let bye = calling.request(Method::Bye).to_string();
        assert!(bye.contains("CSeq: 4 BYE"), "{bye}");
        assert!(bye.contains("Route: <sip:p1.example;lr>\r\nRoute: <sip:p2.example;lr>"), "{bye}");
    }

    #[test]
    fn requests_of_others_and_of_the_past_are_told_apart() {
        let mut dialog = Dialog::uas(&invite(), "near", None).unwrap();
        let mut request = invite();
        assert!(dialog.is_of(&request) && dialog.advance(&request));
        request.headers.unique_push(message::header("CSeq", "6 BYE"));
        assert!(!dialog.advance(&request));
        request.headers.unique_push(message::header("From", "<sip:1001@192.0.2.1>;tag=other"));
        assert!(!dialog.is_of(&request));
    }

    #[test]
    fn the_text_form_gives_the_same_bye() {
        for flow in ["", "198.51.100.7:1024", "tls 198.51.100.7:1024"].map(|flow| flow.parse().ok()) {
            let mut dialog = Dialog::uas(&invite(), "near", flow).unwrap();
            let mut read = Dialog::from_text(&dialog.to_text()).unwrap();
            assert_eq!(read.flow, flow);
            assert_eq!(read.request(Method::Bye).to_string(), dialog.request(Method::Bye).to_string());
        }
    }

    proptest! {
        #[test]
        fn other_text_is_no_dialog(text in "(ringback-dialog 1\n)?[ -~\n]{0,200}") {
            let _ = Dialog::from_text(&text).map(|mut d| d.request(Method::Bye).to_string());
        }
    }
}
