//! Child processes of a benchmark: started from this same binary, spoken to in lines of JSON,
//! measured from outside by what the kernel accounts.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Failure;
use crate::proc_stat::Stat;

/// Clock ticks a second in /proc, the same on every Linux that we run on (`man 5 proc`, USER_HZ).
const TICKS: f64 = 100.0;

/// What the parent of this process says, a value a line.
pub(super) struct Orders {
    lines: Lines<BufReader<tokio::io::Stdin>>,
}

impl Orders {
    pub(super) fn open() -> Self {
        Self { lines: BufReader::new(tokio::io::stdin()).lines() }
    }

    /// The next order.
    pub(super) async fn next(&mut self) -> Result<Value, Failure> {
        let line = self.lines.next_line().await?.ok_or("the parent said nothing more")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits for the parent to end this process, or to end itself.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let _ = self.lines.next_line().await;
        Ok(())
    }
}

/// A child that speaks JSON, a value a line. Killed when dropped.
pub(super) struct Talker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Talker {
    /// Starts this binary again with other words.
    pub(super) fn start<S: AsRef<OsStr>>(words: &[S]) -> Result<Self, Failure> {
        Self::start_on(None, None, words)
    }

    /// The same on some processors, as `taskset` names them, and perhaps by another program than this one.
    pub(super) fn start_on<S: AsRef<OsStr>>(
        processors: Option<&str>,
        program: Option<&Path>,
        words: &[S],
    ) -> Result<Self, Failure> {
        let program = program.map_or_else(std::env::current_exe, |program| Ok(program.to_owned()))?;
        let mut command = match processors {
            None => Command::new(program),
            Some(processors) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", processors]).arg(program);
                command
            }
        };
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = child.stdout.take().ok_or("no stdout")?;
        Ok(Self { child, input, output: BufReader::new(output).lines() })
    }

    /// Says something.
    pub(super) async fn say(&mut self, value: &Value) -> Result<(), Failure> {
        self.input.write_all(format!("{value}\n").as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    /// Hears something.
    pub(super) async fn hear(&mut self) -> Result<Value, Failure> {
        let line = self.output.next_line().await?.ok_or("a child process ended early; its words are above")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Seconds of processor time so far, user and system.
    pub(super) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = Stat::of(self.id()?);
        let ticks = |number| stat.field(number).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = ticks(14).zip(ticks(15)).ok_or("unreadable /proc/…/stat")?;
        Ok((user + system) / TICKS)
    }

    /// Megabytes resident.
    pub(super) fn rss_mb(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let kib =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.unwrap_or(0.0) / 1024.0)
    }

    /// SIGKILL, and wait for the end.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    fn id(&self) -> Result<u32, Failure> {
        Ok(self.child.id().ok_or("a child process ended early; its words are above")?)
    }
}
