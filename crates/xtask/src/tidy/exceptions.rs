//! What the rules let pass, each with its reason. An exception nobody needs any more is itself a problem.

/// Files that may have more than [`super::files::MOST_LINES`] lines.
pub(super) const LONG_FILES: &[Exception] = &[];

/// Test files that may sleep. A sleep in a test never makes it right: it may only make a wait less busy.
pub(super) const SLEEPING_TESTS: &[Exception] = &[Exception {
    path: "crates/ledger/tests/all/sqlite.rs",
    reason: "asks again until the writer's thread has written, for 30 s at most",
}];

/// One file that a rule lets pass.
pub(super) struct Exception {
    pub(super) path: &'static str,
    /// Printed at each run, so that it is read again.
    pub(super) reason: &'static str,
}
