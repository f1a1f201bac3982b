//! Texts that a server might read otherwise than a condition does.

/// Whether a text may lead to another place than it begins with: segments of dots, plain or to be decoded.
pub(super) fn has_dots(text: &str) -> bool {
    // The last three begin what lenient decoders make dots and slashes of.
    let hidden = ["%2e", "%2f", "%5c", "%25", "%00", "%c0", "%c1", "%u0"];
    let codes = text.as_bytes().windows(3);
    let is_hidden = |code: &[u8]| {
        let mut hidden = hidden.iter();
        hidden.any(|hidden| code.eq_ignore_ascii_case(hidden.as_bytes()))
    };
    text.contains(|c| c == '\0' || is_folded(c))
        || text.split(['/', '\\']).any(is_dots)
        || codes.into_iter().any(is_hidden)
}

/// Whether a text is a path that can be read in one way only.
pub(super) fn is_plain_path(path: &str) -> bool {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let is_plain = |segment: &str| !segment.is_empty() && !segment.ends_with(['.', ' ']);
    !path.is_empty()
        && !path.contains(|c: char| c == '\\' || c.is_control())
        && !has_dots(path)
        && (path == "/" || inner.split('/').all(is_plain))
}

/// Whether a plain path is that of a directory, or below it.
pub(super) fn is_within(path: &str, directory: &str) -> bool {
    let directory = directory.strip_suffix('/').unwrap_or(directory);
    let rest = path.strip_prefix(directory);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && is_plain_path(path)
}

/// Some readers drop what cannot be seen, some dots at an end, and some know path parameters: `..;x`.
fn is_dots(segment: &str) -> bool {
    let segment = segment.split(';').next().unwrap_or_default();
    let mut seen = segment
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(*c));
    let is_dot = |c: char| c == '.';
    seen.next().is_some_and(is_dot) && seen.all(is_dot)
}

/// What has no shape of its own (`Default_Ignorable_Code_Point`), of which Macs' file names lose some.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// What compatibility forms make a dot, a slash or a backslash of.
fn is_folded(c: char) -> bool {
    matches!(
        c,
        '\u{2024}' | '\u{2025}' | '\u{fe52}' | '\u{fe68}' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff3c}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ta_6_no_text_with_segments_of_dots_begins_like_another() {
        for text in [
            "..",
            "/srv/public/../../etc/passwd",
            "/srv/public/./x",
            r"a\..\b",
            "a/..\\b",
            "a/.. /b",
            "a/.\u{9}./b",
            "a/.\u{200b}./b",
            "a/\u{ad}../b",
            "a/..\u{feff}",
            "a/..",
            "a/%2e%2E/b",
            "a%2Fb",
            "a%5cb",
            "a%252e",
            "a/%c0%ae%C0%AE/b",
            "a/%u002e%u002e/b",
            "a\0b",
            "a%00b",
            "a/..;x/b",
            "a/\u{ff0e}\u{ff0e}/b",
            "a\u{ff0f}b",
            "a/.../b",
            "a/\u{2025}/b",
        ] {
            assert!(has_dots(text), "{text:?}");
        }
        for text in [
            "",
            "a",
            "a.b/c..d/.e",
            "so ...",
            "50%",
            "a%20b",
            "\u{65e5}\u{672c}\u{ff01}",
            "a\nb",
        ] {
            assert!(!has_dots(text), "{text:?}");
        }
    }

    #[test]
    fn ta_6_paths_below_a_directory_are_those_that_can_be_read_in_one_way() {
        for (path, directory, expected) in [
            ("/srv/public", "/srv/public", true),
            ("/srv/public/", "/srv/public", true),
            ("/srv/public/a/b.txt", "/srv/public", true),
            ("/srv/public/a", "/srv/public/", true),
            ("/srv/public/.env", "/srv/public", true),
            ("/a", "/", true),
            ("/", "/", true),
            ("docs/a", "docs", true),
            ("/srv/publicity", "/srv/public", false),
            ("/srv/public/../x", "/srv/public", false),
            ("/srv/public/..", "/srv/public", false),
            ("/srv/public//a", "/srv/public", false),
            ("/srv//public/a", "/srv/public", false),
            ("//srv/public/a", "/srv/public", false),
            ("/srv/public//", "/srv/public", false),
            ("/srv/public/a.", "/srv/public", false),
            ("/srv/public/a /b", "/srv/public", false),
            ("/srv/public/a\\..\\b", "/srv/public", false),
            ("/srv/public/a\nb", "/srv/public", false),
            ("/srv/public/%2e%2e/b", "/srv/public", false),
            ("/SRV/public/a", "/srv/public", false),
            ("srv/public/a", "/srv/public", false),
            (" /srv/public/a", "/srv/public", false),
            ("./docs/a", "docs", false),
            ("/docs/a", "docs", false),
            ("a", "/", false),
            ("", "/", false),
            ("//", "/", false),
        ] {
            assert_eq!(
                is_within(path, directory),
                expected,
                "{path:?} in {directory}"
            );
        }
    }
}
