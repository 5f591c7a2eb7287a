//! How many lifecycles of an operation the SQLite store makes durable each second, beside what
//! the disk allows:
//!
//! `cargo run --release -p ringback-ledger --example throughput -- [WRITERS [SECONDS [PER_CALL [DIR]]]]`
//!
//! Each writer has a call of its own and one operation in flight: start (awaited), end (awaited),
//! the lane's cursor (not awaited). After PER_CALL lifecycles (1000) the call ends and another begins.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::{
    AppId, CallId, ConversationId, Epoch, Event, Now, Operation, OperationId, OperationKind, OperationStatus, Prompt,
    Record, Repeat, ResultInfo, TenantId,
};
use ringback_ledger::{Append, AppendError, Cursor, IndexRow, Ledger, SqliteConfig, SqliteLedger, Version, raw_limit};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: f64| arguments.next().map_or(Ok(usual), |text| text.parse::<f64>());
    let (writers, seconds, per_call) = (number(64.0)? as usize, number(10.0)?, number(1000.0)? as u64);
    let dir = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = dir.join(format!("ringback-throughput-{}", std::process::id()));

    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&SqliteConfig::new(&folder))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(seconds);
    let mut waits = runtime.block_on(async {
        let writer = |number| tokio::spawn(writer(Arc::clone(&ledger), number, end, per_call));
        let mut waits = Vec::new();
        for writer in (0..writers as u128).map(writer).collect::<Vec<_>>() {
            waits.extend(writer.await??);
        }
        Ok::<_, Failure>(waits)
    })?;
    let took = begun.elapsed().as_secs_f64();
    let stats = ledger.stats();
    drop(ledger);
    std::fs::remove_dir_all(&folder)?;
    let limit = raw_limit::lifecycles_per_second(&dir, writers, seconds.min(5.0))?;

    waits.sort_unstable();
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).map_or(0.0, Duration::as_secs_f64) * 1e3;
    println!("writers                {writers}");
    println!("lifecycles_per_s       {:.0}", waits.len() as f64 / 2.0 / took);
    println!("limit_lifecycles_per_s {limit:.0}");
    println!("append_p50_ms          {:.2}", at(0.5));
    println!("append_p99_ms          {:.2}", at(0.99));
    println!("append_max_ms          {:.2}", at(1.0 - f64::EPSILON));
    println!("commits_per_s          {:.0}", stats.commits as f64 / took);
    println!("records_per_commit     {:.1}", stats.records as f64 / stats.commits as f64);
    Ok(())
}

/// One client; answers how long each append took.
async fn writer(
    ledger: Arc<dyn Ledger>,
    number: u128,
    end: Instant,
    per_call: u64,
) -> Result<Vec<Duration>, AppendError> {
    let mut waits = Vec::new();
    let mut life = 0;
    let (mut conversation, mut call, mut version) = begin(&*ledger, number, life).await?;
    while Instant::now() < end {
        life += 1;
        let operation = OperationId(Uuid::from_u128((number << 64) | u128::from(life)));
        for event in [started(call, operation), ended(call, operation)] {
            let asked = Instant::now();
            version = ledger.append(append(conversation, version, vec![event])).await?;
            waits.push(asked.elapsed());
        }
        ledger.cursor_put(call, Cursor { version, index: 0 });
        if life % per_call == 0 {
            ledger.lane_done(call);
            let end = Event::CallTerminated { call, result: ResultInfo::ended_by_bot() };
            ledger.append(Append { ended: Some(Now(1)), ..append(conversation, version, vec![end]) }).await?;
            (conversation, call, version) = begin(&*ledger, number, life).await?;
        }
    }
    Ok(waits)
}

async fn begin(ledger: &dyn Ledger, number: u128, life: u64) -> Result<(ConversationId, CallId, Version), AppendError> {
    // As v7 ids are: neighbours in time are neighbours in order.
    let id = (u128::from(life) << 64) | number;
    let (conversation, call) = (ConversationId(Uuid::from_u128(id)), CallId(Uuid::from_u128(id)));
    let (app, tenant) = (AppId::new(&Uuid::from_u128(7).to_string()), TenantId::new(&Uuid::from_u128(8).to_string()));
    let index = vec![IndexRow { call, app, tenant }];
    let established = vec![Event::CallEstablished { call }];
    let version = ledger.append(Append { index, ..append(conversation, Version(0), established) }).await?;
    Ok((conversation, call, version))
}

fn append(conversation: ConversationId, expected: Version, events: Vec<Event>) -> Append {
    let record = Record::new(Now(1_790_000_000_000_000), events);
    Append { epoch: Epoch(1), conversation, expected, record, index: Vec::new(), ended: None, terminal: false }
}

fn started(call: CallId, id: OperationId) -> Event {
    let prompt = Prompt {
        uri: "https://bot.example.com/prompts/welcome.wav".to_owned(),
        resource_id: Some(id.to_string()),
        times: 1,
    };
    let kind = OperationKind::PlayPrompt { prompts: vec![prompt], repeat: Repeat::Once };
    let client_context = Some(id.to_string());
    Event::OperationStarted {
        call,
        operation: Operation { id, client_context, status: OperationStatus::Running, result: None, kind },
    }
}

fn ended(call: CallId, operation: OperationId) -> Event {
    Event::OperationEnded { call, operation, status: OperationStatus::Completed, result: ResultInfo::success() }
}
