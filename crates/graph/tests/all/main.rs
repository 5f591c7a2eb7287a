//! The wire's shapes: what is read, what is printed, what is refused, and what no input may do.

mod captured;
mod hostile;
mod meetings;
mod metadata;
mod neighbours;
mod notifications;
mod paths;
mod printed;
mod requests;
mod results;
mod samples;
