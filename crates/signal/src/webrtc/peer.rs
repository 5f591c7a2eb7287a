//! One WebRTC leg: an `Rtc` of str0m, which speaks ICE (lite: RFC 8445 §2.5), DTLS and SRTP with the page, and the port by
//! which its RTP goes to the media room and comes from there. RTCP with the page is str0m's.

use std::sync::Arc;
use std::time::Instant;

use ringback_media::limits::PORT_PACKET_BYTES;
use ringback_media::rtp::Packet;
use ringback_media::{Codec, LegId, Port, Terms};
use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{Codec as Format, FormatParams};
use str0m::media::{Frequency, Mid};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;

use super::{NewLeg, OfferError, Shared};
use crate::{EndCause, LegEvent, LegSink, limits};

/// The payload type of telephone events (RFC 4733) in our configuration; the offer's own is taken over.
const TELEPHONE_EVENT: u8 = 101;

/// What a leg is made with.
pub(super) struct Tools {
    pub(super) shared: Arc<Shared>,
    pub(super) sink: Arc<dyn LegSink>,
    pub(super) crypto: Arc<CryptoProvider>,
    pub(super) certificate: DtlsCert,
}

/// A leg. Dropped before it ended, it tells that it failed.
pub(super) struct Peer {
    leg: LegId,
    rtc: Rtc,
    port: Port,
    mid: Mid,
    terms: Terms,
    shared: Arc<Shared>,
    sink: Arc<dyn LegSink>,
    /// What the next packet to the page is numbered after.
    sent: Option<Sent>,
    accepted: bool,
    connected: bool,
    over: bool,
    /// When the `Rtc` wants to be told the time.
    timer: Instant,
    /// When it must be connected.
    connect_by: Instant,
    /// Reused from packet to packet.
    packet: Vec<u8>,
    /// Given back before its end is told: who hears of it finds the place free.
    slot: Option<OwnedSemaphorePermit>,
}

/// The last packet that was sent.
#[derive(Clone, Copy)]
struct Sent {
    /// As the session numbered it.
    sequence: u16,
    /// As SRTP counts (RFC 3711 §3.3.1): with its roll-overs.
    index: u64,
}

impl Peer {
    /// Takes an offer; returns the leg and the answer.
    pub(super) fn new(new: NewLeg, tools: Tools, now: Instant) -> Result<(Peer, String), OfferError> {
        let NewLeg { id: leg, offer, codec, mid, port, slot } = new;
        let offer = SdpOffer::from_sdp_string(&offer).map_err(|_| OfferError::Malformed)?;
        let mut rtc = configuration(codec, &tools).build(now);
        let candidate = Candidate::host(tools.shared.candidate, "udp").map_err(|_| OfferError::Unavailable)?;
        rtc.add_local_candidate(candidate);
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| {
            tracing::debug!(%leg, %error, "a page's offer was refused");
            OfferError::Malformed
        })?;
        let mid = Mid::from(mid.as_str());
        let terms = agreed(&rtc, mid, codec).ok_or(OfferError::NothingInCommon)?;
        let Tools { shared, sink, .. } = tools;
        let peer = Peer {
            leg,
            rtc,
            port,
            mid,
            terms,
            shared,
            sink,
            sent: None,
            accepted: false,
            connected: false,
            over: false,
            timer: now,
            connect_by: now + limits::WEB_CONNECT_LIMIT,
            packet: Vec::with_capacity(PORT_PACKET_BYTES),
            slot: Some(slot),
        };
        Ok((peer, answer.to_sdp_string()))
    }

    /// When it must be [carried](Peer::carry) at the latest.
    pub(super) fn due(&self) -> Instant {
        if self.connected { self.timer } else { self.timer.min(self.connect_by) }
    }

    /// It ended.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The datagram is its.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a datagram of the page.
    pub(super) fn input(&mut self, input: Input<'_>, socket: &UdpSocket) {
        if self.over {
            return;
        }
        match self.rtc.handle_input(input) {
            Ok(()) => self.drain(socket),
            Err(error) => self.broke(&error),
        }
    }

    /// Sends what the session has to send, and does what is due.
    pub(super) fn carry(&mut self, now: Instant, socket: &UdpSocket) {
        if self.over {
            return;
        }
        let mut buffer = [0; PORT_PACKET_BYTES];
        while let Some(length) = self.port.take(&mut buffer) {
            if self.connected && self.write(now, &buffer[..length]) {
                self.drain(socket);
            }
        }
        if self.timer <= now {
            self.input(Input::Timeout(now), socket);
        }
        if !self.connected && self.connect_by <= now {
            self.hang_up(socket, not_connected());
        }
    }

    /// It was answered: by the bot, or in the page.
    pub(super) fn accept(&mut self) {
        if !self.accepted {
            self.accepted = true;
            self.tell_answered();
        }
    }

    /// Says goodbye to the page (RTCP BYE, DTLS close), and ends.
    pub(super) fn hang_up(&mut self, socket: &UdpSocket, cause: EndCause) {
        if self.over {
            return;
        }
        // Told first: what is drained may tell another end.
        self.end(cause);
        if self.rtc.close().is_ok() {
            self.drain(socket);
        }
    }

    fn tell_answered(&self) {
        if self.accepted && self.connected && !self.over {
            // No dialog outlives the process: a page finds out by itself.
            self.sink.leg(self.leg, LegEvent::Answered { dialog: String::new() });
        }
    }

    /// Does all that the `Rtc` asks for, until it waits.
    fn drain(&mut self, socket: &UdpSocket) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(timer)) => {
                    self.timer = timer;
                    break;
                }
                // What the socket does not take is lost, as the network might have lost it.
                Ok(Output::Transmit(datagram)) => _ = socket.try_send_to(&datagram.contents, datagram.destination),
                Ok(Output::Event(event)) => self.event(event),
                Err(error) => return self.broke(&error),
            }
        }
        if !self.rtc.is_alive() {
            self.end(EndCause::FarHangUp);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.shared.media.connect_port(self.leg, self.terms);
                self.tell_answered();
            }
            Event::RtpPacket(packet) => self.heard(&packet),
            // The page asks every few seconds whether we are there (RFC 7675); it did not for long.
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.end(if self.connected { EndCause::MediaTimeout } else { not_connected() });
            }
            Event::Closed => self.end(EndCause::FarHangUp),
            _ => {}
        }
    }

    fn heard(&mut self, packet: &RtpPacket) {
        let header = &packet.header;
        Packet {
            payload_type: *header.payload_type,
            marker: header.marker,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            ssrc: *header.ssrc,
            payload: &packet.payload,
        }
        .write(&mut self.packet);
        self.port.put(&self.packet);
    }

    /// Hands a packet of the session to the `Rtc`. False if it is none.
    fn write(&mut self, now: Instant, packet: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(packet) else { return false };
        let index = match self.sent {
            Some(sent) => sent.index + u64::from(packet.sequence.wrapping_sub(sent.sequence)),
            // Below 2^15, so that a first packet that is lost cannot hide a roll-over (RFC 3711 §3.3.1).
            None => u64::from(packet.sequence & 0x7FFF),
        };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(self.mid, None) else { return false };
        let write = RtpWrite::new(packet.payload_type.into(), index.into(), packet.timestamp, now, packet.payload);
        stream.write_rtp(write.marker(packet.marker));
        self.sent = Some(Sent { sequence: packet.sequence, index });
        true
    }

    /// Its session is in no known state: it is not asked for anything any more.
    pub(super) fn panicked(&mut self) {
        tracing::error!(leg = %self.leg, "a page's leg panicked, and is ended");
        self.end(EndCause::Failed("the page's connection broke".to_owned()));
    }

    fn broke(&mut self, error: &str0m::RtcError) {
        tracing::debug!(leg = %self.leg, %error, "a page's connection broke");
        self.end(EndCause::Failed("the page's connection broke".to_owned()));
    }

    /// Its media closes, it takes no orders, its place is free, its end is told. Again: nothing.
    fn end(&mut self, cause: EndCause) {
        if !std::mem::replace(&mut self.over, true) {
            self.shared.forget(self.leg);
            self.slot = None;
            self.sink.leg(self.leg, LegEvent::Ended(cause));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end(EndCause::Failed("the leg was dropped".to_owned()));
    }
}

fn not_connected() -> EndCause {
    EndCause::Failed("the page did not connect its audio in time".to_owned())
}

/// One codec and telephone events; one certificate for all legs; RTP as it is.
fn configuration(codec: Codec, tools: &Tools) -> RtcConfig {
    let config =
        RtcConfig::new().set_crypto_provider(Arc::clone(&tools.crypto)).set_dtls_cert(tools.certificate.clone());
    let mut config = config.set_ice_lite(true).set_rtp_mode(true).clear_codecs();
    let codecs = config.codec_config();
    codecs.enable_g722(codec == Codec::G722, false);
    codecs.enable_pcmu(codec == Codec::Pcmu, false);
    let events = FormatParams::parse_line("0-16");
    codecs.add_config(TELEPHONE_EVENT.into(), None, Format::Tele, Frequency::EIGHT_KHZ, None, events);
    config
}

/// What was agreed for the one stream of an accepted offer.
fn agreed(rtc: &Rtc, mid: Mid, codec: Codec) -> Option<Terms> {
    let media = rtc.media(mid)?;
    let (formats, direction) = (media.remote_pts(), media.direction());
    if !formats.contains(&codec.payload_type().into()) {
        return None;
    }
    let mut known = rtc.codec_config().params().iter().filter(|params| formats.contains(&params.pt()));
    let telephone_event = known.find(|params| params.spec().codec.is_tele()).map(|params| *params.pt());
    let (send, receive) = (direction.is_sending(), direction.is_receiving());
    Some(Terms { codec, telephone_event, send, receive })
}
