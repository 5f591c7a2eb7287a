//! Apps that come and come again: what the directory shows of them, and what a restart finds.

use super::*;
use crate::directory::{APP_ID, Config, TENANT_ID};
use ringback_core::TenantId;
use ringback_ledger::MemoryLedger;
use std::num::NonZeroU32;

const ONE: &str = "6a6a6a6a-0000-4000-8000-000000000001";
const TWO: &str = "6a6a6a6a-0000-4000-8000-000000000002";
const TENANT: &str = "7b7b7b7b-0000-4000-8000-000000000007";

struct World {
    directory: SharedDirectory,
    first_seen: FirstSeen,
}

impl World {
    fn of(ledger: &Arc<MemoryLedger>, configured: Directory) -> World {
        let (directory, clock) = (SharedDirectory::new(configured), Clock::start());
        let first_seen = FirstSeen::new(directory.clone(), Arc::clone(ledger) as _, clock, Timeline::new(clock));
        World { directory, first_seen }
    }

    fn development() -> World {
        World::of(&Arc::default(), Config::development().unwrap().directory)
    }

    async fn sees(&self, id: &str) -> Arc<App> {
        let secret = SecretHash::make(id, NonZeroU32::new(10_000).unwrap()).unwrap();
        self.first_seen.admit(&AppId::new(id), &TenantAsked::OfApp, Some(&secret)).await.unwrap()
    }

    async fn put(&self, id: &str, wish: Wish) -> Arc<App> {
        self.first_seen.put(&AppId::new(id), wish).await.unwrap()
    }

    fn dialled(&self, number: &str) -> Option<String> {
        self.directory.current().app_by_number(number).map(|app| app.id.to_string())
    }
}

fn webhook(url: &str) -> Wish {
    Wish { webhook: Some(url.to_owned()), ..Wish::default() }
}

fn url(app: &App) -> Option<&str> {
    app.reach.webhook().map(|webhook| webhook.url().as_str())
}

#[tokio::test]
async fn an_app_is_kept_with_its_first_secret_and_its_last_tenant() {
    let ledger = Arc::new(MemoryLedger::new());
    let world = World::of(&ledger, Config::development().unwrap().directory);
    let app = world.sees(ONE).await;
    assert_eq!((app.tenant.as_str(), app.configured), (TENANT_ID, false));
    let first = app.secret.clone().unwrap();
    let other = SecretHash::make("another", NonZeroU32::new(10_000).unwrap()).unwrap();
    let named = TenantAsked::Named(TenantId::new(TENANT));
    let app = world.first_seen.admit(&app.id, &named, Some(&other)).await.unwrap();
    assert_eq!((app.tenant.as_str(), app.secret.as_ref()), (TENANT, Some(&first)));
    world.sees(ONE).await;
    let restarted = World::of(&ledger, Config::development().unwrap().directory);
    restarted.first_seen.load().await.unwrap();
    let app = Arc::clone(restarted.directory.current().app(&AppId::new(ONE)).unwrap());
    assert_eq!((app.tenant.as_str(), app.secret.as_ref()), (TENANT, Some(&first)), "a word names no tenant");

    restarted.first_seen.forget(&app.id).await.unwrap();
    assert!(restarted.directory.current().app(&app.id).is_none());
    assert_eq!(restarted.first_seen.forget(&app.id).await, Err(NotTaken::Unknown));
    assert_ne!(restarted.sees(ONE).await.secret, Some(first), "its next secret is its first");
}

#[tokio::test]
async fn the_number_published_for_development_is_the_last_ones_that_was_heard_of() {
    let world = World::development();
    assert_eq!(world.dialled("5000").as_deref(), Some(APP_ID));
    world.sees(ONE).await;
    assert_eq!(world.dialled("5000").as_deref(), Some(ONE), "it is told where most samples listen");
    world.sees(TWO).await;
    assert_eq!(world.dialled("+1 555 0100").as_deref(), Some(TWO));
    world.sees(ONE).await;
    let app = world.sees(ONE).await;
    assert_eq!((world.dialled("5000").as_deref(), app.numbers.len()), (Some(ONE), 2));
    let shown = world.directory.current();
    assert!(shown.app(&AppId::new(APP_ID)).unwrap().numbers.is_empty());
    assert_eq!(world.dialled(TWO).as_deref(), Some(TWO), "each is dialled by its id, too");
    world.first_seen.forget(&app.id).await.unwrap();
    assert_eq!(world.dialled("5000").as_deref(), Some(TWO));
}

#[tokio::test]
async fn without_a_webhook_an_app_is_not_dialled_and_a_configured_number_stays() {
    let text = format!(
        "[server]\nidentities = \"any\"\n[[tenants]]\nid = \"{TENANT}\"\nname = \"t\"\n[[users]]\nid = \"u\"\n\
         tenant = \"{TENANT}\"\nname = \"U\"\nsip = \"+15550100\"\nphone = \"null\"\n"
    );
    let world = World::of(&Arc::default(), Config::parse(&text).unwrap().directory);
    assert_eq!((url(&*world.sees(ONE).await), world.dialled("5000")), (None, None));
    let app = world.put(ONE, webhook("http://bot:3978/api/calls")).await;
    assert_eq!((url(&app), app.tenant.as_str()), (Some("http://bot:3978/api/calls"), TENANT));
    assert_eq!((world.dialled("5000").as_deref(), world.dialled("+15550100")), (Some(ONE), None));
}

#[tokio::test]
async fn what_is_said_of_apps_first_seen_is_what_the_next_one_gets() {
    let world = World::development();
    let before = world.sees(ONE).await;
    let wish = Wish { local: Some("http://127.0.0.1:4000".to_owned()), ..webhook("https://x.example/calls") };
    assert_eq!(world.first_seen.put_template(wish.clone()).await.unwrap(), wish);
    assert_eq!(world.directory.current().app(&before.id).map(|app| app.reach.local().is_some()), Some(false));
    for id in [TWO, ONE] {
        let app = world.sees(id).await;
        assert_eq!(url(&app), Some("https://x.example/calls"), "{id}: seen for the first time since");
        assert_eq!(app.reach.local().unwrap().to_string(), "http://127.0.0.1:4000");
    }
    world.put(TWO, webhook("http://127.0.0.1:5001/")).await;
    assert_eq!(url(&*world.sees(TWO).await), Some("http://127.0.0.1:5001/"), "what was said of it since stays");
    assert!(world.directory.current().app(&AppId::new(TEMPLATE)).is_none());
}

#[tokio::test]
async fn the_published_app_can_be_told_elsewhere_and_a_configured_one_keeps_its_tenant() {
    let world = World::development();
    let app = world.put(APP_ID, webhook("http://127.0.0.1:5001/")).await;
    assert!(app.secret.is_some());
    assert_eq!(url(world.directory.current().app_by_number("5000").unwrap()), Some("http://127.0.0.1:5001/"));
    world.first_seen.forget(&app.id).await.unwrap();
    assert_eq!(url(world.directory.current().app(&app.id).unwrap()), Some("http://127.0.0.1:3978/api/calls"));

    let hash = SecretHash::make("s", NonZeroU32::new(10_000).unwrap()).unwrap();
    let text = format!(
        "[server]\nidentities = \"any\"\n[[tenants]]\nid = \"{TENANT}\"\nname = \"t\"\n[[apps]]\nid = \"{ONE}\"\n\
         tenant = \"{TENANT}\"\nname = \"B\"\nsecret_hash = \"{hash}\"\nwebhook = \"http://x/\"\n"
    );
    let world = World::of(&Arc::default(), Config::parse(&text).unwrap().directory);
    let said = Wish { tenant: Some(TENANT_ID.to_owned()), ..Wish::default() };
    assert_eq!(world.first_seen.put(&AppId::new(ONE), said).await.unwrap_err(), NotTaken::TenantConfigured);
    assert_eq!(url(&*world.put(ONE, webhook("http://y/")).await), Some("http://y/"));
}

#[tokio::test]
async fn a_strict_directory_takes_nobody() {
    let world = World::development();
    world.sees(ONE).await;
    world.first_seen.configure(Config::parse("").unwrap().directory);
    assert_eq!(world.directory.current().apps().count(), 0);
    let (id, asked) = (AppId::new(TWO), TenantAsked::OfApp);
    assert_eq!(world.first_seen.admit(&id, &asked, None).await.unwrap_err(), NotTaken::Strict);
    assert_eq!(world.first_seen.put(&id, Wish::default()).await.unwrap_err(), NotTaken::Strict);
    assert_eq!(world.first_seen.forget(&id).await, Err(NotTaken::Strict));
    world.first_seen.configure(Config::development().unwrap().directory);
    assert!(world.directory.current().app(&AppId::new(ONE)).is_some(), "it is back");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_the_number_of_apps_is_bounded() {
    let world = World::development();
    for id in ["", "first-seen", "5000", "my-bot", &format!("{{{ONE}}}"), &ONE.replace('-', "")] {
        assert_eq!(world.first_seen.put(&AppId::new(id), Wish::default()).await.unwrap_err(), NotTaken::BadId, "{id}");
    }
    let callback = |public: &str| Callback { public: public.to_owned(), local: "http://127.0.0.1:1".to_owned() };
    for (wish, why) in [
        (Wish { tenant: Some("nobody".to_owned()), ..Wish::default() }, "tenant is neither"),
        (Wish { tenant: Some("common".to_owned()), ..Wish::default() }, "tenant is neither"),
        (webhook("ftp://x"), "webhook is not an http or https URL"),
        (webhook(&format!("http://x/{}", "a".repeat(2_048))), "webhook is longer than 2048 bytes"),
        (Wish { local: Some("http://x/a".to_owned()), ..Wish::default() }, "local is not an origin"),
        (Wish { callbacks: vec![callback("x")], ..Wish::default() }, "callbacks[0].public is not an origin"),
        (Wish { callbacks: vec![callback("https://x"); 17], ..Wish::default() }, "more than 16 entries"),
    ] {
        let error = world.first_seen.put(&AppId::new(ONE), wish).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    for number in 0..limits::APPS_FIRST_SEEN {
        let (id, seen) = (AppId::new(&format!("8c8c8c8c-0000-4000-8000-{number:012}")), Seen::default());
        world.first_seen.known().documents.insert(id, (Version(1), seen));
    }
    assert_eq!(world.first_seen.put(&AppId::new(ONE), Wish::default()).await.unwrap_err(), NotTaken::TooMany);
    world.put("8c8c8c8c-0000-4000-8000-000000000007", Wish::default()).await;
}

#[test]
fn the_stored_form_is_read_as_it_was_written() {
    let text = r#"{"v":1,"app":{"wish":{"tenant":"t","callbacks":[{"public":"https://x","local":"http://y"}]},"secretHash":"h","heard":2,"said":1}}"#;
    assert_eq!(Seen::read(text).unwrap().print(), text);
    assert!(Seen::read(&text.replace("\"v\":1", "\"v\":2")).unwrap_err().contains("version 2"));
}
