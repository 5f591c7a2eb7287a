//! The program from outside, run as its user runs it.

mod bench;
mod doctor;
mod phone;
mod run;
