//! What a program says, a line at a time, waited for as long as a slow machine may need and no longer.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Bounds a failure; nothing takes as long.
const WITHIN: Duration = Duration::from_secs(120);

/// Lines of a stream.
pub(crate) struct Said {
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Said {
    pub(crate) fn by(stream: impl Read + Send + 'static) -> Said {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Said { lines, heard: Vec::new() }
    }

    /// Whether a line had these words that came before those that were waited for.
    pub(crate) fn had(&self, words: &str) -> bool {
        self.heard.iter().any(|line| line.contains(words))
    }

    /// The next line that has these words; fails with all that was said if none comes.
    pub(crate) fn line(&mut self, words: &str) -> String {
        while let Ok(line) = self.lines.recv_timeout(WITHIN) {
            if line.contains(words) {
                return line;
            }
            self.heard.push(line);
        }
        panic!("nobody said {words:?}, but:\n{}", self.heard.join("\n"));
    }
}
