use std::{sync::Arc, time::Duration};

use bartizan_core::{Clock, Principal};
use bartizan_fetch::HttpFetch;
use bartizan_lookup::{Blame, Interest, Looking, Lookup, Trouble};
use bartizan_token::{Fault, TokenCache};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    request::Builder,
};
use serde_json::{Map, Value, json};

use super::{
    check::{Found, read_check},
    groups::{Groups, Membership, Question},
};
use crate::{
    OAuthConfigError,
    exchange::{AskedAs, JSON, bearer, object, send, unexpected},
    lookup::Surroundings,
};

/// Asks GitHub about tokens.
pub(super) struct Api {
    fetch: HttpFetch,
    clock: Arc<dyn Clock>,
    base: String,
    client: String,
    app: (HeaderName, HeaderValue),
    groups: Groups,
    check_age: Duration,
    /// Whose tokens are.
    checked: TokenCache<Checked>,
    /// What was answered of memberships, by token and path.
    known: TokenCache<Known>,
    issuer: String,
}

#[derive(Clone)]
struct Checked {
    found: Arc<Found>,
    /// By the monotonic clock.
    until: Duration,
}

#[derive(Clone)]
struct Known {
    etag: HeaderValue,
    membership: Membership,
}

const VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-github-api-version"),
    HeaderValue::from_static("2022-11-28"),
);

/// So many of a token's memberships are asked for at a time.
const AT_ONCE: usize = 4;

impl Api {
    pub(super) fn new(
        surroundings: &Surroundings,
        base: String,
        client: String,
        app: (HeaderName, HeaderValue),
        groups: Groups,
        check_age: Duration,
        issuer: String,
    ) -> Result<Self, OAuthConfigError> {
        let missing = || OAuthConfigError::missing("token_cache_capacity");
        let capacity = surroundings.cache_capacity;
        Ok(Self {
            fetch: surroundings.fetch.clone(),
            clock: Arc::clone(&surroundings.clock),
            base,
            client,
            app,
            groups,
            check_age,
            checked: TokenCache::new(capacity)?.ok_or_else(missing)?,
            known: TokenCache::new(capacity)?.ok_or_else(missing)?,
            issuer,
        })
    }

    async fn ask(&self, token: &str) -> Result<Result<Principal, Fault>, Trouble> {
        // Whatever is not a yes by what is remembered is asked from the beginning: the login may be
        // another by now, the token revoked.
        if let Some(found) = self.remembered(token)
            && let Ok(principal) = self.judge(token, &found).await?
        {
            return Ok(Ok(principal));
        }
        let found = match self.check(token).await? {
            Ok(found) => Arc::new(found),
            Err(fault) => {
                self.checked.forget(self.checked.fingerprint(token));
                return Ok(Err(fault));
            }
        };
        match self.judge(token, &found).await? {
            Ok(principal) => {
                self.remember(token, found);
                Ok(Ok(principal))
            }
            Err(No::Fault(fault)) => Ok(Err(fault)),
            // Of the app a moment ago, and of nobody now.
            Err(No::BadToken) => Err(Trouble::new("status 401").blamed_on(Blame::Caller)),
        }
    }

    fn remembered(&self, token: &str) -> Option<Arc<Found>> {
        let place = self.checked.fingerprint(token);
        let checked = self.checked.find(place)?;
        if checked.until <= self.clock.monotonic() || self.groups.is_anybody() {
            self.checked.forget(place);
            return None;
        }
        Some(checked.found)
    }

    fn remember(&self, token: &str, found: Arc<Found>) {
        if !self.check_age.is_zero() && !self.groups.is_anybody() {
            let until = self.clock.monotonic().saturating_add(self.check_age);
            let place = self.checked.fingerprint(token);
            self.checked.remember(place, 0, Checked { found, until });
        }
    }

    async fn judge(&self, token: &str, found: &Found) -> Result<Result<Principal, No>, Trouble> {
        let now = self.clock.wall();
        if found.expires_at.is_some_and(|end| end <= now) {
            return Ok(Err(No::Fault("the token has expired")));
        }
        let questions = self.groups.questions.iter();
        let asking: Vec<_> = questions
            .map(|question| self.membership(token, &found.login, question))
            .collect();
        let asking = stream::iter(asking).buffered(AT_ONCE);
        let answers: Vec<_> = asking.try_collect().await?;
        let roles = self.groups.roles(&answers);
        if answers.contains(&Membership::BadToken) {
            return Ok(Err(No::BadToken));
        }
        if roles.is_empty() && !self.groups.is_anybody() {
            return Ok(Err(No::Fault(why_not(&answers))));
        }
        let mut claims = Map::new();
        claims.insert("login".into(), found.login.clone().into());
        let mut principal = Principal::user(&self.issuer, &found.id.to_string())
            .client_id(&self.client)
            .roles(roles)
            .scopes(found.scopes.iter().map(String::as_str));
        if let Some(expires_at) = found.expires_at {
            principal = principal.expires_at(expires_at);
        }
        Ok(Ok(principal.claims(claims).build("github")))
    }

    /// Whether the token was issued to this app, and for whom.
    async fn check(&self, token: &str) -> Result<Result<Found, Fault>, Trouble> {
        let url = format!("{}/applications/{}/token", self.base, self.client);
        let (name, value) = &self.app;
        let request = request(Request::post(url)).header(name, value);
        let request = request.header(CONTENT_TYPE, JSON);
        let body = json!({ "access_token": token }).to_string();
        let answer = send(&self.fetch, request, body).await?;
        match answer.status() {
            StatusCode::OK => read_check(&object(&answer)?, &self.client),
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Err("GitHub knows no such token of this app"))
            }
            _ => Err(self.trouble(&answer, AskedAs::App)),
        }
    }

    async fn membership(
        &self,
        token: &str,
        login: &str,
        question: &Question,
    ) -> Result<Membership, Trouble> {
        let login = if question.of_login { login } else { "" };
        let path = format!("{}{login}", question.path);
        let place = self.known.fingerprint(&format!("{token} {path}"));
        let known = self.known.find(place);
        let mut request = request(Request::get(format!("{}{path}", self.base)));
        request = request.header(AUTHORIZATION, bearer(token)?);
        if let Some(known) = &known {
            request = request.header(IF_NONE_MATCH, &known.etag);
        }
        let answer = send(&self.fetch, request, Bytes::new()).await?;
        let membership = match (answer.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => return Ok(known.membership),
            (StatusCode::OK, _) => read_membership(&object(&answer)?, question.org_id),
            (StatusCode::NOT_FOUND, _) => Membership::None,
            (StatusCode::UNAUTHORIZED, _) => Membership::BadToken,
            // A spent rate limit says 403 as well.
            (StatusCode::FORBIDDEN, _) if !is_spent(&answer) => {
                if answer.headers().contains_key("x-github-sso") {
                    Membership::NeedsSso
                } else {
                    Membership::None
                }
            }
            _ => return Err(self.trouble(&answer, AskedAs::Caller)),
        };
        match answer.headers().get(ETAG) {
            Some(etag) if etag.len() <= 128 && answer.status() == StatusCode::OK => {
                let etag = etag.clone();
                self.known.remember(place, 0, Known { etag, membership });
            }
            _ => self.known.forget(place),
        }
        Ok(membership)
    }

    fn trouble(&self, answer: &Response<Bytes>, asked_as: AskedAs) -> Trouble {
        let mut trouble = unexpected(answer, asked_as);
        trouble.is_limit |= is_spent(answer);
        if trouble.retry_after.is_none() && is_spent(answer) {
            let reset = answer.headers().get("x-ratelimit-reset");
            let reset = reset.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let reset = reset.map(Duration::from_secs);
            trouble.retry_after = reset.map(|at| at.saturating_sub(self.clock.wall()));
        }
        trouble
    }
}

impl Lookup for Api {
    type Question = String;
    type Found = Principal;

    fn look_up<'a>(&'a self, token: &'a String, _: &'a Interest) -> Looking<'a, Principal> {
        Box::pin(self.ask(token))
    }
}

enum No {
    Fault(Fault),
    BadToken,
}

fn why_not(answers: &[Membership]) -> Fault {
    if answers.contains(&Membership::NeedsSso) {
        return "the organization wants the token to be authorized for its single sign-on";
    }
    if answers.contains(&Membership::OfAnother) {
        return "in an organization of the name, whose id is another";
    }
    "in none of the organizations and teams"
}

fn read_membership(answer: &Map<String, Value>, org_id: Option<u64>) -> Membership {
    let organization = answer.get("organization");
    let id = organization
        .and_then(|o| o.get("id"))
        .and_then(Value::as_u64);
    if org_id.is_some() && id != org_id {
        return Membership::OfAnother;
    }
    match answer.get("state").and_then(Value::as_str) {
        Some("active") => Membership::Active,
        _ => Membership::None,
    }
}

fn request(request: Builder) -> Builder {
    let (name, value) = VERSION;
    let accept = HeaderValue::from_static("application/vnd.github+json");
    request.header(ACCEPT, accept).header(name, value)
}

/// Whether GitHub's rate limit is spent (primary or secondary).
fn is_spent(answer: &Response<Bytes>) -> bool {
    let headers = answer.headers();
    headers.contains_key("retry-after")
        || headers
            .get("x-ratelimit-remaining")
            .is_some_and(|left| left == "0")
}
