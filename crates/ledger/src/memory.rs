//! The store for tests and simulation: the same promises, kept in memory, with crash points.
//!
//! Every request is a commit of its own and answered at once. A crash point closes the store
//! before or after a commit, unanswered, as a kill would; [`MemoryLedger::restart`] is the next
//! process, which finds what was committed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringback_core::{AppId, CallId, ConversationId, Epoch, Now, Record, TenantId};

use crate::answer::Answer;
use crate::contract::{
    Append, AppendError, CallRow, Cursor, Document, Ledger, OpenConversation, PutError, ReadError, Stats, Undelivered,
    UnfinishedLane, Version, WriteError,
};
use crate::form;
use crate::limits::{PAGE, PURGE_RECORDS};

/// See the file's head.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tables: Tables,
    /// Lane marks that have not been committed; only filled while `holding`.
    held: BTreeMap<CallId, LaneMark>,
    holding: bool,
    crash: Option<Crash>,
    closed: bool,
    full: bool,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Default)]
struct LaneMark {
    cursor: Option<Cursor>,
    done: bool,
}

#[derive(Clone, Copy, Debug)]
struct Crash {
    /// Commits until then, that one included.
    commits: u32,
    /// It happens with that commit made.
    after: bool,
}

/// What is durable.
#[derive(Clone, Debug, Default)]
struct Tables {
    conversations: BTreeMap<ConversationId, Conversation>,
    calls: BTreeMap<CallId, Call>,
    /// Calls in the order they were begun.
    begun: BTreeMap<u64, CallId>,
    undelivered: BTreeMap<(CallId, Cursor), String>,
    documents: BTreeMap<(String, String), (Version, String)>,
    epoch: Epoch,
}

#[derive(Clone, Debug, Default)]
struct Conversation {
    epoch: Epoch,
    ended: Option<Now>,
    records: Vec<String>,
}

#[derive(Clone, Debug)]
struct Call {
    number: u64,
    conversation: ConversationId,
    app: AppId,
    tenant: TenantId,
    lane: LaneMark,
}

impl MemoryLedger {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Crashes before the `n`th commit from now (1: the next): it is not made, and everything
    /// from then on answers `Closed`.
    pub fn crash_before_commit(&self, n: u32) {
        self.lock().crash = Some(Crash { commits: n.max(1), after: false });
    }

    /// Crashes after the `n`th commit from now: it is made, but answers `Closed` like everything later.
    pub fn crash_after_commit(&self, n: u32) {
        self.lock().crash = Some(Crash { commits: n.max(1), after: true });
    }

    /// Keeps lane marks uncommitted until the next commit, as SQLite does; without this they are
    /// committed at once. A crash forgets those held.
    pub fn hold_marks(&self) {
        self.lock().holding = true;
    }

    /// Stands in for a full disk: everything but terminal appends and reads is refused.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Puts a text in place of a record, as a damaged file would.
    pub fn damage(&self, conversation: ConversationId, version: Version, text: &str) {
        let mut state = self.lock();
        let records = state.tables.conversations.get_mut(&conversation).map(|found| &mut found.records);
        if let Some(record) = records.and_then(|records| records.get_mut(place(version))) {
            text.clone_into(record);
        }
    }

    /// The next process: finds what was committed. This one is closed, as by a kill.
    pub fn restart(&self) -> Self {
        let mut state = self.lock();
        state.closed = true;
        let next = State { tables: state.tables.clone(), holding: state.holding, ..State::default() };
        Self { state: Mutex::new(next) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_tables<T>(&self, read: impl FnOnce(&Tables) -> Result<T, ReadError>) -> Answer<T, ReadError> {
        let state = self.lock();
        Answer::ready(if state.closed { Err(ReadError::Closed) } else { read(&state.tables) })
    }

    fn write<T, E: From<WriteError>>(
        &self,
        terminal: bool,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Answer<T, E> {
        let mut state = self.lock();
        if state.full && !terminal && !state.closed {
            state.stats.full += 1;
            return Answer::ready(Err(WriteError::Full.into()));
        }
        Answer::ready(state.commit(change))
    }
}

impl State {
    /// One transaction: a change with the marks held so far. One that is refused leaves nothing.
    fn commit<T, E: From<WriteError>>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.closed {
            return Err(WriteError::Closed.into());
        }
        let crash_now = self.crash.as_mut().is_some_and(|crash| {
            crash.commits -= 1;
            crash.commits == 0
        });
        if crash_now && self.crash.is_some_and(|crash| !crash.after) {
            self.closed = true;
            return Err(WriteError::Closed.into());
        }
        for (call, mark) in std::mem::take(&mut self.held) {
            self.tables.mark(call, mark);
        }
        let result = change(self);
        self.stats.commits += 1;
        if crash_now {
            self.closed = true;
            return Err(WriteError::Closed.into());
        }
        result
    }

    fn note(&mut self, call: CallId, mark: LaneMark) {
        if self.closed {
            return;
        }
        self.stats.marks += 1;
        if self.holding {
            self.held.entry(call).or_default().merge(mark);
        } else {
            self.tables.mark(call, mark);
        }
    }
}

impl LaneMark {
    fn merge(&mut self, other: Self) {
        self.cursor = self.cursor.max(other.cursor);
        self.done |= other.done;
    }
}

impl Tables {
    fn mark(&mut self, call: CallId, mark: LaneMark) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.lane.merge(mark);
        }
    }

    fn append(&mut self, append: Append, text: String) -> Result<Version, AppendError> {
        let found = self.conversations.get(&append.conversation);
        let (owner, version) =
            found.map_or((Epoch(0), Version(0)), |found| (found.epoch, Version(found.records.len() as u64)));
        if append.epoch < owner {
            return Err(AppendError::WrongEpoch { owner });
        }
        if append.expected != version {
            let stored = found.and_then(|found| found.records.get(place(append.expected.next())));
            return if stored == Some(&text) {
                Ok(append.expected.next())
            } else {
                Err(AppendError::WrongVersion { found: version })
            };
        }
        if let Some(row) = append.index.iter().find(|row| self.calls.contains_key(&row.call)) {
            return Err(AppendError::Io(format!("call {} is already in the index", row.call)));
        }
        let conversation = self.conversations.entry(append.conversation).or_default();
        conversation.epoch = append.epoch;
        conversation.ended = append.ended.or(conversation.ended);
        conversation.records.push(text);
        for row in append.index {
            let number = self.begun.last_key_value().map_or(1, |(last, _)| last + 1);
            self.begun.insert(number, row.call);
            let call = Call {
                number,
                conversation: append.conversation,
                app: row.app,
                tenant: row.tenant,
                lane: LaneMark::default(),
            };
            self.calls.insert(row.call, call);
        }
        Ok(append.expected.next())
    }

    fn row(&self, call: CallId) -> Option<CallRow> {
        let found = self.calls.get(&call)?;
        let ended = self.conversations.get(&found.conversation).and_then(|conversation| conversation.ended);
        let (app, tenant) = (found.app.clone(), found.tenant.clone());
        Some(CallRow { call, conversation: found.conversation, app, tenant, ended })
    }

    fn put(&mut self, kind: &str, id: &str, expected: Version, text: String) -> Result<Version, PutError> {
        let key = (kind.to_owned(), id.to_owned());
        let next = expected.next();
        match self.documents.get(&key) {
            Some((version, stored)) if *version == next && *stored == text => return Ok(next),
            Some((version, _)) if *version != expected => return Err(PutError::WrongVersion { found: *version }),
            None if expected != Version(0) => return Err(PutError::WrongVersion { found: Version(0) }),
            _ => {}
        }
        self.documents.insert(key, (next, text));
        Ok(next)
    }

    fn remove(&mut self, kind: &str, id: &str, expected: Version) -> Result<(), PutError> {
        let key = (kind.to_owned(), id.to_owned());
        match self.documents.get(&key) {
            Some((version, _)) if *version != expected => return Err(PutError::WrongVersion { found: *version }),
            _ => self.documents.remove(&key),
        };
        Ok(())
    }

    fn purge(&mut self, ended_before: Now, at_most: usize) -> u64 {
        let ended = self.conversations.iter().filter_map(|(id, found)| Some((found.ended?, *id)));
        let owed = |id: &ConversationId| self.calls.values().any(|call| call.conversation == *id && !call.lane.done);
        let mut ended: Vec<_> = ended.filter(|(at, id)| *at < ended_before && !owed(id)).collect();
        ended.sort_unstable();
        let (mut purged, mut records) = (0, 0);
        for (_, id) in ended.into_iter().take(at_most.min(PAGE)) {
            if records >= PURGE_RECORDS {
                break;
            }
            records += self.conversations.remove(&id).map_or(0, |found| found.records.len() as u64);
            self.calls.retain(|_, call| call.conversation != id);
            self.begun.retain(|_, call| self.calls.contains_key(call));
            self.undelivered.retain(|(call, _), _| self.calls.contains_key(call));
            purged += 1;
        }
        purged
    }
}

/// Where a version's record is.
fn place(version: Version) -> usize {
    usize::try_from(version.0).map_or(usize::MAX, |version| version.wrapping_sub(1))
}

impl Ledger for MemoryLedger {
    fn append(&self, append: Append) -> Answer<Version, AppendError> {
        let text = match form::print(&append.record) {
            Ok(text) => text,
            Err(why) => return Answer::ready(Err(AppendError::Io(why))),
        };
        self.write(append.terminal, |state| {
            let version = state.tables.append(append, text)?;
            state.stats.records += 1;
            Ok(version)
        })
    }

    fn read(
        &self,
        conversation: ConversationId,
        after: Version,
        at_most: usize,
    ) -> Answer<Vec<(Version, Record)>, ReadError> {
        self.read_tables(|tables| {
            let records = tables.conversations.get(&conversation).map_or(&[][..], |found| &found.records);
            let page = (1..).map(Version).zip(records).skip(place(after.next())).take(at_most.min(PAGE));
            page.map(|(version, text)| Ok((version, form::parse(conversation, version, text)?))).collect()
        })
    }

    fn call(&self, call: CallId) -> Answer<Option<CallRow>, ReadError> {
        self.read_tables(|tables| Ok(tables.row(call)))
    }

    fn calls_of(
        &self,
        app: &AppId,
        tenant: &TenantId,
        before: Option<CallId>,
        at_most: usize,
    ) -> Answer<Vec<CallRow>, ReadError> {
        self.read_tables(|tables| {
            let end = match before {
                Some(before) => tables.calls.get(&before).map_or(0, |call| call.number),
                None => u64::MAX,
            };
            let begun = tables.begun.range(..end).rev();
            let mine = begun.filter(|(_, call)| {
                tables.calls.get(call).is_some_and(|call| call.app == *app && call.tenant == *tenant)
            });
            Ok(mine.filter_map(|(_, call)| tables.row(*call)).take(at_most.min(PAGE)).collect())
        })
    }

    fn open_conversations(
        &self,
        after: Option<ConversationId>,
        at_most: usize,
    ) -> Answer<Vec<OpenConversation>, ReadError> {
        self.read_tables(|tables| {
            let open = tables.conversations.iter().filter(|(id, found)| found.ended.is_none() && Some(**id) > after);
            let open = open.map(|(id, found)| OpenConversation {
                conversation: *id,
                version: Version(found.records.len() as u64),
                epoch: found.epoch,
            });
            Ok(open.take(at_most.min(PAGE)).collect())
        })
    }

    fn cursor_put(&self, call: CallId, cursor: Cursor) {
        self.lock().note(call, LaneMark { cursor: Some(cursor), done: false });
    }

    fn lane_done(&self, call: CallId) {
        self.lock().note(call, LaneMark { cursor: None, done: true });
    }

    fn cursor_get(&self, call: CallId) -> Answer<Option<Cursor>, ReadError> {
        self.read_tables(|tables| Ok(tables.calls.get(&call).and_then(|call| call.lane.cursor)))
    }

    fn unfinished_lanes(&self, after: Option<CallId>, at_most: usize) -> Answer<Vec<UnfinishedLane>, ReadError> {
        self.read_tables(|tables| {
            let start = match after {
                Some(after) => tables.calls.get(&after).map_or(u64::MAX, |call| call.number.saturating_add(1)),
                None => 0,
            };
            let lanes = tables.begun.range(start..).filter_map(|(_, id)| {
                let call = tables.calls.get(id).filter(|call| !call.lane.done)?;
                tables.conversations.get(&call.conversation)?.ended?;
                Some(UnfinishedLane { call: *id, conversation: call.conversation, cursor: call.lane.cursor })
            });
            Ok(lanes.take(at_most.min(PAGE)).collect())
        })
    }

    fn note_undelivered(&self, mark: Undelivered) -> Answer<(), WriteError> {
        // A mark that a bot was not told ends a lane's wait: it may use the reserved room.
        self.write(true, |state| {
            if state.tables.calls.contains_key(&mark.call) {
                state.tables.undelivered.entry((mark.call, mark.at)).or_insert(mark.text);
            }
            Ok(())
        })
    }

    fn undelivered(&self, call: CallId, after: Option<Cursor>, at_most: usize) -> Answer<Vec<Undelivered>, ReadError> {
        self.read_tables(|tables| {
            let marks = tables.undelivered.iter().filter(|((of, at), _)| *of == call && Some(*at) > after);
            let marks = marks.map(|((_, at), text)| Undelivered { call, at: *at, text: text.clone() });
            Ok(marks.take(at_most.min(PAGE)).collect())
        })
    }

    fn join(&self, _node: &str) -> Answer<Epoch, WriteError> {
        // Like a terminal append: recovery ends what was open, on a full disk too.
        self.write(true, |state| {
            state.tables.epoch.0 += 1;
            Ok(state.tables.epoch)
        })
    }

    fn document_get(&self, kind: &str, id: &str) -> Answer<Option<Document>, ReadError> {
        self.read_tables(|tables| {
            let found = tables.documents.get(&(kind.to_owned(), id.to_owned()));
            Ok(found.map(|(version, text)| Document { id: id.to_owned(), version: *version, text: text.clone() }))
        })
    }

    fn document_put_if_version(
        &self,
        kind: &str,
        id: &str,
        expected: Version,
        text: String,
    ) -> Answer<Version, PutError> {
        self.write(false, |state| state.tables.put(kind, id, expected, text))
    }

    fn document_remove_if_version(&self, kind: &str, id: &str, expected: Version) -> Answer<(), PutError> {
        self.write(true, |state| state.tables.remove(kind, id, expected))
    }

    fn document_list(&self, kind: &str, after: Option<&str>, at_most: usize) -> Answer<Vec<Document>, ReadError> {
        self.read_tables(|tables| {
            let of_kind = tables.documents.iter().filter(|((of, id), _)| of == kind && Some(id.as_str()) > after);
            let of_kind = of_kind.map(|((_, id), (version, text))| Document {
                id: id.clone(),
                version: *version,
                text: text.clone(),
            });
            Ok(of_kind.take(at_most.min(PAGE)).collect())
        })
    }

    fn purge(&self, ended_before: Now, at_most: usize) -> Answer<u64, WriteError> {
        self.write(true, |state| Ok(state.tables.purge(ended_before, at_most)))
    }

    fn flush(&self) -> Answer<(), WriteError> {
        self.write(true, |_| Ok(()))
    }

    fn close(&self) -> Answer<(), WriteError> {
        let answer = self.flush();
        self.lock().closed = true;
        answer
    }

    fn stats(&self) -> Stats {
        self.lock().stats
    }
}
