//! The program from outside, run as its user runs it.

mod bad_bots;
mod bench;
mod doctor;
mod finding;
mod http;
mod phone;
mod run;
mod said;
mod secrets;
mod trust;
