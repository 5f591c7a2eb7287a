//! What this machine's disk allows: a ledger's writes on a bare log file, nothing else.
//!
//! The measure beside every throughput figure of the store, taken in the same run: a file written
//! over again and again (so that no sync extends it), one writing thread, group commit, fdatasync.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::limits::{BATCH, QUEUE};

/// Bytes of a typical record that starts a playPrompt.
pub const START_BYTES: usize = 420;
/// Bytes of a typical record that ends it.
pub const END_BYTES: usize = 340;
/// Bytes of a lane's cursor.
pub const DELIVERED_BYTES: usize = 60;

/// The file's length; it is begun again at its end.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Syncs are of whole blocks, as a file system's are.
const BLOCK: usize = 4096;

struct Write {
    bytes: usize,
    /// None: nobody waits for it.
    durable: Option<oneshot::Sender<()>>,
}

/// How many lifecycles of an operation per second `writers` clients get durable, each one after
/// the other: start (awaited), end (awaited), delivered (riding the next commit, as a lane's
/// cursor does). Uses, and removes, a file in `dir`. Blocks for `seconds`: not for an async thread.
pub fn lifecycles_per_second(dir: &Path, writers: usize, seconds: f64) -> io::Result<f64> {
    let path = dir.join("raw-limit.log");
    let measured = measure(&path, writers, seconds);
    let removed = std::fs::remove_file(&path);
    let rate = measured?;
    removed?;
    Ok(rate)
}

fn measure(path: &Path, writers: usize, seconds: f64) -> io::Result<f64> {
    let file = File::create(path)?;
    let zeros = vec![0; 1024 * 1024];
    for block in 0..FILE_BYTES / zeros.len() as u64 {
        file.write_all_at(&zeros, block * zeros.len() as u64)?;
    }
    file.sync_all()?;
    let (queue, writes) = sync_channel(QUEUE);
    let log = thread::spawn(move || log(&file, &writes));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // A thread of its own, so that this may be called where a runtime is running.
    let clients = thread::spawn({
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        move || run_clients(&queue, writers, &stop, &done)
    });
    let begun = Instant::now();
    thread::sleep(Duration::from_secs_f64(seconds));
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let panicked = |_| io::Error::other("a measuring thread panicked");
    clients.join().map_err(panicked)??;
    log.join().map_err(panicked)??;
    Ok(rate)
}

fn run_clients(
    queue: &SyncSender<Write>,
    writers: usize,
    stop: &Arc<AtomicBool>,
    done: &Arc<AtomicU64>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let clients = (0..writers).map(|_| {
            let (queue, stop, done) = (queue.clone(), Arc::clone(stop), Arc::clone(done));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) && lifecycle(&queue).await.is_some() {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            let _ = client.await;
        }
    });
    Ok(())
}

/// None: the log has failed.
async fn lifecycle(queue: &SyncSender<Write>) -> Option<()> {
    write(queue, START_BYTES)?.await?;
    write(queue, END_BYTES)?.await?;
    queue.send(Write { bytes: DELIVERED_BYTES, durable: None }).ok()
}

fn write(queue: &SyncSender<Write>, bytes: usize) -> Option<impl Future<Output = Option<()>>> {
    let (durable, answer) = oneshot::channel();
    queue.send(Write { bytes, durable: Some(durable) }).ok()?;
    Some(async move { answer.await.ok() })
}

fn log(file: &File, writes: &Receiver<Write>) -> io::Result<()> {
    let (mut batch, mut buffer, mut offset) = (Vec::new(), Vec::with_capacity(BATCH * START_BYTES), 0);
    while let Ok(first) = writes.recv() {
        batch.push(first);
        batch.extend(writes.try_iter().take(BATCH));
        if batch.len() < BATCH && batch.iter().all(|write| write.durable.is_none()) {
            // It rides the next commit.
            continue;
        }
        buffer.clear();
        for write in &batch {
            buffer.resize(buffer.len() + write.bytes, b'x');
        }
        buffer.resize(buffer.len().next_multiple_of(BLOCK), b'\n');
        if offset + buffer.len() as u64 > FILE_BYTES {
            offset = 0;
        }
        file.write_all_at(&buffer, offset)?;
        file.sync_data()?;
        offset += buffer.len() as u64;
        for durable in batch.drain(..).filter_map(|write: Write| write.durable) {
            let _ = durable.send(());
        }
    }
    Ok(())
}
