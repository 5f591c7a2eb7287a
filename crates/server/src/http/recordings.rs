//! A recording, read at its `recordingLocation` with its own token (`contract §2.10`): chunked, as it lies on the disk.
//!
//! It must not know whose it is: who bears the token may read.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use ringback_core::OperationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::spawn_blocking;

use super::answer::Reply;
use super::refusals::Refused;
use crate::auth::Auth;
use crate::limits;
use crate::recordings::Recordings;

/// What the address of a recording begins with, behind scheme and host; its id follows.
const PATH: &str = "/recordings/";

/// Where a recording will be read. `base`: scheme and host.
pub(crate) fn location(base: &str, recording: OperationId) -> String {
    format!("{base}{PATH}{recording}")
}

/// The recording that a path leads to.
pub(crate) fn recording_of(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)
}

/// What recordings are read with.
pub(crate) struct Reader {
    recordings: Recordings,
    auth: Arc<Auth>,
    reads: Arc<Semaphore>,
}

impl Reader {
    pub(crate) fn new(recordings: Recordings, auth: Arc<Auth>) -> Self {
        Self { recordings, auth, reads: Arc::new(Semaphore::new(limits::RECORDING_READS)) }
    }

    /// Answers with a recording. Without its token there is no telling whether it is there.
    pub(crate) async fn serve(
        &self,
        method: &Method,
        recording: &str,
        authorization: Option<&str>,
    ) -> Result<Reply, Refused> {
        let id = recording.parse::<OperationId>().ok();
        let id = id.filter(|id| self.auth.opens_recording(authorization, *id)).ok_or_else(Refused::not_its_token)?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refused::only("GET, HEAD"));
        }
        let reading = Arc::clone(&self.reads).try_acquire_owned().map_err(|_| Refused::too_many_reads())?;
        let recordings = self.recordings.clone();
        let found = spawn_blocking(move || recordings.read(id)).await.ok().flatten();
        let (file, length) = found.ok_or_else(Refused::recording_not_found)?;
        let (sender, chunks) = mpsc::channel(1);
        if *method == Method::GET {
            tokio::spawn(send(file, sender, reading));
        }
        Ok(Reply::stream("application/octet-stream", chunks, Some(length)))
    }
}

/// Sends a file piece by piece, as fast as it is taken; a client that takes none for too long gets no more.
async fn send(file: File, sender: mpsc::Sender<io::Result<Bytes>>, _reading: OwnedSemaphorePermit) {
    let mut file = Some(file);
    while let Some(open) = file.take() {
        let read = spawn_blocking(move || read(open)).await.map_err(io::Error::other).flatten();
        let piece = match read {
            Ok((_, piece)) if piece.is_empty() => return,
            Ok((rest, piece)) => {
                file = Some(rest);
                Ok(piece)
            }
            Err(error) => Err(error),
        };
        let taken = tokio::time::timeout(limits::RECORDING_STALL, sender.send(piece)).await;
        if !matches!(taken, Ok(Ok(()))) {
            return;
        }
    }
}

/// The next piece of a file; empty at its end.
fn read(mut file: File) -> io::Result<(File, Bytes)> {
    let mut piece = vec![0; limits::RECORDING_CHUNK];
    let length = file.read(&mut piece)?;
    piece.truncate(length);
    Ok((file, piece.into()))
}
