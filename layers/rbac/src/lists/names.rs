use memchr::{memchr, memchr_iter};

use super::list::List;

/// At least as many bytes as a list's name has in JSON, with its quotes.
pub(super) const LONGEST: usize = 32;

/// ſ in UTF-8.
const LONG_S: [u8; 2] = [0xc5, 0xbf];

/// Whether JSON text may have a member of a list's name, whatever its case and however it is escaped.
/// Much faster than to read it.
pub(super) fn names_list(text: &[u8]) -> bool {
    has_sign(text) && is_named(text)
}

/// Whether text has what all that name a list have: `s"`, by which every name ends, or what begins an escape
/// or a long s; or a zero. Most text has none, and is told apart many bytes at once: there is no way out in between.
fn has_sign(text: &[u8]) -> bool {
    let after = text.get(1..).unwrap_or_default();
    let within = text
        .iter()
        .zip(after)
        .fold(false, |any, (&first, &second)| {
            let ends_name = (first | 0x20 == b's') & (second == b'"');
            any | ends_name | (first == b'\\') | (first == LONG_S[0]) | (first == 0)
        });
    within | (text.last() == Some(&0))
}

fn is_named(text: &[u8]) -> bool {
    // A searcher of two bytes would be made anew for each text.
    let has = |[first, second]: [u8; 2]| {
        memchr_iter(first, text).any(|at| text.get(at + 1) == Some(&second))
    };
    let is_name = |at: usize| {
        let after = text.get(at + 1..).unwrap_or_default();
        // Most strings begin otherwise.
        let first = after.first().map(u8::to_ascii_lowercase);
        matches!(first, Some(b't' | b'r' | b'p'))
            && List::ALL
                .iter()
                .any(|list| begins_with(after, list.member()))
    };
    // A long s is an s to who ignores case.
    memchr_iter(b'"', text).any(is_name) || has(*b"\\u") || has(LONG_S)
}

/// The same of a whole answer, which some read in whatever encoding it may be: most other ones have zeros.
pub(super) fn may_name_list(text: &[u8]) -> bool {
    has_sign(text) && (is_named(text) || memchr(0, text).is_some())
}

fn begins_with(text: &[u8], name: &str) -> bool {
    let begin = text.get(..name.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
        && text.get(name.len()) == Some(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ta_4_what_may_name_a_list_is_found_and_little_else() {
        for text in [
            r#"{"tools":[]}"#,
            r#"{"Resources" :[]}"#,
            r#"{"resourceTemplates":[]}"#,
            r#"{"promptS":[]}"#,
            r#"{"t\u006fols":[]}"#,
            "{\"tool\u{17f}\":[]}",
        ] {
            assert!(names_list(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "\"",
            "\"tools",
            r#"{"tool":[],"toolsx":[],"resource":"tools of \"tools\""}"#,
            r#"{"result":{"content":[{"type":"text","text":"my prompts"}]}}"#,
        ] {
            assert!(!names_list(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn ta_4_every_list_has_the_sign_by_which_it_is_looked_for() {
        for list in List::ALL {
            for before in [0, 1, 15, 16, 31, 32, 33, 100] {
                let name = format!("{}\"{}\"", "x".repeat(before), list.member());
                assert!(has_sign(name.as_bytes()), "{name}");
                assert!(has_sign(name.to_uppercase().as_bytes()), "{name}");
            }
        }
        let without = r#"{"result":{"content":[{"type":"text","text":"done"}]}}"#;
        assert!(!has_sign(without.as_bytes()));
    }

    #[test]
    fn ta_4_a_zero_anywhere_may_be_half_of_a_wider_character() {
        for length in [1, 2, 16, 33, 100] {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                assert!(!may_name_list(&text));
                text[at] = 0;
                assert!(may_name_list(&text), "{at} of {length}");
            }
        }
        assert!(!may_name_list(b""));
    }

    #[test]
    fn no_name_is_longer_than_what_is_kept() {
        for list in List::ALL {
            assert!(list.member().len() + 2 <= LONGEST);
        }
    }
}
