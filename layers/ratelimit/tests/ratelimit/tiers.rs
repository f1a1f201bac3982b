//! Which bucket a call takes from.

use bartizan_core::{Clock, DenialKind, Principal};
use bartizan_ratelimit::{By, RateLimits, RateLimitsBuilder, Tier};

use crate::common::*;

fn limits(tiers: impl FnOnce(RateLimitsBuilder) -> RateLimitsBuilder) -> RateLimits {
    tiers(RateLimits::builder().clock(clock())).build().unwrap()
}

/// The statuses of so many of the same.
async fn statuses(limits: &RateLimits, times: usize, ask: impl Fn() -> Ask) -> Vec<u16> {
    let service = guarded(limits.clone());
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(ask().to(&service).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn seed_r9_every_account_has_its_own_bucket_and_it_is_the_credentials() {
    let limits = limits(|l| l.account(quota(60, 2)));
    assert_eq!(
        statuses(&limits, 3, || tool("t").by("ann")).await,
        [200, 200, 429]
    );
    assert_eq!(statuses(&limits, 1, || tool("t").by("bob")).await, [200]);
    let elsewhere = || tool("t").of(Principal::user("https://b.example", "ann").build("jwt"));
    assert_eq!(statuses(&limits, 1, elsewhere).await, [200], "TV-16");
    let machine =
        || tool("t").of(Principal::service("https://auth.example.com", "ann").build("jwt"));
    assert_eq!(statuses(&limits, 1, machine).await, [200]);
    let issuer = "https://auth.example.com";
    let client = || tool("t").of(Principal::user(issuer, "ann").client_id("new").build("jwt"));
    assert_eq!(
        statuses(&limits, 1, client).await,
        [429],
        "clients are free to register"
    );
    let claimed = || {
        let params = r#"{"name":"t","arguments":{"user_id":"carl"}}"#;
        method("tools/call", params)
            .by("ann")
            .header("x-user-id", "carl")
    };
    assert_eq!(statuses(&limits, 1, claimed).await, [429]);
}

#[tokio::test]
async fn without_a_principal_the_address_counts_and_without_that_all_share_one_bucket() {
    let limits = limits(|l| l.account(quota(60, 1)));
    assert_eq!(
        statuses(&limits, 2, || tool("t").from("192.0.2.1")).await,
        [200, 429]
    );
    let anonymous = || tool("t").of(Principal::anonymous()).from("192.0.2.1");
    assert_eq!(statuses(&limits, 1, anonymous).await, [429]);
    assert_eq!(
        statuses(&limits, 1, || tool("t").from("192.0.2.2")).await,
        [200]
    );
    assert_eq!(statuses(&limits, 2, || tool("t")).await, [200, 429]);
}

#[tokio::test]
async fn rl_1_all_methods_count_for_the_account_and_tools_for_themselves_too() {
    let limits = limits(|l| l.account(quota(60, 5)).tool("rare", quota(60, 1)));
    assert_eq!(
        statuses(&limits, 2, || tool("rare").by("ann")).await,
        [200, 429]
    );
    let complete = || {
        let reference = r#"{"ref":{"type":"ref/prompt","name":"rare"},"argument":{}}"#;
        method("completion/complete", reference).by("ann")
    };
    assert_eq!(statuses(&limits, 2, complete).await, [200, 200]);
    assert_eq!(
        statuses(&limits, 3, || method("prompts/list", "{}").by("ann")).await,
        [200, 200, 429]
    );
    assert_eq!(
        statuses(&limits, 1, || tool("other").by("ann")).await,
        [429]
    );
}

#[tokio::test]
async fn rl_11_invented_tool_names_share_one_bucket() {
    let limits = limits(|l| l.tool("known", quota(60, 1)).other_tools(quota(60, 2)));
    for (name, status) in [
        ("a", 200),
        ("b", 200),
        ("c", 429),
        ("a", 429),
        ("known", 200),
    ] {
        assert_eq!(
            statuses(&limits, 1, || tool(name).by("ann")).await,
            [status],
            "{name}"
        );
    }
    let lying = || tool("d").by("ann").header("mcp-name", "known");
    assert_eq!(statuses(&limits, 1, lying).await, [400], "N-10");
    assert_eq!(
        statuses(&limits, 1, || tool("d").by("bob")).await,
        [200],
        "of another account"
    );
}

#[tokio::test]
async fn an_escaped_tool_name_is_the_same_tool() {
    let limits = limits(|l| l.tool("delete", quota(60, 1)));
    assert_eq!(
        statuses(&limits, 1, || tool("delete").by("ann")).await,
        [200]
    );
    assert_eq!(
        statuses(&limits, 1, || tool(r"\u0064elete").by("ann")).await,
        [429]
    );
}

#[tokio::test]
async fn seed_r6_an_api_key_has_its_own_bucket_across_accounts_tools_and_sessions() {
    let limits = limits(|l| l.api_key(quota(60, 2)));
    let key = |subject: &str| {
        let principal = Principal::service("keys", subject).credential_id("k1");
        tool("t").of(principal.build("apikey"))
    };
    assert_eq!(statuses(&limits, 1, || key("a")).await, [200]);
    assert_eq!(statuses(&limits, 2, || key("b")).await, [200, 429]);
    let token = || {
        tool("t").of(Principal::user("keys", "a")
            .credential_id("k1")
            .build("jwt"))
    };
    assert_eq!(statuses(&limits, 1, token).await, [200], "not an API key");
}

#[tokio::test]
async fn an_api_key_without_an_id_is_limited_as_its_account() {
    let limits = limits(|l| l.api_key(quota(60, 1)));
    let key = |subject: &str| tool("t").of(Principal::service("keys", subject).build("apikey"));
    assert_eq!(statuses(&limits, 2, || key("a")).await, [200, 429]);
    assert_eq!(statuses(&limits, 2, || key("b")).await, [200, 429]);
}

#[tokio::test]
async fn se_7_a_new_session_earns_nothing_beyond_the_account() {
    let limits = limits(|l| l.account(quota(60, 3)).session(quota(60, 1)));
    for (session, status) in [("a", 200), ("a", 429), ("b", 200), ("c", 200), ("d", 429)] {
        let ask = || tool("t").by("ann").header("mcp-session-id", session);
        assert_eq!(statuses(&limits, 1, ask).await, [status], "{session}");
    }
    let others = || tool("t").by("bob").header("mcp-session-id", "a");
    assert_eq!(
        statuses(&limits, 1, others).await,
        [200],
        "of another account"
    );
}

#[tokio::test]
async fn rl_10_a_flood_of_calls_leaves_discovery_its_bucket() {
    let limits = limits(|l| {
        l.global(quota(60, 3))
            .account(quota(60, 3))
            .discovery(quota(60, 2))
    });
    statuses(&limits, 50, || tool("t").by("ann")).await;
    let discover = || method("server/discover", "{}").by("ann");
    assert_eq!(statuses(&limits, 3, discover).await, [200, 200, 503]);
    let initialize = || method("initialize", "{}").by("bob");
    assert_eq!(statuses(&limits, 1, initialize).await, [200]);
    let claimed = || tool("t").by("carl").header("mcp-method", "server/discover");
    assert_eq!(
        statuses(&limits, 1, claimed).await,
        [400],
        "N-10: the header decides nothing"
    );
}

#[tokio::test]
async fn tr_3_where_only_tools_are_limited_discovery_is_not() {
    let limits = limits(|l| l.other_tools(quota(60, 1)));
    let discover = || method("server/discover", "{}").by("ann");
    assert_eq!(statuses(&limits, 100, discover).await, [200; 100]);
    assert!(
        limits
            .statistics()
            .iter()
            .all(|tier| tier.tier != "discovery")
    );
    let chosen = RateLimits::builder()
        .other_tools(quota(60, 1))
        .clock(clock());
    let chosen = chosen.discovery(quota(60, 1)).build().unwrap();
    assert_eq!(statuses(&chosen, 2, discover).await, [200, 503]);
}

/// A 4xx makes clients speak an older protocol, or none: the answer is as for saturation, and says what it is.
#[tokio::test]
async fn tr_3_discovery_that_is_refused_is_503_with_its_wait_and_ping_is_429() {
    let limits = limits(|l| l.account(quota(60, 1)).discovery(quota(6, 1)));
    let service = guarded(limits.clone());
    for name in ["server/discover", "initialize"] {
        let who = format!("user of {name}");
        let ask = || method(name, "{}").by(&who);
        assert_eq!(ask().to(&service).await.status(), 200);
        let refused = ask().to(&service).await;
        assert_eq!(refused.status(), 503, "{name}");
        assert_eq!(denial(&refused).kind(), DenialKind::DiscoveryLimited);
        assert_eq!(header(&refused, "retry-after"), Some("10"));
        assert_eq!(
            header(&refused, "ratelimit"),
            Some(r#""discovery";r=0;t=10"#)
        );
        let body = text(refused).await;
        assert!(
            body.contains(r#""id":"x7","error":{"code":503,"message":"too many requests""#),
            "{body}"
        );
    }
    let ping = || method("ping", "{}").by("ann");
    assert_eq!(statuses(&limits, 2, ping).await, [200, 429]);
}

/// Whatever tier refuses it.
#[tokio::test]
async fn tr_3_a_tier_of_ones_own_that_refuses_discovery_says_503() {
    for tier in [
        Tier::rate("mine", quota(60, 1)).by(By::tenant()),
        Tier::open("mine", 1).by(By::account()),
    ] {
        let limits = limits(|l| {
            l.other_tools(quota(60, 9))
                .tier(tier.methods(["server/discover"]))
        });
        let service = guarded(limits);
        let ask = || method("server/discover", "{}").by("ann").to(&service);
        let first = [ask().await, ask().await];
        assert!(
            first
                .iter()
                .all(|answer| matches!(answer.status().as_u16(), 200 | 503))
        );
        assert_eq!(ask().await.status(), 503);
    }
}

#[tokio::test]
async fn a_clock_at_its_end_neither_panics_nor_refills() {
    let clock = clock();
    let slow = bartizan_ratelimit::Quota::per_hour(1).unwrap();
    let limits = RateLimits::builder().clock(clock.clone()).global(slow);
    let limits = limits
        .account(slow.burst(1_000_000).unwrap())
        .build()
        .unwrap();
    clock.advance(std::time::Duration::from_nanos(u64::MAX - 5));
    assert_eq!(
        statuses(&limits, 2, || tool("t").by("ann")).await,
        [200, 429]
    );
    clock.advance(std::time::Duration::from_nanos(5));
    assert_eq!(statuses(&limits, 1, || tool("t").by("ann")).await, [429]);
    assert_eq!(limits.statistics()[0].total_requests, 1);
}

#[tokio::test]
async fn seed_r2_a_refused_call_is_charged_in_no_tier() {
    let limits = limits(|l| {
        l.global(quota(60, 10))
            .account(quota(60, 5))
            .tool("rare", quota(60, 1))
    });
    let answers = statuses(&limits, 200, || tool("rare").by("ann")).await;
    assert_eq!(answers.iter().filter(|s| **s == 200).count(), 1);
    // One went from the account and from all: four and nine are left.
    assert_eq!(
        statuses(&limits, 5, || tool("t").by("ann")).await,
        [200, 200, 200, 200, 429]
    );
    let tiers = limits.statistics();
    let global = tiers.iter().find(|tier| tier.tier == "global").unwrap();
    assert_eq!(global.current_tokens, Some(5));
}

#[tokio::test]
async fn seed_r5_a_wall_clock_that_steps_changes_nothing() {
    let clock = clock();
    let limits = RateLimits::builder()
        .account(quota(60, 1))
        .clock(clock.clone());
    let limits = limits.build().unwrap();
    assert_eq!(
        statuses(&limits, 2, || tool("t").by("ann")).await,
        [200, 429]
    );
    clock.step_wall_to(clock.wall() + std::time::Duration::from_secs(3600));
    assert_eq!(statuses(&limits, 1, || tool("t").by("ann")).await, [429]);
    clock.step_wall_to(std::time::Duration::ZERO);
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(
        statuses(&limits, 2, || tool("t").by("ann")).await,
        [200, 429]
    );
}

#[tokio::test]
async fn statistics_count_what_asked_and_what_was_refused() {
    let limits = limits(|l| l.account(quota(60, 3)).tool("rare", quota(6, 1)));
    statuses(&limits, 4, || tool("rare").by("ann")).await;
    let tiers = limits.statistics();
    let of = |name: &str| tiers.iter().find(|tier| tier.tier == name).unwrap();
    let rare = of("tool");
    assert_eq!(rare.tool.as_deref(), Some("rare"));
    assert_eq!((rare.total_requests, rare.rejected_requests), (4, 3));
    assert!((rare.success_rate - 25.0).abs() < 1e-9);
    assert!((rare.requests_per_minute - 6.0).abs() < 1e-9);
    assert_eq!((rare.burst_size, rare.current_tokens), (1, None));
    assert_eq!(
        (
            of("account").total_requests,
            of("account").rejected_requests
        ),
        (1, 0)
    );
    assert!((of("discovery").success_rate - 100.0).abs() < 1e-9);
}

#[test]
fn limits_that_limit_nothing_or_contradict_themselves_do_not_build() {
    let quota = quota(60, 1);
    let name = "x".repeat(1025);
    for (builder, named) in [
        (RateLimits::builder(), "nothing is limited"),
        (RateLimits::builder().discovery(quota), "nothing is limited"),
        (RateLimits::builder().session(quota), "account tier"),
        (
            RateLimits::builder().tool("t", quota).tool("t", quota),
            "tool `t` is given twice",
        ),
        (RateLimits::builder().tool("", quota), "1 to 1024"),
        (RateLimits::builder().tool(&name, quota), "1 to 1024"),
        (
            RateLimits::builder().global(quota).max_keys(999),
            "max_keys `999`",
        ),
        (
            RateLimits::builder().global(quota).max_keys(100_000_001),
            "100000001",
        ),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
