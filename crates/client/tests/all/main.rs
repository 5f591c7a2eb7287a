//! The SDK against a scripted platform on loopback.

mod calls;
mod platform;
mod requests;
mod sign;
mod verification;
mod webhook;
