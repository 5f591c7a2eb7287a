//! What the bot's processes do with the network, as the kernel tells anyone who may look (`man 5 proc`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::proc_stat::Stat;

/// A process and all that it started, as far as they have not left it.
pub(super) struct Family(BTreeSet<u32>);

/// How a process was started.
pub(super) struct Command {
    /// That it works in.
    pub(super) folder: PathBuf,
    pub(super) words: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
}

/// A TCP socket.
#[derive(Clone, Copy)]
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
        let own = self.sockets(|socket| socket.state == LISTEN);
        own.into_iter().map(|(_, socket)| socket.local).collect()
    }

    /// Its processes that connect to addresses elsewhere at this port, or try to.
    pub(super) fn connects(&self, port: u16) -> BTreeMap<u32, SocketAddr> {
        let out = |socket: &Socket| {
            let (state, remote) = (socket.state, socket.remote);
            matches!(state, ESTABLISHED | SYN_SENT) && remote.port() == port && !remote.ip().is_loopback()
        };
        self.sockets(out).into_iter().map(|(process, socket)| (process, socket.remote)).collect()
    }

    /// With what each was started.
    pub(super) fn commands(&self) -> Vec<Command> {
        let command = |process: &u32| Command {
            folder: link(*process, "cwd").unwrap_or_default(),
            words: words(*process),
            environment: environment(*process).unwrap_or_default(),
        };
        self.0.iter().map(command).collect()
    }

    /// The processes themselves.
    pub(super) fn processes(&self) -> &BTreeSet<u32> {
        &self.0
    }

    /// Such sockets, each with the processes that hold it. The kernel's tables are read last: that takes it some 10 ms.
    fn sockets(&self, wanted: impl Fn(&Socket) -> bool) -> Vec<(u32, Socket)> {
        let held: Vec<(u32, BTreeSet<u64>)> =
            self.0.iter().map(|id| (*id, inodes(*id).into_iter().collect())).collect();
        let Some((first, _)) = held.iter().find(|(_, inodes)| !inodes.is_empty()) else { return Vec::new() };
        let sockets: Vec<Socket> = sockets(&first.to_string()).into_iter().filter(wanted).collect();
        let of = |(process, inodes): &(u32, BTreeSet<u64>)| {
            let own = sockets.iter().filter(|socket| inodes.contains(&socket.inode));
            own.map(|socket| (*process, *socket)).collect::<Vec<_>>()
        };
        held.iter().flat_map(of).collect()
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
    let folder = link(process, "cwd").unwrap_or_default();
    let file = words(process).into_iter().skip(1).find(|word| folder.join(word).is_file());
    [program(process), file].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The file name of its program. None of processes that have ended, or are another user's.
pub(super) fn program(process: u32) -> Option<String> {
    Some(link(process, "exe")?.file_name()?.to_string_lossy().into_owned())
}

/// The debugger of a Python program (debugpy) is about to connect to this port. The program takes one connection there,
/// and fails if that is another's.
pub(super) fn is_for_a_debugger(port: u16) -> bool {
    let (option, port) = ("--for-server".to_owned(), port.to_string());
    let pair = [option, port];
    numbers("/proc").into_iter().any(|process| words(process).windows(2).any(|two| two == pair))
}

/// Its command line.
pub(super) fn words(process: u32) -> Vec<String> {
    texts(process, "cmdline").unwrap_or_default()
}

/// The environment that it was started with.
pub(super) fn environment(process: u32) -> Option<BTreeMap<String, String>> {
    let pairs = texts(process, "environ")?;
    let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(pairs.iter().filter_map(pair).collect())
}

fn link(process: u32, name: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/{name}")).ok()
}

/// What the kernel has with a zero after each.
fn texts(process: u32, name: &str) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{process}/{name}")).ok()?;
    Some(bytes.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect())
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
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
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
        assert!(!Family::of(1).processes().is_empty());
    }

    /// A shell with these words after its script, which runs until its input ends: the kernel has them once it speaks.
    fn with_words(folder: &Path, words: &[&str], look: impl FnOnce(u32)) {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo here; read line; exit 0"]).args(words).current_dir(folder);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
        look(shell.id());
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn a_port_that_waits_for_a_debugger_is_known_by_the_debuggers_words() {
        let words = ["adapter", "--for-server", "65000", "--host", "65001"];
        with_words(Path::new("."), &words, |_| {
            assert_eq!([65000, 65001].map(is_for_a_debugger), [true, false]);
        });
    }

    /// A bot's own older copy has the port more often than others, and its secret among its words.
    #[test]
    fn a_process_is_named_without_what_may_be_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bot.py"), "").unwrap();
        with_words(folder.path(), &["--client-secret=not-to-be-told", "not-to-be-told", "bot.py"], |process| {
            let (named, own) = (name(process), words(process));
            assert!(own.iter().any(|word| word.contains("not-to-be-told")), "the kernel tells them: {own:?}");
            assert!(named.ends_with("sh bot.py") && !named.contains("not-to-be-told"), "{named}");
        });
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
