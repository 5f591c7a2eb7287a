//! The catalogue of results: every code that ends a call or an operation or refuses a request, what it means at
//! Microsoft, how that is known, and whether and when Ringback gives it (`contract §4`).
//!
//! It is data, in [`ALL`], and the one place for it: docs/errors.md is printed from it, tests hold the server's own results
//! and refusals to it, and `ringback explain` reads it. It must not know how a result comes about.

mod table;

use std::fmt;

pub use table::ALL;

/// One result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Of what it is the result.
    pub of: Of,
    /// `resultInfo.code`, or the HTTP status; `None` where no source names one.
    pub code: Option<u16>,
    /// `resultInfo.subcode`, or the HTTP body's `error.code`: a number as text, or a word.
    pub subcode: &'static str,
    /// The messages it comes with here or at Microsoft; `…` stands for what differs. Empty: not known.
    pub says: &'static [&'static str],
    /// What it means at Microsoft, or here where it is ours.
    pub meaning: &'static str,
    /// How the meaning is known.
    pub evidence: Evidence,
    /// When Ringback gives it; `None`: never.
    pub given: Option<&'static str>,
}

/// Of what a result is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// `resultInfo` of a call that is `terminated`.
    Call,
    /// `resultInfo` of an operation.
    Operation,
    /// An HTTP answer with an error in its body.
    Request,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "the end of a call",
            Self::Operation => "the end of an operation",
            Self::Request => "a refused request",
        })
    }
}

/// How a meaning is known: the marks of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Microsoft's documentation says so.
    Documented,
    /// The sister product, Azure Communication Services call automation, documents it: the same family of codes.
    Sister,
    /// Seen in real traffic, as people have shown it in public.
    Seen,
    /// General knowledge of Graph and OData.
    General,
    /// Inferred: no source says it.
    Inferred,
    /// Ringback's own: Microsoft is not known to give it.
    Ours,
}

impl Evidence {
    /// The contract's letter; a word for what is ours.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Documented => "D",
            Self::Sister => "A",
            Self::Seen => "R",
            Self::General => "G",
            Self::Inferred => "I",
            Self::Ours => "ours",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "D: Microsoft documents it",
            Self::Sister => "A: documented for Azure Communication Services, which shares these codes",
            Self::Seen => "R: seen in real traffic; Microsoft does not document it",
            Self::General => "G: general to Graph",
            Self::Inferred => "I: inferred; no source says it",
            Self::Ours => "ours: Microsoft is not known to give it",
        })
    }
}

impl Known {
    /// Whether a result of this code and subcode is this one.
    pub fn is(&self, code: u16, subcode: &str) -> bool {
        self.code == Some(code) && self.subcode.eq_ignore_ascii_case(subcode)
    }

    /// Whether a message is one of those it comes with.
    pub fn may_say(&self, message: &str) -> bool {
        self.says.iter().any(|pattern| match pattern.split_once('…') {
            Some((before, after)) => {
                message.strip_prefix(before).is_some_and(|rest| rest.len() >= after.len() && rest.ends_with(after))
            }
            None => message == *pattern,
        })
    }
}

impl fmt::Display for Known {
    /// `500#7117`; without a code, the subcode alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}#{}", self.subcode),
            None => f.write_str(self.subcode),
        }
    }
}

/// The entry of a result: of a call, an operation or a request.
pub fn find(of: Of, code: u16, subcode: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.of == of && known.is(code, subcode))
}

/// What somebody asks about, as people write it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'t> {
    code: Option<u16>,
    subcode: &'t str,
}

impl<'t> Question<'t> {
    /// Reads `500#7117`, `400/8508`, `7503`, `notAllowed`, `404`, or a message that ends in `DiagCode: 408#8544.@`; `None`
    /// for text that holds none of these.
    pub fn read(text: &'t str) -> Option<Self> {
        let text = text.rsplit_once("DiagCode:").map_or(text, |(_, code)| code);
        let text = text.trim().trim_end_matches(['@', '.']);
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let (code, subcode) = match text.split_once(['#', '/', ' ']) {
            Some((code, subcode)) => (Some(code.trim().parse().ok()?), subcode.trim()),
            None => (None, text),
        };
        is_word(subcode).then_some(Self { code, subcode })
    }

    /// What it asks about: of its code and subcode; of the subcode, where it names no code; of the code, where its one
    /// number is no subcode. Of what one result of several things may be the result, all are there.
    pub fn answers(&self) -> Vec<&'static Known> {
        let all = |wanted: &dyn Fn(&Known) -> bool| ALL.iter().filter(|known| wanted(known)).collect::<Vec<_>>();
        if let Some(code) = self.code {
            return all(&|known| known.is(code, self.subcode));
        }
        let found = all(&|known| known.subcode.eq_ignore_ascii_case(self.subcode));
        match (found.is_empty(), self.subcode.parse()) {
            (true, Ok(code)) => all(&|known| known.code == Some(code)),
            _ => found,
        }
    }

    /// What is near it, for a question without an answer: the same subcode with another code, then words that begin alike,
    /// or the subcodes next to it; at most [`limits::NEAR`](crate::limits::NEAR).
    pub fn near(&self) -> Vec<&'static Known> {
        let number = |text: &str| text.parse::<u32>().ok();
        let asked = number(self.subcode);
        let distance = |known: &Known| {
            if known.subcode.eq_ignore_ascii_case(self.subcode) {
                return Some(0);
            }
            match (asked, number(known.subcode)) {
                (Some(asked), Some(other)) => Some(1 + asked.abs_diff(other)).filter(|far| *far <= NEIGHBOURHOOD),
                (None, None) => begin_alike(self.subcode, known.subcode).then_some(1),
                _ => None,
            }
        };
        let mut near: Vec<_> = ALL.iter().filter_map(|known| Some((distance(known)?, known))).collect();
        near.sort_by_key(|(far, _)| *far);
        near.into_iter().map(|(_, known)| known).take(crate::limits::NEAR).collect()
    }
}

/// Codes further apart than this have nothing to do with one another: families are hundreds.
const NEIGHBOURHOOD: u32 = 100;

fn begin_alike(one: &str, other: &str) -> bool {
    let alike = one.bytes().zip(other.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    alike >= 3 || alike == one.len().min(other.len())
}
