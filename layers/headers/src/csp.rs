/// Why a Content-Security-Policy would not do what its author thinks.
///
/// Browsers skip what they do not know without a word, so a misspelt directive or a keyword
/// without quotes (`self` is then a host) silently leaves a door open.
pub(crate) fn problem(value: &str) -> Option<&'static str> {
    value.split(',').find_map(policy_problem)
}

fn policy_problem(policy: &str) -> Option<&'static str> {
    let mut seen: Vec<&str> = Vec::new();
    for directive in policy.split(';') {
        let mut words = directive.split_ascii_whitespace();
        let Some(name) = words.next() else { continue };
        if seen.iter().any(|s| s.eq_ignore_ascii_case(name)) {
            return Some("repeats a directive, of which browsers heed only the first");
        }
        seen.push(name);
        let known = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if known(&FETCH) || known(&LISTS) {
            if let Some(problem) = sources_problem(words) {
                return Some(problem);
            }
        } else if !known(&OTHER) {
            return Some("has a directive that browsers do not know");
        }
    }
    seen.is_empty().then_some("has an empty policy")
}

fn sources_problem<'a>(sources: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let (mut none, mut count) = (false, 0);
    for source in sources {
        count += 1;
        let bare = source.trim_matches('\'');
        let quoted = source.len() == bare.len() + 2 && source.starts_with('\'');
        let lower = bare.to_ascii_lowercase();
        let hash = HASHES.iter().any(|h| lower.starts_with(h));
        if lower.starts_with("nonce-") {
            return Some("has a fixed nonce, which only the page itself may choose");
        } else if hash || KEYWORDS.contains(&lower.as_str()) {
            if !quoted {
                return Some("has a keyword without its single quotes");
            }
        } else if source.contains('\'') {
            return Some("has a quoted word that is no keyword");
        }
        none |= lower == "none";
    }
    (none && count > 1).then_some("has `'none'` beside other sources")
}

const FETCH: [&str; 17] = [
    "default-src",
    "script-src",
    "script-src-elem",
    "script-src-attr",
    "style-src",
    "style-src-elem",
    "style-src-attr",
    "img-src",
    "font-src",
    "connect-src",
    "media-src",
    "object-src",
    "frame-src",
    "fenced-frame-src",
    "child-src",
    "worker-src",
    "manifest-src",
];
const LISTS: [&str; 3] = ["base-uri", "form-action", "frame-ancestors"];
const OTHER: [&str; 7] = [
    "sandbox",
    "report-uri",
    "report-to",
    "require-trusted-types-for",
    "trusted-types",
    "upgrade-insecure-requests",
    "webrtc",
];
const KEYWORDS: [&str; 9] = [
    "none",
    "self",
    "unsafe-inline",
    "unsafe-eval",
    "unsafe-hashes",
    "wasm-unsafe-eval",
    "strict-dynamic",
    "report-sample",
    "inline-speculation-rules",
];
const HASHES: [&str; 3] = ["sha256-", "sha384-", "sha512-"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn policies_that_browsers_would_half_ignore_are_refused() {
        for bad in [
            "",
            ";",
            "default-src 'none',",
            "default-src self",
            "default-src SELF",
            "default-src 'none' https://a.example",
            "default-src 'selff'",
            "default-src 'self",
            "default-src ''self''",
            "defualt-src 'none'",
            "default-src: 'none'",
            "script-src 'nonce-abc'",
            "script-src nonce-abc",
            "script-src sha256-abc",
            "img-src 'self'; IMG-SRC *",
            "default-src 'none', frame-ancestors none",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn policies_that_mean_what_they_say_are_taken() {
        for good in [
            "default-src 'none'",
            "default-src 'self' https://a.example:444 data: *.b.example;",
            "Script-Src 'sha256-abc=' 'strict-dynamic'; sandbox allow-forms",
            "default-src 'none'; upgrade-insecure-requests, frame-ancestors 'none'",
            "img-src; report-to main",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in any::<String>()) {
            let _ = problem(&text);
        }

        #[test]
        fn a_bare_keyword_is_found_wherever_it_stands(
            directive in prop::sample::select(&FETCH[..]),
            keyword in prop::sample::select(&KEYWORDS[..]),
            before in prop::collection::vec("https://[a-z]{1,9}", 0..4),
            lead in prop::sample::select(vec!["", "upgrade-insecure-requests; ", "sandbox,"]),
        ) {
            let policy = format!("{lead}{directive} {} {keyword}", before.join(" "));
            prop_assert!(problem(&policy).is_some());
        }

        #[test]
        fn hosts_and_schemes_are_taken(
            directive in prop::sample::select(&FETCH[..]),
            sources in prop::collection::vec("https://[a-z]{1,9}\\.example(:[1-9][0-9]{1,3})?|data:", 1..5),
        ) {
            prop_assert_eq!(problem(&format!("{directive} {}", sources.join(" "))), None);
        }
    }
}
