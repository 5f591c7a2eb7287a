//! The media room from outside: its pure parts in virtual time, and legs over loopback sockets.

mod correlation;
mod jitter;
mod legs;
mod mixing;
mod phone;
mod ports;
mod pressing;
mod prompts;
mod q24;
mod recordings;
mod sessions;
mod signals;
mod tones;
