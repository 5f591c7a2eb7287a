//! What this process uses of the machine, as Linux says in /proc; under the names that Prometheus's own clients use.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks a second of the times in `/proc/self/stat`: Linux's USER_HZ, which is part of its interface.
const TICKS: f64 = 100.0;
/// Bytes in a `kB` of `/proc/self/status`.
const KIB: i64 = 1024;

/// A moment's usage; what could not be read is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<i64>,
    open_files: Option<i64>,
    threads: Option<i64>,
}

impl Usage {
    pub(super) fn read() -> Usage {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let open_files = fs::read_dir("/proc/self/fd").ok().and_then(|files| i64::try_from(files.count()).ok());
        Usage {
            cpu_seconds: cpu_seconds(&stat),
            resident_bytes: value(&status, "VmRSS:").map(|kib| kib * KIB),
            open_files,
            threads: value(&status, "Threads:"),
        }
    }
}

/// User and system time: fields 14 and 15 (proc_pid_stat(5)); the second field may hold spaces, and ends with the last
/// parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

fn value(status: &str, name: &str) -> Option<i64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

impl Collector for Usage {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(seconds) = self.cpu_seconds {
            let value = ConstCounter::new(seconds);
            let help = "User and system time";
            value.encode(to.encode_descriptor("cpu", help, Some(&Unit::Seconds), value.metric_type())?)?;
        }
        if let Some(bytes) = self.resident_bytes {
            let value = ConstGauge::new(bytes);
            let help = "Memory in use";
            value.encode(to.encode_descriptor("resident_memory", help, Some(&Unit::Bytes), value.metric_type())?)?;
        }
        for (name, help, value) in
            [("open_fds", "Open files and sockets", self.open_files), ("threads", "Threads", self.threads)]
        {
            if let Some(value) = value {
                let value = ConstGauge::new(value);
                value.encode(to.encode_descriptor(name, help, None, value.metric_type())?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "7 (a) (b c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 1 1";
        assert_eq!(cpu_seconds(line), Some(3.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(value("Name:\tx\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12));
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::read();
        assert!(usage.cpu_seconds.is_some() && usage.resident_bytes > Some(0) && usage.open_files > Some(0));
    }
}
