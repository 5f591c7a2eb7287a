//! What the bot's processes do with the network, as the kernel tells anyone who may look (`man 5 proc`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::proc_stat::Stat;

/// A process and all that it started, as far as they have not left it.
pub(super) struct Family(BTreeSet<u32>);

/// A TCP socket.
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    inode: u64,
}

/// States of TCP sockets, as the kernel numbers them (include/net/tcp_states.h).
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const LISTEN: u8 = 10;

impl Family {
    /// As it is now.
    pub(super) fn of(root: u32) -> Family {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for process in numbers("/proc") {
            if let Some(parent) = Stat::of(process).field(4).and_then(|parent| parent.parse().ok()) {
                children.entry(parent).or_default().push(process);
            }
        }
        let mut family = BTreeSet::from([root]);
        let mut left = vec![root];
        while let Some(process) = left.pop() {
            for child in children.remove(&process).unwrap_or_default() {
                family.insert(child);
                left.push(child);
            }
        }
        Family(family)
    }

    /// The same without these processes.
    pub(super) fn without(mut self, processes: &BTreeSet<u32>) -> Family {
        self.0.retain(|process| !processes.contains(process));
        self
    }

    /// Where its sockets listen.
    pub(super) fn listening(&self) -> BTreeSet<SocketAddr> {
        let own = self.sockets();
        own.into_iter().filter(|socket| socket.state == LISTEN).map(|socket| socket.local).collect()
    }

    /// Addresses elsewhere that it connects to at this port, or tries to.
    pub(super) fn connects(&self, port: u16) -> BTreeSet<SocketAddr> {
        let out = |socket: &Socket| matches!(socket.state, ESTABLISHED | SYN_SENT) && socket.remote.port() == port;
        let own = self.sockets().into_iter().filter(out).map(|socket| socket.remote);
        own.filter(|remote| !remote.ip().is_loopback()).collect()
    }

    /// With what each was started: the folder that it works in, and its words.
    pub(super) fn commands(&self) -> Vec<(PathBuf, Vec<String>)> {
        let folder = |process| fs::read_link(format!("/proc/{process}/cwd")).unwrap_or_default();
        self.0.iter().map(|process| (folder(process), words(*process))).collect()
    }

    fn sockets(&self) -> Vec<Socket> {
        let held: BTreeSet<u64> = self.0.iter().flat_map(|process| inodes(*process)).collect();
        let Some(first) = self.0.iter().next() else { return Vec::new() };
        let mut sockets = sockets(&first.to_string());
        sockets.retain(|socket| held.contains(&socket.inode));
        sockets
    }
}

/// Who listens at this port of this machine: a process's number and name.
pub(super) fn holder(port: u16) -> Option<(u32, String)> {
    let all = sockets("self");
    let taken = all.iter().find(|socket| socket.state == LISTEN && socket.local.port() == port)?;
    let process = numbers("/proc").into_iter().find(|process| inodes(*process).contains(&taken.inode))?;
    Some((process, name(process)))
}

/// A process for people: its program, and the first of its words that is a file. Other words may be secrets.
pub(super) fn name(process: u32) -> String {
    let link = |name: &str| fs::read_link(format!("/proc/{process}/{name}")).unwrap_or_default();
    let program = link("exe").file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = words(process).into_iter().skip(1).find(|word| link("cwd").join(word).is_file());
    [Some(program), file].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The debugger of a Python program (debugpy) is about to connect to this port. The program takes one connection there,
/// and fails if that is another's.
pub(super) fn is_for_a_debugger(port: u16) -> bool {
    let (option, port) = ("--for-server".to_owned(), port.to_string());
    let pair = [option, port];
    numbers("/proc").into_iter().any(|process| words(process).windows(2).any(|two| two == pair))
}

/// Its command line.
fn words(process: u32) -> Vec<String> {
    let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Someone listens at this port of this machine.
pub(super) fn is_taken(port: u16) -> bool {
    sockets("self").iter().any(|socket| socket.state == LISTEN && socket.local.port() == port)
}

fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The sockets that a process holds open.
fn inodes(process: u32) -> Vec<u64> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let socket = |file: fs::DirEntry| {
        let target = fs::read_link(file.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    files.filter_map(socket).collect()
}

/// All TCP sockets of the network that this process is in.
fn sockets(process: &str) -> Vec<Socket> {
    let table = |name: &str| fs::read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default();
    let text = table("tcp") + &table("tcp6");
    text.lines().filter_map(socket).collect()
}

/// A line of `/proc/net/tcp` or `tcp6`; none for their heads.
fn socket(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    Some(Socket {
        local: address(fields.get(1)?)?,
        remote: address(fields.get(2)?)?,
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// `0100007F:0F8A`: words of four bytes in the machine's order, and the port in the network's.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (part, into) in bytes.chunks_exact_mut(4).enumerate() {
                into.copy_from_slice(&word(part * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    #[test]
    fn own_sockets_are_found_and_others_are_not() {
        let us = std::process::id();
        let family = Family::of(us);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(family.listening().contains(&address));
        assert!(is_taken(address.port()));
        assert_eq!(holder(address.port()).unwrap().0, std::process::id());
        let _stream = TcpStream::connect(address).unwrap();
        assert!(family.connects(address.port()).is_empty(), "loopback is not elsewhere");
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let others = Family::of(child.id()).listening();
        let left = Family::of(us).without(&[us].into()).listening();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!others.contains(&address) && !left.contains(&address), "a child does not have it");
        assert!(!Family::of(1).0.is_empty());
    }

    #[test]
    fn a_port_that_waits_for_a_debugger_is_known_by_the_debuggers_words() {
        let words = ["-c", "read line", "adapter", "--for-server", "65000", "--host", "65001"];
        let mut adapter = Command::new("sh").args(words).stdin(Stdio::piped()).spawn().unwrap();
        let known = [65000, 65001].map(is_for_a_debugger);
        drop(adapter.stdin.take());
        adapter.wait().unwrap();
        assert_eq!(known, [true, false]);
    }

    /// A bot's own older copy has the port more often than others, and its secret among its words.
    #[test]
    fn a_process_is_named_without_what_may_be_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bot.py"), "").unwrap();
        let words = ["-c", "read line; exit 0", "--client-secret=not-to-be-told", "not-to-be-told", "bot.py"];
        let mut bot = Command::new("sh").args(words).current_dir(folder.path()).stdin(Stdio::piped()).spawn().unwrap();
        let (named, own) = (name(bot.id()), super::words(bot.id()));
        drop(bot.stdin.take());
        bot.wait().unwrap();
        assert!(own.iter().any(|word| word.contains("not-to-be-told")), "the kernel tells them: {own:?}");
        assert!(named.ends_with("sh bot.py") && !named.contains("not-to-be-told"), "{named}");
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_kernels_tables_are_read() {
        let line = "  4: 00000000000000000000000001000000:0F8A 00000000000000000000000000000000:0000 0A 00000000:00000000 \
                    00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0";
        let read = socket(line).unwrap();
        assert_eq!((read.local, read.state, read.inode), ("[::1]:3978".parse().unwrap(), LISTEN, 12345));
        assert_eq!(address("0100007F:0F8A"), Some("127.0.0.1:3978".parse().unwrap()));
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), Some("127.0.0.1:80".parse().unwrap()));
        assert!(socket("  sl  local_address rem_address   st").is_none() && address("01:02").is_none());
    }
}
