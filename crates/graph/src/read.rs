//! Reading JSON with the path of the member at hand, so that an error tells a bot's author where
//! to look. It never repeats a value: bodies carry tokens and telephone numbers.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::words::Word;

/// Why a body cannot be used. Its text is meant for the author of the program that sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON at all.
    #[error("The body is not valid JSON: {reason}.")]
    NotJson {
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// A member that must be there is missing, null or empty.
    #[error("'{path}' is missing: expected {expected}.")]
    Missing {
        /// Path of the member, as in `prompts[0].mediaInfo.uri`.
        path: String,
        /// What belongs there.
        expected: Cow<'static, str>,
    },
    /// A member has the wrong type or an unknown word.
    #[error("'{path}' is wrong: expected {expected}, found {found}.")]
    Wrong {
        /// Path of the member; `(body)` for the body itself.
        path: String,
        /// What belongs there.
        expected: Cow<'static, str>,
        /// What was found, by kind only.
        found: &'static str,
    },
}

static NULL: Value = Value::Null;

/// Parses a body. An empty one reads as null; a byte order mark is skipped.
pub(crate) fn json(body: &[u8]) -> Result<Value, BodyError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|e| BodyError::NotJson { reason: e.to_string() })
}

enum Step {
    Root,
    Member(&'static str),
    Item(usize),
}

/// A value in a body together with the way to it. The way costs nothing until an error needs it.
pub(crate) struct Node<'n> {
    value: &'n Value,
    step: Step,
    up: Option<&'n Node<'n>>,
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = match self.up {
            Some(up) => {
                up.fmt(f)?;
                matches!(up.step, Step::Root)
            }
            None => true,
        };
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) if top => f.write_str(name),
            Step::Member(name) => write!(f, ".{name}"),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}

impl<'n> Node<'n> {
    /// The body itself: an object, or nothing at all, which reads as an object without members.
    pub(crate) fn root(value: &'n Value) -> Result<Self, BodyError> {
        let node = Node { value, step: Step::Root, up: None };
        if !value.is_object() && !value.is_null() {
            return Err(node.wrong("a JSON object"));
        }
        Ok(node)
    }

    /// The member of this name; null when it, or the object, is missing.
    pub(crate) fn member<'s>(&'s self, name: &'static str) -> Node<'s> {
        Node { value: self.value.get(name).unwrap_or(&NULL), step: Step::Member(name), up: Some(self) }
    }

    /// Whether there is nothing here.
    pub(crate) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The value as it is.
    pub(crate) fn value(&self) -> &'n Value {
        self.value
    }

    /// `None` for null, else the object `read` makes of it.
    pub(crate) fn object<T>(
        &self,
        read: impl FnOnce(&Node<'_>) -> Result<T, BodyError>,
    ) -> Result<Option<T>, BodyError> {
        match self.value {
            Value::Null => Ok(None),
            Value::Object(_) => read(self).map(Some),
            _ => Err(self.wrong("an object")),
        }
    }

    /// The items of a list; none for null.
    pub(crate) fn list<T>(&self, mut read: impl FnMut(&Node<'_>) -> Result<T, BodyError>) -> Result<Vec<T>, BodyError> {
        let items = match self.value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(items) => items,
            _ => return Err(self.wrong("a list")),
        };
        let nodes = items.iter().enumerate().map(|(i, value)| Node { value, step: Step::Item(i), up: Some(self) });
        nodes.map(|node| read(&node)).collect()
    }

    /// Text, if there is any.
    pub(crate) fn text(&self) -> Result<Option<Cow<'static, str>>, BodyError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(Cow::Owned(text.clone()))),
            _ => Err(self.wrong("a string")),
        }
    }

    /// Text that must be there and not be empty.
    pub(crate) fn needed_text(&self, expected: &'static str) -> Result<Cow<'static, str>, BodyError> {
        match self.text()? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.missing(expected)),
        }
    }

    /// `true` or `false`, if there is either.
    pub(crate) fn flag(&self) -> Result<Option<bool>, BodyError> {
        match self.value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// A whole number within `T`. Digits as text count too: documents print some numbers so.
    pub(crate) fn number<T: TryFrom<i64>>(&self) -> Result<Option<T>, BodyError> {
        let number = match self.value {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_i64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = number.and_then(|n| T::try_from(n).ok());
        let expected = || format!("a whole number of {} bits", 8 * size_of::<T>());
        number.map(Some).ok_or_else(|| self.wrong(expected()))
    }

    /// A word of an enumeration, if there is any; an unknown one is an error.
    pub(crate) fn word<W: Word>(&self) -> Result<Option<W>, BodyError> {
        let text = match self.value {
            Value::Null => return Ok(None),
            Value::String(text) => text,
            _ => return Err(self.wrong(one_of::<W>())),
        };
        W::find(text).map(Some).ok_or_else(|| BodyError::Wrong {
            path: self.path(),
            expected: one_of::<W>().into(),
            found: "another word",
        })
    }

    /// A word of an enumeration; an unknown one, or none, is none. For answers of a newer service.
    pub(crate) fn known_word<W: Word>(&self) -> Option<W> {
        self.value.as_str().and_then(W::find)
    }

    /// The `@odata.type` of this object without `#` and namespace.
    pub(crate) fn odata_type(&self) -> Option<&'n str> {
        let name = self.value.get("@odata.type")?.as_str()?;
        let name = name.strip_prefix('#').unwrap_or(name);
        const NAMESPACE: &str = "microsoft.graph.";
        match name.get(..NAMESPACE.len()) {
            Some(head) if head.eq_ignore_ascii_case(NAMESPACE) => name.get(NAMESPACE.len()..),
            _ => Some(name),
        }
    }

    /// Whether the `@odata.type` is missing or this one.
    pub(crate) fn may_be(&self, odata_type: &str) -> bool {
        self.odata_type().is_none_or(|t| t.eq_ignore_ascii_case(odata_type))
    }

    /// The error that this member is not what belongs here.
    pub(crate) fn wrong(&self, expected: impl Into<Cow<'static, str>>) -> BodyError {
        let found = match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(n) if n.is_f64() => "a fraction",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        BodyError::Wrong { path: self.path(), expected: expected.into(), found }
    }

    /// The error that this object has another `@odata.type`.
    pub(crate) fn wrong_type(&self, expected: &'static str) -> BodyError {
        BodyError::Wrong { path: self.path(), expected: expected.into(), found: "another type" }
    }

    /// The error that this member must be there.
    pub(crate) fn missing(&self, expected: impl Into<Cow<'static, str>>) -> BodyError {
        BodyError::Missing { path: self.path(), expected: expected.into() }
    }

    fn path(&self) -> String {
        match self.step {
            Step::Root => "(body)".to_owned(),
            _ => self.to_string(),
        }
    }
}

fn one_of<W: Word>() -> String {
    let words: Vec<_> = W::ALL.iter().map(|w| w.word()).collect();
    format!("one of {}", words.join(", "))
}
