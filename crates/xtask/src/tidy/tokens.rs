//! A Rust file as a flat list of tokens, without comments and with literals kept whole, so that a rule is a short
//! pattern and a word in a text or a comment is never mistaken for code.

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

/// One token, or one bracket.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    /// Inside something marked `#[cfg(test)]` or `#[test]`.
    pub(super) in_test: bool,
    /// How many inline modules (`mod name { … }`) stand around it.
    pub(super) modules: usize,
}

/// Reads a whole file.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, LexError> {
    let stream: TokenStream = text.strip_prefix('\u{feff}').unwrap_or(text).parse()?;
    let mut flat = Vec::new();
    flatten(stream, false, 0, &mut flat);
    Ok(flat)
}

fn flatten(stream: TokenStream, in_test: bool, modules: usize, flat: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    // Set by a test attribute, until the item that it marks has ended.
    let mut item_in_test = false;
    for (index, tree) in trees.iter().enumerate() {
        item_in_test |= marks_test(&trees, index);
        let in_test = in_test || item_in_test;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                let modules = modules + usize::from(opens_module(&trees, index));
                let push = |text: &str, span: proc_macro2::Span, flat: &mut Vec<Token>| {
                    if !text.is_empty() {
                        flat.push(Token { text: text.to_owned(), line: span.start().line, in_test, modules });
                    }
                };
                push(open, group.span_open(), flat);
                flatten(group.stream(), in_test, modules, flat);
                push(close, group.span_close(), flat);
                if group.delimiter() == Delimiter::Brace {
                    item_in_test = false;
                }
            }
            other => {
                let text = other.to_string();
                let ends = text == ";";
                flat.push(Token { text, line: other.span().start().line, in_test, modules });
                if ends {
                    item_in_test = false;
                }
            }
        }
    }
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]` and `#[tokio::test]`.
fn marks_test(trees: &[TokenTree], index: usize) -> bool {
    let (TokenTree::Punct(hash), Some(TokenTree::Group(attribute))) = (&trees[index], trees.get(index + 1)) else {
        return false;
    };
    if hash.as_char() != '#' || attribute.delimiter() != Delimiter::Bracket {
        return false;
    }
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    let is_test = text == "test" || text.ends_with("::test") || text.starts_with("tokio::test(");
    is_test || text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

fn opens_module(trees: &[TokenTree], index: usize) -> bool {
    let is_mod = index >= 2 && matches!(&trees[index - 2], TokenTree::Ident(word) if word == "mod");
    is_mod && matches!(&trees[index], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Whether the tokens from `index` on read as `words`.
pub(super) fn reads(tokens: &[Token], index: usize, words: &[&str]) -> bool {
    tokens.get(index..index + words.len()).is_some_and(|found| found.iter().zip(words).all(|(a, b)| a.text == *b))
}

/// The names that follow `::` at `index`: one, or, for a group, the first of each of its members.
pub(super) fn names_after(tokens: &[Token], index: usize) -> Vec<&Token> {
    if !reads(tokens, index, &[":", ":"]) {
        return Vec::new();
    }
    let Some(first) = tokens.get(index + 2) else { return Vec::new() };
    if first.text != "{" {
        return vec![first];
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut at_start = false;
    for token in &tokens[index + 2..] {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                at_start = depth == 1;
            }
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            "," if depth == 1 => at_start = true,
            _ if at_start => {
                names.push(token);
                at_start = false;
            }
            _ => {}
        }
    }
    names
}
