//! What every test begins with: a server on a folder of its own, two tenants with their bots, phones and a test line,
//! and the bots' journal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use ringback_media::wav;
use ringback_server::directory::SecretHash;
use ringback_server::{Options, Server};
use ringback_signal::phone::{Phone, PhoneCall, PhoneConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::journal::Journal;
use crate::soon;
use crate::web::{self, Bot};

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Two tenants. Each has a bot; the first has another one beside it.
pub(crate) const TENANT: &str = "1a1a1a1a-0000-4000-8000-00000000000a";
pub(crate) const OTHER_TENANT: &str = "1b1b1b1b-0000-4000-8000-00000000000b";
pub(crate) const APP: &str = "a1a1a1a1-0000-4000-8000-0000000000a1";
pub(crate) const SIBLING_APP: &str = "a2a2a2a2-0000-4000-8000-0000000000a2";
pub(crate) const FOREIGN_APP: &str = "b1b1b1b1-0000-4000-8000-0000000000b1";
pub(crate) const SECRET: &str = "the bots' own secret";
/// The number of the first tenant's bot.
pub(crate) const NUMBER: &str = "5000";
pub(crate) const PASSWORD: &str = "correct horse";
/// User ids: two SIP phones and a test line of the first tenant.
pub(crate) const USERS: [(&str, &str); 2] =
    [("c1c1c1c1-0000-4000-8000-000000001001", "1001"), ("c1c1c1c1-0000-4000-8000-000000001002", "1002")];
pub(crate) const NULL_LINE: &str = "c1c1c1c1-0000-4000-8000-000000009000";
/// The test line of the other tenant.
pub(crate) const FOREIGN_LINE: &str = "c2c2c2c2-0000-4000-8000-000000009000";

/// The path of the first bot's webhook.
pub(crate) const WEBHOOK: &str = "/calls";

/// A server and everyone around it.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) journal: Journal,
    pub(crate) bot: Bot,
    pub(crate) folder: TempDir,
}

/// The configuration, with the bots' webhooks at this address.
pub(crate) fn configuration(webhooks: SocketAddr) -> String {
    let few = NonZeroU32::new(10_000).expect("not zero");
    let hash = SecretHash::make(SECRET, few).expect("random bytes");
    let mut text = format!(
        "[server]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\nsip_tls = \"127.0.0.1:0\"\n\
         media_ports = \"20000-31999\"\n\
         allow_private_targets = [\"127.0.0.1\"]\n\
         [[tenants]]\nid = \"{TENANT}\"\nname = \"one.example\"\n\
         [[tenants]]\nid = \"{OTHER_TENANT}\"\nname = \"two.example\"\n"
    );
    for (app, tenant, number, path) in [
        (APP, TENANT, NUMBER, WEBHOOK),
        (SIBLING_APP, TENANT, "5001", "/sibling"),
        (FOREIGN_APP, OTHER_TENANT, "6000", "/foreign"),
    ] {
        text += &format!(
            "[[apps]]\nid = \"{app}\"\ntenant = \"{tenant}\"\nname = \"Bot {number}\"\nsecret_hash = \"{hash}\"\n\
             webhook = \"http://{webhooks}{path}\"\nnumbers = [\"{number}\"]\n"
        );
    }
    for (id, sip) in USERS {
        text += &user(id, sip, PASSWORD);
    }
    for (id, tenant, sip) in [(NULL_LINE, TENANT, "9000"), (FOREIGN_LINE, OTHER_TENANT, "9100")] {
        text += &format!(
            "[[users]]\nid = \"{id}\"\ntenant = \"{tenant}\"\nname = \"Test line\"\nsip = \"{sip}\"\nphone = \"null\"\n"
        );
    }
    text
}

/// A user in the configuration.
pub(crate) fn user(id: &str, sip: &str, password: &str) -> String {
    format!(
        "[[users]]\nid = \"{id}\"\ntenant = \"{TENANT}\"\nname = \"Phone {sip}\"\nsip = \"{sip}\"\n\
         password = \"{password}\"\n"
    )
}

/// What a server is started with in this folder: its configuration and its data.
pub(crate) fn options(folder: &Path) -> Options {
    Options { data: folder.join("data"), config: Some(folder.join("ringback.toml")), ..Options::default() }
}

impl World {
    pub(crate) async fn start() -> World {
        let journal = Journal::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = configuration(journal.address());
        Self::start_with(journal, folder, &text).await
    }

    pub(crate) async fn start_with(journal: Journal, folder: TempDir, configuration: &str) -> World {
        std::fs::write(folder.path().join("ringback.toml"), configuration).expect("a file");
        let server = soon(Server::start(options(folder.path()))).await.unwrap_or_else(|error| panic!("{error}"));
        let bot = bot(server.http_addr(), TENANT, APP).await;
        World { server, journal, bot, folder }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.server.http_addr()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Another bot of the same tenant.
    pub(crate) async fn sibling(&self) -> Bot {
        bot(self.http(), TENANT, SIBLING_APP).await
    }

    /// A bot of the other tenant.
    pub(crate) async fn foreign(&self) -> Bot {
        bot(self.http(), OTHER_TENANT, FOREIGN_APP).await
    }

    /// The operator's way in.
    pub(crate) fn door(&self) -> Bot {
        let token = std::fs::read_to_string(self.server.operator_token_file()).expect("the operator's token");
        Bot { http: self.http(), token: token.trim().to_owned() }
    }

    /// A request at the operator's door.
    pub(crate) async fn operator(&self, path: &str) -> web::Answer {
        self.door().ask("GET", &format!("/_ringback/{path}"), None).await
    }

    /// Why notices of a call were given up.
    pub(crate) async fn undelivered(&self, call: &str) -> Vec<String> {
        let marks = self.operator(&format!("calls/{call}/undelivered")).await.is(200).json();
        let marks = marks["value"].as_array().expect("a list").clone();
        marks.iter().map(|mark| mark["why"].as_str().expect("a reason").to_owned()).collect()
    }

    /// A phone of one of [`USERS`], registered.
    pub(crate) async fn phone(&self, user: &str) -> Phone {
        phone(self.server.sip_addr(), user).await
    }

    /// A call of the bot to the test line, told at `/calls` and up.
    pub(crate) async fn null_call(&self) -> String {
        self.null_call_told(WEBHOOK).await
    }

    /// The same, told at this path.
    pub(crate) async fn null_call_told(&self, path: &str) -> String {
        let create = create(&self.journal.url(path), NULL_LINE);
        let call = self.bot.post("", &create).await.is(201).id();
        self.journal.wait(&call, "established active").await;
        call
    }

    /// A call of the bot to a phone, up.
    pub(crate) async fn call_to(&self, phone: &Phone, user: &str) -> (String, PhoneCall) {
        let create = create(&self.journal.url(WEBHOOK), user);
        let call = self.bot.post("", &create).await.is(201).id();
        let up = soon(soon(phone.ringing()).await.expect("it rings").answer()).await.expect("it is up");
        self.journal.wait(&call, "established active").await;
        (call, up)
    }

    /// A call of a phone to the bot, answered and up.
    pub(crate) async fn call_from(&self, phone: &Phone) -> (String, PhoneCall) {
        let known: Vec<String> =
            self.journal.told().iter().filter_map(|told| told.data()["id"].as_str().map(str::to_owned)).collect();
        let (calling, dialling) = (phone.clone(), async {
            let call = self.journal.incoming(&known).await;
            self.bot.post(&format!("/{call}/answer"), &answer()).await.is(202).without_body();
            call
        });
        let (up, call) = tokio::join!(soon(calling.call(NUMBER)), dialling);
        self.journal.wait(&call, "established active").await;
        (call, up.expect("it is up"))
    }

    /// Waits until the call's last notice was told, and gives the gist of everything told.
    pub(crate) async fn over(&self, call: &str) -> Vec<String> {
        self.journal.wait(call, "terminated").await;
        self.journal.gists(call)
    }
}

/// A bot that got itself a token.
pub(crate) async fn bot(http: SocketAddr, tenant: &str, app: &str) -> Bot {
    bot_with(http, tenant, app, SECRET).await
}

/// The same with a secret of its own.
pub(crate) async fn bot_with(http: SocketAddr, tenant: &str, app: &str, secret: &str) -> Bot {
    let answer = token(http, tenant, app, secret).await.is(200);
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    Bot { http, token }
}

/// Asks for a token.
pub(crate) async fn token(http: SocketAddr, tenant: &str, app: &str, secret: &str) -> web::Answer {
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", app)
        .append_pair("client_secret", secret)
        .append_pair("scope", "https://graph.microsoft.com/.default")
        .finish();
    token_form(http, tenant, &form).await
}

/// The same with any form.
pub(crate) async fn token_form(http: SocketAddr, tenant: &str, form: &str) -> web::Answer {
    let head = format!(
        "POST /{tenant}/oauth2/v2.0/token HTTP/1.1\r\nHost: ringback\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    web::send(http, (head + form).as_bytes()).await
}

/// A phone, registered.
pub(crate) async fn phone(registrar: SocketAddr, user: &str) -> Phone {
    let config = PhoneConfig { registrar, user: user.to_owned(), password: PASSWORD.to_owned(), bind: HERE };
    let phone = soon(Phone::start(config)).await.expect("a phone");
    soon(phone.register()).await.expect("it registers");
    phone
}

/// The body of create call to a user.
pub(crate) fn create(callback: &str, user: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": callback,
        "targets": [{"@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": {"user": {"id": user}}}],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    })
}

/// The body of answer.
pub(crate) fn answer() -> Value {
    json!({
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    })
}

/// The body of playPrompt.
pub(crate) fn play(prompts: &[&str], context: Option<&str>) -> Value {
    let prompt = |uri: &&str| json!({"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": uri}});
    json!({"prompts": prompts.iter().map(prompt).collect::<Vec<_>>(), "clientContext": context})
}

/// The body of recordResponse: this prompt, and nothing else that is not so by default.
pub(crate) fn record(prompt: &str) -> Value {
    json!({"prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": prompt}}]})
}

/// Something with the rhythm of speech, at 8 kHz: syllables of a rising pitch that swell and fade, with short gaps.
pub(crate) fn words(milliseconds: usize) -> Vec<i16> {
    let sample = |n: usize| {
        let within = (n % 1_600) as f64 / 1_400.0;
        let swell = if within < 1.0 { (within * std::f64::consts::PI).sin() } else { 0.0 };
        let pitch = 300.0 + 40.0 * (n / 1_600) as f64;
        ((n as f64 * pitch / 8_000.0 * std::f64::consts::TAU).sin() * swell * 12_000.0) as i16
    };
    (0..milliseconds * 8).map(sample).collect()
}

/// The same on beta, without end.
pub(crate) fn play_for_ever(context: Option<&str>) -> Value {
    let mut body = play(&["http://127.0.0.1:9/never-fetched-by-a-test-line.wav"], context);
    body["loop"] = true.into();
    body
}

/// A WAV of this many milliseconds, mono, 16 kHz: a tone of 440 Hz.
pub(crate) fn tone(milliseconds: usize) -> Vec<u8> {
    let sample = |n: usize| ((n as f64 * 440.0 * std::f64::consts::TAU / 16_000.0).sin() * 8_000.0) as i16;
    let pcm: Vec<i16> = (0..milliseconds * 16).map(sample).collect();
    wav::encode(16_000, &pcm)
}
