//! The writer: one plain thread that takes what is on the tapes and writes it down. It is woken when a tape begins or ends,
//! and looks every [`limits::WRITE_EVERY`] besides: a tape holds twenty times as much.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, Thread};

use ringback_media::{TapeEnd, TapeOut};

use super::{Outcome, Owner, Shared, file};
use crate::limits;

/// The way to the thread, which ends once the last one is dropped and every recording is written.
#[derive(Clone)]
pub(super) struct Writer(Arc<Handle>);

struct Handle {
    /// Always there, until the drop.
    begun: Option<SyncSender<Open>>,
    thread: Thread,
}

/// A recording being written.
pub(super) struct Open {
    owner: Owner,
    tape: TapeOut,
    done: Box<dyn FnOnce(Outcome) + Send>,
    /// None before the first look.
    file: Option<File>,
    samples: u64,
    /// How it ended.
    ended: Option<Result<TapeEnd, io::Error>>,
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Writer> {
        let (begun, inbox) = sync_channel(limits::RECORDINGS);
        let thread = thread::Builder::new().name("recordings".to_owned()).spawn(move || run(&shared, &inbox))?;
        Ok(Writer(Arc::new(Handle { begun: Some(begun), thread: thread.thread().clone() })))
    }

    /// What a tape calls when it ends.
    pub(super) fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let thread = self.0.thread.clone();
        move || thread.unpark()
    }

    /// Begins to write a recording; false if too many wait.
    pub(super) fn take(&self, open: Open) -> bool {
        let taken = self.0.begun.as_ref().is_some_and(|begun| begun.try_send(open).is_ok());
        self.0.thread.unpark();
        taken
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.begun = None;
        self.thread.unpark();
    }
}

fn run(shared: &Shared, inbox: &Receiver<Open>) {
    let mut all: Vec<Open> = Vec::new();
    let mut buffers = Buffers::default();
    loop {
        let last = loop {
            match inbox.try_recv() {
                Ok(open) => all.push(open),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        all.iter_mut().for_each(|open| open.write(shared, &mut buffers));
        for ended in all.extract_if(.., |open| open.ended.is_some()) {
            ended.finish(shared);
        }
        // An unpark that came meanwhile is not slept through.
        match (all.is_empty(), last) {
            (true, true) => return,
            (true, false) => thread::park(),
            (false, _) => thread::park_timeout(limits::WRITE_EVERY),
        }
    }
}

/// Reused from look to look.
#[derive(Default)]
struct Buffers {
    pcm: Vec<i16>,
    bytes: Vec<u8>,
}

impl Open {
    pub(super) fn new(owner: Owner, tape: TapeOut, done: Box<dyn FnOnce(Outcome) + Send>) -> Open {
        Open { owner, tape, done, file: None, samples: 0, ended: None }
    }

    /// Writes what is on the tape.
    fn write(&mut self, shared: &Shared, buffers: &mut Buffers) {
        buffers.pcm.clear();
        let end = self.tape.take(&mut buffers.pcm);
        self.ended = match self.append(shared, buffers) {
            Ok(()) => end.map(Ok),
            Err(error) => Some(Err(error)),
        };
    }

    fn append(&mut self, shared: &Shared, buffers: &mut Buffers) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(file::create(&shared.folder, &self.owner)?),
        };
        self.samples += buffers.pcm.len() as u64;
        file::append(file, &buffers.pcm, &mut buffers.bytes)
    }

    /// Keeps what is to be kept, and tells.
    fn finish(self, shared: &Shared) {
        let Open { owner, file, samples, ended, done, tape: _ } = self;
        let Some(ended) = ended else { return };
        let wanted = |end: &TapeEnd| match end {
            TapeEnd::StopTone | TapeEnd::MaxDuration | TapeEnd::MaxSilence => true,
            TapeEnd::Closed | TapeEnd::Overflow => samples > 0,
            TapeEnd::InitialSilence | TapeEnd::Discarded => false,
        };
        let kept = match (&ended, file) {
            (Ok(end), Some(file)) if wanted(end) => file::finish(&shared.folder, &owner, file),
            // The file says how much of it was written.
            (Err(_), Some(_)) => file::complete(&shared.folder, &owner),
            _ => Ok(discard(shared, &owner)),
        };
        shared.settle(&owner, &kept);
        let end = match (ended, &kept) {
            (Ok(end), Ok(_)) => Ok(end),
            (Err(error), _) => Err(failed(&owner, &error)),
            (Ok(_), Err(error)) => Err(failed(&owner, error)),
        };
        done(Outcome { end, kept: kept.is_ok_and(|length| length > 0) });
    }
}

/// Nothing of it is kept.
fn discard(shared: &Shared, owner: &Owner) -> u64 {
    if let Err(error) = file::remove(&shared.folder, owner) {
        tracing::warn!(recording = %owner.operation, %error, "what is not kept of a recording could not be removed");
    }
    0
}

fn failed(owner: &Owner, error: &io::Error) -> String {
    tracing::error!(recording = %owner.operation, %error, "the disk did not take all of a recording");
    format!("the disk failed: {error}")
}
