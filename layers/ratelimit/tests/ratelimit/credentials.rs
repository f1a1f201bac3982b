//! Credentials that say themselves how often they may be used.

use bartizan_core::{CallRate, Clock, CredentialLimits, Principal, SecurityContext};
use bartizan_ratelimit::{RateLimitLayer, RateLimits, RateLimitsBuilder};
use http::{Request, Response};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::*;

fn limits(tiers: impl FnOnce(RateLimitsBuilder) -> RateLimitsBuilder) -> RateLimits {
    tiers(RateLimits::builder().clock(clock())).build().unwrap()
}

/// A key of an account, and what was made from it: its id stays, and each adds its rate.
fn key(owner: &str, id: &str, rates: &[(u32, u32)]) -> Principal {
    let mut key = Principal::service("apikey:acme", owner).credential_id(id);
    for (per_minute, burst) in rates {
        let rate = CallRate::new(*per_minute, *burst).unwrap();
        key = key.limits(CredentialLimits::new().with_rate(rate).unwrap());
    }
    key.build("apikey")
}

async fn admitted(limits: &RateLimits, times: usize, who: &Principal) -> usize {
    let service = guarded(limits.clone());
    let mut admitted = 0;
    for _ in 0..times {
        let answer = tool("t").of(who.clone()).to(&service).await;
        admitted += usize::from(answer.status() == 200);
    }
    admitted
}

#[tokio::test]
async fn a_credential_is_held_to_its_own_rate_and_told_it() {
    let limits = limits(|l| l.account(quota(600, 100)));
    let service = guarded(limits.clone());
    let ask = || tool("t").of(key("ci", "k1", &[(6, 2)]));
    let answer = ask().to(&service).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        header(&answer, "ratelimit"),
        Some(r#""credential";r=1;t=10"#)
    );
    let policy = header(&answer, "ratelimit-policy");
    assert_eq!(policy, Some(r#""credential";q=2;w=20"#));
    assert_eq!(ask().to(&service).await.status(), 200);
    let (refused, findings) = ask().traced(&service).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "retry-after"), Some("10"));
    assert_eq!(
        header(&refused, "ratelimit"),
        Some(r#""credential";r=0;t=10"#)
    );
    assert_eq!(denial(&refused).reason(), "tier `credential` is used up");
    assert_eq!(findings.len(), 1);
    // Another key of the account, and one that says nothing.
    assert_eq!(admitted(&limits, 3, &key("ci", "k2", &[(6, 2)])).await, 2);
    assert_eq!(admitted(&limits, 5, &key("ci", "k3", &[])).await, 5);
}

#[tokio::test]
async fn nothing_is_charged_on_refusal_by_whichever_tier() {
    let by_account = limits(|l| l.account(quota(6, 1)));
    let one = key("ci", "k1", &[(600, 50)]);
    assert_eq!(admitted(&by_account, 10, &one).await, 1);
    let counted = |name| {
        let all = by_account.statistics();
        let tier = all.into_iter().find(|tier| tier.tier == name).unwrap();
        (tier.total_requests, tier.rejected_requests)
    };
    assert_eq!(counted("account"), (10, 9));
    assert_eq!(counted("credential"), (1, 0));

    let by_key = limits(|l| l.account(quota(6, 3)));
    assert_eq!(admitted(&by_key, 5, &key("ci", "k1", &[(6, 1)])).await, 1);
    assert_eq!(admitted(&by_key, 5, &key("ci", "k2", &[])).await, 2);
}

#[tokio::test]
async fn what_was_made_from_a_credential_takes_from_its_bucket_and_is_held_to_the_lowest() {
    let limits = limits(RateLimitsBuilder::only_credentials);
    let parent = key("ci", "k1", &[(60, 10)]);
    let child = key("ci", "k1", &[(60, 10), (6, 3)]);
    assert_eq!(admitted(&limits, 9, &child).await, 3, "its own");
    assert_eq!(admitted(&limits, 9, &parent).await, 7, "what is left");
    // A child that says more than its parent has, has what that has.
    let wide = key("ci", "k2", &[(6, 2), (600, 99)]);
    assert_eq!(admitted(&limits, 9, &wide).await, 2);
    assert_eq!(admitted(&limits, 9, &key("ci", "k2", &[(6, 2)])).await, 0);
}

/// Who holds a child makes others from it, and all of them have what it has.
#[tokio::test]
async fn many_children_of_a_child_have_together_what_it_has() {
    let limits = limits(RateLimitsBuilder::only_credentials);
    let mut all = 0;
    for burst in 1..=20 {
        let grandchild = key("ci", "k1", &[(6000, 1000), (60, 20), (59, burst)]);
        all += admitted(&limits, 9, &grandchild).await;
    }
    assert_eq!(all, 20);
    let deep: Vec<_> = (0..40).map(|n| (6000 - n, 1000)).chain([(6, 1)]).collect();
    assert_eq!(admitted(&limits, 9, &key("ci", "k2", &deep)).await, 1);
}

#[tokio::test]
async fn a_credential_without_an_id_counts_as_its_account() {
    let limits = limits(|l| l.account(quota(600, 100)));
    let who = || {
        let rate = CredentialLimits::new().with_rate(CallRate::new(6, 2).unwrap());
        let who = Principal::service("apikey:acme", "ci").limits(rate.unwrap());
        who.build("other")
    };
    assert_eq!(admitted(&limits, 5, &who()).await, 2);
}

#[tokio::test]
async fn rl_10_discovery_is_not_refused_by_the_rate_of_a_credential_and_not_without_bound() {
    let limits = limits(|l| l.tool("t", quota(6, 1)));
    let service = guarded(limits.clone());
    let one = key("ci", "k1", &[(1, 1)]);
    let mut admitted = 0;
    for _ in 0..100 {
        let answer = method("initialize", "{}")
            .of(one.clone())
            .to(&service)
            .await;
        admitted += usize::from(answer.status() == 200);
    }
    assert_eq!(admitted, 30);
    let names = limits.statistics().into_iter().map(|tier| tier.tier);
    assert!(names.eq(["tool", "discovery"]));
}

#[tokio::test]
async fn who_counts_says_so_and_of_who_has_no_rate_nobody_speaks() {
    let limits = limits(|l| l.account(quota(600, 100)));
    let inner = service_fn(|mut request: Request<_>| async move {
        let context = SecurityContext::of(&mut request);
        let counted = context.rate_is_judged().to_string();
        Ok::<_, std::convert::Infallible>(Response::new(http_body_util::Full::from(counted)))
    });
    let service = RateLimitLayer::new(limits).layer(inner);
    for (rates, counted) in [(&[(6, 1)][..], "true"), (&[], "false")] {
        for ask in [tool("t"), method("server/discover", "{}")] {
            let request = ask.of(key("ci", counted, rates)).into_request();
            let answer = service.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(text(answer).await, counted);
        }
    }
}

#[test]
fn only_credentials_is_a_choice_that_is_said() {
    assert!(RateLimits::builder().build().is_err());
    let limits = RateLimits::builder().only_credentials().build().unwrap();
    assert!(limits.statistics().is_empty());
}

proptest! {
    /// Against token buckets in whole numbers, one for the key and one for its child.
    #[test]
    fn a_chain_admits_what_two_slow_buckets_do(
        steps in proptest::collection::vec((0_u64..5, any::<bool>()), 1..60),
        parent in (1_u32..120, 1_u32..5),
        child in (1_u32..120, 1_u32..5),
    ) {
        let clock = clock();
        let limits = RateLimits::builder().only_credentials().clock(clock.clone());
        let service = guarded(limits.build().unwrap());
        let both = (parent.0.min(child.0), parent.1.min(child.1));
        let (mut of_parent, mut of_child) = (Bucket::new(parent), Bucket::new(both));
        let (key_one, key_two) = (key("ci", "k", &[parent]), key("ci", "k", &[parent, child]));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (seconds, by_child) in steps {
            clock.advance(std::time::Duration::from_secs(seconds));
            let now = clock.monotonic().as_nanos() as i128;
            let expected = of_parent.has(now) && (!by_child || both == parent || of_child.has(now));
            if expected {
                of_parent.take();
                if by_child {
                    of_child.take();
                }
            }
            let who = if by_child { &key_two } else { &key_one };
            let answer = runtime.block_on(tool("t").of(who.clone()).to(&service));
            prop_assert_eq!(answer.status() == 200, expected);
        }
    }
}

/// In nanoseconds' worth: one call costs an interval.
struct Bucket {
    interval: i128,
    full: i128,
    left: i128,
    at: i128,
}

impl Bucket {
    fn new((per_minute, burst): (u32, u32)) -> Self {
        let interval = 60_000_000_000_i128.div_euclid(per_minute.into())
            + i128::from(60_000_000_000_i128 % i128::from(per_minute) != 0);
        let full = interval * i128::from(burst);
        Self {
            interval,
            full,
            left: full,
            at: 0,
        }
    }

    fn has(&mut self, now: i128) -> bool {
        self.left = self.full.min(self.left + now - self.at);
        self.at = now;
        self.left >= self.interval
    }

    fn take(&mut self) {
        self.left -= self.interval;
    }
}
