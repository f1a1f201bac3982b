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
        (r#"{ "account": { "per_day": 1 } }"#, "per_day"),
        (r#"{ "account": { "burst": 1 } }"#, "rates `0`"),
        (
            r#"{ "account": { "per_hour": 1, "per_minute": 1 } }"#,
            "rates `2`",
        ),
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

#[test]
fn a_file_of_toml_says_all_that_a_builder_does() {
    let file = r#"
        global = { per_second = 50, burst = 100 }
        account = { per_minute = 60, burst = 20 }
        api_key = { per_hour = 1000 }
        session = { per_minute = 30 }
        other_tools = { per_minute = 40 }
        discovery = { per_minute = 90 }
        only_credentials = true
        open_per_account = 8
        open_in_all = 100
        low_priority_tools = ["report"]
        shed_from = 60
        address_prefixes = { v4 = 24, v6 = 56 }
        max_keys = 5000
        without_headers = true
        legacy_headers = true
        call_limits = { body_bytes = 7777 }

        [tools]
        delete = { per_hour = 6, burst = 1 }

        [[tiers]]
        name = "dear"
        rate = { per_minute = 600, burst = 100 }
        by = ["tenant", "api_key", "method", { network = { v4 = 16, v6 = 48 } }, { tools = ["a"] }]
        tools = ["a", "b"]
        cost = { each = 2, tools = { b = 10 }, body_bytes = 65536 }
        shadow = true
        hidden = true

        [[tiers]]
        name = "streams"
        open = 4
        by = ["account", "session"]
        streams = true

        [[tiers]]
        name = "lists"
        rate = { per_second = 1 }
        by = ["address"]
        methods = ["tools/list"]

        [[tiers]]
        name = "rest"
        rate = { per_second = 1 }
        other_tools = ["a"]
    "#;
    let config: RateLimitConfig = toml::from_str(file).unwrap();
    let quota = |rate: Result<Quota, _>, burst| rate.unwrap().burst(burst).unwrap();
    let (minute, second) = (Quota::per_minute, Quota::per_second(1).unwrap());
    let names = ["a", "b"];
    let by_hand = RateLimits::builder()
        .global(quota(Quota::per_second(50), 100))
        .account(quota(minute(60), 20))
        .api_key(Quota::per_hour(1000).unwrap())
        .session(minute(30).unwrap())
        .tool("delete", quota(Quota::per_hour(6), 1))
        .other_tools(minute(40).unwrap())
        .discovery(minute(90).unwrap())
        .only_credentials()
        .tier(
            Tier::rate("dear", quota(minute(600), 100))
                .by(crate::By::tenant())
                .by(crate::By::api_key())
                .by(crate::By::method())
                .by(crate::By::network(16, 48))
                .by(crate::By::tools(["a"]))
                .tools(names)
                .cost(crate::Cost::each(2).tool("b", 10).body_bytes(65536))
                .shadow()
                .hidden(),
        )
        .tier(
            Tier::open("streams", 4)
                .by(crate::By::account())
                .by(crate::By::session())
                .streams(),
        )
        .tier(
            Tier::rate("lists", second)
                .by(crate::By::address())
                .methods(["tools/list"]),
        )
        .tier(Tier::rate("rest", second).other_tools(["a"]))
        .open_per_account(8)
        .open_in_all(100)
        .low_priority_tool("report")
        .shed_from(60)
        .address_prefixes(24, 56)
        .max_keys(5000)
        .without_headers()
        .legacy_headers()
        .call_limits(CallLimits::new().with_body_bytes(7777).unwrap());
    let from_file = RateLimitsBuilder::try_from(config.clone()).unwrap();
    let told = |builder: &RateLimitsBuilder| without_clock(&format!("{builder:#?}"));
    assert_eq!(told(&from_file), told(&by_hand));
    assert!(from_file.build().is_ok());
    // It is written as it is read.
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<RateLimitConfig>(&again).unwrap(),
        config
    );

    let file = r#"
        address = { per_minute = 60 }
        discovery = { per_minute = 90 }
        failed_authentication = { per_hour = 30 }
        open_per_address = 8
        open_in_all = 100
        prefixes = { v4 = 24, v6 = 56 }
        max_keys = 5000

        [[tiers]]
        name = "site"
        rate = { per_second = 10 }
        by = [{ network = { v4 = 16, v6 = 48 } }]
    "#;
    let config: AddressLimitConfig = toml::from_str(file).unwrap();
    let from_file = crate::AddressLimitsBuilder::try_from(config.clone()).unwrap();
    let by_hand = AddressLimits::builder()
        .address(minute(60).unwrap())
        .discovery(minute(90).unwrap())
        .failed_authentication(Quota::per_hour(30).unwrap())
        .open_per_address(8)
        .open_in_all(100)
        .prefixes(24, 56)
        .max_keys(5000)
        .tier(Tier::rate("site", Quota::per_second(10).unwrap()).by(crate::By::network(16, 48)));
    let told = |builder: &crate::AddressLimitsBuilder| without_clock(&format!("{builder:#?}"));
    assert_eq!(told(&from_file), told(&by_hand));
    assert!(from_file.build().is_ok());
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<AddressLimitConfig>(&again).unwrap(),
        config
    );
}

#[test]
fn a_snapshot_is_written_as_json_and_names_nobody() {
    let file = r#"{ "account": { "per_minute": 6, "burst": 2 }, "tools": { "t": { "per_hour": 1 } }, "open_in_all": 9 }"#;
    let snapshot = serde_json::to_value(limits(file).unwrap().snapshot()).unwrap();
    assert_eq!(
        (&snapshot["version"], &snapshot["keys"]),
        (&1.into(), &0.into())
    );
    let tiers = snapshot["tiers"].as_array().unwrap();
    let names: Vec<_> = tiers
        .iter()
        .map(|tier| tier["tier"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["account", "discovery", "ping", "tool", "open_in_all"]
    );
    assert_eq!(tiers[0]["requests_per_minute"], 6.0);
    assert_eq!(
        (&tiers[3]["tool"], &tiers[3]["burst_size"]),
        (&"t".into(), &1.into())
    );
    assert_eq!(
        (&tiers[4]["open"], &tiers[4]["current_tokens"]),
        (&0.into(), &9.into())
    );
}

/// Each builder has a clock of its own, which shows when it was made.
fn without_clock(text: &str) -> String {
    text.split("clock:").next().unwrap().to_owned()
}
