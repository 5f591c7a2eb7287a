//! The bot's process: started with what this one has, told the signals that this one is told, and waited for.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::Failure;
use crate::proc_stat::Stat;

/// Starts it. Standard input, output and error are this process's own.
pub(super) fn start(command: &[OsString], variables: Vec<(&'static str, OsString)>) -> Result<Child, Failure> {
    let (program, words) = command.split_first().ok_or("give the bot's command after --")?;
    let started = Command::new(program).args(words).envs(variables).spawn();
    started.map_err(|error| {
        let program = program.to_string_lossy();
        match error.kind() {
            std::io::ErrorKind::NotFound => format!("the bot was not started: there is no program `{program}`").into(),
            std::io::ErrorKind::PermissionDenied => {
                format!("the bot was not started: `{program}` may not be run (is it executable?)").into()
            }
            _ => format!("the bot was not started: `{program}`: {error}").into(),
        }
    })
}

/// The signals that are passed on.
pub(super) struct Signals(Vec<(Signal, Stream)>);

impl Signals {
    /// From now on they no longer end this process.
    pub(super) fn catch() -> Result<Signals, Failure> {
        let kinds = [
            (Signal::SIGINT, SignalKind::interrupt()),
            (Signal::SIGTERM, SignalKind::terminate()),
            (Signal::SIGHUP, SignalKind::hangup()),
            (Signal::SIGQUIT, SignalKind::quit()),
            (Signal::SIGUSR1, SignalKind::user_defined1()),
            (Signal::SIGUSR2, SignalKind::user_defined2()),
        ];
        let caught = kinds.into_iter().map(|(number, kind)| Ok((number, signal(kind)?)));
        Ok(Signals(caught.collect::<Result<_, Failure>>()?))
    }

    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| {
            let mut came =
                self.0.iter_mut().filter_map(|(number, stream)| stream.poll_recv(cx).is_ready().then_some(*number));
            match came.next() {
                Some(number) => std::task::Poll::Ready(number),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }
}

/// Waits for its end, and passes signals on until then. Gives whether it was told to end, too.
pub(super) async fn wait(child: &mut Child, signals: &mut Signals) -> Result<(ExitStatus, bool), Failure> {
    let mut told = false;
    loop {
        tokio::select! {
            status = child.wait() => return Ok((status?, told)),
            number = signals.next() => {
                told = true;
                let typed = matches!(number, Signal::SIGINT | Signal::SIGQUIT) && has_the_terminal();
                if let (Some(id), false) = (child.id(), typed) {
                    let _ = kill(Pid::from_raw(i32::try_from(id)?), number);
                }
            }
        }
    }
}

/// Whether this process group has the terminal: keys such as ^C are then told to the bot, too, by the terminal itself
/// (fields `pgrp` and `tpgid`).
fn has_the_terminal() -> bool {
    let stat = Stat::of("self");
    matches!((stat.field(5), stat.field(8)), (Some(group), Some(foreground)) if group == foreground)
}

/// The same status, as a shell has it: 128 and the number of the signal that ended it.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The same for people.
pub(super) fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal().map(Signal::try_from)) {
        (Some(code), _) => format!("with status {code}"),
        (None, Some(Ok(signal))) => format!("by {signal}"),
        (None, _) => "by a signal".to_owned(),
    }
}

/// A signal by which people end programs ended it.
pub(super) fn was_asked_to_end(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let asks = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
    status.signal().is_some_and(|number| asks.iter().any(|signal| *signal as i32 == number))
}
