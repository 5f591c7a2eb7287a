//! Legs of web pages, as far as they go without a browser.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringback_media::{LegId, Media, MediaConfig, MediaEvent, MediaSink};
use ringback_signal::{EndCause, LegEvent, LegSink, WebRtc, WebRtcConfig};
use tokio::sync::mpsc;

use crate::world::{HERE, soon};

/// A browser's offer: no page comes by ICE for it.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 0 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:126 telephone-event/8000\r\n";

struct Nobody;

impl MediaSink for Nobody {
    fn media(&self, _: LegId, _: MediaEvent) {}
}

/// Panics when it is told the first end.
struct Panics {
    once: AtomicBool,
    ends: mpsc::UnboundedSender<(LegId, EndCause)>,
}

impl LegSink for Panics {
    fn leg(&self, leg: LegId, event: LegEvent) {
        if let LegEvent::Ended(cause) = event {
            assert!(self.once.swap(true, Ordering::Relaxed), "on purpose");
            let _ = self.ends.send((leg, cause));
        }
    }
}

#[tokio::test]
async fn a_panic_ends_one_leg_and_no_other() {
    let config = MediaConfig { bind: HERE, ports: 20_000..=31_999, shards: 1 };
    let media = Media::start(config, Arc::new(Nobody)).unwrap();
    let (ends, mut ended) = mpsc::unbounded_channel();
    let config = WebRtcConfig { bind: SocketAddr::new(HERE, 0), public_address: None };
    let web = WebRtc::start(&config, media, Arc::new(Panics { once: AtomicBool::new(false), ends })).unwrap();
    let [first, second, third] = [1, 2, 3].map(LegId::from_u128);
    for leg in [first, second] {
        let answer = soon(web.open(leg, OFFER.to_owned())).await.unwrap();
        assert!(answer.contains(&format!("127.0.0.1 {} typ host", web.local_addr().port())), "{answer}");
    }
    web.hang_up(first, EndCause::LocalHangUp);
    soon(web.open(third, OFFER.to_owned())).await.expect("the thread goes on");
    web.hang_up(second, EndCause::LocalHangUp);
    assert_eq!(soon(ended.recv()).await, Some((second, EndCause::LocalHangUp)));
    assert_eq!(web.legs(), 1, "the first one's place is free");
    web.shutdown(Duration::from_secs(20)).await;
    assert!(soon(ended.recv()).await.is_some_and(|(leg, _)| leg == third));
}
