//! The configuration as an operator writes it, and what the directory answers from it.

use super::*;
use ringback_core::IdentityKind;
use ringback_signal::{Flow, Peer, SipDirectory as _, Transport};

/// A configuration with everything in it. The hash is of "open sesame", 10,000 rounds.
fn example() -> String {
    let hash = SecretHash::make("open sesame", std::num::NonZeroU32::new(10_000).unwrap()).unwrap();
    format!(
        r#"
[server]
http = "127.0.0.1:8000"
sip = "127.0.0.1:5070"
public_url = "https://calls.example/"
public_address = "198.51.100.7"
media_ports = "30000-30099"
allow_private_targets = ["10.1.0.0/16", "bots.internal"]

[[tenants]]
id = "T1"
name = "contoso.example"

[[tenants]]
id = "t2"
name = "fabrikam.example"

[[apps]]
id = "0A0A0A0A-0000-4000-8000-00000000AAAA"
tenant = "t1"
name = "Reception"
secret_hash = "{hash}"
webhook = "https://bot.contoso.example/api/calls"
numbers = ["+1 (555) 0100", "Reception"]
prefixes = ["+4930", "+49"]
max_calls = 7

[[apps]]
id = "other-app"
tenant = "t2"
name = "Other"
secret_hash = "{hash}"
webhook = "http://10.9.9.9:3978/api/calls"

[[users]]
id = "U-1001"
tenant = "t1"
name = "Alice"
sip = "1001"
password = "wonderland"
nat = true

[[users]]
id = "u-line"
tenant = "t1"
name = "Line"
sip = "9000"
phone = "null"

[[users]]
id = "u-2002"
tenant = "t2"
name = "Bob"
sip = "2002"
ha1 = "0123456789ABCDEF0123456789abcdef"

[[trunks]]
name = "berlin"
address = "192.0.2.10:5060"
prefixes = ["+4930"]
max_calls = 30

[[trunks]]
name = "germany"
address = "192.0.2.20:5060"
nat = true
prefixes = ["+49", "+43"]

[[trunks]]
name = "secure"
address = "192.0.2.20:5061"
transport = "tls"
host = "sip.carrier.example"
login = "ringback1"
password = "s3cret"
register = true
keep_alive = 30
caller_id = "+15550100"
"#
    )
}

fn config() -> Config {
    Config::parse(&example()).unwrap()
}

fn app(directory: &Directory) -> Arc<App> {
    Arc::clone(directory.app(&AppId::new("0a0a0a0a-0000-4000-8000-00000000aaaa")).unwrap())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The error of the example with `from` replaced by `to`.
fn error(from: &str, to: &str) -> String {
    let text = example();
    assert!(text.contains(from), "{from}");
    Config::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_configuration_is_read_whole() {
    let Config { server, directory } = config();
    assert_eq!((server.http, server.sip), (address("127.0.0.1:8000"), address("127.0.0.1:5070")));
    assert_eq!(server.public_url.as_deref(), Some("https://calls.example"));
    assert_eq!(server.media_ports, 30000..=30099);
    assert!(server.allow_private_targets.names_host("bots.internal"));
    let app = app(&directory);
    assert_eq!(app.numbers, ["+15550100", "reception"]);
    assert_eq!((app.max_calls, app.prefixes.len()), (7, 2));
    assert!(app.secret.as_ref().unwrap().verify("open sesame"));
    assert_eq!(app.reach.webhook().unwrap().origin(), &Origin { host: "bot.contoso.example".into(), port: 443 });
    assert_eq!(directory.app(&AppId::new("other-app")).unwrap().max_calls, 100);
    // md5 of "1001:ringback:wonderland"
    assert_eq!(directory.user("u-1001").unwrap().ha1.as_deref(), Some("075a032c577d8dfb216f6d2f00946f03"));
    assert_eq!(directory.user("U-2002").unwrap().ha1.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(directory.user("u-line").unwrap().line, Line::Null);
    assert!(!directory.is_development());
}

#[test]
fn nothing_written_means_the_defaults() {
    let Config { server, directory } = Config::parse("").unwrap();
    assert_eq!((server.http, server.sip), (address("127.0.0.1:8480"), address("127.0.0.1:5060")));
    assert_eq!((server.sip_tls, server.sip_ca), (address("127.0.0.1:5061"), None));
    assert_eq!((server.media_ports, server.public_url), (40000..=41999, None));
    assert_eq!((server.https, server.tls_files), (address("127.0.0.1:8443"), None));
    assert!(!server.allow_private_targets.names_address([127, 0, 0, 1].into()), "loopback is for development");
    assert_eq!((directory.apps().count(), directory.users().count()), (0, 0));
    let development = Config::load(None).unwrap();
    assert!(development.directory.is_development());
    assert!(development.server.allow_private_targets.names_address([127, 0, 0, 1].into()));
    assert!(!development.server.allow_private_targets.names_address([10, 0, 0, 1].into()));
}

#[test]
fn an_unknown_key_is_an_error_in_every_table() {
    for table in ["[server]", "[[tenants]]", "[[apps]]", "[[users]]", "[[trunks]]"] {
        let error = error(table, &format!("{table}\nnumber = \"1\""));
        assert!(error.contains("unknown field `number`") && error.contains("line "), "{error}");
    }
    assert!(error("[server]", "[sever]").contains("unknown field `sever`"));
}

#[test]
fn a_syntax_error_tells_the_line_and_not_its_text() {
    let broken = error("password = \"wonderland\"", "password = \"wonderland");
    assert!(broken.contains("line 40") && !broken.contains("wonderland"), "{broken}");
    let mistyped = error("password = \"wonderland\"", "password = 70717273");
    assert_eq!(mistyped, "configuration, line 40: the value has the wrong type, expected a string");
    assert!(error("nat = true", "nat = 1").contains("line 41"));
}

#[test]
fn every_bad_value_names_its_key_and_what_to_do() {
    for (from, to, expected) in [
        ("127.0.0.1:8000", "localhost:8000", "server.http: is not an address and port"),
        ("127.0.0.1:5070", "127.0.0.1", "server.sip: is not an address and port"),
        ("http = \"", "https = \"8443\"\nhttp = \"", "server.https: is not an address and port"),
        ("http = \"", "metrics = \"all\"\nhttp = \"", "server.metrics: is neither"),
        ("[[tenants]]", "[telemetry]\notlp = \"127.0.0.1:4318\"\n[[tenants]]", "telemetry.otlp: is not an http"),
        ("http = \"", "tls_key = \"k.pem\"\nhttp = \"", "server.tls_certificate: is missing"),
        ("http = \"", "tls_certificate = \"c.pem\"\nhttp = \"", "server.tls_key: is missing"),
        ("https://calls.example/", "https://calls.example/x", "server.public_url: is not"),
        ("198.51.100.7", "calls.example", "server.public_address: is not an IP address"),
        ("30000-30099", "30099-30000", "server.media_ports: is not a range"),
        ("30000-30099", "80-90", "server.media_ports: is not a range"),
        ("bots.internal\"", "http://bots\"", "server.allow_private_targets[1]: is neither"),
        ("id = \"t2\"", "id = \"t1\"", "tenants[1].id: \"t1\" is already taken by tenants[0].id"),
        ("id = \"t2\"", "id = \"\"", "tenants[1].id"),
        ("fabrikam.example", "Contoso.example", "tenants[1].name: \"Contoso.example\" is already taken"),
        (
            "webhook = \"",
            "roles = [\"Calls.All\"]\nwebhook = \"",
            "roles: \"Calls.All\" is none of Calls.AccessMedia.All",
        ),
        ("tenant = \"t2\"", "tenant = \"t3\"", "apps[1].tenant: there is no tenant t3: add it under [[tenants]]"),
        ("\"other-app\"", "\"0a0a0a0a-0000-4000-8000-00000000aaaa\"", "apps[1].id"),
        ("\"other-app\"", "\"other app\"", "apps[1].id"),
        ("http://10.9.9.9:3978", "ftp://10.9.9.9", "apps[1].webhook: is not an http or https URL"),
        ("http://10.9.9.9:3978", "http://u:p@10.9.9.9", "apps[1].webhook: is not an http or https URL"),
        ("pbkdf2-sha256", "sha256", "apps[0].secret_hash: is not of the form"),
        ("\"Reception\"]", "\"a b\"]", "apps[0].numbers: \"a b\" is neither"),
        ("\"Reception\"]", "\"15550100\", \"1001\"]", "users[0].sip: \"1001\" is already taken by apps[0].numbers"),
        ("\"Reception\"]", "\"+1-555-0100\"]", "apps[0].numbers: \"+15550100\" is already taken"),
        ("[\"+4930\", \"+49\"]", "[\"\"]", "apps[0].prefixes: \"\" is not the beginning of a number"),
        ("max_calls = 7", "max_calls = 0", "apps[0].max_calls: is 0"),
        ("\"u-line\"", "\"u-1001\"", "users[1].id: \"u-1001\" is already taken by users[0].id"),
        ("\"9000\"", "\"1001\"", "users[1].sip"),
        ("phone = \"null\"", "phone = \"none\"", "users[1].phone: is neither"),
        ("phone = \"null\"", "phone = \"null\"\npassword = \"x\"", "users[1].phone: a \"null\" line takes no password"),
        ("password = \"wonderland\"\n", "", "users[0].password: a SIP phone needs either"),
        ("password = \"wonderland\"", "password = \"\"", "users[0].password: a SIP phone needs either"),
        ("0123456789ABCDEF", "0123456789ABCDEX", "users[2].ha1: is not 32 hexadecimal digits"),
        ("192.0.2.10:5060", "sip.example:5060", "trunks[0].address: is not an address and port"),
        ("192.0.2.20:5060", "192.0.2.10:5060", "trunks[1].address"),
        ("\"germany\"", "\"berlin\"", "trunks[1].name"),
        ("password = \"s3cret\"\n", "", "trunks[2].password: is missing"),
        ("login = \"ringback1\"\n", "", "trunks[2].login: is missing"),
        ("login = \"ringback1\"\npassword = \"s3cret\"\n", "", "trunks[2].register: needs a login"),
        ("keep_alive = 30", "keep_alive = 2", "trunks[2].keep_alive: is not a number of seconds"),
        ("caller_id = \"+15550100\"", "caller_id = \"a b\"", "trunks[2].caller_id: \"a b\" is neither"),
        ("sip = \"127.0.0.1:5070\"", "session_expires = 89", "server.session_expires: is not a number of seconds"),
        ("\"tls\"", "\"sctp\"", "trunks[2].transport: is none of"),
        ("sip.carrier.example", "https://carrier.example", "trunks[2].host: \"https://carrier.example\" is not a host"),
    ] {
        let error = error(from, to);
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_name() {
    let error = Config::load(Some(std::path::Path::new("/nowhere/ringback.toml"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ringback.toml"), "{error}");
}

#[test]
fn an_open_listener_refuses_published_identities() {
    let mut config = Config::development().unwrap();
    config.check_safety().unwrap();
    config.server.sip = address("0.0.0.0:5060");
    let error = config.check_safety().unwrap_err().to_string();
    assert!(error.contains("refusing to listen on 0.0.0.0:5060") && error.contains("1001"), "{error}");

    let mut config = super::tests::config();
    config.server.http = address("[::]:8480");
    config.check_safety().unwrap();
    let text = example();
    let published = ringback_signal::ha1("1001", SIP_REALM, PHONE_PASSWORD);
    for credential in ["password = \"ringback\"".to_owned(), format!("ha1 = \"{published}\"")] {
        let mut config = Config::parse(&text.replacen("password = \"wonderland\"", &credential, 1)).unwrap();
        config.server.http = address("192.0.2.1:80");
        let error = config.check_safety().unwrap_err().to_string();
        assert!(error.contains("password published for development"), "{credential}: {error}");
    }
    let known = SecretHash::make(APP_SECRET, std::num::NonZeroU32::new(10_000).unwrap()).unwrap();
    let start = text.find("pbkdf2").unwrap();
    let end = start + text[start..].find('"').unwrap();
    let mut config = Config::parse(&text.replacen(&text[start..end], &known.to_string(), 1)).unwrap();
    config.check_safety().unwrap();
    config.server.http = address("192.0.2.1:80");
    let error = config.check_safety().unwrap_err().to_string();
    assert!(error.contains("secret published for development"), "{error}");
}

#[test]
fn an_open_directory_is_for_this_machine_and_named_networks() {
    assert!(!config().directory.is_open() && config().directory.serves([203, 0, 113, 1].into()));
    let open = "identities = \"any\"";
    let mut config = Config::parse(&format!("[server]\n{open}")).unwrap();
    assert!(config.directory.is_open() && !config.directory.is_development());
    assert!(!config.directory.serves([172, 28, 0, 5].into()));
    config.check_safety().unwrap();
    config.server.https = address("0.0.0.0:443");
    let error = config.check_safety().unwrap_err().to_string();
    assert!(error.contains("refusing to listen on 0.0.0.0:443") && error.contains("server.identities_from"), "{error}");

    let text = format!("[server]\nhttps = \"0.0.0.0:443\"\n{open}\nidentities_from = [\"172.28.0.0/16\"]");
    let config = Config::parse(&text).unwrap();
    config.check_safety().unwrap();
    assert!(config.directory.serves([172, 28, 0, 5].into()) && !config.directory.serves([172, 29, 0, 5].into()));
    for (from, to, why) in [
        ("172.28.0.0/16", "0.0.0.0/0", "server.identities_from[0]: is not a private network"),
        ("\"any\"", "\"listed\"", "is only for identities = \"any\""),
        ("\"any\"", "\"all\"", "server.identities: is neither \"listed\" nor \"any\""),
    ] {
        let error = Config::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn apps_are_found_by_what_is_dialled() {
    let directory = config().directory;
    let app = app(&directory).id.clone();
    for dialled in ["+15550100", "tel:+1-555-0100", "RECEPTION", "0A0A0A0A-0000-4000-8000-00000000AAAA"] {
        assert_eq!(directory.app_by_number(dialled).map(|app| &app.id), Some(&app), "{dialled}");
    }
    for dialled in ["", "15550100", "1001", "+155501000"] {
        assert!(directory.app_by_number(dialled).is_none(), "{dialled}");
    }
}

#[test]
fn the_sip_side_is_told_what_it_asks() {
    let shared = SharedDirectory::new(config().directory);
    assert_eq!(shared.ha1("1001"), Some(ringback_signal::ha1("1001", SIP_REALM, "wonderland")));
    assert_eq!((shared.ha1("9000"), shared.ha1("nobody")), (None, None), "a test line cannot register");
    assert_eq!(shared.trunk_of(Flow::udp(address("192.0.2.10:5060"))).as_deref(), Some("berlin"));
    assert_eq!(shared.trunk_of(Flow::udp(address("[::ffff:192.0.2.10]:5060"))).as_deref(), Some("berlin"));
    assert_eq!(
        shared.trunk_of(Flow::udp(address("192.0.2.10:5061"))),
        None,
        "another port of its host is not the trunk"
    );
    assert_eq!(
        shared.trunk_of(Flow::udp(address("192.0.2.20:61000"))).as_deref(),
        Some("germany"),
        "unless it is behind NAT"
    );
    let secure = shared.trunks().pop().unwrap();
    assert_eq!(secure.flow.to_string(), "tls 192.0.2.20:5061");
    assert_eq!((secure.host.as_deref(), secure.register), (Some("sip.carrier.example"), true));
    let by = |transport, at| shared.trunk_of(Flow { transport, address: address(at) });
    assert_eq!(by(Transport::Tls, "192.0.2.20:61000").as_deref(), Some("secure"), "by a connection, any port");
    assert_eq!(by(Transport::Tcp, "192.0.2.20:61000"), None, "but no other transport");
    let nat = ["1001", "2002"].map(|name| shared.nat(&Peer::User(name.into())));
    assert_eq!(nat, [true, false]);
    assert_eq!(["berlin", "germany"].map(|name| shared.nat(&Peer::Trunk(name.into()))), [false, true]);
}

#[test]
fn a_replaced_directory_is_seen_by_all() {
    let shared = SharedDirectory::new(config().directory);
    let (other, old) = (shared.clone(), shared.current());
    shared.replace(Directory::default());
    assert!(other.ha1("1001").is_none());
    assert!(old.user_by_sip("1001").is_some(), "what was taken stays as it was");
}

/// Where the example's first app gets by this identity, in a word.
fn route(kind: IdentityKind, id: &str) -> Result<String, RouteError> {
    let config = config();
    let home = SipHome::new(&config.server, config.server.sip, None);
    let app = app(&config.directory);
    Ok(match config.directory.resolve_target(&app, kind, id, &home)? {
        Destination::Phone(user) => format!("phone {}", user.sip),
        Destination::Test(user) => format!("test {}", user.sip),
        Destination::Trunk { trunk, number } => format!("{} {number}", trunk.name),
        Destination::Uri(uri) => uri,
        Destination::Anyone => "anyone".to_owned(),
    })
}

/// In an open directory whoever is not known is anyone at a page's phone; who is known, or cannot be called, is as ever.
#[test]
fn whom_nobody_knows_is_anyone_in_an_open_directory() {
    let mut config = config();
    config.directory.open = Some(Open::default());
    let home = SipHome::new(&config.server, config.server.sip, None);
    let app = app(&config.directory);
    let route = |kind, id| match config.directory.resolve_target(&app, kind, id, &home) {
        Ok(Destination::Anyone) => Ok("anyone".to_owned()),
        Ok(other) => Ok(format!("{other:?}")),
        Err(error) => Err(error),
    };
    for (kind, id) in [
        (IdentityKind::User, "8d1e6ab6-1c0a-4f0c-8a0b-7a5f0f3a9a11"),
        (IdentityKind::User, "ada@somewhere.example"),
        (IdentityKind::User, "sip:nobody@ringback"),
        (IdentityKind::Phone, "+1 555 0199"),
    ] {
        assert_eq!(route(kind, id).as_deref(), Ok("anyone"), "{id}");
    }
    assert_eq!(route(IdentityKind::User, "u-1001").as_deref(), Ok("User(u-1001)"));
    for (kind, id, error) in [
        (IdentityKind::User, " ", RouteError::UnknownUser),
        (IdentityKind::Phone, "+15550100", RouteError::App),
        (IdentityKind::Phone, "not a number", RouteError::NotANumber),
        (IdentityKind::Application, "other-app", RouteError::NotCallable),
        (IdentityKind::User, "sip:x@198.51.100.77", RouteError::ForeignHost),
    ] {
        assert_eq!(route(kind, id), Err(error), "{id}");
    }
}

#[test]
fn users_are_reached_by_every_name_and_only_in_the_apps_tenant() {
    for id in ["u-1001", "U-1001", "1001", "1001@contoso.example", "1001@T1", "sip:1001@ringback", "SIP:1001@127.0.0.1"]
    {
        assert_eq!(route(IdentityKind::User, id).as_deref(), Ok("phone 1001"), "{id}");
    }
    for id in ["sip:1001@127.0.0.1:5070", "sip:1001@localhost", "sip:1001@198.51.100.7"] {
        assert_eq!(route(IdentityKind::Phone, id).as_deref(), Ok("phone 1001"), "{id}");
    }
    assert_eq!(route(IdentityKind::User, "u-line").as_deref(), Ok("test 9000"));
    assert_eq!(route(IdentityKind::Phone, "9000").as_deref(), Ok("test 9000"));
    for id in ["", "nobody", "u-2002", "2002", "2002@fabrikam.example", "1001@fabrikam.example", "sip:2002@ringback"] {
        assert_eq!(route(IdentityKind::User, id), Err(RouteError::UnknownUser), "{id}");
    }
    assert_eq!(route(IdentityKind::Application, "other-app"), Err(RouteError::NotCallable));
}

#[test]
fn numbers_need_a_prefix_of_the_app_and_a_trunk() {
    for (number, expected) in [
        ("+49 30 1234", "berlin +49301234"),
        ("tel:+4989-1234", "germany +49891234"),
        ("sip:+4930777@192.0.2.20", "berlin +4930777"),
        ("sip:+4930777@192.0.2.20:5099", "berlin +4930777"),
    ] {
        assert_eq!(route(IdentityKind::Phone, number).as_deref(), Ok(expected), "{number}");
    }
    for (number, expected) in [
        ("+4312345", RouteError::NotAllowed),
        ("+19005550100", RouteError::NotAllowed),
        ("112", RouteError::NotAllowed),
        ("sip:+19005550100@192.0.2.20", RouteError::NotAllowed),
        ("2002", RouteError::NotAllowed),
        ("+15550100", RouteError::App),
        ("", RouteError::NotANumber),
        ("+", RouteError::NotANumber),
        ("+49*30", RouteError::NotANumber),
        ("+49301234\r\nX: y", RouteError::NotANumber),
        ("+4930123456789012345678", RouteError::NotANumber),
    ] {
        assert_eq!(route(IdentityKind::Phone, number), Err(expected), "{number:?}");
    }
    let mut config = config();
    let home = SipHome::new(&config.server, config.server.sip, None);
    let mut app = App::clone(&app(&config.directory));
    app.prefixes = vec!["+1".into()];
    let route = config.directory.resolve_target(&app, IdentityKind::Phone, "+1234", &home);
    assert_eq!(route.unwrap_err(), RouteError::NoTrunk);
    app.prefixes.clear();
    config = super::tests::config();
    let route = config.directory.resolve_target(&app, IdentityKind::Phone, "+49301234", &home);
    assert_eq!(route.unwrap_err(), RouteError::NotAllowed, "the default is nothing");
}

#[test]
fn foreign_sip_addresses_need_to_be_named() {
    for uri in ["sip:x@10.1.2.3", "sip:x@10.1.2.3:5066", "sip:x@bots.internal", "sip:x@BOTS.internal:5070"] {
        assert_eq!(route(IdentityKind::User, uri).as_deref(), Ok(uri));
    }
    for uri in
        ["sip:x@10.2.0.1", "sip:x@sip.example", "sip:1001@127.0.0.1:5071", "sip:x@[::1]", "sip:x@169.254.169.254"]
    {
        assert_eq!(route(IdentityKind::User, uri), Err(RouteError::ForeignHost), "{uri}");
    }
    for uri in [
        "sip:",
        "sip:x",
        "sip:@10.1.2.3",
        "sip:x@",
        "sip:x@10.1.2.3:0",
        "sip:x@10.1.2.3:99999",
        "sip:x@10.1.2.3;lr",
        "sip:x@10.1.2.3?Route=y",
        "sip:x:pw@10.1.2.3",
        "sip:x@10.1.2.3\r\nVia: y",
        "sip:a@b@10.1.2.3",
        "sip:x@[::1",
        "sip:x@::1",
        "sip:x@10.1.2.3:",
    ] {
        assert_eq!(route(IdentityKind::User, uri), Err(RouteError::NotAnAddress), "{uri:?}");
    }
}

#[test]
fn the_development_directory_reaches_phones_on_this_machine() {
    let config = Config::development().unwrap();
    let home = SipHome::new(&config.server, address("127.0.0.1:5060"), None);
    let app = Arc::clone(config.directory.app(&AppId::new(APP_ID)).unwrap());
    let resolve = |id: &str| config.directory.resolve_target(&app, IdentityKind::User, id, &home);
    assert!(matches!(resolve(PHONES[0].0), Ok(Destination::Phone(user)) if user.sip == "1001"));
    assert!(matches!(resolve("sip:callee@127.0.0.1:5099"), Ok(Destination::Uri(_))));
    assert!(matches!(resolve("sip:callee@localhost:5099"), Ok(Destination::Uri(_))));
    assert_eq!(resolve("sip:callee@10.0.0.1").unwrap_err(), RouteError::ForeignHost);
}

#[test]
fn numbers_have_one_form() {
    for (text, form) in [
        ("+1 (555) 01-00", "+15550100"),
        ("tel:+1.555.0100", "+15550100"),
        ("*31#5000", "*31#5000"),
        ("Reception", "reception"),
        ("help-desk.north", "help-desk.north"),
        (" 5000 ", "5000"),
        ("", ""),
    ] {
        assert_eq!(dialled(text), form, "{text:?}");
    }
}

#[test]
fn nothing_that_is_printed_tells_a_secret_or_a_number() {
    let config = config();
    let home = SipHome::new(&config.server, config.server.sip, None);
    let app = app(&config.directory);
    let resolve = |id| config.directory.resolve_target(&app, IdentityKind::Phone, id, &home).unwrap();
    let user = config.directory.user("u-1001").unwrap();
    let webhook = Webhook::parse("https://bot.example/hook?code=hunter2").unwrap();
    let printed = format!(
        "{config:?} {app:?} {user:?} {:?} {:?} {webhook:?}",
        resolve("+49301234"),
        resolve("sip:caller@10.1.2.3")
    );
    let ha1 = user.ha1.clone().unwrap();
    for secret in [ha1.as_str(), "+15550100", "49301234", "caller", "hunter2", "pbkdf2", "1001:"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    assert!(printed.contains("User(u-1001)"), "{printed}");
}
