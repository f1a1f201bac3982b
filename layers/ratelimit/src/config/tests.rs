use super::*;
use crate::AddressLimits;

fn limits(json: &str) -> Result<RateLimits, String> {
    let config: RateLimitConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
    RateLimits::try_from(config).map_err(|e| e.to_string())
}

#[test]
fn every_setting_reaches_the_limits() {
    let from_file = limits(
        r#"{ "global": { "per_minute": 1 }, "account": { "per_minute": 2, "burst": 3 },
             "api_key": { "per_minute": 4 }, "session": { "per_minute": 5 },
             "tools": { "t": { "per_minute": 6 } }, "other_tools": { "per_minute": 7 },
             "discovery": { "per_minute": 8 }, "max_keys": 5000,
             "without_headers": true, "legacy_headers": true,
             "call_limits": { "body_bytes": 77 } }"#,
    )
    .unwrap();
    let quota = |n| Quota::per_minute(n).unwrap();
    let by_hand = RateLimits::builder()
        .global(quota(1))
        .account(quota(2).burst(3).unwrap())
        .api_key(quota(4))
        .session(quota(5))
        .tool("t", quota(6))
        .other_tools(quota(7))
        .discovery(quota(8))
        .max_keys(5000)
        .without_headers()
        .legacy_headers()
        .call_limits(CallLimits::new().with_body_bytes(77).unwrap())
        .build()
        .unwrap();
    assert_eq!(from_file.statistics(), by_hand.statistics());
    assert_eq!(from_file.0.call_limits(), by_hand.0.call_limits());
    let telling = |limits: &RateLimits| limits.0.current().telling;
    assert_eq!(telling(&from_file), telling(&by_hand));
    let config: AddressLimitConfig = serde_json::from_str(
        r#"{ "address": { "per_minute": 1 }, "discovery": { "per_minute": 2 },
             "failed_authentication": { "per_minute": 3 }, "max_keys": 1000 }"#,
    )
    .unwrap();
    let tiers = AddressLimits::try_from(config).unwrap().statistics();
    let rates = tiers
        .iter()
        .map(|t| (&*t.tier, t.requests_per_minute as u32));
    let expected = [
        ("discovery", 2),
        ("address", 1),
        ("failed_authentication", 3),
    ];
    assert!(rates.eq(expected));
}

#[test]
fn a_contradiction_or_an_unknown_field_names_itself() {
    for (json, named) in [
        ("{}", "nothing is limited"),
        (r#"{ "acount": { "per_minute": 1 } }"#, "acount"),
        (r#"{ "account": { "per_minute": 0 } }"#, "`0`"),
        (r#"{ "account": { "per_hour": 1 } }"#, "per_hour"),
        (r#"{ "session": { "per_minute": 1 } }"#, "session"),
        (r#"{ "tools": { "": { "per_minute": 1 } } }"#, "tool"),
        (
            r#"{ "global": { "per_minute": 1 }, "call_limits": { "depth": 1 } }"#,
            "depth",
        ),
        (
            r#"{ "global": { "per_minute": 1 }, "max_keys": 1 }"#,
            "max_keys `1`",
        ),
    ] {
        let error = limits(json).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}
