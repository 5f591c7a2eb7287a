//! Offer and answer (RFC 3264) for one audio stream of G.722 or G.711 with RFC 4733 tones. Pure: bytes in,
//! bytes and facts out. Knows no SIP, no socket and no call.

use std::net::{IpAddr, SocketAddr};

use ringback_media::{Codec, RemoteRtp};
use sdp_types::{Attribute, Connection, Media, NetType, Origin, Session, Time};

use crate::limits::{MAX_MEDIA_LINES, MAX_SDP};

/// The payload type we offer for tones; the one of an offer to us is taken over (RFC 3264 §6.1).
const TELEPHONE_EVENT: u8 = 101;

/// Which way a stream flows, seen from whoever states it (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    const ALL: [Direction; 4] =
        [Direction::SendReceive, Direction::SendOnly, Direction::ReceiveOnly, Direction::Inactive];

    fn word(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same stream seen from the other end.
    fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::ReceiveOnly,
            Direction::ReceiveOnly => Direction::SendOnly,
            same => same,
        }
    }

    fn sends(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::SendOnly)
    }

    fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }
}

/// Our side of a session, as the far end shall see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    /// Where we receive.
    pub(crate) address: SocketAddr,
    /// The session's number, the same for the whole call.
    pub(crate) session: u64,
    /// The description's version; one more with each one sent (RFC 3264 §8).
    pub(crate) version: u64,
    /// What we speak, the best first. In an answer the offerer's order counts (RFC 3264 §6.1).
    pub(crate) codecs: &'static [Codec],
}

/// What was agreed, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Where the far end receives.
    pub(crate) address: SocketAddr,
    pub(crate) codec: Codec,
    /// The payload type of RFC 4733 tones, if both sides know them.
    pub(crate) telephone_event: Option<u8>,
    /// What we do.
    pub(crate) direction: Direction,
    /// The version of the far end's description: the same one describes the same session (RFC 3264 §8).
    pub(crate) version: u64,
}

impl Agreed {
    /// The far end does not want to hear us: the call is on hold.
    pub(crate) fn held(&self) -> bool {
        !self.direction.sends()
    }

    /// The same for the media engine. `any_source`: the far end is behind a NAT.
    pub(crate) fn remote(&self, any_source: bool) -> RemoteRtp {
        RemoteRtp {
            addr: self.address,
            codec: self.codec,
            telephone_event: self.telephone_event,
            send: self.direction.sends(),
            receive: self.direction.receives(),
            any_source,
        }
    }
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpError {
    /// 400.
    #[error("the session description cannot be read")]
    Malformed,
    /// 488.
    #[error("the session description has no audio stream we can share")]
    NothingInCommon,
}

/// Our offer: our codecs, tones.
pub(crate) fn offer(local: &Local, direction: Direction) -> Vec<u8> {
    let mut media = audio(local.address.port(), "RTP/AVP", formats(local.codecs, Some(TELEPHONE_EVENT)));
    describe(&mut media, local.codecs, Some(TELEPHONE_EVENT));
    media.attributes.push(flag(direction.word()));
    print(local, vec![media])
}

/// Our answer to an offer: the first stream we can share, in the offerer's first codec we know;
/// all others refused with port 0 (RFC 3264 §6).
pub(crate) fn answer(offer: &[u8], local: &Local) -> Result<(Vec<u8>, Agreed), SdpError> {
    let session = parse(offer)?;
    let (chosen, agreed) = choose(&session, local.codecs)?;
    let answers = session.medias.iter().enumerate().map(|(index, offered)| {
        if index != chosen {
            return refused(offered);
        }
        let formats = formats(&[agreed.codec], agreed.telephone_event);
        let mut media = audio(local.address.port(), &offered.proto, formats);
        describe(&mut media, &[agreed.codec], agreed.telephone_event);
        media.attributes.push(flag(agreed.direction.word()));
        media
    });
    let answers = answers.collect();
    Ok((print(local, answers), agreed))
}

/// What the answer to our offer of these codecs agreed.
pub(crate) fn read_answer(answer: &[u8], codecs: &[Codec]) -> Result<Agreed, SdpError> {
    let session = parse(answer)?;
    choose(&session, codecs).map(|(_, agreed)| agreed)
}

/// The codec for a browser's offer, which is its first that is one of these, and the name of its stream (RFC 8843 §5, `mid`).
/// It offers one, which is audio: what a page could add (video, data) we would carry for nobody.
pub(crate) fn browsers_audio(offer: &[u8], codecs: &[Codec]) -> Result<(Codec, String), SdpError> {
    let session = parse(offer)?;
    let [media] = session.medias.as_slice() else { return Err(SdpError::NothingInCommon) };
    if media.media != "audio" || media.port == 0 {
        return Err(SdpError::NothingInCommon);
    }
    let mut formats = media.fmt.split_ascii_whitespace().filter_map(|format| format.parse::<u8>().ok());
    let codec = formats.find_map(|format| codec(media, format, codecs)).ok_or(SdpError::NothingInCommon)?;
    let mid = media.get_first_attribute_value("mid").flatten().ok_or(SdpError::Malformed)?;
    Ok((codec, mid.to_owned()))
}

fn parse(bytes: &[u8]) -> Result<Session, SdpError> {
    if bytes.len() > MAX_SDP {
        return Err(SdpError::Malformed);
    }
    let session = Session::parse(bytes).map_err(|_| SdpError::Malformed)?;
    if session.medias.len() > MAX_MEDIA_LINES {
        return Err(SdpError::Malformed);
    }
    Ok(session)
}

/// The first media line we can share, and what we make of it.
fn choose(session: &Session, codecs: &[Codec]) -> Result<(usize, Agreed), SdpError> {
    let mut lines = session.medias.iter().enumerate();
    lines.find_map(|(index, media)| Some((index, agree(session, media, codecs)?))).ok_or(SdpError::NothingInCommon)
}

fn agree(session: &Session, media: &Media, codecs: &[Codec]) -> Option<Agreed> {
    if media.media != "audio" || media.proto != "RTP/AVP" || media.port == 0 {
        return None;
    }
    let connection = media.connections.first().or(session.connection.as_ref())?;
    let ip = address(connection)?;
    let formats = media.fmt.split_ascii_whitespace().filter_map(|f| f.parse::<u8>().ok());
    let codec = formats.clone().find_map(|format| codec(media, format, codecs))?;
    let telephone_event = formats.clone().find(|f| (96..=127).contains(f) && is_mapped(media, *f, "telephone-event"));
    let mut theirs =
        direction(&media.attributes).or_else(|| direction(&session.attributes)).unwrap_or(Direction::SendReceive);
    // The older way to say hold: nowhere to send to (RFC 3264 §8.4).
    if ip.is_unspecified() {
        theirs = match theirs {
            Direction::SendReceive | Direction::SendOnly => Direction::SendOnly,
            Direction::ReceiveOnly | Direction::Inactive => Direction::Inactive,
        };
    }
    Some(Agreed {
        address: SocketAddr::new(ip, media.port),
        codec,
        telephone_event,
        direction: theirs.reversed(),
        version: session.origin.sess_version,
    })
}

/// A unicast IP address; names are not looked up, groups not joined.
fn address(connection: &Connection) -> Option<IpAddr> {
    let ip: IpAddr = connection.connection_address.parse().ok()?;
    (connection.nettype == NetType::In && !ip.is_multicast()).then_some(ip)
}

/// The codec of a static payload type, unless the description maps it to something else.
fn codec(media: &Media, format: u8, codecs: &[Codec]) -> Option<Codec> {
    let codec = codecs.iter().copied().find(|codec| codec.payload_type() == format)?;
    (rtpmap(media, format).is_none() || is_mapped(media, format, codec.encoding_name())).then_some(codec)
}

/// The formats of a media line.
fn formats(codecs: &[Codec], telephone_event: Option<u8>) -> String {
    let formats = codecs.iter().map(|codec| codec.payload_type()).chain(telephone_event);
    formats.map(|format| format.to_string()).collect::<Vec<_>>().join(" ")
}

fn rtpmap(media: &Media, format: u8) -> Option<&str> {
    let maps = media.attributes.iter().filter(|a| a.attribute == "rtpmap");
    maps.filter_map(|a| a.value.as_deref()?.trim().split_once(' '))
        .find_map(|(number, name)| (number.parse() == Ok(format)).then_some(name.trim()))
}

/// Whether `format` is `name` at 8,000 Hz, one channel.
fn is_mapped(media: &Media, format: u8, name: &str) -> bool {
    let Some(mapped) = rtpmap(media, format) else {
        return false;
    };
    let mut parts = mapped.split('/');
    let is_name = parts.next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    let is_rate = parts.next() == Some("8000");
    is_name && is_rate && matches!(parts.next(), None | Some("1"))
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| Direction::ALL.into_iter().find(|d| d.word() == a.attribute))
}

fn flag(name: &str) -> Attribute {
    Attribute { attribute: name.to_owned(), value: None }
}

fn valued(name: &str, value: String) -> Attribute {
    Attribute { attribute: name.to_owned(), value: Some(value) }
}

fn audio(port: u16, proto: &str, formats: String) -> Media {
    Media {
        media: "audio".to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: formats,
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

fn refused(offered: &Media) -> Media {
    Media { media: offered.media.clone(), ..audio(0, &offered.proto, offered.fmt.clone()) }
}

fn describe(media: &mut Media, codecs: &[Codec], telephone_event: Option<u8>) {
    for codec in codecs {
        let map = format!("{} {}/8000", codec.payload_type(), codec.encoding_name());
        media.attributes.push(valued("rtpmap", map));
    }
    if let Some(tones) = telephone_event {
        media.attributes.push(valued("rtpmap", format!("{tones} telephone-event/8000")));
        media.attributes.push(valued("fmtp", format!("{tones} 0-16")));
    }
    media.attributes.push(valued("ptime", "20".to_owned()));
}

fn print(local: &Local, medias: Vec<Media>) -> Vec<u8> {
    let ip = local.address.ip();
    let session = Session {
        origin: Origin::with_ip_addr(local.session, local.version, ip),
        session_name: "ringback".to_owned(),
        session_description: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: Some(Connection::from_ip_addr(ip)),
        bandwidths: Vec::new(),
        times: vec![Time { start_time: 0, stop_time: 0, repeats: Vec::new() }],
        time_zones: Vec::new(),
        key: None,
        attributes: Vec::new(),
        medias,
    };
    let mut bytes = Vec::with_capacity(512);
    session.write(&mut bytes).expect("a vector takes all that is written");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local() -> Local {
        Local { address: "192.0.2.1:40000".parse().unwrap(), session: 77, version: 3, codecs: Codec::ALL }
    }

    fn phone(connection: &str, lines: &str) -> Vec<u8> {
        let text = format!("v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\n{connection}t=0 0\n{lines}");
        text.replace('\n', "\r\n").into_bytes()
    }

    const HERE: &str = "c=IN IP4 192.0.2.9\n";

    fn answered(connection: &str, lines: &str) -> Result<(String, Agreed), SdpError> {
        let (bytes, agreed) = answer(&phone(connection, lines), &local())?;
        Ok((String::from_utf8(bytes).unwrap(), agreed))
    }

    #[test]
    fn the_offer_and_its_answer() {
        let text = String::from_utf8(offer(&local(), Direction::SendReceive)).unwrap();
        assert_eq!(
            text,
            "v=0\r\no=- 77 3 IN IP4 192.0.2.1\r\ns=ringback\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 40000 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        let (answer, theirs) = answer(text.as_bytes(), &local()).unwrap();
        let ours = read_answer(&answer, Codec::ALL).unwrap();
        assert_eq!(ours, theirs);
        assert_eq!(ours.codec, Codec::G722, "the best that both know");
        assert_eq!(ours.telephone_event, Some(101));
    }

    #[test]
    fn the_offerers_order_and_numbers_are_taken() {
        let (text, agreed) = answered(
            HERE,
            "m=audio 5000 RTP/AVP 18 8 9 0 96\na=rtpmap:96 telephone-event/8000\na=rtpmap:9 G722/8000\n",
        )
        .unwrap();
        assert_eq!(agreed.codec, Codec::Pcma);
        assert_eq!(agreed.telephone_event, Some(96));
        assert_eq!(agreed.address, "192.0.2.9:5000".parse().unwrap());
        assert!(text.contains("m=audio 40000 RTP/AVP 8 96\r\n"), "{text}");
        assert!(text.contains("a=sendrecv\r\n"), "{text}");
    }

    #[test]
    fn other_streams_are_refused_in_their_place() {
        let (text, _) = answered(
            HERE,
            "m=video 6000 RTP/AVP 99\nm=audio 0 RTP/AVP 0\nm=audio 7000 RTP/SAVP 0\n\
             m=audio 5000 RTP/AVP 0\nm=audio 5002 RTP/AVP 0\n",
        )
        .unwrap();
        let lines: Vec<_> = text.lines().filter(|l| l.starts_with("m=")).collect();
        assert_eq!(
            lines,
            [
                "m=video 0 RTP/AVP 99",
                "m=audio 0 RTP/AVP 0",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 40000 RTP/AVP 0",
                "m=audio 0 RTP/AVP 0"
            ]
        );
    }

    #[test]
    fn hold_in_all_its_forms() {
        for (connection, attribute, answer, sends, receives) in [
            (HERE, "", "sendrecv", true, true),
            (HERE, "a=sendrecv\n", "sendrecv", true, true),
            (HERE, "a=sendonly\n", "recvonly", false, true),
            (HERE, "a=recvonly\n", "sendonly", true, false),
            (HERE, "a=inactive\n", "inactive", false, false),
            ("c=IN IP4 0.0.0.0\n", "", "recvonly", false, true),
            ("c=IN IP4 0.0.0.0\n", "a=inactive\n", "inactive", false, false),
            ("c=IN IP4 192.0.2.9\na=sendonly\n", "", "recvonly", false, true),
        ] {
            let (text, agreed) = answered(connection, &format!("m=audio 5000 RTP/AVP 0\n{attribute}")).unwrap();
            assert!(text.contains(&format!("a={answer}\r\n")), "{connection}{attribute}: {text}");
            let remote = agreed.remote(false);
            assert_eq!((remote.send, remote.receive), (sends, receives));
            assert_eq!(agreed.held(), !sends);
        }
    }

    #[test]
    fn nothing_in_common_and_nonsense_differ() {
        for lines in [
            "",
            "m=audio 5000 RTP/AVP 3 18\n",
            "m=audio 5000 RTP/AVP 9\na=rtpmap:9 G722/16000\n",
            "m=audio 0 RTP/AVP 0\n",
            "m=audio 5000 RTP/SAVP 0\n",
            "m=video 5000 RTP/AVP 0\n",
            "m=audio 5000 RTP/AVP 0\na=rtpmap:0 L16/44100\n",
        ] {
            assert_eq!(answered(HERE, lines), Err(SdpError::NothingInCommon), "{lines}");
        }
        for connection in ["", "c=IN IP4 phone.example\n", "c=IN IP4 224.0.0.5\n"] {
            let refused = answered(connection, "m=audio 5000 RTP/AVP 0\n");
            assert_eq!(refused, Err(SdpError::NothingInCommon), "{connection}");
        }
        assert_eq!(answer(b"hello", &local()), Err(SdpError::Malformed));
        let long = [phone(HERE, "m=audio 5000 RTP/AVP 0\n"), vec![b'a'; MAX_SDP]].concat();
        assert_eq!(answer(&long, &local()), Err(SdpError::Malformed));
    }

    #[test]
    fn a_browsers_one_stream_of_audio_is_taken_with_its_first_codec_of_ours() {
        const OURS: &[Codec] = &[Codec::G722, Codec::Pcmu];
        let audio = |lines: &str| browsers_audio(&phone(HERE, lines), OURS);
        let chromium = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\na=mid:0\na=rtpmap:111 opus/48000/2\n\
                        a=rtpmap:9 G722/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:126 telephone-event/8000\n";
        assert_eq!(audio(chromium), Ok((Codec::G722, "0".to_owned())));
        assert_eq!(audio("m=audio 9 UDP/TLS/RTP/SAVPF 8 0 9\na=mid:voice\n"), Ok((Codec::Pcmu, "voice".to_owned())));
        for lines in [
            "",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\n",
            "m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:0\n",
            "m=video 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:1\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 9\na=rtpmap:9 G722/16000\na=mid:0\n",
        ] {
            assert_eq!(audio(lines), Err(SdpError::NothingInCommon), "{lines}");
        }
        assert_eq!(audio("m=audio 9 UDP/TLS/RTP/SAVPF 0\n"), Err(SdpError::Malformed), "no name");
        assert_eq!(browsers_audio(b"hello", OURS), Err(SdpError::Malformed));
    }

    #[test]
    fn a_tone_format_at_another_rate_is_not_ours() {
        let lines = "m=audio 5000 RTP/AVP 0 97 98\na=rtpmap:97 telephone-event/16000\n\
                     a=rtpmap:98 telephone-event/8000\n";
        assert_eq!(answered(HERE, lines).unwrap().1.telephone_event, Some(98));
    }

    fn some_codecs() -> impl Strategy<Value = &'static [Codec]> {
        let all = Codec::ALL;
        prop::sample::select(vec![all, &all[1..], &all[..2], &all[..1], &all[1..2], &all[2..]])
    }

    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 0..12);
        (edits, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(edits, cut, whole)| {
            let mut bytes = phone(
                HERE,
                "m=audio 5000 RTP/AVP 9 8 0 96\na=rtpmap:9 G722/8000\na=rtpmap:96 telephone-event/8000\na=sendonly\n\
                 m=video 6000 RTP/AVP 99\nb=AS:64\n",
            );
            for (at, byte, how) in edits {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = answer(&bytes, &local());
            let _ = read_answer(&bytes, Codec::ALL);
            let _ = browsers_audio(&bytes, Codec::ALL);
        }

        /// Any two that share a codec agree on one, the same on both sides: the offerer's first that the other has.
        #[test]
        fn both_sides_agree_on_the_offerers_best(ours in some_codecs(), theirs in some_codecs()) {
            let offerer = Local { codecs: ours, ..local() };
            let answerer = Local { codecs: theirs, ..local() };
            let best = ours.iter().copied().find(|codec| theirs.contains(codec));
            match answer(&offer(&offerer, Direction::SendReceive), &answerer) {
                Ok((text, agreed)) => {
                    prop_assert_eq!(Some(agreed.codec), best);
                    prop_assert_eq!(read_answer(&text, ours).unwrap(), agreed);
                }
                Err(error) => {
                    prop_assert_eq!(error, SdpError::NothingInCommon);
                    prop_assert_eq!(best, None);
                }
            }
        }

        #[test]
        fn a_broken_offer_is_refused_or_its_answer_can_be_read(bytes in mutated()) {
            if let Ok((text, agreed)) = answer(&bytes, &local()) {
                let read = read_answer(&text, Codec::ALL).unwrap();
                prop_assert_eq!(read.codec, agreed.codec);
                prop_assert_eq!(read.telephone_event, agreed.telephone_event);
                prop_assert_eq!(read.direction.reversed(), agreed.direction);
                prop_assert_eq!(read.address, local().address);
            }
        }
    }
}
