use std::time::Duration;

use bartizan_core::Secret;
use bartizan_fetch::{HttpFetch, WebUrl, unfetchable};
use bartizan_lookup::{Blame, Trouble};
use bartizan_token::json;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
    request::Builder,
};
use serde_json::{Map, Value};

use crate::{OAuthConfigError, bearer::is_bearer_token};

/// Answers of providers are a few kilobytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

pub(crate) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends a request and reads the answer.
pub(crate) async fn send(
    fetch: &HttpFetch,
    request: Builder,
    body: impl Into<Bytes>,
) -> Result<Response<Bytes>, Trouble> {
    let request = with_accept(request).body(body.into());
    let request = request.map_err(|_| Trouble::new("the request can't be written"))?;
    let answer = fetch.send(request, MAX_ANSWER_BYTES).await;
    answer.map_err(|error| Trouble::new(error.to_string()))
}

fn with_accept(request: Builder) -> Builder {
    let has_accept = |headers: &http::HeaderMap| headers.contains_key(ACCEPT);
    if request.headers_ref().is_some_and(has_accept) {
        return request;
    }
    request.header(ACCEPT, JSON)
}

/// A form with `POST`.
pub(crate) fn post_form(url: &str) -> Builder {
    Request::post(url).header(CONTENT_TYPE, FORM)
}

/// The one JSON object that an answer holds.
pub(crate) fn object(answer: &Response<Bytes>) -> Result<Map<String, Value>, Trouble> {
    json::object(answer.body()).map_err(|problem| Trouble::new(format!("the answer is {problem}")))
}

/// As whom the provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedAs {
    /// This server, by its own credentials.
    App,
    /// The token's user, by the token.
    Caller,
    /// Nobody: the token is only what is asked about.
    Nobody,
}

/// A status that says nothing of the token.
pub(crate) fn unexpected(answer: &Response<Bytes>, asked_as: AskedAs) -> Trouble {
    let status = answer.status();
    let wish = answer.headers().get(RETRY_AFTER);
    let wish = wish.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let is_wish = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::FORBIDDEN
    );
    let wish = wish.filter(|_| is_wish).map(Duration::from_secs);
    Trouble::new(format!("status {}", status.as_u16()))
        .with_wish(wish, status == StatusCode::TOO_MANY_REQUESTS)
        .blamed_on(blame(status, asked_as))
}

fn blame(status: StatusCode, asked_as: AskedAs) -> Blame {
    match (asked_as, status) {
        (_, status) if status.is_server_error() => Blame::Provider,
        (AskedAs::Caller, _) => Blame::Caller,
        (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) => Blame::Provider,
        (AskedAs::App, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Blame::Provider,
        (_, status) if status.is_client_error() => Blame::Nobody,
        _ => Blame::Provider,
    }
}

/// `Authorization` with a bearer token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Trouble> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    value
        .map(sensitive)
        .map_err(|_| Trouble::new("the token can't be sent").blamed_on(Blame::Nobody))
}

/// `Authorization` of a client: id and secret are form-encoded first (RFC 6749 §2.3.1).
pub(crate) fn basic(id: &str, secret: &Secret) -> Option<(http::HeaderName, HeaderValue)> {
    let encode = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pair = format!("{}:{}", encode(id.as_bytes()), encode(secret.expose()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    Some((AUTHORIZATION, sensitive(value)))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// A URL of the provider's: over TLS, except on this machine or where the operator accepts the danger.
pub(crate) fn check_url(
    setting: &'static str,
    url: &str,
    allow_http: bool,
) -> Result<(), OAuthConfigError> {
    match unfetchable(url, allow_http) {
        Some(problem) => Err(OAuthConfigError::new(setting, url, problem)),
        None => Ok(()),
    }
}

/// A URL that paths are appended to.
pub(crate) fn base_url(setting: &'static str, url: &str) -> Result<String, OAuthConfigError> {
    check_url(setting, url, false)?;
    if WebUrl::parse(url).is_some_and(|url| url.query.is_some()) {
        return Err(OAuthConfigError::new(setting, url, "has a query"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// How a provider's tokens begin, if that is known.
pub(crate) fn prefixes(prefix: Option<&str>) -> Result<Vec<String>, OAuthConfigError> {
    let Some(prefix) = prefix else {
        return Ok(Vec::new());
    };
    if !is_bearer_token(prefix.as_bytes()) {
        let problem = "is not how a bearer token can begin";
        return Err(OAuthConfigError::new("token_prefix", prefix, problem));
    }
    Ok(vec![prefix.to_owned()])
}
