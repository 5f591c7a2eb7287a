//! The machine from outside. Transcripts say what each verb and happening makes true, state by
//! state; properties say what holds for any sequence of them. Nothing here has a clock or chance.

mod print;
mod world;

mod adopted;
mod begin;
mod deadlines;
mod ends;
mod limits;
mod media;
mod meetings;
mod properties;
mod record;
mod runs;
mod stored;
