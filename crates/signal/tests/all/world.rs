//! What the tests need: a server with its media, two users, trunks by address, and the events in
//! the order they were told.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use ringback_media::{LegId, Media, MediaConfig, MediaEvent, MediaSink};
use ringback_signal::phone::{Phone, PhoneConfig};
use ringback_signal::{
    Destination, Flow, LegEvent, LegSink, Peer, Place, SessionBounds, Sip, SipConfig, SipDirectory, Trunk, ha1,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::mpsc;

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const REALM: &str = "ringback";
pub(crate) const PASSWORD: &str = "correct horse";

/// A session this short, in seconds, is refreshed while a test waits.
pub(crate) const SHORTEST_SESSION: u32 = 3;

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens soon")
}

/// A certificate for 127.0.0.1, the same for the whole run, and a client that believes it.
pub(crate) fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    static MADE: OnceLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    });
    made.clone()
}

/// The `Authorization` header that answers a challenge as user 1001.
pub(crate) fn credentials(challenge: &str, method: &str, uri: &str) -> String {
    let get = |name: &str| challenge.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    let (nonce, opaque) = (get("nonce"), get("opaque"));
    // RFC 2617 §3.2.2.1.
    let ha2 = md5(&format!("{method}:{uri}"));
    let proof = md5(&format!("{}:{nonce}:00000001:c:auth:{ha2}", ha1("1001", REALM, PASSWORD)));
    format!(
        "Authorization: Digest username=\"1001\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{proof}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", opaque=\"{opaque}\""
    )
}

pub(crate) fn md5(text: &str) -> String {
    use md5::Digest as _;
    md5::Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) trunks: Mutex<HashMap<Flow, String>>,
    pub(crate) scripted: Mutex<HashMap<Flow, String>>,
    pub(crate) natted: Mutex<Vec<Peer>>,
    pub(crate) looked_after: Mutex<Vec<Trunk>>,
}

impl SipDirectory for Directory {
    fn ha1(&self, user: &str) -> Option<String> {
        ["1001", "1002", "rosalind", "quentin"].contains(&user).then(|| ha1(user, REALM, PASSWORD))
    }

    fn trunk_of(&self, source: Flow) -> Option<String> {
        self.trunks.lock().unwrap().get(&source).cloned()
    }

    fn scripted(&self, source: Flow) -> Option<String> {
        self.scripted.lock().unwrap().get(&source).cloned()
    }

    fn trunks(&self) -> Vec<Trunk> {
        self.looked_after.lock().unwrap().clone()
    }

    fn nat(&self, peer: &Peer) -> bool {
        self.natted.lock().unwrap().contains(peer)
    }
}

struct Sink(mpsc::UnboundedSender<(LegId, LegEvent)>);

impl LegSink for Sink {
    fn leg(&self, leg: LegId, event: LegEvent) {
        let _ = self.0.send((leg, event));
    }
}

struct Tones(mpsc::UnboundedSender<MediaEvent>);

impl MediaSink for Tones {
    fn media(&self, _: LegId, event: MediaEvent) {
        let _ = self.0.send(event);
    }
}

pub(crate) struct World {
    pub(crate) sip: Sip,
    pub(crate) media: Media,
    pub(crate) directory: Arc<Directory>,
    pub(crate) events: mpsc::UnboundedReceiver<(LegId, LegEvent)>,
    pub(crate) media_events: mpsc::UnboundedReceiver<MediaEvent>,
}

impl World {
    pub(crate) async fn start() -> World {
        World::with_ports(20_000..=31_999).await
    }

    pub(crate) async fn with_ports(ports: RangeInclusive<u16>) -> World {
        World::with(ports, None).await
    }

    /// One that others reach at this address.
    pub(crate) async fn reached_at(public: IpAddr) -> World {
        World::with(20_000..=31_999, Some(public)).await
    }

    async fn with(ports: RangeInclusive<u16>, public: Option<IpAddr>) -> World {
        let (tones, media_events) = mpsc::unbounded_channel();
        let config = MediaConfig { bind: HERE, ports, shards: 1 };
        let media = Media::start(config, Arc::new(Tones(tones))).unwrap();
        let directory = Arc::new(Directory::default());
        let (sip, events) = World::server(&media, &directory, public).await;
        World { sip, media, directory, events, media_events }
    }

    /// One more server with the same media and directory, as after a restart.
    pub(crate) async fn another(
        media: &Media,
        directory: &Arc<Directory>,
    ) -> (Sip, mpsc::UnboundedReceiver<(LegId, LegEvent)>) {
        World::server(media, directory, None).await
    }

    async fn server(
        media: &Media,
        directory: &Arc<Directory>,
        public_address: Option<IpAddr>,
    ) -> (Sip, mpsc::UnboundedReceiver<(LegId, LegEvent)>) {
        let (sender, events) = mpsc::unbounded_channel();
        let config = SipConfig {
            bind: SocketAddr::new(HERE, 0),
            tls: Some((SocketAddr::new(HERE, 0), tls().0)),
            tls_client: Some(tls().1),
            public_address,
            realm: REALM.into(),
            user_agent: "ringback-test".into(),
            session: SessionBounds { usual: 1_800, least: SHORTEST_SESSION },
        };
        let sip = Sip::start(config, media.clone(), directory.clone(), Arc::new(Sink(sender))).await.unwrap();
        (sip, events)
    }

    pub(crate) async fn phone(&self, user: &str) -> Phone {
        self.phone_with(user, PASSWORD).await
    }

    pub(crate) async fn phone_with(&self, user: &str, password: &str) -> Phone {
        let config =
            PhoneConfig { registrar: self.sip.local_addr(), user: user.into(), password: password.into(), bind: HERE };
        Phone::start(config).await.unwrap()
    }

    pub(crate) async fn registered(&self, user: &str) -> Phone {
        let phone = self.phone(user).await;
        soon(phone.register()).await.unwrap();
        phone
    }

    pub(crate) async fn event(&mut self) -> (LegId, LegEvent) {
        soon(self.events.recv()).await.unwrap()
    }

    /// The next event, which is this leg's.
    pub(crate) async fn event_of(&mut self, leg: LegId) -> LegEvent {
        let (of, event) = self.event().await;
        assert_eq!(of, leg, "{event:?}");
        event
    }

    /// The next event, which is an incoming call.
    pub(crate) async fn incoming(&mut self) -> LegId {
        let (leg, event) = self.event().await;
        assert!(matches!(event, LegEvent::Incoming(_)), "{event:?}");
        leg
    }

    /// The next event, which is this leg's answer.
    pub(crate) async fn answered(&mut self, leg: LegId) -> String {
        match self.event_of(leg).await {
            LegEvent::Answered { dialog } => dialog,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until nothing is left of any leg.
    pub(crate) async fn no_leg_is_left(&self) {
        let none = async {
            while self.sip.legs() > 0 {
                tokio::task::yield_now().await;
            }
        };
        soon(none).await;
    }

    /// Nothing is told that was not asked for. Only what was told already can be seen; tests call
    /// this after something that comes later.
    pub(crate) fn nothing_more(&mut self) {
        assert_eq!(self.events.try_recv().ok(), None);
    }

    pub(crate) fn place(&self, to: Destination) -> LegId {
        let mut id = [0u8; 16];
        id[..8].copy_from_slice(&std::process::id().to_be_bytes().repeat(2));
        id[8..].copy_from_slice(&(self.sip.local_addr().port() as u64).to_be_bytes());
        let leg = LegId::from_bytes(id);
        let place = Place { to, from_user: "bot".into(), from_display: Some("A \"bot\"".into()) };
        self.sip.place(leg, place);
        leg
    }
}
