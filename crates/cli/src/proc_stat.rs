//! What the kernel counts of a process: `/proc/…/stat` (`man 5 proc_pid_stat`). It must not know why it is asked.

use std::fmt::Display;

/// A moment's line.
pub(crate) struct Stat(String);

impl Stat {
    /// Of a process's number, or of `self`; of one that is gone, a line without fields.
    pub(crate) fn of(process: impl Display) -> Stat {
        Stat(std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default())
    }

    /// A field by the manual's number, from the third on: the second is a name in parentheses that may hold anything.
    pub(crate) fn field(&self, number: usize) -> Option<&str> {
        self.0.rsplit_once(')')?.1.split_whitespace().nth(number.checked_sub(3)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_name() {
        let stat = Stat("7 (a) (b c) S 1 8 9".to_owned());
        assert_eq!([3, 4, 6, 7].map(|number| stat.field(number)), [Some("S"), Some("1"), Some("9"), None]);
        assert_eq!(Stat::of(std::process::id()).field(4), Stat::of("self").field(4));
        assert!(Stat::of("self").field(4).is_some() && Stat::of("nobody").field(4).is_none());
    }
}
