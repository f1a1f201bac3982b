//! What opens doors: tokens, authorization fields, private keys, passwords in URLs.

use std::ops::Range;

use crate::bytes::{ALNUM, DIGIT, TOKEN, TOKEN68, is, is_before, run_end, slice};

/// Where the JWT ends whose first part goes from `start` to `end`: three parts of which the last may be empty, or five
/// of one that is encrypted.
pub(crate) fn jwt_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    if slice(text, start, start + 3) != b"eyJ" || is_before(text, start, ALNUM) {
        return None;
    }
    if end - start < 10 {
        return None;
    }
    let (mut parts, mut end) = (1, end);
    while parts < 5 && text.get(end) == Some(&b'.') {
        let next = run_end(text, end + 1, TOKEN);
        // A sentence's end is none of it.
        if next == end + 1 && parts != 1 && parts != 2 {
            break;
        }
        (parts, end) = (parts + 1, next);
    }
    // One that was cut has two parts.
    (parts >= 2).then_some(end)
}

/// The credentials behind `Bearer ` or `Basic `, whose literal goes to `from`.
pub(crate) fn authorization(text: &[u8], start: usize, from: usize) -> Option<Range<usize>> {
    if is_before(text, start, ALNUM) {
        return None;
    }
    let spaces = slice(text, from, from + 8).iter();
    let from = from + spaces.take_while(|b| **b == b' ').count();
    let end = run_end(text, from, TOKEN68);
    let mut credentials = slice(text, from, end);
    while let Some((b'.', rest)) = credentials.split_last() {
        credentials = rest;
    }
    is_no_word(credentials).then(|| from..from + credentials.len())
}

/// Whether the text is no word of a language, such as `authentication` behind `Basic`.
fn is_no_word(text: &[u8]) -> bool {
    // What is long is looked at no further.
    let looked_at = text.get(..64).unwrap_or(text);
    let has_digit = looked_at.iter().any(|b| is(*b, DIGIT));
    let inner = looked_at.get(1..).unwrap_or_default();
    let is_mixed =
        inner.iter().any(u8::is_ascii_uppercase) && looked_at.iter().any(u8::is_ascii_lowercase);
    text.len() >= 8 && (has_digit || is_mixed || text.ends_with(b"=") || text.len() >= 24)
}

/// Where the private key ends whose `-----BEGIN ` goes to `from`; `None` of what is public.
pub(crate) fn private_key_end(text: &[u8], from: usize) -> Option<usize> {
    let label = slice(text, from, from + 48);
    let length = label.iter().position(|b| *b == b'-')?;
    let label = label.get(..length)?;
    if !label
        .windows(11)
        .any(|part| part.eq_ignore_ascii_case(b"PRIVATE KEY"))
    {
        return None;
    }
    let body = from + length;
    let dashes = dashes_end(text, body);
    // Headers, base64, line breaks, and these escaped.
    let rest = text.get(dashes..).unwrap_or_default();
    let is_body = |b: &&u8| !matches!(b, b'-' | b'"' | b'<' | b'{' | b'}');
    let mut end = dashes + rest.iter().take_while(is_body).count();
    // An encrypted one has a header with dashes: `DEK-Info`.
    while text.get(end) == Some(&b'-') && !slice(text, end, end + 5).starts_with(b"-----") {
        let rest = text.get(end + 1..).unwrap_or_default();
        end += 1 + rest.iter().take_while(is_body).count();
    }
    if slice(text, end, end + 9).eq_ignore_ascii_case(b"-----END ") {
        let label = slice(text, end + 9, end + 9 + 48);
        let length = label.iter().position(|b| *b == b'-').unwrap_or_default();
        end = dashes_end(text, end + 9 + length);
    }
    Some(end)
}

fn dashes_end(text: &[u8], from: usize) -> usize {
    let rest = slice(text, from, from + 5);
    from + rest.iter().take_while(|b| **b == b'-').count()
}

/// The password in the authority that begins here, and where its `@` is.
pub(crate) fn url_password(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..).unwrap_or_default();
    let is_authority = |b: &&u8| !is_delimiter(**b) && !matches!(b, b'/' | b'?' | b'#');
    let length = rest.iter().take_while(is_authority).count();
    let authority = rest.get(..length)?;
    let colon = authority.iter().position(|b| *b == b':')?;
    if let Some(at) = authority.iter().rposition(|b| *b == b'@') {
        return (colon + 1 < at).then(|| from + colon + 1..from + at);
    }
    // A password with a slash in it, which many write unescaped; what is all digits is a port.
    let port = authority.get(colon + 1..)?;
    if port.iter().all(|b| is(*b, DIGIT)) {
        return None;
    }
    let further = rest.get(length..length + LONGEST.min(rest.len() - length))?;
    let run = further.iter().take_while(|b| !is_delimiter(**b)).count();
    let at = further.get(..run)?.iter().position(|b| *b == b'@')?;
    Some(from + colon + 1..from + length + at)
}

/// Most bytes behind a slash in which the rest of a password is looked for.
const LONGEST: usize = 64;

fn is_delimiter(b: u8) -> bool {
    b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`')
}
