use std::{borrow::Cow, sync::Arc, time::Duration};

use bartizan::{
    Call, CallLayer, Clock, Principal, SecurityContext, SystemClock,
    ratelimit::{AddressLimitLayer, AddressLimits, By, Quota, RateLimits, Tier},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    BURST, Caller, Case, FIELDS, Side,
    work::{Decisions, Passes, answer},
};

/// Runs a thousand times as fast, so that one who asks without a pause is admitted a thousand times as often as a quota can
/// say. It is read as the system's is.
#[derive(Debug)]
struct Fast(SystemClock);

impl Clock for Fast {
    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() * 1000
    }
}

fn clock(case: &Case) -> Arc<dyn Clock> {
    match case.is_warm() {
        true => Arc::new(Fast(SystemClock::new())),
        false => Arc::new(SystemClock::new()),
    }
}

fn quota(case: &Case) -> Quota {
    let quota = match case.is_warm() {
        true => Quota::per_second(1_000_000),
        false => Quota::per_hour(1),
    };
    quota.and_then(|quota| quota.burst(BURST)).unwrap()
}

/// As many as there are, and those for whom a part of the table is full.
fn max_keys(case: &Case) -> usize {
    let keys = case.tiers * case.callers as usize;
    (keys * 3).max(1000)
}

pub(super) fn decision(case: &Case) -> Side {
    let (call, headers) = called();
    let quota = quota(case);
    let limits = RateLimits::builder()
        .clock(clock(case))
        .max_keys(max_keys(case));
    let limits = limits.without_headers().account(quota);
    let limits = match case.tiers {
        1 => limits,
        _ => limits.api_key(quota).session(quota).tool("t", quota),
    };
    let limits = limits.build().unwrap();
    let decide = move |context: &SecurityContext| limits.check(&call, &headers, context).is_ok();
    Side {
        name: "ours",
        work: Box::new(Decisions::new(account, decide)),
    }
}

fn account(caller: Caller) -> SecurityContext {
    let context = SecurityContext::default();
    let subject = format!("account-{}", caller.0);
    let principal = Principal::service("https://auth.example.com", &subject);
    let principal = principal.credential_id(&subject).build("apikey");
    context.set_principal(principal).unwrap();
    context
}

/// A call of a tool in a session, read.
fn called() -> (Call, HeaderMap) {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("mcp-session-id", "c0ffee00-0000-4000-8000-000000000000");
    let mut request = request.body(Full::from(body)).unwrap();
    let context = SecurityContext::of(&mut request);
    let headers = request.headers().clone();
    let inner = service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let answer = runtime
        .unwrap()
        .block_on(CallLayer::new().layer(inner).oneshot(request));
    assert_eq!(answer.unwrap().status(), 200);
    (context.call().unwrap().clone(), headers)
}

pub(super) fn layer(case: &Case) -> Side {
    let quota = quota(case);
    let limits = AddressLimits::builder()
        .clock(clock(case))
        .max_keys(max_keys(case));
    let mut limits = limits.address(quota);
    for field in FIELDS.into_iter().take(case.tiers - 1) {
        let by = By::key(move |asking| {
            let said = asking.headers().get(field)?.to_str().ok()?;
            Some(Cow::Borrowed(said))
        });
        limits = limits.tier(Tier::rate(field, quota).by(by));
    }
    let layer = AddressLimitLayer::new(limits.build().unwrap());
    Side {
        name: "ours",
        work: Box::new(Passes::new(layer.layer(service_fn(answer)))),
    }
}
