use bartizan_validate::safe::{SafeArg, SafePath};
use proptest::prelude::*;

use crate::vectors::hold;

const ARGUMENTS: &str = include_str!("../../../../tests/vectors/safe/arguments.txt");

#[test]
fn seed_v8_operands_that_are_options_are_refused() {
    hold::<SafeArg>(ARGUMENTS, &["refused"]);
    assert!(SafeArg::new(&"x".repeat(4096)).is_ok());
    assert!(SafeArg::new(&"x".repeat(4097)).is_err());
}

#[test]
fn a_path_is_an_operand_whatever_its_name() {
    for name in ["-rf", "--help", "@args", "a/b"] {
        let operand = SafeArg::from(&SafePath::new(name).unwrap());
        assert_eq!(operand.as_str(), format!("./{name}"));
    }
    assert_eq!(SafeArg::from(5).as_str(), "5");
}

#[cfg(feature = "schemars")]
#[test]
fn the_schema_refuses_options_too() {
    for no in ["-x", "--", "@x", "\u{2212}x", "a\nb", ""] {
        assert!(crate::vectors::schema_refuses::<SafeArg>(no), "{no}");
    }
}

proptest! {
    #[test]
    fn what_is_admitted_is_no_option(text in any::<String>()) {
        if let Ok(operand) = SafeArg::new(&text) {
            prop_assert_eq!(operand.as_str(), &text);
            prop_assert!(!text.starts_with(['-', '@']));
            prop_assert!(!text.contains(char::is_control));
        }
    }
}
