//! The torture messages of RFC 4475, by UDP and by TCP, beside a call that is up: what is valid is
//! handled, what is not is refused with the status the RFC names or dropped, and the call goes on.
//! Each case has what its section is about; `VIA` stands for a `Via` that leads back to the test,
//! `MORE` for the headers the section does not care about.

use ringback_signal::{Destination, EndCause, LegEvent, Transport};

use crate::peer::{Raw, SDP, to_tag, value};
use crate::world::{World, credentials};

/// What a message comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Comes {
    /// A response with this status.
    To(&'static str),
    /// A call that rings.
    Call,
    /// Nothing at all.
    ToNothing,
}
use Comes::{Call, To, ToNothing};

/// Section, what comes of it, and the message with line ends of one character.
const MESSAGES: &[(&str, Comes, &str)] = &[
    // Valid.
    (
        "3.1.1.1 wsinv",
        To("481"),
        concat!(
            "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n",
            "TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n",
            "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n",
            "MaX-fOrWaRdS: 0068\nCall-ID: wsinv.ndaksdj@192.0.2.1\ncseq: 0009\n  INVITE\nVIA\n",
            "s :\nNewFangledHeader:   newfangled value\n continued newfangled value\n",
            "UnknownHeaderWithUnusualValue: ;;,,;;,;\n",
            "Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n",
            "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n",
            " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n",
            "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n",
            "Content-Length   : 0\n\n"
        ),
    ),
    (
        "3.1.1.2 intmeth",
        To("501"),
        concat!(
            "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com SIP/2.0\n",
            "VIA\nTo: \"BEL:\\\u{7} NUL:\\\u{0} DEL:\\\u{7f}\" <sip:1_unusual.URI@example.com>\n",
            "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"x\";tag=_token~1'+`*%!-.\n",
            "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n",
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\nContent-Length: 0\n\n"
        ),
    ),
    (
        "3.1.1.3 esc01",
        Call,
        concat!(
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\nTo: sip:%75se%72@example.com\n",
            "From: <sip:I%20have%20spaces@example.net>;tag=938\nMax-Forwards: 87\ni: esc01.239409asdfakjkn23onasd0-3234\n",
            "CSeq: 234234 INVITE\nVIA\nContact:\n  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\nSDP"
        ),
    ),
    (
        "3.1.1.4 escnull",
        To("401"),
        concat!(
            "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\n",
            "Max-Forwards: 70\nCall-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVIA\n",
            "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n"
        ),
    ),
    (
        "3.1.1.5 esc02",
        To("501"),
        concat!(
            "RE%47IST%45R sip:registrar.example.com SIP/2.0\nTo: \"%Z%45\" <sip:resource@example.com>\n",
            "From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\nCall-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\n",
            "VIA\nCSeq: 29344 RE%47IST%45R\nMax-Forwards: 70\nl: 0\n\n"
        ),
    ),
    (
        "3.1.1.6 lwsdisp",
        To("200"),
        concat!(
            "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: caller<sip:caller@example.com>;tag=323\n",
            "Max-Forwards: 70\nCall-ID: lwsdisp.1234abcd@funky.example.com\nCSeq: 60 OPTIONS\nVIA\nl: 0\n\n"
        ),
    ),
    (
        "3.1.1.9 semiuri",
        To("200"),
        concat!(
            "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\nTo: sip:j_user@example.com\n",
            "From: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nCall-ID: semiuri.0ha0isndaksdj\nCSeq: 8 OPTIONS\n",
            "Accept: application/sdp, application/pkcs7-mime,\n        multipart/mixed, multipart/signed,\n        message/sip, message/sipfrag\n",
            "VIA\nl: 0\n\n"
        ),
    ),
    (
        "3.1.1.10 transports",
        To("200"),
        concat!(
            "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: <sip:caller@example.com>;tag=323\n",
            "Max-Forwards: 70\nCall-ID: transports.kijh4akdnaqjkwendsasfdj\nAccept: application/sdp\nCSeq: 60 OPTIONS\nVIA\n",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\n",
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\nl: 0\n\n"
        ),
    ),
    (
        "3.1.1.12 unreason",
        ToNothing,
        "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}\nVIA\nMOREINVITE\nContact: <sip:user@host198.example.com>\nContent-Length: 0\n\n",
    ),
    ("3.1.1.13 noreason", ToNothing, "SIP/2.0 100 \nVIA\nMOREINVITE\nContent-Length: 0\n\n"),
    // Not valid.
    (
        "3.1.2.1 badinv01",
        To("400"),
        concat!(
            "INVITE sip:user@example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=134161461246\n",
            "Max-Forwards: 7\nCall-ID: badinv01.0ha0isndaksdjasdf3234nas\nCSeq: 8 INVITE\nVIA;;,;,,\n",
            "Contact: \"Joe\" <sip:joe@example.org>;;;;\nSDP"
        ),
    ),
    (
        "3.1.2.3 ncl",
        To("400"),
        "INVITE sip:user@example.com SIP/2.0\nVIA\nMOREINVITE\nContact: <sip:caller@host5.example.com>\nContent-Length: -999\n\n",
    ),
    (
        "3.1.2.4 scalar02",
        To("400"),
        concat!(
            "REGISTER sip:example.com SIP/2.0\nVIA\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\n",
            "CSeq: 36893488147419103232 REGISTER\nCall-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\n",
            "Max-Forwards: 300\nExpires: 10000000000000000000000\nContent-Length: 0\n\n"
        ),
    ),
    (
        "3.1.2.5 scalarlg",
        ToNothing,
        concat!(
            "SIP/2.0 503 Service Unavailable\nVIA\nTo: <sip:user@example.com>;tag=1\nFrom: <sip:user@example.com>;tag=2\n",
            "Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\nCSeq: 9292394834772304023312 OPTIONS\nRetry-After: 1000000000000\nContent-Length: 0\n\n"
        ),
    ),
    (
        "3.1.2.6 quotbal",
        To("400"),
        concat!(
            "INVITE sip:user@example.com SIP/2.0\nTo: \"Mr. J. User <sip:j.user@example.com>\nFrom: sip:caller@example.net;tag=93334\n",
            "Max-Forwards: 10\nCall-ID: quotbal.aksdj\nContact: <sip:caller@host59.example.net>\nCSeq: 8 INVITE\nVIA\nContent-Length: 0\n\n"
        ),
    ),
    ("3.1.2.7 ltgtruri", To("400"), "INVITE <sip:user@example.com> SIP/2.0\nVIA\nMOREINVITE\nContent-Length: 0\n\n"),
    ("3.1.2.8 lwsruri", To("400"), "INVITE sip:user@example.com; lr SIP/2.0\nVIA\nMOREINVITE\nContent-Length: 0\n\n"),
    ("3.1.2.9 lwsstart", To("400"), "INVITE  sip:user@example.com  SIP/2.0\nVIA\nMOREINVITE\nContent-Length: 0\n\n"),
    (
        "3.1.2.10 trws",
        To("400"),
        "OPTIONS sip:remote-target@example.com SIP/2.0  \nVIA\nMOREOPTIONS\nContent-Length: 0\n\n",
    ),
    (
        "3.1.2.11 escruri",
        To("400"),
        "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\nVIA\nMOREINVITE\nContent-Length: 0\n\n",
    ),
    // A date that is none is nothing to us.
    (
        "3.1.2.12 baddate",
        Call,
        concat!(
            "INVITE sip:user@example.com SIP/2.0\nVIA\nMOREINVITE\nDate: Fri, 01 Jan 2010 16:00:00 EST\n",
            "Contact: <sip:caller@host5.example.net>\nSDP"
        ),
    ),
    (
        "3.1.2.13 regbadct",
        To("401"),
        "REGISTER sip:example.com SIP/2.0\nVIA\nMOREREGISTER\nContact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\nl: 0\n\n",
    ),
    // The RFC lets the liberal ignore the spaces, and see what the display name is.
    (
        "3.1.2.14 badaspec",
        To("200"),
        concat!(
            "OPTIONS sip:user@example.org SIP/2.0\nVIA\nMax-Forwards: 70\n",
            "From: \"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=433423\nTo: \"Watson, Thomas\" < sip:t.watson@example.org >\n",
            "Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\nAccept: application/sdp\nCSeq: 3923239 OPTIONS\nl: 0\n\n"
        ),
    ),
    (
        "3.1.2.15 baddn",
        To("200"),
        concat!(
            "OPTIONS sip:t.watson@example.org SIP/2.0\nVIA\nMax-Forwards:      70\n",
            "From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43\nTo:      Watson, Thomas <sip:t.watson@example.org>\n",
            "Call-ID: baddn.31415@c.example.com\nAccept: application/sdp\nCSeq:    3923239 OPTIONS\nl: 0\n\n"
        ),
    ),
    (
        "3.1.2.16 badvers",
        To("505"),
        "OPTIONS sip:t.watson@example.org SIP/7.0\nVia: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\nMOREOPTIONS\nl: 0\n\n",
    ),
    ("3.1.2.17 mismatch01", To("400"), "OPTIONS sip:user@example.com SIP/2.0\nVIA\nMOREINVITE\nl: 0\n\n"),
    ("3.1.2.18 mismatch02", To("501"), "NEWMETHOD sip:user@example.com SIP/2.0\nVIA\nMOREINVITE\nl: 0\n\n"),
    ("3.1.2.19 bigcode", ToNothing, "SIP/2.0 4294967301 better not break the receiver\nVIA\nMOREOPTIONS\nl: 0\n\n"),
    // Of transactions and applications.
    (
        "3.2.1 badbranch",
        To("200"),
        concat!(
            "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\n",
            "VIA\nCall-ID: badbranch.sadonfo23i420jv0as0derf3j3n\nCSeq: 8 OPTIONS\nl: 0\n\n"
        ),
    ),
    (
        "3.3.1 insuf",
        To("400"),
        "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVIA\nContent-Type: application/sdp\nl: 0\n\n",
    ),
    (
        "3.3.2 unkscm",
        To("416"),
        "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\nVIA\nMOREOPTIONS\nContent-Length: 0\n\n",
    ),
    (
        "3.3.3 novelsc",
        To("416"),
        "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\nVIA\nMOREOPTIONS\nContent-Length: 0\n\n",
    ),
    (
        "3.3.4 unksm2",
        To("401"),
        concat!(
            "REGISTER sip:example.com SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\n",
            "Call-ID: unksm2.daksdj@hyphenated-host.example.com\nCSeq: 234902 REGISTER\nMax-Forwards: 70\nVIA\n",
            "Contact: <name:John_Smith>\nl: 0\n\n"
        ),
    ),
    (
        "3.3.5 bext01",
        To("420"),
        concat!(
            "OPTIONS sip:user@example.com SIP/2.0\nVIA\nMOREOPTIONS\nRequire: nothingSupportsThis, nothingSupportsThisEither\n",
            "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\nContent-Length: 0\n\n"
        ),
    ),
    (
        "3.3.6 invut",
        To("415"),
        "INVITE sip:user@example.com SIP/2.0\nContact: <sip:caller@host5.example.net>\nVIA\nMOREINVITE\nContent-Type: application/unknownformat\nContent-Length: 5\n\n<x/>\n",
    ),
    (
        "3.3.7 regaut01",
        To("401"),
        "REGISTER sip:example.com SIP/2.0\nVIA\nMOREREGISTER\nAuthorization: NoOneKnowsThisScheme opaque-data=here\nContent-Length:0\n\n",
    ),
    (
        "3.3.8 multi01",
        To("400"),
        "INVITE sip:user@company.com SIP/2.0\nVIA\nMOREINVITE\nCSeq: 59 INVITE\nCall-ID: multi01.more\nFrom: sip:other.caller@example.net;tag=161923\nContent-Length: 0\n\n",
    ),
    (
        "3.3.9 mcl01",
        To("400"),
        "OPTIONS sip:user@example.com SIP/2.0\nVIA\nMOREOPTIONS\nContent-Length: 13\nContent-Length: 5\n\nThere's no way to know how many octets are supposed to be here.\n",
    ),
    (
        "3.3.10 bcast",
        ToNothing,
        concat!(
            "SIP/2.0 200 OK\nVIA\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nMOREINVITE\n",
            "Contact: <sip:user@host28.example.com>\nSDP"
        ),
    ),
    (
        "3.3.11 zeromf",
        To("200"),
        "OPTIONS sip:user@example.com SIP/2.0\nVIA\nMOREOPTIONS\nMax-Forwards: 0\nContent-Length: 0\n\n",
    ),
    (
        "3.3.15 sdp01",
        Call,
        "INVITE sip:user@example.com SIP/2.0\nContact: <sip:caller@host15.example.net>\nVIA\nMOREINVITE\nAccept: text/nobodyKnowsThis\nSDP",
    ),
    // A From without a tag is of before RFC 3261; such callers get an answer, and no call.
    (
        "3.4.1 inv2543",
        To("400"),
        concat!(
            "INVITE sip:UserB@example.com SIP/2.0\nVIA\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\n",
            "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\n",
            "Call-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Length: 0\n\n"
        ),
    ),
];

/// The message as it is sent.
fn message(raw: &Raw, transport: Transport, name: &str, text: &str) -> String {
    let id = name.split(' ').nth(1).unwrap();
    let branch = if id == "badbranch" { String::new() } else { format!("{id}{transport}") };
    let via = format!("Via: SIP/2.0/{} {};branch=z9hG4bK{branch}", transport.to_string().to_uppercase(), raw.address());
    let body = raw.sdp("0", "");
    let sdp = format!("Content-Type: application/sdp\nContent-Length: {}\n\n", body.len());
    let mut text = text.replace("VIA", &via).replace("SDP", &sdp);
    for method in ["INVITE", "OPTIONS", "REGISTER"] {
        let more = format!(
            "To: <sip:user@example.com>\nFrom: <sip:caller@example.net>;tag=2234923\nCall-ID: {id}.{transport}\nCSeq: 8 {method}"
        );
        text = text.replace(&format!("MORE{method}"), &more);
    }
    let mut text = text.replace('\n', "\r\n");
    if text.ends_with("\r\n\r\n") && text.contains("application/sdp\r\nContent-Length: ") {
        text += &body;
    }
    text
}

#[tokio::test]
async fn the_torture_messages_beside_a_call() {
    let mut world = World::start().await;
    let live = Raw::connect(&world, Transport::Tls).await;
    live.is_trunk(&world);
    live.send(&live.request("INVITE", "live", 1, None, SDP, &live.sdp("0", ""))).await;
    let call = world.incoming().await;
    world.sip.accept(call);
    let tag = to_tag(&live.expect("SIP/2.0 200").await);
    live.send(&live.request("ACK", "live", 1, Some(&tag), "", "")).await;
    world.answered(call).await;

    for transport in [Transport::Udp, Transport::Tcp] {
        for (name, comes, text) in MESSAGES {
            // A message that ends a connection must not spoil the next one's.
            let raw = match transport {
                Transport::Udp => Raw::trunk(&world).await,
                _ => Raw::connect(&world, transport).await,
            };
            raw.is_trunk(&world);
            raw.send(&message(&raw, transport, name, text)).await;
            let what = format!("{name} by {transport}");
            match comes {
                To(status) => {
                    let answer = raw.receive().await;
                    assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{what}: {answer}");
                    if *status == "420" {
                        let unsupported = "nothingSupportsThis, nothingSupportsThisEither";
                        assert_eq!(value(&answer, "Unsupported"), Some(unsupported), "{what}");
                    }
                }
                Call => {
                    let leg = world.incoming().await;
                    raw.expect("SIP/2.0 180").await;
                    world.sip.decline(leg, 486);
                    assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::LocalHangUp), "{what}");
                }
                ToNothing => {
                    raw.send(&raw.request("OPTIONS", "after", 1, None, "", "")).await;
                    let answer = raw.receive().await;
                    assert_eq!(value(&answer, "Call-ID"), Some("after"), "{what}: {answer}");
                }
            }
        }
    }
    // 3.1.1.11 mpart01: a method that is not for us, and a body that is no text.
    for transport in [Transport::Udp, Transport::Tcp] {
        let raw = match transport {
            Transport::Udp => Raw::trunk(&world).await,
            _ => Raw::connect(&world, transport).await,
        };
        let parts = b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHello\r\n--7a9cbec02ceef655\r\n\
            Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\xff\r\n\r\n\x80SIP/2.0\r\n\
            --7a9cbec02ceef655--\r\n";
        let kind = "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\r\nMIME-Version: 1.0";
        let head = raw.request("MESSAGE", "mpart01", 1, None, kind, "");
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", parts.len()));
        raw.send_bytes(&[head.as_bytes(), parts].concat()).await;
        raw.expect("SIP/2.0 405").await;
        raw.send(&raw.request("OPTIONS", "after", 1, None, "", "")).await;
        assert_eq!(value(&raw.receive().await, "Call-ID"), Some("after"), "the body ends where it says");
    }
    // 3.1.2.2 clerr: a datagram shorter than it says.
    let raw = Raw::trunk(&world).await;
    raw.send(&raw.request("OPTIONS", "clerr", 1, None, "", "").replace("Content-Length: 0", "Content-Length: 9999"))
        .await;
    raw.expect("SIP/2.0 400").await;
    // 3.1.1.8 dblreq: what follows the message in its datagram is no message.
    let (one, two) = (raw.request("OPTIONS", "one", 1, None, "", ""), raw.request("OPTIONS", "two", 1, None, "", ""));
    raw.send(&(one + &two)).await;
    assert_eq!(value(&raw.receive().await, "Call-ID"), Some("one"));
    // 3.1.1.7 longreq: long values in every place.
    let long = "x".repeat(1_000);
    let longreq = raw.request("OPTIONS", "long", 1, None, &format!("Unknown-{long}: {long}"), "");
    raw.send(&longreq.replace("bot@", &format!("{long}@")).replace("tag=far", &format!("tag={long}"))).await;
    assert_eq!(value(&raw.receive().await, "Call-ID"), Some("long"));

    live.send(&live.request("BYE", "live", 2, Some(&tag), "", "")).await;
    live.expect("SIP/2.0 200").await;
    assert_eq!(world.event_of(call).await, LegEvent::Ended(EndCause::FarHangUp));
    world.nothing_more();
}

/// 3.3.12 cparam01, 3.3.13 cparam02, 3.3.14 regescrt: whose parameter it is, and a header part that must not be followed.
#[tokio::test]
async fn contacts_that_are_registered_and_then_called() {
    let mut world = World::start().await;
    let raw = Raw::start(&world).await;
    let at = raw.address();
    for (name, contact, called) in [
        ("cparam01", format!("sip:+19725552222@{at};unknownparam"), format!("sip:+19725552222@{at}")),
        ("cparam02", format!("<sip:+19725552222@{at};unknownparam>"), format!("sip:+19725552222@{at};unknownparam")),
        ("regescrt", format!("<sip:user@{at}?Route=%3Csip:sip.example.com%3E>"), format!("sip:user@{at}")),
    ] {
        let request = |cseq: u32, extra: &str| {
            let request = raw.request("REGISTER", name, cseq, None, extra, "");
            let own = value(&request, "Contact").unwrap().to_owned();
            let to = value(&request, "To").unwrap().to_owned();
            request.replace(&format!("Contact: {own}"), &format!("Contact: {contact}")).replace(&to, "<sip:1001@x>")
        };
        raw.send(&request(1, "")).await;
        let challenge = raw.expect("SIP/2.0 401").await;
        let proof = credentials(value(&challenge, "WWW-Authenticate").unwrap(), "REGISTER", "sip:x");
        raw.send(&request(2, &proof)).await;
        raw.expect("SIP/2.0 200").await;
        let leg = world.place(Destination::User("1001".into()));
        let invite = raw.expect("INVITE").await;
        assert_eq!(invite.lines().next(), Some(&*format!("INVITE {called} SIP/2.0")), "{name}");
        assert_eq!(value(&invite, "Route"), None, "{name}");
        raw.send(&raw.response(&invite, "486 Busy", "a", &raw.contact(), "")).await;
        assert_eq!(world.event_of(leg).await, LegEvent::Ended(EndCause::Busy));
        world.no_leg_is_left().await;
    }
}
