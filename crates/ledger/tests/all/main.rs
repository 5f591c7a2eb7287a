//! The ledger's promises, tried on every store.

mod crash;
mod fixture;
mod form;
mod memory;
mod sqlite;
mod suite;
