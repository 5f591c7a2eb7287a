//! The SIP user agent on loopback, with real sockets: against our scripted phone, and against bare
//! datagrams where a case wants what no phone would send.

mod bad_input;
mod calls_in;
mod calls_out;
mod nat;
mod peer;
mod raw;
mod register;
mod secrets;
mod session;
mod streams;
mod torture;
mod trunks;
mod web;
mod world;
