use http::{
    HeaderName,
    header::{
        CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, REFERRER_POLICY,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
    },
};

use crate::{
    csp,
    profile::{
        CROSS_ORIGIN_EMBEDDER_POLICY, CROSS_ORIGIN_OPENER_POLICY, CROSS_ORIGIN_RESOURCE_POLICY,
        PERMISSIONS_POLICY,
    },
};

/// Why a value would not do what its author thinks, where that can be told.
pub(crate) fn problem(name: &HeaderName, value: &str) -> Option<&'static str> {
    let one_of = |values: &[&str]| !values.iter().any(|v| v.eq_ignore_ascii_case(value));
    if value.is_empty() || value.trim() != value {
        Some("is empty or has space around it")
    } else if !value.bytes().all(|b| matches!(b, b' '..=b'~')) {
        Some("has a character outside visible ascii")
    } else if *name == STRICT_TRANSPORT_SECURITY {
        Some("is made by `hsts` and sent over tls only")
    } else if *name == CONTENT_SECURITY_POLICY || *name == CONTENT_SECURITY_POLICY_REPORT_ONLY {
        csp::problem(value)
    } else if *name == X_CONTENT_TYPE_OPTIONS && one_of(&["nosniff"]) {
        Some("can only be `nosniff`")
    } else if *name == X_FRAME_OPTIONS && one_of(&["DENY", "SAMEORIGIN"]) {
        Some("can only be `DENY` or `SAMEORIGIN`")
    } else if *name == X_XSS_PROTECTION && value != "0" {
        Some("can only be `0`, since the mechanism is withdrawn and harmful")
    } else if *name == REFERRER_POLICY && !value.split(',').all(|p| REFERRER.contains(&p.trim())) {
        Some("is not a referrer policy")
    } else if *name == CROSS_ORIGIN_RESOURCE_POLICY && !RESOURCE.contains(&value) {
        Some("is not a resource policy")
    } else if *name == CROSS_ORIGIN_OPENER_POLICY && !OPENER.contains(&value) {
        Some("is not an opener policy")
    } else if *name == CROSS_ORIGIN_EMBEDDER_POLICY && !EMBEDDER.contains(&value) {
        Some("is not an embedder policy")
    } else if *name == PERMISSIONS_POLICY && !value.split(',').all(|f| f.contains('=')) {
        Some("is not `feature=(..)` with commas between")
    } else {
        None
    }
}

const REFERRER: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "same-origin",
    "origin",
    "strict-origin",
    "origin-when-cross-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];
const RESOURCE: [&str; 3] = ["same-origin", "same-site", "cross-origin"];
const OPENER: [&str; 4] = [
    "same-origin",
    "same-origin-allow-popups",
    "noopener-allow-popups",
    "unsafe-none",
];
const EMBEDDER: [&str; 3] = ["require-corp", "credentialless", "unsafe-none"];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> bool {
        problem(&name.parse().unwrap(), value).is_some()
    }

    #[test]
    fn values_that_browsers_ignore_or_misread_are_refused() {
        for (name, value) in [
            ("x-a", ""),
            ("x-a", " b"),
            ("x-a", "a\tb"),
            ("x-a", "a\r\nset-cookie: b"),
            ("x-a", "é"),
            ("x-content-type-options", "sniff"),
            ("x-frame-options", "ALLOW-FROM https://a.example"),
            ("x-xss-protection", "1; mode=block"),
            ("x-xss-protection", "1"),
            ("referrer-policy", "none"),
            ("referrer-policy", "no-referrer,"),
            ("cross-origin-resource-policy", "'same-origin'"),
            ("cross-origin-opener-policy", "same-site"),
            ("cross-origin-embedder-policy", "same-origin"),
            ("permissions-policy", "geolocation 'none'"),
            ("content-security-policy", "default-src self"),
            ("content-security-policy-report-only", "default-src self"),
            ("strict-transport-security", "max-age=9"),
        ] {
            assert!(refused(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn ordinary_values_are_taken() {
        for (name, value) in [
            ("x-a", "b c"),
            ("x-frame-options", "SAMEORIGIN"),
            ("referrer-policy", "no-referrer, strict-origin"),
            ("cross-origin-resource-policy", "cross-origin"),
            (
                "permissions-policy",
                "camera=(self \"https://a.example\"), usb=*",
            ),
        ] {
            assert!(!refused(name, value), "{name}: {value}");
        }
    }
}
