//! Values behind names that say what they are, in text of any form.

use std::ops::Range;

use crate::{
    Names,
    bytes::{NAME, is, slice},
};

/// Most bytes of a name.
const LONGEST_NAME: usize = 64;

/// The value behind this `=` or `:`, if the name before it is sensitive.
pub(crate) fn assignment(text: &[u8], at: usize, names: &Names) -> Option<Range<usize>> {
    let name = name_before(text, at)?;
    if !names.contain_bytes(name) {
        return None;
    }
    let mut from = at + 1;
    // `:=`, `=>`, `==`.
    while matches!(text.get(from), Some(b'=' | b'>')) && from < at + 3 {
        from += 1;
    }
    let spaces = slice(text, from, from + 8).iter();
    from += spaces.take_while(|b| matches!(b, b' ' | b'\t')).count();
    let end = value_end(text, &mut from, is_rest_of_line(name));
    let value = slice(text, from, end);
    (value.len() >= 3 && !is_nothing(value)).then_some(from..end)
}

/// The name before, without quotes and spaces.
fn name_before(text: &[u8], at: usize) -> Option<&[u8]> {
    let window = slice(text, at.saturating_sub(LONGEST_NAME), at);
    let mut end = window.len();
    for skipped in 0..4 {
        match window.get(end.checked_sub(1)?)? {
            b' ' | b'"' | b'\'' | b'\\' | b']' if skipped < 3 => end -= 1,
            b if is(*b, NAME) => break,
            _ => return None,
        }
    }
    let name = window.get(..end)?;
    let start = name
        .iter()
        .rposition(|b| !is(*b, NAME))
        .map_or(0, |at| at + 1);
    name.get(start..)
}

/// Where the value ends. What stands in quotes is without them.
fn value_end(text: &[u8], from: &mut usize, is_line: bool) -> usize {
    let escapes = slice(text, *from, *from + 4).iter();
    let escapes = escapes.take_while(|b| **b == b'\\').count();
    match text.get(*from + escapes) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            *from += escapes + 1;
            let rest = text.get(*from..).unwrap_or_default();
            let length = quoted(rest, *quote, escapes > 0);
            *from + length
        }
        Some(b'{' | b'[') => *from + nested(text.get(*from..).unwrap_or_default()),
        _ => {
            let rest = text.get(*from..).unwrap_or_default();
            let stops = |b: u8| match is_line {
                true => matches!(b, b'\r' | b'\n' | b'"' | b'\'' | b'\\'),
                false => {
                    b.is_ascii_whitespace()
                        || matches!(b, b',' | b';' | b'&' | b'"' | b'\'' | b'<' | b'>')
                        || matches!(b, b')' | b'}' | b']' | b'|' | b'`' | b'\\')
                }
            };
            let length = rest.iter().take_while(|b| !stops(**b)).count();
            let value = rest.get(..length).unwrap_or_default();
            *from + value.trim_ascii_end().len()
        }
    }
}

/// How long it is until the quote, or until the line ends if none follows.
fn quoted(rest: &[u8], quote: u8, is_escaped: bool) -> usize {
    let mut at = 0;
    while let Some(b) = rest.get(at) {
        match *b {
            // The quotes themselves are escaped where all of it is.
            b'\\' if is_escaped => {
                if rest.get(at + 1) == Some(&quote) {
                    return at;
                }
                at += 1;
            }
            b'\\' => at += 1,
            b'\n' => return at,
            b if b == quote => return at,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// How long a list or an object is, brackets included; all of it, if it does not end.
fn nested(rest: &[u8]) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, b) in rest.iter().enumerate() {
        match b {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => depth += 1,
            b'}' | b']' if !is_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    rest.len()
}

/// Whether values behind this name have spaces in them.
fn is_rest_of_line(name: &[u8]) -> bool {
    let ends = |with: &[u8]| {
        let end = name
            .len()
            .checked_sub(with.len())
            .and_then(|at| name.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(with))
    };
    ends(b"authorization") || ends(b"cookie")
}

/// What a mask takes; what is longer only begins like one.
const LONGEST_MASK: usize = 32;

/// What is no secret, or masked already.
fn is_nothing(value: &[u8]) -> bool {
    let words: [&[u8]; 6] = [b"null", b"none", b"true", b"false", b"undefined", b"nil"];
    (value.starts_with(b"***") && value.len() <= LONGEST_MASK)
        || words.iter().any(|word| value.eq_ignore_ascii_case(word))
}
