use super::{Glob, uri};

/// Which names are meant: one, compared exactly, or those of a glob.
///
/// Names are compared byte for byte; nothing is folded, decoded or normalised (TA-5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "an index takes both apart")]
pub enum Pattern {
    /// This name.
    Exact(Box<str>),
    /// All names that match.
    Glob(Glob),
}

/// How names are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "names are of one shape or the other"
)]
pub enum Shape {
    /// Names of tools, prompts and methods: `*` stands for any run of characters.
    Flat,
    /// URIs of resources: `*` does not cross a slash, and `**` stands for whole segments.
    Uri,
}

/// Longest pattern, in bytes.
const PATTERN_BYTES: usize = 1024;

impl Pattern {
    /// Reads a pattern, of at most 1024 bytes. Of a URI's pattern, its query and a slash at its end do not count.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to be written after the pattern: it is empty or too long, has other syntax than
    /// `*` and `**`, or could match no URI that is [judged](uri::unclear).
    pub fn parse(text: &str, shape: Shape) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > PATTERN_BYTES {
            return Err("is empty or longer than 1024 bytes");
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err("has a control character, or space around it");
        }
        if text.contains(['?', '[', ']', '{', '}', '\\']) {
            return Err(
                "has one of `?[]{}\\`: the only wildcards are `*` and, for resources, `**`",
            );
        }
        let mut text = text;
        if shape == Shape::Uri {
            check_stars(text)?;
            uri::check_pattern(text)?;
            text = uri::name_of(text);
        } else if text.contains("**") {
            return Err("has `**`, which is for resources: one star is enough");
        }
        Ok(match text.split_once('*') {
            None => Self::Exact(text.into()),
            Some((before, after)) => Self::Glob(Glob::new(text, before, after, shape)),
        })
    }

    /// Whether some name may match both; always true if one does.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(exact), other) | (other, Self::Exact(exact)) => other.matches(exact),
            (Self::Glob(a), Self::Glob(b)) => {
                let (front, back) = ((a.prefix(), b.prefix()), (a.suffix(), b.suffix()));
                (front.0.starts_with(front.1) || front.1.starts_with(front.0))
                    && (back.0.ends_with(back.1) || back.1.ends_with(back.0))
            }
        }
    }

    /// Whether it means this name; of a URI [what counts](uri::name_of).
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *name,
            Self::Glob(glob) => glob.matches(name),
        }
    }
}

fn check_stars(text: &str) -> Result<(), &'static str> {
    let deep = |segment: &str| segment.contains("**") && segment != "**";
    if text.split('/').any(deep) {
        return Err("has `**` beside other text: it stands alone between slashes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ta_5_names_match_exactly_or_by_their_stars() {
        for (pattern, name, expected) in [
            ("delete_note", "delete_note", true),
            ("delete_note", "DELETE_note", false),
            ("delete_note", "delete_note\n", false),
            ("delete_*", "delete_", true),
            ("delete_*", "delete_a/b\n.c", true),
            ("delete_*", "xdelete_a", false),
            ("*_all", "drop_all", true),
            ("*_all", "drop_all_", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "axbxbxc", true),
            ("a*bc*c", "abc", false),
            ("*.read", "x.y.read", true),
            ("*.*", "..", true),
            ("*", "", true),
            ("*", "..", true),
            ("*", "grüße", true),
        ] {
            let found = Pattern::parse(pattern, Shape::Flat).unwrap().matches(name);
            assert_eq!(found, expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn seed_z8_stars_of_resources_keep_to_their_segments() {
        for (pattern, name, expected) in [
            ("file:///public/**", "file:///public/a/b", true),
            ("file:///public/**", "file:///public", true),
            ("file:///public/**", "file:///publicity", false),
            ("file:///public/*", "file:///public/a", true),
            ("file:///public/*", "file:///public/a/b", false),
            ("file:///public/*", "file:///public", false),
            ("file:///**/key.pem", "file:///key.pem", true),
            ("file:///**/key.pem", "file:///a/b/key.pem", true),
            ("file:///**/key.pem", "file:///a/xkey.pem", false),
            ("file:///**/a/**/b", "file:///a/x/a/y/z/b", true),
            ("file:///**/a/**/b", "file:///x/a/y/z/c", false),
            ("file:///a/**/b/*.md", "file:///a/b/b/c.md", true),
            ("file:///**", "file://host/x", false),
            ("**", "file:///a/b", true),
            ("**", "urn:isbn:1", true),
            ("urn:*", "urn:isbn:1", true),
            ("https://h/", "https://h", true),
        ] {
            let found = Pattern::parse(pattern, Shape::Uri).unwrap().matches(name);
            assert_eq!(found, expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn what_looks_like_other_glob_syntax_is_an_error() {
        for pattern in ["", "a?", "[ab]", "{a,b}", "a\\*", "a\nb", "a**b", "**"] {
            assert!(Pattern::parse(pattern, Shape::Flat).is_err(), "{pattern}");
        }
        for pattern in ["file:///a**", "file:///***", "file:///**b", "file:///{a}"] {
            assert!(Pattern::parse(pattern, Shape::Uri).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(&"a".repeat(1025), Shape::Flat).is_err());
    }

    #[test]
    fn hostile_names_take_no_exponential_time() {
        let pattern = Pattern::parse("*a*a*a*a*a*a*a*a*b", Shape::Flat).unwrap();
        assert!(!pattern.matches(&"a".repeat(4096)));
        let pattern = format!("x://{}b", "**/a/".repeat(20));
        let pattern = Pattern::parse(&pattern, Shape::Uri).unwrap();
        assert!(!pattern.matches(&format!("x://{}", "a/".repeat(2000))));
    }
}
