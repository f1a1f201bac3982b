use bartizan_validate::safe::{SafeLine, SafeText, Slug};
use proptest::prelude::*;

use crate::vectors::hold;

const TEXT: &str = include_str!("../../../../tests/vectors/safe/text.txt");
const SLUGS: &str = include_str!("../../../../tests/vectors/safe/slugs.txt");

#[test]
fn text_that_shows_other_than_it_says_is_refused() {
    hold::<SafeText>(TEXT, &["refused"]);
    hold::<SafeLine>(TEXT, &["refused", "line"]);
}

#[test]
fn seed_v1_a_slug_with_a_line_break_behind_it_is_refused() {
    hold::<Slug>(SLUGS, &["refused"]);
}

#[test]
fn seed_v2_seed_v3_length_is_that_of_what_is_kept() {
    assert!(SafeText::<4>::new("äöü€").is_ok());
    assert!(SafeText::<3>::new("äöü€").is_err());
    // Two characters that compose to one.
    assert_eq!(SafeLine::<1>::normalized("e\u{301}").unwrap().as_str(), "é");
    assert!(SafeLine::<1>::new("e\u{301}").is_err());
    // One that is two in the normal form.
    assert!(SafeLine::<1>::normalized("\u{958}").is_err());
    assert!(SafeText::<10>::new(&"x".repeat(1 << 20)).is_err());
    assert!(SafeText::<10>::normalized(&"x".repeat(1 << 20)).is_err());
}

#[test]
fn seed_v4_nothing_is_taken_out_of_a_text() {
    let text = "if a < b and c > d then <b>bold</b> &amp; 'quoted'";
    assert_eq!(SafeText::<100>::new(text).unwrap().as_str(), text);
}

proptest! {
    #[test]
    fn what_is_admitted_is_kept_as_it_is(text in ".{0,40}") {
        if let Ok(safe) = SafeText::<100>::new(&text) {
            prop_assert_eq!(safe.as_str(), &text);
        }
        if let Ok(normal) = SafeText::<100>::normalized(&text) {
            prop_assert!(SafeText::<100>::new(normal.as_str()).is_ok());
        }
    }

    #[test]
    fn ordinary_text_passes(text in "[ -~äöüßéñčøα-ωа-я一-三]{0,100}") {
        prop_assert!(SafeLine::<100>::new(&text).is_ok());
    }

    #[test]
    fn a_slug_is_what_its_pattern_says(text in "[a-c0-9A\n-]{0,10}") {
        let pattern = regex::Regex::new(r"\A[a-z0-9]+(-[a-z0-9]+)*\z").unwrap();
        prop_assert_eq!(Slug::new(&text).is_ok(), pattern.is_match(&text));
    }
}
