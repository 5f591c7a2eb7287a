//! What phones are connected by: media, SIP and WebRTC, as the settings have them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ringback_media::{Media, MediaConfig};
use ringback_signal::{Sip, SipConfig, SipError, WebRtc, WebRtcConfig};

use super::StartError;
use super::rooms::Rooms;
use crate::directory::{SIP_REALM, ServerSettings, SipHome};
use crate::limits;
use crate::outbound;
use crate::phones::Wires;
use crate::tls::{self, Tls};

/// Where phones reach the server, and it them.
pub(super) struct Connected {
    pub(super) sip: Sip,
    pub(super) home: SipHome,
    pub(super) webrtc: SocketAddr,
}

/// Starts them, and connects the phones to them. `page`: where the page with a phone is.
pub(super) async fn connect(
    settings: &ServerSettings,
    tls: &Tls,
    rooms: &Rooms,
    page: String,
) -> Result<Connected, StartError> {
    let phones = &rooms.phones;
    let ports = settings.media_ports.clone();
    let media_config = MediaConfig { bind: settings.sip.ip(), ports, shards: limits::MEDIA_SHARDS };
    let media = Media::start(media_config, Arc::new(phones.clone())).map_err(StartError::Media)?;
    let directory = Arc::new(rooms.scripted.beside(rooms.directory.clone()));
    let sip = Sip::start(sip_config(settings, tls)?, media.clone(), directory, Arc::new(phones.clone())).await;
    let sip = sip.map_err(|SipError::Bind { address, source }| StartError::Bind { what: "SIP", address, source })?;
    let home = SipHome::new(settings, sip.local_addr(), sip.tls_addr());
    let config = WebRtcConfig { bind: settings.webrtc, public_address: settings.public_address };
    let webrtc = WebRtc::start(&config, media.clone(), Arc::new(phones.clone()));
    let webrtc = webrtc.map_err(|source| StartError::Bind { what: "WebRTC", address: settings.webrtc, source })?;
    let connected = Connected { sip: sip.clone(), home: home.clone(), webrtc: webrtc.local_addr() };
    rooms.scripted.connect(sip.local_addr());
    phones.connect(Wires { media, sip, webrtc, home, page });
    Ok(connected)
}

/// Where and as whom SIP is spoken.
fn sip_config(settings: &ServerSettings, tls: &Tls) -> Result<SipConfig, StartError> {
    Ok(SipConfig {
        bind: settings.sip,
        tls: Some((settings.sip_tls, tls.server_config(&[])?)),
        tls_client: Some(sip_client(settings.sip_ca.as_deref())?),
        public_address: settings.public_address,
        realm: SIP_REALM.to_owned(),
        user_agent: concat!("Ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
        session: settings.session,
    })
}

/// What trunks are verified with.
fn sip_client(authorities: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, StartError> {
    match authorities {
        Some(file) => Ok(tls::believing("server.sip_ca", file)?),
        None => outbound::system_tls().map(Arc::new).map_err(|error| StartError::Tls(error.into())),
    }
}
