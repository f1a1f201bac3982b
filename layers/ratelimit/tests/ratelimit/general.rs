//! Tiers of one's own: what they count by, what calls cost, and those in shadow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_core::{Events, Principal, Severity, Verdict};
use bartizan_ratelimit::{AddressLimits, By, Cost, RateLimits, Tier};

use crate::common::*;

fn limits(tiers: impl IntoIterator<Item = Tier>) -> RateLimits {
    let builder = RateLimits::builder().clock(clock());
    let builder = tiers.into_iter().fold(builder, |b, tier| b.tier(tier));
    builder.build().unwrap()
}

fn rate(name: &str, burst: u32) -> Tier {
    Tier::rate(name, quota(60, burst))
}

async fn statuses(limits: &RateLimits, asks: impl IntoIterator<Item = Ask>) -> Vec<u16> {
    let service = guarded(limits.clone());
    let mut statuses = Vec::new();
    for ask in asks {
        statuses.push(ask.to(&service).await.status().as_u16());
    }
    statuses
}

fn of_tenant(subject: &str, tenant: &str) -> Ask {
    let principal = Principal::user("https://auth.example.com", subject).tenant(tenant);
    tool("t").of(principal.build("jwt"))
}

#[tokio::test]
async fn a_tenant_has_a_bucket_whoever_calls_and_so_have_all_without_one() {
    let limits = limits([rate("tenant", 1).by(By::tenant())]);
    let asks = [("ann", "red"), ("bob", "red"), ("carl", "blue")];
    let asks = asks.map(|(who, tenant)| of_tenant(who, tenant));
    assert_eq!(statuses(&limits, asks).await, [200, 429, 200]);
    let without = ["ann", "bob"].map(|who| tool("t").by(who));
    assert_eq!(statuses(&limits, without).await, [200, 429]);
    let elsewhere = Principal::user("https://b.example", "ann").tenant("red");
    let elsewhere = tool("t").of(elsewhere.build("jwt"));
    assert_eq!(statuses(&limits, [elsewhere]).await, [200], "TV-16");
    let nobody = [tool("t").from("192.0.2.1"), tool("t").from("192.0.2.2")];
    assert_eq!(statuses(&limits, nobody).await, [200, 429]);
}

#[tokio::test]
async fn a_network_counts_by_the_bits_that_are_said() {
    let limits = limits([rate("net", 1).by(By::network(24, 48))]);
    for (address, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.77", 429),
        ("192.0.3.1", 200),
        ("2001:db8:1::1", 200),
        ("2001:db8:1:ffff::1", 429),
        ("2001:db8:2::1", 200),
    ] {
        let asks = [tool("t").by("ann").from(address)];
        assert_eq!(statuses(&limits, asks).await, [status], "{address}");
    }
}

#[tokio::test]
async fn rl_11_methods_and_tools_count_for_themselves_and_invented_ones_together() {
    let by_method = limits([rate("method", 1).by(By::method())]);
    let asks = [
        ("tools/list", 200),
        ("tools/list", 429),
        ("prompts/list", 200),
        ("invented/one", 200),
        ("invented/two", 429),
    ];
    for (name, status) in asks {
        let got = statuses(&by_method, [method(name, "{}").by("ann")]).await;
        assert_eq!(got, [status], "{name}");
    }
    let by_tool = limits([rate("tool", 1).by(By::account()).by(By::tools(["a", "b"]))]);
    for (name, status) in [("a", 200), ("a", 429), ("b", 200), ("c", 200), ("d", 429)] {
        let got = statuses(&by_tool, [tool(name).by("ann")]).await;
        assert_eq!(got, [status], "{name}");
    }
    let other = [tool("a").by("bob"), method("tools/list", "{}").by("ann")];
    assert_eq!(statuses(&by_tool, other).await, [200, 200]);
}

#[tokio::test]
async fn a_mix_counts_for_each_combination() {
    let limits = limits([rate("mix", 1)
        .by(By::method())
        .by(By::tenant())
        .by(By::account())]);
    let asks = [
        of_tenant("ann", "red"),
        of_tenant("ann", "red"),
        of_tenant("ann", "blue"),
        of_tenant("bob", "red"),
        method("tools/list", "{}").by("ann"),
    ];
    assert_eq!(statuses(&limits, asks).await, [200, 429, 200, 200, 200]);
}

#[tokio::test]
async fn a_closure_says_whose_the_bucket_is_or_that_the_tier_is_for_others() {
    let project = By::key(|asking| {
        assert!(asking.call().is_some() && asking.context().principal().is_some());
        Some(asking.headers().get("x-project")?.to_str().ok()?.into())
    });
    let limits = limits([rate("project", 1).by(project)]);
    let ask = |who: &str, project: &str| tool("t").by(who).header("x-project", project);
    let asks = [ask("ann", "one"), ask("bob", "one"), ask("ann", "two")];
    assert_eq!(statuses(&limits, asks).await, [200, 429, 200]);
    let without = [tool("t").by("ann"), tool("t").by("ann")];
    assert_eq!(statuses(&limits, without).await, [200, 200]);
}

#[tokio::test]
async fn a_tier_concerns_the_methods_that_it_names() {
    let limits = limits([rate("lists", 1)
        .by(By::account())
        .methods(["tools/list", "ping"])]);
    for (name, status) in [("tools/list", 200), ("ping", 429), ("prompts/list", 200)] {
        let got = statuses(&limits, [method(name, "{}").by("ann")]).await;
        assert_eq!(got, [status], "{name}");
    }
    assert_eq!(statuses(&limits, [tool("t").by("ann")]).await, [200]);
}

#[tokio::test]
async fn rl_10_ping_has_a_bucket_apart_from_calls_and_from_discovery() {
    let limits = RateLimits::builder().clock(clock()).account(quota(60, 1));
    let limits = limits.discovery(quota(60, 1)).build().unwrap();
    let ask = |name| method(name, "{}").by("ann");
    let asks = ["tools/list", "tools/list", "ping", "ping", "initialize"].map(ask);
    assert_eq!(statuses(&limits, asks).await, [200, 429, 200, 429, 200]);
}

#[tokio::test]
async fn a_call_costs_what_its_tool_and_its_body_say() {
    let clock = clock();
    let cost = Cost::each(2).tool("dear", 5).body_bytes(100);
    let tier = Tier::rate("work", quota(60, 20))
        .by(By::account())
        .cost(cost);
    let limits = RateLimits::builder().clock(clock.clone()).tier(tier);
    let service = guarded(limits.build().unwrap());
    let left = |answer: &Answer| header(answer, "ratelimit").unwrap().to_owned();
    // Its body has some 90 bytes.
    let answer = tool("t").by("ann").to(&service).await;
    assert_eq!(left(&answer), r#""work";r=17;t=1"#);
    let answer = tool("dear").by("ann").to(&service).await;
    assert_eq!(left(&answer), r#""work";r=11;t=1"#);
    let long = format!(
        r#"{{"name":"t","arguments":{{"text":"{}"}}}}"#,
        "x".repeat(500)
    );
    let answer = method("tools/call", &long).by("ann").to(&service).await;
    assert_eq!(left(&answer), r#""work";r=3;t=1"#, "2 and 6");
    let refused = tool("dear").by("ann").to(&service).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(left(&refused), r#""work";r=3;t=3"#, "6 are needed");
    assert_eq!(header(&refused, "retry-after"), Some("3"));
    clock.advance(Duration::from_secs(3));
    assert_eq!(tool("dear").by("ann").to(&service).await.status(), 200);
}

#[tokio::test]
async fn a_body_that_costs_more_than_the_bucket_holds_is_paid_for_by_those_that_follow() {
    let clock = clock();
    let tier = Tier::rate("bytes", quota(60, 10)).by(By::account());
    let tier = tier.cost(Cost::each(1).body_bytes(10));
    let limits = RateLimits::builder().clock(clock.clone()).tier(tier);
    let service = guarded(limits.build().unwrap());
    let long = format!(
        r#"{{"name":"t","arguments":{{"text":"{}"}}}}"#,
        "x".repeat(211)
    );
    let large = || method("tools/call", &long).by("ann");
    assert_eq!(large().to(&service).await.status(), 200);
    let refused = large().to(&service).await;
    // 31 to 33 tens of bytes, and 1.
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((30..=35).contains(&wait), "{wait}");
    clock.advance(Duration::from_secs(wait - 1));
    assert_eq!(large().to(&service).await.status(), 429);
    clock.advance(Duration::from_secs(1));
    assert_eq!(large().to(&service).await.status(), 200);
}

#[tokio::test]
async fn a_tier_in_shadow_refuses_nothing_charges_nothing_else_and_is_told() {
    let told = Arc::new(AtomicUsize::new(0));
    let events = Events::to({
        let told = Arc::clone(&told);
        move |event| {
            assert_eq!(
                (event.kind, event.severity),
                ("would_refuse", Severity::Info)
            );
            told.fetch_add(1, Ordering::Relaxed);
        }
    });
    let clock = clock();
    let build = |shadow: bool| {
        let limits = RateLimits::builder()
            .clock(clock.clone())
            .account(quota(60, 5));
        let limits = limits.events(events.clone());
        let tier = rate("strict", 2).by(By::account());
        limits
            .tier(if shadow { tier.shadow() } else { tier })
            .build()
            .unwrap()
    };
    let limits = build(true);
    let service = guarded(limits.clone());
    let mut findings = Vec::new();
    for left in [4, 3, 2, 1, 0] {
        let (answer, found) = tool("t").by("ann").traced(&service).await;
        assert_eq!(answer.status(), 200);
        let account = format!(r#""account";r={left};t=1"#);
        assert!(
            header(&answer, "ratelimit")
                .unwrap()
                .starts_with(&account[..12])
        );
        let names = header(&answer, "ratelimit-policy").unwrap();
        assert!(!names.contains("strict"), "nobody is told of it");
        findings.extend(found.into_iter().filter(|f| f.verdict == Verdict::Noted));
    }
    assert_eq!(findings.len(), 3);
    assert_eq!(findings[0].kind, "would_refuse");
    assert_eq!(findings[0].reason, "tier `strict` is used up");
    assert_eq!(told.load(Ordering::Relaxed), 1, "once a minute");
    assert_eq!(tool("t").by("ann").to(&service).await.status(), 429);
    let tiers = limits.statistics();
    let of = |name: &str| tiers.iter().find(|tier| tier.tier == name).unwrap();
    let strict = of("strict");
    assert!(strict.shadow && !of("account").shadow);
    assert_eq!((strict.total_requests, strict.rejected_requests), (6, 4));
    let account = of("account");
    assert_eq!((account.total_requests, account.rejected_requests), (6, 1));

    // As if it were obeyed: after a second it would admit one.
    clock.advance(Duration::from_secs(1));
    let (_, found) = tool("t").by("ann").traced(&service).await;
    assert!(found.iter().all(|f| f.verdict != Verdict::Noted));
    clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        tool("t").by("ann").to(&service).await;
    }
    assert_eq!(told.load(Ordering::Relaxed), 2);
    assert_eq!(build(false).statistics().len(), 4);
}

#[tokio::test]
async fn outside_authentication_networks_and_closures_count_and_nothing_that_is_not_verified_yet() {
    let host = By::key(|asking| {
        assert!(asking.call().is_none());
        Some(asking.headers().get("host")?.to_str().ok()?.into())
    });
    let limits = AddressLimits::builder().clock(clock());
    let limits = limits
        .tier(rate("net", 2).by(By::network(16, 32)))
        .tier(rate("host", 1).by(host))
        .build()
        .unwrap();
    let service = fenced(limits);
    let ask = |address: &str, host: &str| {
        let ask = tool("t").header("authorization", "good").from(address);
        ask.header("host", host).to(&service)
    };
    assert_eq!(ask("192.0.2.1", "a").await.status(), 200);
    assert_eq!(ask("192.0.3.1", "a").await.status(), 429, "host");
    assert_eq!(ask("192.0.3.1", "b").await.status(), 200);
    assert_eq!(ask("192.0.4.1", "c").await.status(), 429, "net");
    for tier in [
        rate("x", 1).by(By::account()),
        rate("x", 1).by(By::tenant()),
        rate("x", 1).by(By::session()),
        rate("x", 1).by(By::method()),
        rate("x", 1).by(By::address()).tools(["t"]),
        rate("x", 1).by(By::address()).streams(),
        rate("x", 1)
            .by(By::address())
            .cost(Cost::each(1).body_bytes(1)),
    ] {
        let error = AddressLimits::builder().tier(tier).build().unwrap_err();
        assert!(error.to_string().contains("tier `x`"), "{error}");
    }
}

#[test]
fn tiers_that_contradict_themselves_do_not_build() {
    let long = "x".repeat(33);
    let open = |most| Tier::open("open", most).by(By::account());
    for (tier, named) in [
        (rate("", 1), "tier ``"),
        (rate("Up", 1), "tier `Up`"),
        (rate("a\"b", 1), "tier"),
        (rate(&long, 1), "1 to 32"),
        (rate("x", 1).by(By::network(33, 64)), "IPv4 prefix `33`"),
        (rate("x", 1).by(By::network(32, 65)), "IPv6 prefix `65`"),
        (
            rate("x", 1).by(By::address()).by(By::network(8, 16)),
            "two ways",
        ),
        (rate("x", 1).tools([""; 0]), "concerns no tool"),
        (rate("x", 1).tools([""]), "1 to 1024"),
        (rate("x", 1).methods([""; 0]), "concerns no method"),
        (rate("x", 1).cost(Cost::each(0)), "cost `0`"),
        (
            rate("x", 1).cost(Cost::each(1).tool("t", 1_000_001)),
            "`1000001`",
        ),
        (
            rate("x", 1).cost(Cost::each(1).body_bytes(0)),
            "bytes of a cost `0`",
        ),
        (open(0), "open requests `0`"),
        (open(2).cost(Cost::each(2)), "cost 1 each"),
        (rate("x", 1).by(By::session()), "account tier"),
        (rate("account", 1).by(By::account()), "given twice"),
    ] {
        let limits = RateLimits::builder();
        let limits = match named {
            "account tier" => limits.global(quota(60, 1)),
            _ => limits.account(quota(60, 1)),
        };
        let error = limits.tier(tier).build().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let many = (0..11).map(|n| rate(&format!("t{n}"), 1).by(By::account()));
    let many = many.fold(RateLimits::builder(), |limits, tier| limits.tier(tier));
    let error = many.build().unwrap_err().to_string();
    assert!(
        error.contains("`t10`") && error.contains("10 rates"),
        "{error}"
    );
}
