//! Which conversations live: by call, by leg, by app, by meeting. Bounded; entered before the task starts and
//! left when it ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ringback_core::{AppId, CallId, ConversationId, LegId, Meeting, NewCall, TenantId};

use super::EngineError;
use super::mailbox::Mailbox;
use crate::limits;

#[derive(Debug)]
struct Entry {
    conversation: ConversationId,
    app: AppId,
    tenant: TenantId,
    mailbox: Mailbox,
    legs: Vec<LegId>,
}

#[derive(Default, Debug)]
struct Tables {
    calls: BTreeMap<CallId, Entry>,
    legs: HashMap<LegId, CallId>,
    conversations: HashSet<ConversationId>,
    /// Meetings with a bot in them, by thread.
    meetings: HashMap<String, CallId>,
    per_app: HashMap<(AppId, TenantId), usize>,
}

/// The tables.
#[derive(Default, Debug)]
pub(crate) struct Registry {
    tables: RwLock<Tables>,
}

impl Registry {
    /// Enters a new conversation's call and leg, and the bot in its meeting: one at a time.
    pub(crate) fn enter(
        &self,
        conversation: ConversationId,
        new: &NewCall,
        max_calls: usize,
        mailbox: &Mailbox,
        meeting: Option<&Meeting>,
    ) -> Result<(), EngineError> {
        let mut tables = self.write();
        let thread = meeting.map(|meeting| thread(&meeting.thread));
        if thread.as_ref().is_some_and(|thread| tables.meetings.contains_key(thread)) {
            return Err(EngineError::MeetingTaken);
        }
        if tables.calls.len() >= limits::CONVERSATIONS {
            return Err(EngineError::Busy("the table of conversations"));
        }
        let count = tables.per_app.entry((new.app.clone(), new.tenant.clone())).or_default();
        if *count >= max_calls {
            return Err(EngineError::TooManyCalls(max_calls));
        }
        *count += 1;
        let (app, tenant) = (new.app.clone(), new.tenant.clone());
        let entry = Entry { conversation, app, tenant, mailbox: mailbox.clone(), legs: vec![new.leg] };
        tables.meetings.extend(thread.map(|thread| (thread, new.call)));
        tables.conversations.insert(conversation);
        tables.calls.insert(new.call, entry);
        tables.legs.insert(new.leg, new.call);
        Ok(())
    }

    /// Another leg of a call: a phone that joins its meeting.
    pub(crate) fn add_leg(&self, call: CallId, leg: LegId) {
        let mut tables = self.write();
        let Some(entry) = tables.calls.get_mut(&call) else { return };
        if !entry.legs.contains(&leg) {
            entry.legs.push(leg);
            tables.legs.insert(leg, call);
        }
    }

    /// A leg is gone.
    pub(crate) fn remove_leg(&self, leg: LegId) {
        let mut tables = self.write();
        let Some(call) = tables.legs.remove(&leg) else { return };
        if let Some(entry) = tables.calls.get_mut(&call) {
            entry.legs.retain(|of| *of != leg);
        }
    }

    /// The legs of a call.
    pub(crate) fn legs_of(&self, call: CallId) -> Vec<LegId> {
        self.read().calls.get(&call).map(|entry| entry.legs.clone()).unwrap_or_default()
    }

    /// A bot leaves its meeting: another one may join, though the call's legs may take a while to end.
    pub(crate) fn leave_meeting(&self, call: CallId) {
        self.write().meetings.retain(|_, of| *of != call);
    }

    /// Leaves.
    pub(crate) fn leave(&self, call: CallId) {
        let mut tables = self.write();
        let Some(entry) = tables.calls.remove(&call) else { return };
        for leg in &entry.legs {
            tables.legs.remove(leg);
        }
        tables.meetings.retain(|_, of| *of != call);
        tables.conversations.remove(&entry.conversation);
        let key = (entry.app, entry.tenant);
        if let Some(count) = tables.per_app.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                tables.per_app.remove(&key);
            }
        }
    }

    /// A conversation has its task.
    pub(crate) fn lives(&self, conversation: ConversationId) -> bool {
        self.read().conversations.contains(&conversation)
    }

    pub(crate) fn by_call(&self, call: CallId) -> Option<Mailbox> {
        self.read().calls.get(&call).map(|entry| entry.mailbox.clone())
    }

    pub(crate) fn by_call_of(&self, app: &AppId, tenant: &TenantId, call: CallId) -> Option<Mailbox> {
        let tables = self.read();
        let entry = tables.calls.get(&call)?;
        (entry.app == *app && entry.tenant == *tenant).then(|| entry.mailbox.clone())
    }

    pub(crate) fn by_meeting(&self, name: &str) -> Option<Mailbox> {
        let tables = self.read();
        let call = tables.meetings.get(&thread(name))?;
        tables.calls.get(call).map(|entry| entry.mailbox.clone())
    }

    pub(crate) fn in_meeting(&self, name: &str) -> Option<CallId> {
        self.read().meetings.get(&thread(name)).copied()
    }

    pub(crate) fn by_leg(&self, leg: LegId) -> Option<Mailbox> {
        let tables = self.read();
        let call = tables.legs.get(&leg)?;
        tables.calls.get(call).map(|entry| entry.mailbox.clone())
    }

    /// The call of a leg, and its conversation.
    pub(crate) fn call_of_leg(&self, leg: LegId) -> Option<(CallId, ConversationId)> {
        let tables = self.read();
        let call = *tables.legs.get(&leg)?;
        Some((call, tables.calls.get(&call)?.conversation))
    }

    pub(crate) fn calls_of(
        &self,
        app: &AppId,
        tenant: &TenantId,
        after: Option<CallId>,
        at_most: usize,
    ) -> Vec<(CallId, Mailbox)> {
        self.select(after, at_most, |entry| entry.app == *app && entry.tenant == *tenant)
    }

    pub(crate) fn all_calls(&self, after: Option<CallId>, at_most: usize) -> Vec<(CallId, Mailbox)> {
        self.select(after, at_most, |_| true)
    }

    pub(crate) fn conversations(&self) -> usize {
        self.read().calls.len()
    }

    fn select(&self, after: Option<CallId>, at_most: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<(CallId, Mailbox)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.read();
        let range = tables.calls.range((from, Bound::Unbounded)).filter(|(_, entry)| wanted(entry));
        range.take(at_most).map(|(call, entry)| (*call, entry.mailbox.clone())).collect()
    }

    // The tables are changed only by whole inserts and removes, so a poisoned lock is still sound.
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads are compared without case.
fn thread(name: &str) -> String {
    name.to_lowercase()
}
