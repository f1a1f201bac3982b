//! URIs that can be read in one way only (TA-6).
//!
//! A rule protects nothing if the server reads another name out of a URI than the rule does. So
//! what has a second spelling is refused instead of being normalised: normalising would have to
//! agree with every server.

use super::{NAME_BYTES, authority};

/// What of a URI, or of a URI template, could be read in a second way; `None` if nothing.
pub fn unclear(uri: &str) -> Option<&'static str> {
    check(uri).err()
}

/// What rules see of a URI: all but the query and one slash at the end, which open nothing else.
pub fn name_of(uri: &str) -> &str {
    let path = match uri.split_once('?') {
        // A template writes it `{?name}`.
        Some((path, _)) => path.strip_suffix('{').unwrap_or(path),
        None => uri,
    };
    path.strip_suffix('/').unwrap_or(path)
}

/// Whether a pattern can match any URI that is judged.
pub(super) fn check_pattern(pattern: &str) -> Result<(), &'static str> {
    let sample = |star| pattern.replace("**", star).replace('*', star);
    if pattern.starts_with('*') {
        // The star may stand for the scheme and more.
        return check_path("", &sample("x"));
    }
    // In an address a star stands for a number.
    check(&sample("x")).or_else(|problem| check(&sample("1")).map_err(|_| problem))
}

fn check(uri: &str) -> Result<(), &'static str> {
    if uri.len() > NAME_BYTES {
        return Err("is longer than 4096 bytes");
    }
    check_characters(uri)?;
    let (scheme, rest) = uri.split_once(':').ok_or("has no scheme")?;
    check_scheme(scheme)?;
    let rest = match rest.split_once('?') {
        Some((path, query)) => {
            check_query(scheme, query)?;
            path
        }
        None => rest,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        // `file:/a` and `https:h/a` are `file:///a` and `https://h/a` to many readers.
        if rest.starts_with('/') || authority::is_special(scheme) {
            return Err("has no `//` after its scheme");
        }
        return check_path(scheme, rest);
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    authority::check(scheme, authority)?;
    check_path(scheme, path)
}

fn check_characters(uri: &str) -> Result<(), &'static str> {
    for byte in uri.bytes() {
        match byte {
            b'\\' => return Err("has a backslash"),
            b'#' => return Err("has a fragment"),
            // Braces are those of URI templates.
            b'a'..=b'z' | b'?'..=b'[' | b'&'..=b';' => {}
            b'!' | b'$' | b'%' | b'=' | b']' | b'_' | b'{' | b'}' | b'~' => {}
            _ => return Err("has a character that no URI has"),
        }
    }
    Ok(())
}

fn check_scheme(scheme: &str) -> Result<(), &'static str> {
    if scheme.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("has a scheme in capitals");
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.bytes().all(legal) {
        return Err("has no scheme");
    }
    Ok(())
}

/// `path` is what follows the slash after the authority.
fn check_path(scheme: &str, path: &str) -> Result<(), &'static str> {
    if path.contains(['[', ']']) {
        return Err("has brackets in its path");
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        if is_dots(segment) {
            return Err("has a segment of dots");
        }
        if scheme == "file" && (segment.ends_with('.') || segment.ends_with("%20")) {
            return Err("has a dot or a space at the end of a segment");
        }
        if segment.is_empty() && segments.peek().is_some() {
            return Err("has an empty segment");
        }
    }
    if path.contains('%') {
        return check_encoded(scheme, path);
    }
    Ok(())
}

/// `..;x` is two dots to servers that know path parameters.
fn is_dots(segment: &str) -> bool {
    matches!(
        segment.as_bytes(),
        [b'.'] | [b'.', b'.'] | [b'.', b';', ..] | [b'.', b'.', b';', ..]
    )
}

/// Rules do not look at the query, so a server that takes it for more of the path must not get
/// anywhere by it.
fn check_query(scheme: &str, query: &str) -> Result<(), &'static str> {
    if scheme == "file" {
        return Err("has a query, which files do not have");
    }
    let query = query
        .to_ascii_lowercase()
        .replace("%2f", "/")
        .replace("%3b", ";");
    let hidden = ["%2e", "%5c", "%25", "%00"];
    if query.split('/').any(is_dots) || hidden.iter().any(|code| query.contains(code)) {
        return Err("has a query that can be read as a path");
    }
    Ok(())
}

/// Only what cannot stand there plainly may be encoded, in capitals, and be UTF-8.
fn check_encoded(scheme: &str, path: &str) -> Result<(), &'static str> {
    let mut pieces = path.split('%');
    let mut decoded: Vec<u8> = pieces.next().unwrap_or_default().into();
    for piece in pieces {
        let code = piece.get(..2).unwrap_or_default();
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
        let byte = u8::from_str_radix(code, 16).unwrap_or_default();
        // In files a bar behind a letter is a drive's colon.
        let is_bar = byte == b'|' && scheme != "file";
        let is_needed = byte >= 0x80 || is_bar || b" \"<>^`{}".contains(&byte);
        if !code.bytes().all(is_hex) || !is_needed {
            return Err("has an encoded character that is written otherwise");
        }
        decoded.push(byte);
        decoded.extend(piece.bytes().skip(2));
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| "is not UTF-8 once decoded")?;
    // Dot leaders, and the wide and small forms of ASCII: some readers fold them into it.
    let is_folded = |c| matches!(c, '\u{2024}' | '\u{2025}' | '\u{fe10}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffef}');
    if text.chars().any(|c| c.is_control() || is_folded(c)) {
        return Err("has a character that can be read as another");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rules_see_has_neither_a_query_nor_a_slash_at_the_end() {
        for (uri, name) in [
            ("file:///a", "file:///a"),
            ("file:///a/", "file:///a"),
            ("file:///", "file://"),
            ("https://h/a?b=../c", "https://h/a"),
            ("https://h/a/?b", "https://h/a"),
            ("https://h/a{?b}", "https://h/a"),
            ("urn:a:b", "urn:a:b"),
        ] {
            assert_eq!(name_of(uri), name, "{uri}");
        }
    }

    #[test]
    fn the_characters_of_uris_are_those_of_rfc_3986_and_braces() {
        let known = "-._~:/?[]@!$&'()*+,;=%{}";
        for c in (0..=255).map(char::from) {
            let expected = c.is_ascii_alphanumeric() || known.contains(c);
            assert_eq!(check_characters(&c.to_string()).is_ok(), expected, "{c:?}");
        }
    }

    #[test]
    fn a_pattern_that_could_never_match_is_an_error() {
        for pattern in [
            "File:///a",
            "https://Host/a",
            "file:///a/../b",
            "file:///a//b",
            "/etc/passwd",
            "file:/etc/**",
            "*/../x",
            "file:///%61",
            "https://u@h/",
            "https:///h/**",
            "http://127.1/**",
            "file://**",
        ] {
            assert!(check_pattern(pattern).is_err(), "{pattern}");
        }
        for pattern in [
            "**",
            "*",
            "**/*.md",
            "file:///**",
            "https://*/a",
            "https://10.*.0.1/a",
            "https://10.0.0.*/a",
            "x://*:80/",
        ] {
            assert_eq!(check_pattern(pattern), Ok(()), "{pattern}");
        }
    }
}
