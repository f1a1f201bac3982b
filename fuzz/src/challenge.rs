use bartizan_core::Challenge;
use http::HeaderValue;

/// Arbitrary bytes as a challenge that an authentication layer offers, of which the one for a scope is
/// made.
///
/// Whatever was offered, the line is one challenge of a scheme that is known, and asks for the scope
/// that is needed and for no other.
pub fn challenge(data: &[u8]) {
    let lines: Vec<_> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let Ok(challenge) = Challenge::for_scope(&lines, Some("insufficient_scope"), "a b") else {
        return;
    };
    let line = challenge.header_value().expect("it has parameters");
    let line = line.to_str().expect("visible ASCII");
    let (scheme, params) = line.split_once(' ').expect("a scheme and parameters");
    assert!(matches!(scheme, "Bearer" | "DPoP"), "{line}");
    let mut names = Vec::new();
    let mut rest = params;
    loop {
        let (name, after) = rest.split_once("=\"").expect("a quoted value");
        let (value, after) = after.split_once('"').expect("its end");
        assert!(!value.contains('\\'), "{line}");
        if name == "scope" {
            assert_eq!(value, "a b");
        }
        names.push(name);
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => {
                assert!(after.is_empty(), "{line}");
                break;
            }
        }
    }
    let expected = ["error", "scope", "realm", "algs", "resource_metadata"];
    let mut known = expected.iter();
    // In this order, none twice, and no others.
    assert!(
        names.iter().all(|name| known.any(|known| known == name)),
        "{line}"
    );
    assert!(names.starts_with(&["error", "scope"]), "{line}");
}
