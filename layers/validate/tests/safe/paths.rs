use std::path::{Component, Path};

use bartizan_validate::safe::SafePath;
use proptest::prelude::*;

use crate::vectors::hold;

const PATHS: &str = include_str!("../../../../tests/vectors/safe/paths.txt");

#[test]
fn ta_6_paths_that_lead_out_or_mean_two_things_are_refused() {
    hold::<SafePath>(PATHS, &["refused"]);
}

#[test]
fn a_path_is_bounded_in_length_depth_and_parts() {
    let part = "p".repeat(255);
    assert!(SafePath::new(&part).is_ok());
    assert!(SafePath::new(&format!("{part}p")).is_err());
    assert!(SafePath::new(&["a"; 64].join("/")).is_ok());
    assert!(SafePath::new(&["a"; 65].join("/")).is_err());
    assert!(SafePath::new(&[&*part; 5].join("/")).is_err());
}

#[test]
fn a_path_tells_its_parts() {
    let path = SafePath::new("a/b/c.tar.gz").unwrap();
    assert!(path.parts().eq(["a", "b", "c.tar.gz"]));
    assert_eq!(
        (path.file_name(), path.extension()),
        ("c.tar.gz", Some("gz"))
    );
    assert_eq!(SafePath::new(".profile").unwrap().extension(), None);
    assert_eq!(SafePath::new("a.b/c").unwrap().extension(), None);
}

#[cfg(feature = "schemars")]
#[test]
fn what_a_client_can_see_of_the_rules_stands_in_the_schema() {
    use crate::vectors::schema_refuses;
    for no in [
        "/a",
        "../a",
        "a/..",
        "a\\b",
        "C:/x",
        "a//b",
        "a.",
        "",
        "x\0",
        "a\u{202E}",
    ] {
        assert!(schema_refuses::<SafePath>(no), "{no}");
    }
}

proptest! {
    #[test]
    fn what_is_admitted_stays_below(text in r"[a./\\:% ~\x00-]{0,12}") {
        if let Ok(path) = SafePath::new(&text) {
            let parts = Path::new(path.as_str()).components();
            prop_assert!(parts.clone().all(|part| matches!(part, Component::Normal(_))));
            prop_assert!(parts.map(|part| part.as_os_str()).eq(path.parts()));
            prop_assert!(!text.contains(['\\', ':', '\0']));
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>()) {
        let _ = SafePath::new(&text);
    }

    #[test]
    fn ordinary_names_pass(parts in proptest::collection::vec("[b-z][a-z0-9_-]{3,20}(\\.[a-z]{1,4})?", 1..6)) {
        let text = parts.join("/");
        prop_assert!(SafePath::new(&text).is_ok(), "{}", text);
    }
}
