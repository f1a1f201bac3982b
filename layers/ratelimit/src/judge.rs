use std::sync::Arc;

use bartizan_core::{
    Call, CallLimits, Denial, DenialKind, ResponseBody, SecurityContext, admit,
    call::{CallGuard, JudgeCall, Pass},
    note, refuse,
};
use http::{HeaderMap, Response, StatusCode};

#[cfg(feature = "redis")]
use bartizan_core::call::Judged;

#[cfg(feature = "redis")]
use crate::fleet;
use crate::{
    asked::Asked,
    fields::{self, Fields, Telling},
    limiter::{Admitted, Exhausted, Permit},
    methods::{is_apart, is_discovery},
    parties::Parties,
    shared::Shared,
    tier::Limit,
    version::Limits,
};

/// The service of [`RateLimitLayer`](crate::RateLimitLayer).
pub type RateLimit<S> = CallGuard<S, RateLimitRules>;

/// What [`RateLimitLayer`](crate::RateLimitLayer) judges by.
#[derive(Debug, Clone)]
pub struct RateLimitRules {
    shared: Arc<Shared>,
}

/// What an admitted request's answer tells of its limits. While it is there, or the answer that it was given to, the
/// request counts as open.
#[derive(Debug)]
pub struct Told {
    fields: Option<Fields>,
    /// Nanoseconds for which the next such request would be refused.
    wait: u64,
    permit: Option<Box<Permit>>,
}

impl RateLimitRules {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// All that a call has to ask.
#[inline]
fn ask(
    shared: &Shared,
    asked: &mut Asked,
    limits: &Limits,
    call: &Call,
    headers: &HeaderMap,
    context: &SecurityContext,
) {
    let parties = Parties::new(shared.keys(), limits.prefixes, Some(call), headers, context);
    let plan = limits.plans.of(call);
    limits.ask(asked, plan, &parties, call.body().len());
    if let Some(principal) = context.principal().filter(|who| who.rate().is_some()) {
        context.judge_rate();
        limits.ask_credential(asked, &parties, principal, is_apart(call.method()));
    }
}

/// Decides by what this process keeps.
#[inline]
fn decide(
    shared: &Shared,
    asked: &mut Asked,
    limits: &Limits,
    call: &Call,
    context: &SecurityContext,
) -> Result<Told, Denial> {
    match shared.decide(limits, asked) {
        Ok((admitted, permit)) => Ok(Told::new(&admitted, permit, limits.telling, context)),
        Err(exhausted) => Err(refused(&exhausted, limits.telling, call.method())),
    }
}

impl Told {
    /// Of a request that may pass.
    #[inline]
    pub(crate) fn new(
        admitted: &Admitted<'_>,
        permit: Option<Box<Permit>>,
        telling: Telling,
        context: &SecurityContext,
    ) -> Self {
        if let Some(rule) = admitted.would_refuse {
            note!("ratelimit", context, "would_refuse", rule.reason.clone());
        }
        admit!("ratelimit", context, "within_limits");
        let told = admitted.nearest.filter(|_| !telling.quiet);
        Self {
            fields: told.and_then(|standing| Fields::of(&standing, telling)),
            wait: admitted.wait,
            permit,
        }
    }
}

impl JudgeCall for RateLimitRules {
    type Pass = Told;

    fn limits(&self) -> CallLimits {
        self.shared.call_limits()
    }

    fn judge(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Told, Denial> {
        check(&self.shared, call, headers, context)
    }

    #[cfg(feature = "redis")]
    fn begin(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Judged<Told>, Denial> {
        begin(&self.shared, call, headers, context)
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("ratelimit", context, denial)
    }
}

impl Pass for Told {
    /// An answer that tells when to come back is left alone but for that: it speaks of its own limit.
    fn amend(self, headers: &mut HeaderMap) {
        if headers.contains_key(http::header::RETRY_AFTER) {
            if self.wait > 0 {
                fields::prolong(headers, self.wait);
            }
        } else if let Some(fields) = self.fields {
            fields.amend(headers);
        }
    }

    fn complete<B>(mut self, answer: &mut Response<ResponseBody<B>>) {
        if let Some(permit) = self.permit.take() {
            let body = std::mem::take(answer.body_mut());
            *answer.body_mut() = body.keeping(permit);
        }
        let is_refusal = matches!(
            answer.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if is_refusal {
            self.fields = None;
        }
        self.amend(answer.headers_mut());
    }
}

/// The refusal, which names the tier to the operator.
pub(crate) fn refused(exhausted: &Exhausted<'_>, telling: Telling, method: &str) -> Denial {
    let rule = exhausted.rule;
    let kind = match rule.limit {
        // Nobody in particular has too many.
        Limit::Open(_) if rule.is_single() => DenialKind::Saturated,
        // After a 4xx a client would speak an older protocol (TR-3).
        _ if is_discovery(method) => DenialKind::DiscoveryLimited,
        _ => DenialKind::RateLimited,
    };
    let denial = Denial::new(kind, rule.reason.clone()).with_retry_after(exhausted.wait);
    let Some(told) = exhausted.told else {
        return denial;
    };
    let denial = denial.with_violated_policy(told.rule.name.to_string());
    match Fields::of(&told, telling) {
        Some(fields) => fields.on(denial),
        None => denial,
    }
}

/// What a refused or admitted request is judged by, outside of any layer.
pub(crate) fn check(
    shared: &Shared,
    call: &Call,
    headers: &HeaderMap,
    context: &SecurityContext,
) -> Result<Told, Denial> {
    let limits = &*shared.current();
    let mut asked = Asked::default();
    ask(shared, &mut asked, limits, call, headers, context);
    #[cfg(feature = "redis")]
    if !asked.fleet.is_empty() {
        let reason = "a shared tier has to be waited for, which `check_shared` does";
        return Err(Denial::new(DenialKind::Unavailable, reason));
    }
    decide(shared, &mut asked, limits, call, context)
}

/// The same, where it may have to be waited for.
#[cfg(feature = "redis")]
pub(crate) async fn check_shared(
    shared: &Arc<Shared>,
    call: &Call,
    headers: &HeaderMap,
    context: &SecurityContext,
) -> Result<Told, Denial> {
    match begin(shared, call, headers, context)? {
        Judged::Now(told) => Ok(told),
        Judged::Later(pending) => pending.await,
    }
}

#[cfg(feature = "redis")]
fn begin(
    shared: &Arc<Shared>,
    call: &Call,
    headers: &HeaderMap,
    context: &SecurityContext,
) -> Result<Judged<Told>, Denial> {
    let limits = shared.current();
    let mut asked = Asked::default();
    ask(shared, &mut asked, &limits, call, headers, context);
    if asked.fleet.is_empty() {
        return decide(shared, &mut asked, &limits, call, context).map(Judged::Now);
    }
    fleet::begin(shared, limits.into_arc(), asked, call, context)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bartizan_core::{Principal, identify};
    use bytes::Bytes;
    use http::Request;
    use http_body_util::Full;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{Quota, RateLimitLayer, RateLimits, keys::Id};

    const SUBJECT: &str = "subject-of-the-test";
    const KEY: &str = "sk_live_secret_of_the_test";

    /// What a caller with a key leaves behind in limits of its own.
    async fn kept_of_a_call() -> Vec<Id> {
        let quota = Quota::per_minute(60).unwrap();
        let limits = RateLimits::builder().account(quota).api_key(quota);
        let limits = limits.session(quota).build().unwrap();
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
        let mut request = Request::post("/mcp")
            .header("content-type", "application/json")
            .header("mcp-session-id", "session-of-the-test")
            .body(Full::from(body))
            .unwrap();
        let principal = Principal::service("keys", SUBJECT).credential_id(KEY);
        identify(&mut request, principal.build("apikey")).unwrap();
        let service = RateLimitLayer::new(limits.clone()).layer(service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
        limits.0.ids()
    }

    #[tokio::test]
    async fn seed_r4_buckets_hold_no_piece_of_a_key_or_a_name_and_differ_between_processes() {
        let (here, elsewhere) = (kept_of_a_call().await, kept_of_a_call().await);
        assert_eq!(here.len(), 3, "account, key and session");
        for id in &here {
            let Id([front, back]) = id;
            for half in [
                front.to_le_bytes(),
                front.to_be_bytes(),
                back.to_le_bytes(),
                back.to_be_bytes(),
            ] {
                for text in [SUBJECT, KEY, "session-of-the-test"] {
                    let mut pieces = half.windows(4);
                    let is_of = |piece: &[u8]| text.as_bytes().windows(4).any(|w| w == piece);
                    assert!(!pieces.any(is_of), "a piece of `{text}` is kept");
                }
            }
            assert!(!elsewhere.contains(id), "the same name in two processes");
        }
    }
}
