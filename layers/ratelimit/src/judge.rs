use std::sync::Arc;

use bartizan_core::{
    Call, CallLimits, CallRate, CredentialLimits, Denial, DenialKind, Principal, ResponseBody,
    SecurityContext, admit,
    call::{CallGuard, JudgeCall, Pass, Subject},
    refuse,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::{
    fields::{Fields, Telling},
    keys::{Owner, Sort},
    limiter::{Asked, Exhausted},
    limits::Limits,
    party::Party,
    table::{Cell, Place},
};

/// The service of [`RateLimitLayer`](crate::RateLimitLayer).
pub type RateLimit<S> = CallGuard<S, RateLimitRules>;

/// What [`RateLimitLayer`](crate::RateLimitLayer) judges by.
#[derive(Debug, Clone)]
pub struct RateLimitRules {
    limits: Arc<Limits>,
}

/// What an admitted request's answer tells of its limits.
#[derive(Debug)]
pub struct Told(Option<Fields>);

/// Buckets of one credential: its own, and one for each step of a chain that was made from it.
const MOST_RATES: usize = 5;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The methods by which a client finds out what the server speaks (RL-10).
pub(crate) const DISCOVERY: [&str; 2] = ["server/discover", "initialize"];

impl RateLimitRules {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits }
    }
}

impl JudgeCall for RateLimitRules {
    type Pass = Told;

    fn limits(&self) -> CallLimits {
        self.limits.call_limits
    }

    fn judge(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Told, Denial> {
        let limits = &*self.limits;
        let mut asked = Asked::new();
        limits.ask(&mut asked, call, headers, context);
        match limits.limiter.decide(&mut asked) {
            Ok(standing) => {
                admit!("ratelimit", context, "within_limits");
                let told = standing.filter(|_| !limits.telling.quiet);
                Ok(Told(told.and_then(|s| Fields::of(&s, limits.telling))))
            }
            Err(exhausted) => Err(refused(&exhausted, limits.telling)),
        }
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("ratelimit", context, denial)
    }
}

impl Pass for Told {
    fn amend(self, headers: &mut HeaderMap) {
        if let Some(fields) = self.0 {
            fields.amend(headers);
        }
    }
}

impl Limits {
    /// Names the cells that a call takes from.
    fn ask(&self, asked: &mut Asked, call: &Call, headers: &HeaderMap, context: &SecurityContext) {
        let owner = Party::of(context).owner(&self.limiter.keys);
        let rated = context.principal().filter(|who| who.rate().is_some());
        if rated.is_some() {
            context.judge_rate();
        }
        if DISCOVERY.contains(&call.method()) {
            let rated = rated.map(|_| self.rated_discovery);
            if let Some(tier) = self.discovery.or(rated) {
                asked.take(self.limiter.cell(tier, &owner));
            }
            return;
        }
        let tool = match (call.subject(), call.name()) {
            (Some(Subject::Tool), Some(name)) => self.tools.get(name).copied().or(self.other_tools),
            _ => None,
        };
        for tier in [self.account, tool].into_iter().flatten() {
            asked.take(self.limiter.cell(tier, &owner));
        }
        if let Some(cell) = self.api_key_cell(context, &owner) {
            asked.take(cell);
        }
        if let Some(principal) = rated {
            self.ask_credential(asked, principal, &owner);
        }
        if let Some(cell) = self.session_cell(headers, &owner) {
            asked.take(cell);
        }
        if let Some(tier) = self.global {
            asked.take((tier, Place::Single));
        }
    }

    /// The bucket of the key; of the account, if its authenticator names no key.
    fn api_key_cell(&self, context: &SecurityContext, owner: &Owner) -> Option<Cell> {
        let tier = self.api_key?;
        let is_key = |principal: &&Principal| principal.method() == "apikey";
        let principal = context.principal().filter(is_key)?;
        let of_key = self.credential(principal);
        Some(self.limiter.cell(tier, of_key.as_ref().unwrap_or(owner)))
    }

    /// What the credential says of itself. One that was made from another takes from its buckets too, and has one
    /// of its own if its rate is lower: as many as are made of one rate have one together.
    fn ask_credential(&self, asked: &mut Asked, principal: &Principal, account: &Owner) {
        let credential = self.credential(principal);
        let credential = credential.as_ref().unwrap_or(account);
        let mut rate: Option<CallRate> = None;
        let mut rates = [[0; 4]; 2 * MOST_RATES];
        let mut said = 0;
        for next in principal.limits().iter().filter_map(CredentialLimits::rate) {
            let together = rate.map_or(next, |rate| rate.and(next));
            if rate == Some(together) {
                continue;
            }
            // Of a longer chain the last bucket is that of all that follow.
            let is_last = said + 2 >= rates.len();
            let together = principal.rate().filter(|_| is_last).unwrap_or(together);
            rate = Some(together);
            for number in [together.per_minute(), together.burst()] {
                if let Some(place) = rates.get_mut(said) {
                    *place = number.to_le_bytes();
                    said += 1;
                }
            }
            let parts = rates.iter().take(said).map(<[u8; 4]>::as_slice);
            let chain = self.limiter.keys.within(credential, Sort::Chain, parts);
            let cell = self.limiter.cell(self.credential_tier, &chain);
            asked.take_by(cell, together.into());
        }
    }

    /// Whose the buckets of a credential are; `None` if its authenticator names none.
    fn credential(&self, principal: &Principal) -> Option<Owner> {
        let id = principal.credential_id()?;
        let parts = [principal.issuer(), id].map(str::as_bytes);
        Some(self.limiter.keys.owner(Sort::ApiKey, parts))
    }

    fn session_cell(&self, headers: &HeaderMap, owner: &Owner) -> Option<Cell> {
        let tier = self.session?;
        let mut ids = headers.get_all(SESSION_ID).iter().peekable();
        ids.peek()?;
        let ids = ids.map(HeaderValue::as_bytes);
        let session = self.limiter.keys.within(owner, Sort::Session, ids);
        Some(self.limiter.cell(tier, &session))
    }
}

/// The refusal, which names the tier to the operator.
pub(crate) fn refused(exhausted: &Exhausted<'_>, telling: Telling) -> Denial {
    let denial = Denial::new(DenialKind::RateLimited, exhausted.tier.reason.clone())
        .with_retry_after(exhausted.wait);
    let Some(told) = exhausted.told else {
        return denial;
    };
    let denial = denial.with_violated_policy(told.tier.name);
    match Fields::of(&told, telling) {
        Some(fields) => fields.on(denial),
        None => denial,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bartizan_core::identify;
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
        limits.0.limiter.table.ids()
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
