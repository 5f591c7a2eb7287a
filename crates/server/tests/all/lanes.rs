//! The notification channel: order, repeats, patience, and what a bot that misbehaves costs the others (design
//! promises 4 and 6).

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpSocket;

use crate::journal::{Journal, Reply, Told};
use crate::soon;
use crate::world::{NULL_LINE, NUMBER, World, answer, create, play};

/// Attempts of each message, by its id, in the order of the first attempts. A repeat must be the very same.
fn attempts(told: &[Told]) -> Vec<(String, usize)> {
    let mut seen: Vec<(&Told, usize)> = Vec::new();
    for attempt in told {
        match seen.iter_mut().find(|(first, _)| first.message_id() == attempt.message_id()) {
            Some((first, count)) => {
                assert_eq!(first.body, attempt.body, "a repeat has the same body");
                *count += 1;
            }
            None => seen.push((attempt, 1)),
        }
    }
    seen.iter().map(|(first, count)| (first.gist(), *count)).collect()
}

fn counted(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected.iter().map(|(gist, count)| ((*gist).to_owned(), *count)).collect()
}

/// A call to the test line told at `path`, which plays once and is hung up, without waiting for any notice.
async fn short_call(world: &World, path: &str) -> String {
    let call = world.bot.post("", &create(&world.journal.url(path), NULL_LINE)).await.is(201).id();
    let established = async || world.bot.get(&format!("/{call}")).await.is(200).json()["state"] == "established";
    while !established().await {}
    world.bot.post(&format!("/{call}/playPrompt"), &play(&[&world.journal.url("/p.wav")], None)).await.is(200);
    // The test line has finished it when the next one is read as ended.
    let listed = async || world.bot.get(&format!("/{call}/operations")).await.is(200).json();
    while listed().await["value"][0]["status"] != "completed" {}
    world.bot.hang_up(&call).await;
    call
}

/// What a short call is told.
const SHORT: [&str; 7] =
    ["establishing", "established", "established active", "roster", "operation completed", "terminating", "terminated"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_follow_the_order_of_events_and_bear_ids_of_their_own() {
    let world = World::start().await;
    let call = short_call(&world, "/calls").await;
    assert_eq!(world.over(&call).await, SHORT);
    assert_eq!(attempts(&world.journal.of(&call)), counted(&SHORT.map(|gist| (gist, 1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_hold_the_lane_and_repeats_are_the_same() {
    let world = World::start().await;
    // The first notice is refused in every way that is worth another attempt; the second needs one more.
    let failures =
        [Reply::status(500), Reply::with(503, "retry-after", "0"), Reply::Close, Reply::with(429, "retry-after", "1")];
    world.journal.script("/flaky", failures.into_iter().chain([Reply::status(202), Reply::status(502)]));
    let call = short_call(&world, "/flaky").await;
    world.over(&call).await;
    let mut expected = counted(&SHORT.map(|gist| (gist, 1)));
    expected[0].1 = 5;
    expected[1].1 = 2;
    let told = world.journal.of(&call);
    assert_eq!(attempts(&told), expected);
    // Held: no other notice went out between the attempts of one.
    let firsts: Vec<String> = told.iter().take(7).map(Told::gist).collect();
    assert_eq!(
        firsts,
        ["establishing", "establishing", "establishing", "establishing", "establishing", "established", "established"]
    );
    // Backing off: never sooner than the one before, and as long as the bot asked for.
    let pauses: Vec<Duration> = told[..5].windows(2).map(|two| two[1].at - two[0].at).collect();
    assert!(pauses[0] >= Duration::from_millis(250) && pauses[1] >= Duration::from_millis(500), "{pauses:?}");
    assert!(pauses[3] >= Duration::from_secs(1), "{pauses:?}");
    assert_eq!(world.undelivered(&call).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_away_is_told_everything_when_it_is_back() {
    let world = World::start().await;
    // It is the bot's, and refuses connections until it listens.
    let away = TcpSocket::new_v4().expect("a socket");
    away.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let callback = format!("http://{}/calls", away.local_addr().expect("an address"));
    let call = world.bot.post("", &create(&callback, NULL_LINE)).await.is(201).id();
    world.bot.hang_up(&call).await;
    let back = Journal::at(away.listen(16).expect("it listens"));
    back.wait(&call, "terminated").await;
    let gists = back.gists(&call);
    assert_eq!((gists.first().unwrap().as_str(), gists.last().unwrap().as_str()), ("establishing", "terminated"));
    assert!(attempts(&back.of(&call)).iter().all(|(_, count)| *count == 1));
    assert_eq!(world.undelivered(&call).await, Vec::<String>::new());
}

/// The one rule that needs real time: 5 s without an answer. What breaks off may have been read, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_answered_in_5_s_is_repeated_once_and_stepped_over() {
    let world = World::start().await;
    world.journal.script("/once", [Reply::Never]);
    world.journal.script("/twice", [Reply::Never, Reply::Never]);
    world.journal.script("/broken", [Reply::Close, Reply::Close]);
    world.journal.script("/endless", std::iter::repeat_n(Reply::EndlessBody, SHORT.len()));
    let begun = Instant::now();
    let (once, twice, broken, endless) = tokio::join!(
        short_call(&world, "/once"),
        short_call(&world, "/twice"),
        short_call(&world, "/broken"),
        short_call(&world, "/endless")
    );
    for (call, count) in [(&endless, 1), (&broken, 2), (&once, 2), (&twice, 2)] {
        world.over(call).await;
        let mut expected = counted(&SHORT.map(|gist| (gist, 1)));
        expected[0].1 = count;
        assert_eq!(attempts(&world.journal.of(call)), expected);
    }
    let told = world.journal.of(&twice);
    // Since before the first was written: a busy bot notes late when it came.
    let waited = [1, 2].map(|nth: usize| told[nth].at - begun);
    assert!(waited[0] >= Duration::from_secs(5) && waited[1] >= Duration::from_secs(10), "{waited:?}");
    assert_eq!(world.undelivered(&once).await, Vec::<String>::new());
    assert_eq!(world.undelivered(&endless).await, Vec::<String>::new());
    assert!(world.undelivered(&broken).await[0].starts_with("the request was written and its answer broke off"));
    assert_eq!(world.undelivered(&twice).await, ["the request was written and not answered in time"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bot_does_not_want_is_undelivered_at_once_and_shown() {
    let world = World::start().await;
    // A redirect means something for an incoming call only.
    let refusals = [
        Reply::status(400),
        Reply::status(204),
        Reply::status(401),
        Reply::with(302, "location", "/elsewhere"),
        Reply::status(410),
    ];
    world.journal.script("/picky", refusals);
    let call = short_call(&world, "/picky").await;
    assert_eq!(world.over(&call).await, SHORT);
    let shown = world.undelivered(&call).await;
    assert_eq!(shown, ["400", "401", "302", "410"].map(|status| format!("the webhook answered {status}")));
    assert!(world.journal.told().iter().all(|told| told.path != "/elsewhere"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_bot_delays_only_its_own_call() {
    let world = World::start().await;
    world.journal.always("/dead", Reply::status(500));
    world.journal.always("/silent", Reply::Never);
    let begun = Instant::now();
    let dead = short_call(&world, "/dead").await;
    let silent = short_call(&world, "/silent").await;
    // Ten calls of the same bot live and end beside them.
    for _ in 0..10 {
        let call = short_call(&world, "/calls").await;
        assert_eq!(world.over(&call).await, SHORT);
    }
    let gists = world.journal.gists(&dead);
    assert!(gists.iter().all(|gist| *gist == gists[0]), "still at its first notice: {gists:?}");
    // Silence is waited for twice, and then stepped over.
    let stepped = world.journal.of(&silent).into_iter().find(|told| told.gist() != "establishing");
    assert!(stepped.is_none_or(|told| told.at - begun >= Duration::from_secs(10)));
    world.journal.mend("/dead");
    world.over(&dead).await;
    assert_eq!(attempts(&world.journal.of(&dead)).into_iter().map(|(gist, _)| gist).collect::<Vec<_>>(), SHORT);
}

/// More is recorded than a lane keeps in memory: the rest is read from the log, and nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_overflows_goes_on_from_the_log() {
    let world = World::start().await;
    let call = world.null_call_told("/late").await;
    world.journal.always("/late", Reply::status(500));
    let path = format!("/{call}/playPrompt");
    let body = play(&[&world.journal.url("/p.wav")], None);
    let mut started = Vec::new();
    for _ in 0..ringback_server::limits::LANE + 50 {
        // The one before may still be ending: at most a hundred are open at once.
        started.push(world.bot.post(&path, &body).await.is(200).id());
    }
    world.journal.mend("/late");
    world.bot.hang_up(&call).await;
    world.over(&call).await;
    let ended =
        attempts(&world.journal.of(&call)).into_iter().filter(|(gist, _)| gist == "operation completed").count();
    assert_eq!(ended, started.len());
    let mut order: Vec<String> = Vec::new();
    for told in world.journal.of(&call).iter().filter(|told| told.gist() == "operation completed") {
        let id = told.data()["id"].as_str().unwrap().to_owned();
        if order.last() != Some(&id) {
            order.push(id);
        }
    }
    assert_eq!(order, started);
}

/// An incoming call may be sent elsewhere, by 302 or 307, and what follows goes there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incoming_call_goes_where_its_webhook_says() {
    let world = World::start().await;
    let elsewhere = Journal::start().await;
    world.journal.script("/calls", [Reply::with(302, "location", "/second")]);
    world.journal.script("/second", [Reply::with(307, "location", elsewhere.url("/third"))]);
    let phone = world.phone("1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = elsewhere.incoming(&[]).await;
    world.bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
    let up = soon(dialled.answered()).await.expect("it is up");
    world.bot.hang_up(&call).await;
    soon(up.ended()).await;
    elsewhere.wait(&call, "terminated").await;
    assert_eq!(
        world.journal.of(&call).iter().map(|told| told.path.as_str()).collect::<Vec<_>>(),
        ["/calls", "/second"]
    );
    let told = elsewhere.of(&call);
    assert_eq!(told[0].gist(), "incoming");
    assert_eq!(told[1].gist(), "establishing");
    assert!(told.iter().all(|told| told.path == "/third"));
    assert_eq!(told[0].data()["callbackUri"], elsewhere.url("/third"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incoming_call_is_sent_on_five_times_at_most() {
    let world = World::start().await;
    world.journal.always("/calls", Reply::with(302, "location", "/calls"));
    let phone = world.phone("1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    world.journal.wait_for(&call, "incoming", 6).await;
    world.journal.mend("/calls");
    world.bot.post(&format!("/{call}/reject"), &json!({"reason": "forbidden"})).await.is(202);
    let gists = world.over(&call).await;
    assert_eq!(gists.iter().filter(|gist| *gist == "incoming").count(), 6, "{gists:?}");
    assert_eq!(soon(dialled.answered()).await.err().unwrap().to_string(), "the far end refused with status 403");
}

/// A bot that answers the call, but not the POST that told it of the call, waits for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ask_that_is_settled_holds_nothing_up() {
    let world = World::start().await;
    world.journal.script("/calls", [Reply::Never]);
    let phone = world.phone("1001").await;
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    world.bot.post(&format!("/{call}/answer"), &answer()).await.is(202);
    let up = soon(dialled.answered()).await.expect("it is up");
    world.journal.wait(&call, "roster").await;
    world.bot.hang_up(&call).await;
    soon(up.ended()).await;
    // Had it been waited for, the first one would have been repeated.
    let gists = world.over(&call).await;
    assert_eq!(gists.iter().filter(|gist| *gist == "incoming").count(), 1, "{gists:?}");
}

/// Nobody answers: the caller hears 480 after 15 s, and the bot is told 408/8544, once it can be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ask_that_nobody_answers_ends_after_15_s() {
    let world = World::start().await;
    world.journal.always("/calls", Reply::status(500));
    let phone = world.phone("1001").await;
    let begun = Instant::now();
    let dialled = soon(phone.dial(NUMBER)).await.expect("it rings");
    let call = world.journal.incoming(&[]).await;
    assert_eq!(soon(dialled.answered()).await.err().unwrap().to_string(), "the far end refused with status 480");
    world.journal.mend("/calls");
    world.over(&call).await;
    let told = world.journal.of(&call);
    let asked = told.iter().filter(|told| told.gist() == "incoming").count();
    assert!(asked > 1, "it is asked again while the ask runs");
    let end = told.last().unwrap().data();
    assert_eq!((&end["resultInfo"]["code"], &end["resultInfo"]["subcode"]), (&json!(408), &json!(8544)));
    assert!(told.last().unwrap().at - begun >= Duration::from_secs(15));
    assert_eq!(world.bot.post(&format!("/{call}/answer"), &answer()).await.is(404).code(), "8522");
}
