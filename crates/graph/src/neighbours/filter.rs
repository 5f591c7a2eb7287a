//! `$filter` in the forms that bots use: `eq`, `in`, `startswith`, joined by `and`, `or` and brackets (OData 4.01, URL
//! conventions §5.1.1). What is not understood is refused, never ignored: a wider answer than asked for is a wrong one.

use crate::limits;
use crate::path::RouteError;

/// A condition. Members are in lower case; texts are compared without regard to case, as Graph does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `member eq 'value'`, and `member in ('one','two')`.
    OneOf {
        /// The member, perhaps a path: `joinmeetingidsettings/joinmeetingid`.
        member: String,
        /// What it may be.
        values: Vec<String>,
    },
    /// `startswith(member,'value')`
    StartsWith {
        /// The member.
        member: String,
        /// How it begins.
        value: String,
    },
    /// `… and …`
    All(Vec<Filter>),
    /// `… or …`
    Any(Vec<Filter>),
}

impl Filter {
    /// Reads a filter, its text decoded.
    pub fn parse(text: &str) -> Result<Filter, RouteError> {
        if text.len() > limits::FILTER {
            return Err(invalid("it is too long"));
        }
        let tokens = tokens(text)?;
        let mut reader = Reader { tokens: &tokens, depth: 0 };
        let filter = reader.any()?;
        match reader.tokens {
            [] => Ok(filter),
            [token, ..] => Err(invalid(format!("nothing was expected at {}", token.shown()))),
        }
    }

    /// The member of an only condition, `eq`, with its value.
    pub fn only(&self) -> Option<(&str, &str)> {
        match self {
            Filter::OneOf { member, values } => match values.as_slice() {
                [value] => Some((member, value)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A member that stands in the filter and not among these, which are in lower case.
    pub fn other_than(&self, known: &[&str]) -> Option<&str> {
        match self {
            Filter::OneOf { member, .. } | Filter::StartsWith { member, .. } => {
                (!known.contains(&member.as_str())).then_some(member)
            }
            Filter::All(parts) | Filter::Any(parts) => parts.iter().find_map(|part| part.other_than(known)),
        }
    }

    /// Whether it holds for something; `value_of` gives the value of a member in lower case, empty where it has none.
    pub fn holds<'v>(&self, value_of: &dyn Fn(&str) -> &'v str) -> bool {
        match self {
            Filter::OneOf { member, values } => {
                let found = value_of(member).to_lowercase();
                values.iter().any(|value| value.to_lowercase() == found)
            }
            Filter::StartsWith { member, value } => value_of(member).to_lowercase().starts_with(&value.to_lowercase()),
            Filter::All(parts) => parts.iter().all(|part| part.holds(value_of)),
            Filter::Any(parts) => parts.iter().any(|part| part.holds(value_of)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Text(String),
}

impl Token {
    /// Without what a client filters by: it may be a name or an address.
    fn shown(&self) -> String {
        match self {
            Token::Open => "'('".to_owned(),
            Token::Close => "')'".to_owned(),
            Token::Comma => "','".to_owned(),
            Token::Word(word) => format!("'{}'", word.chars().take(limits::ECHOED_CHARACTERS).collect::<String>()),
            Token::Text(_) => "a text".to_owned(),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, RouteError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '(' | ')' | ',' => {
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                &rest[1..]
            }
            '\'' => {
                let (value, after) = quoted(&rest[1..]).ok_or_else(|| invalid("a text does not end: it wants a '"))?;
                tokens.push(Token::Text(value));
                after
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "(),'".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        };
        rest = rest.trim_start();
        if tokens.len() > limits::FILTER_WORDS {
            return Err(invalid("it has too many words"));
        }
    }
    Ok(tokens)
}

/// A text up to its closing quote, two of which are one within it; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Filter, RouteError> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, RouteError> {
        let mut parts = vec![self.condition()?];
        while self.word("and") {
            parts.push(self.condition()?);
        }
        Ok(one_or(parts, Filter::All))
    }

    fn condition(&mut self) -> Result<Filter, RouteError> {
        match self.tokens.split_first() {
            Some((Token::Open, rest)) => {
                self.depth += 1;
                if self.depth > limits::FILTER_DEPTH {
                    return Err(invalid("it has too many brackets"));
                }
                self.tokens = rest;
                let inside = self.any()?;
                self.take(&Token::Close)?;
                self.depth -= 1;
                Ok(inside)
            }
            Some((Token::Word(word), rest)) => {
                self.tokens = rest;
                if word.eq_ignore_ascii_case("startswith") && rest.first() == Some(&Token::Open) {
                    return self.starts_with();
                }
                let member = word.to_lowercase();
                if self.word("eq") {
                    return Ok(Filter::OneOf { member, values: vec![self.value()?] });
                }
                if self.word("in") {
                    return Ok(Filter::OneOf { member, values: self.list()? });
                }
                Err(invalid("understood are eq, in and startswith, joined by and, or and brackets"))
            }
            Some((other, _)) => Err(invalid(format!("the name of a member was expected at {}", other.shown()))),
            None => Err(invalid("it ends before it is whole")),
        }
    }

    fn starts_with(&mut self) -> Result<Filter, RouteError> {
        self.take(&Token::Open)?;
        let Some((Token::Word(member), rest)) = self.tokens.split_first() else {
            return Err(invalid("startswith wants a member and a text"));
        };
        self.tokens = rest;
        self.take(&Token::Comma)?;
        let filter = Filter::StartsWith { member: member.to_lowercase(), value: self.value()? };
        self.take(&Token::Close)?;
        Ok(filter)
    }

    fn list(&mut self) -> Result<Vec<String>, RouteError> {
        self.take(&Token::Open)?;
        let mut values = vec![self.value()?];
        while self.tokens.first() == Some(&Token::Comma) {
            self.take(&Token::Comma)?;
            values.push(self.value()?);
        }
        self.take(&Token::Close)?;
        Ok(values)
    }

    /// A text, or a word such as `true` or a GUID without quotes.
    fn value(&mut self) -> Result<String, RouteError> {
        match self.tokens.split_first() {
            Some((Token::Text(value) | Token::Word(value), rest)) => {
                self.tokens = rest;
                Ok(value.clone())
            }
            _ => Err(invalid("a value was expected, such as 'text'")),
        }
    }

    fn word(&mut self, wanted: &str) -> bool {
        match self.tokens.split_first() {
            Some((Token::Word(word), rest)) if word.eq_ignore_ascii_case(wanted) => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, wanted: &Token) -> Result<(), RouteError> {
        match self.tokens.split_first() {
            Some((token, rest)) if token == wanted => {
                self.tokens = rest;
                Ok(())
            }
            _ => Err(invalid(format!("{} was expected", wanted.shown()))),
        }
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn invalid(why: impl Into<String>) -> RouteError {
    RouteError::BadFilter(why.into())
}
