use std::convert::Infallible;

use bartizan_core::{Denial, DenialKind};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use http_body_util::Full;
use serde_json::Value;
use tower::util::ServiceExt as _;
use tower_layer::Layer;
use tower_service::Service;

use super::{Outcome, bodies::bytes_of, ensure};
use crate::Echo;

/// A refused request does not arrive, and the refusal has the one form that all layers share: it
/// is an answer, carries its `Denial`, is not cacheable, is a JSON-RPC error whose id is never
/// null (PH-5) or, of a limit, problem details (RL-6), challenges properly (AC-1, AC-12) and keeps the
/// internal reason to itself (AC-17).
pub async fn refusal<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Echo, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes>,
{
    let echo = Echo::new();
    let Ok(response) = layer.layer(echo.clone()).oneshot(request()).await;
    ensure(echo.is_untouched(), || {
        "the refused request arrived".to_owned()
    })?;
    let (head, body) = response.into_parts();
    let Some(denial) = head.extensions.get::<Denial>() else {
        return Err(format!("a refusal of {} without its denial", head.status));
    };
    ensure(head.status == denial.status(), || {
        format!(
            "a denial of {} was sent as {}",
            denial.status(),
            head.status
        )
    })?;
    let failing = head.status.is_client_error() || head.status.is_server_error();
    ensure(failing, || format!("a refusal of {}", head.status))?;
    let is_limit = matches!(
        denial.kind(),
        DenialKind::RateLimited | DenialKind::DiscoveryLimited | DenialKind::Saturated
    );
    let problem = "application/problem+json";
    let is_problem = is_limit
        && head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media == problem);
    let media = if is_problem {
        problem
    } else {
        "application/json"
    };
    for (name, value) in [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let got: Vec<_> = head.headers.get_all(&name).iter().collect();
        ensure(got == [value], || {
            format!("`{name}` of a refusal is {got:?}")
        })?;
    }
    for challenge in head.headers.get_all(header::WWW_AUTHENTICATE) {
        let text = challenge.to_str().unwrap_or_default();
        let parameter = text
            .split_once(' ')
            .is_some_and(|(_, rest)| rest.contains('='));
        ensure(parameter, || {
            format!("a challenge without parameter: {challenge:?}")
        })?;
    }
    if let Some(first) = head.headers.get(header::WWW_AUTHENTICATE) {
        let leading = ["Bearer ", "DPoP "]
            .iter()
            .any(|s| first.as_bytes().starts_with(s.as_bytes()));
        ensure(leading, || format!("the first challenge is {first:?}"))?;
    }

    let body = bytes_of(body).await?;
    let message: Value = serde_json::from_slice(&body)
        .map_err(|error| format!("a refusal that is no JSON ({error}): {body:?}"))?;
    let has_form = if is_problem {
        let is_known = |kind: &str| kind.starts_with("https://iana.org/assignments/");
        message["type"].as_str().is_some_and(is_known)
            && message["title"].is_string()
            && message["status"] == head.status.as_u16()
    } else {
        let error = &message["error"];
        message["jsonrpc"] == "2.0" && error["code"].is_i64() && error["message"].is_string()
    };
    ensure(has_form, || {
        format!("neither a JSON-RPC error nor a problem: {message}")
    })?;
    ensure(message.get("id") != Some(&Value::Null), || {
        format!("a null id: {message}")
    })?;
    let (reason, text) = (denial.reason(), message.to_string());
    let hidden = reason.is_empty() || reason == denial.message() || !text.contains(reason);
    ensure(hidden, || {
        format!("the internal reason {reason:?} shows in {text}")
    })
}
