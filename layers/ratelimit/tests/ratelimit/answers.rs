//! What answers tell.

use std::time::Duration;

use bartizan_ratelimit::RateLimits;
use http::HeaderMap;
use sfv::{BareItem, ListEntry, Parser};

use crate::common::*;

/// Name and parameters of each member of a list, read by RFC 9651.
fn list(answer: &Answer, name: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let lines = answer.headers().get_all(name).iter();
    let text: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
    let list: sfv::List = Parser::new(&text.join(", ")).parse().unwrap();
    let read = |entry: ListEntry| {
        let ListEntry::Item(item) = entry else {
            panic!("an inner list");
        };
        let BareItem::String(name) = item.bare_item else {
            panic!("RL-3: a name is a string");
        };
        let params = item.params.into_iter().map(|(key, value)| {
            let BareItem::Integer(value) = value else {
                panic!("RL-3: {key} is a number");
            };
            (key.as_str().to_owned(), value.into())
        });
        (name.as_str().to_owned(), params.collect())
    };
    list.into_iter().map(read).collect()
}

fn member(name: &str, params: &[(&str, i64)]) -> Vec<(String, Vec<(String, i64)>)> {
    let params = params
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value));
    vec![(name.to_owned(), params.collect())]
}

#[tokio::test]
async fn rl_3_an_admitted_answer_tells_the_tier_that_is_nearest_to_its_end() {
    let clock = clock();
    let limits = RateLimits::builder().clock(clock.clone());
    let limits = limits.account(quota(60, 20)).tool("rare", quota(6, 3));
    let service = guarded(limits.global(quota(60, 1000)).build().unwrap());
    let answer = tool("t").by("ann").to(&service).await;
    assert_eq!(
        list(&answer, "ratelimit-policy"),
        member("account", &[("q", 20), ("w", 20)])
    );
    assert_eq!(
        list(&answer, "ratelimit"),
        member("account", &[("r", 19), ("t", 1)])
    );
    let answer = tool("rare").by("ann").to(&service).await;
    assert_eq!(
        list(&answer, "ratelimit-policy"),
        member("tool", &[("q", 3), ("w", 30)])
    );
    assert_eq!(
        list(&answer, "ratelimit"),
        member("tool", &[("r", 2), ("t", 10)])
    );
    assert_eq!(header(&answer, "retry-after"), None);
    assert_eq!(
        header(&answer, "x-ratelimit-limit"),
        None,
        "on request only"
    );
    clock.advance(Duration::from_secs(7));
    let answer = tool("rare").by("ann").to(&service).await;
    assert_eq!(
        list(&answer, "ratelimit"),
        member("tool", &[("r", 1), ("t", 3)]),
        "RL-4"
    );
}

#[tokio::test]
async fn rl_2_a_refusal_says_when_and_then_it_is_admitted_and_not_before() {
    let clock = clock();
    let limits = RateLimits::builder().clock(clock.clone());
    let limits = limits.account(quota(7, 2)).tool("rare", quota(13, 1));
    let service = guarded(limits.build().unwrap());
    for name in ["rare", "t"] {
        assert_eq!(tool(name).by("ann").to(&service).await.status(), 200);
    }
    // The account has its next one after 60/7 s, the tool after 60/13 s.
    let answer = tool("rare").by("ann").to(&service).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "retry-after"), Some("9"));
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(
        list(&answer, "ratelimit"),
        member("account", &[("r", 0), ("t", 9)])
    );
    let exact = denial(&answer).retry_after().unwrap();
    assert_eq!(exact, Duration::from_nanos(60_000_000_000_u64.div_ceil(7)));
    clock.advance(exact - Duration::from_nanos(1));
    assert_eq!(tool("rare").by("ann").to(&service).await.status(), 429);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(tool("rare").by("ann").to(&service).await.status(), 200);
}

#[tokio::test]
async fn rl_12_retry_after_is_the_longest_of_the_tiers_that_refuse() {
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.global(quota(1, 1)).account(quota(60, 1));
    let service = guarded(limits.build().unwrap());
    tool("t").by("ann").to(&service).await;
    let answer = tool("t").by("ann").to(&service).await;
    assert_eq!(
        header(&answer, "retry-after"),
        Some("60"),
        "of the global tier"
    );
    assert_eq!(
        list(&answer, "ratelimit"),
        member("account", &[("r", 0), ("t", 1)])
    );
    let answer = tool("t").by("bob").to(&service).await;
    assert_eq!(header(&answer, "retry-after"), Some("60"));
    assert_eq!(
        header(&answer, "ratelimit"),
        None,
        "RL-5: the global tier is not told about"
    );
}

#[tokio::test]
async fn rl_12_what_an_inner_layer_says_is_added_to_and_a_refusal_of_it_left_alone() {
    let limits = || {
        RateLimits::builder()
            .account(quota(60, 9))
            .legacy_headers()
            .build()
            .unwrap()
    };
    let mut inner = HeaderMap::new();
    inner.insert("ratelimit-policy", "\"inner\";q=1;w=1".parse().unwrap());
    inner.insert("ratelimit", "\"inner\";r=0;t=1".parse().unwrap());
    inner.insert("x-ratelimit-remaining", 0.into());
    let answer = tool("t")
        .by("ann")
        .to(&behind(limits(), inner.clone()))
        .await;
    let names = |name| list(&answer, name).into_iter().map(|(name, _)| name);
    assert!(names("ratelimit").eq(["inner", "account"]));
    assert!(names("ratelimit-policy").eq(["inner", "account"]));
    assert_eq!(header(&answer, "x-ratelimit-remaining"), Some("0"));
    inner.insert("retry-after", 7.into());
    let answer = tool("t").by("ann").to(&behind(limits(), inner)).await;
    assert_eq!(list(&answer, "ratelimit").len(), 1);
    assert_eq!(header(&answer, "retry-after"), Some("7"));
}

/// As the global tier of an inner layer refuses, and as a server that is overloaded.
#[tokio::test]
async fn rl_12_a_refusal_inside_that_tells_of_no_limit_is_given_none() {
    let limits = RateLimits::builder().clock(clock()).legacy_headers();
    let limits = limits.account(quota(60, 9)).build().unwrap();
    let mut inner = HeaderMap::new();
    inner.insert("retry-after", 60.into());
    let answer = tool("t").by("ann").to(&behind(limits, inner.clone())).await;
    assert_eq!(*answer.headers(), inner);
}

#[tokio::test]
async fn rl_4_of_tiers_with_as_many_left_the_one_that_is_waited_for_longest_is_told() {
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.account(quota(60, 1)).tool("rare", quota(6, 1));
    let service = guarded(limits.build().unwrap());
    let answer = tool("rare").by("ann").to(&service).await;
    assert_eq!(
        list(&answer, "ratelimit"),
        member("tool", &[("r", 0), ("t", 10)])
    );
}

#[tokio::test]
async fn seed_r8_legacy_headers_are_whole_numbers_of_the_callers_own_bucket() {
    let clock = clock();
    let limits = RateLimits::builder().clock(clock.clone()).legacy_headers();
    let service = guarded(limits.account(quota(60, 3)).build().unwrap());
    let told = |answer: &Answer| {
        ["limit", "remaining", "reset"].map(|name| {
            let value = header(answer, &format!("x-ratelimit-{name}")).unwrap();
            value.parse::<u32>().unwrap()
        })
    };
    assert_eq!(told(&tool("t").by("ann").to(&service).await), [3, 2, 1]);
    assert_eq!(told(&tool("t").by("ann").to(&service).await), [3, 1, 2]);
    assert_eq!(told(&tool("t").by("bob").to(&service).await), [3, 2, 1]);
    tool("t").by("ann").to(&service).await;
    clock.advance(Duration::from_millis(400));
    let refused = tool("t").by("ann").to(&service).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(told(&refused), [3, 0, 3]);
}

#[tokio::test]
async fn admitted_answers_can_be_left_alone_and_refusals_are_not() {
    let limits = RateLimits::builder()
        .account(quota(60, 1))
        .without_headers();
    let service = guarded(limits.build().unwrap());
    let answer = tool("t").by("ann").to(&service).await;
    assert!(answer.headers().is_empty());
    let answer = tool("t").by("ann").to(&service).await;
    assert_eq!(
        list(&answer, "ratelimit"),
        member("account", &[("r", 0), ("t", 1)])
    );
}

#[tokio::test]
async fn rl_6_seed_r11_a_refusal_is_a_json_rpc_error_that_names_nobody() {
    let limits = RateLimits::builder()
        .account(quota(60, 1))
        .tool("secret_tool", quota(60, 1));
    let service = guarded(limits.build().unwrap());
    tool("secret_tool").by("ann").to(&service).await;
    let answer = tool("secret_tool").by("ann").to(&service).await;
    let reason = denial(&answer).reason().to_owned();
    assert!(reason.starts_with("tier "), "{reason}");
    let shown = format!("{:?}", answer.headers());
    let body = text(answer).await;
    assert_eq!(
        body,
        r#"{"jsonrpc":"2.0","id":"x7","error":{"code":429,"message":"too many requests"}}"#
    );
    for hidden in ["ann", "secret_tool", "auth.example.com"] {
        assert!(!shown.contains(hidden) && !body.contains(hidden));
    }
}
