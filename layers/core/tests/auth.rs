//! `AuthLayer` from outside, over authenticators that need no cryptography.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use bartizan_core::{
    AuthLayer, Authenticator, CallRate, Challenge, CredentialLimits, Denial, DenialKind, Principal,
    PrincipalKind, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
    identify,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header::AUTHORIZATION};
use tower::{Layer, Service, ServiceExt, service_fn};

#[path = "auth/connection.rs"]
mod connection;

/// Knows the token `good` of one scheme; `cold` is good after a wait, `down` fails.
struct Scheme {
    scheme: &'static str,
    challenges: Vec<HeaderValue>,
    malformed: HeaderValue,
}

impl Scheme {
    fn new(scheme: &'static str) -> Self {
        let challenge = |name, value| {
            let challenge = Challenge::new(scheme).param(name, value).unwrap();
            challenge.header_value().unwrap()
        };
        Self {
            scheme,
            challenges: vec![challenge("realm", "mcp")],
            malformed: challenge("error", "invalid_request"),
        }
    }
}

fn judge(token: &str) -> Result<Identified, Denial> {
    match token {
        "good" | "cold" => Ok(Identified::new(
            Principal::user("https://issuer.example", "ann").build("test"),
        )),
        "limited" => Ok(Identified::new(
            Principal::user("https://issuer.example", "ann")
                .limits(CredentialLimits::new().with_tools(["read_*"]).unwrap())
                .build("test"),
        )),
        "rated" => Ok(Identified::new(
            Principal::user("https://issuer.example", "ann")
                .limits(
                    CredentialLimits::new()
                        .with_rate(CallRate::new(6, 1).unwrap())
                        .unwrap(),
                )
                .build("test"),
        )),
        "nonce" => Ok(Identified::new(
            Principal::user("https://issuer.example", "ann").build("test"),
        )
        .with_response_header(
            HeaderName::from_static("dpop-nonce"),
            HeaderValue::from_static("n1"),
        )),
        "down" => Err(Denial::new(DenialKind::Unavailable, "issuer down")),
        _ => Err(Denial::new(DenialKind::CredentialsInvalid, "unknown token")
            .with_challenge(HeaderValue::from_static(r#"Bearer error="invalid_token""#))),
    }
}

impl Authenticator for Scheme {
    fn name(&self) -> &'static str {
        "test"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let authorization = credentials.authorization()?;
        authorization
            .is_scheme(self.scheme)
            .then_some(CredentialPlace::Authorization)
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let token = credentials.authorization().unwrap().value().to_owned();
        if token != "cold" {
            return judge(&token).into();
        }
        Verification::Pending(Box::pin(async move {
            let mut waited = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut waited, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            judge(&token)
        }))
    }

    fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        Some(&self.malformed)
    }
}

/// Knows the key `good` in a field of its own.
struct Key;

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static API_KEY_CHALLENGE: [HeaderValue; 1] = [HeaderValue::from_static(r#"ApiKey realm="mcp""#)];

impl Authenticator for Key {
    fn name(&self) -> &'static str {
        "key"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let headers = credentials.headers();
        headers
            .contains_key(&X_API_KEY)
            .then(|| CredentialPlace::Header(X_API_KEY.clone()))
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        if credentials.headers()[&X_API_KEY] == "good" {
            let principal = Principal::service("keys", "ci").build("key");
            Verification::Identified(Identified::new(principal))
        } else {
            let denial = Denial::new(DenialKind::CredentialsInvalid, "unknown key");
            Verification::Refused(denial.with_challenges(API_KEY_CHALLENGE.to_vec()))
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        &API_KEY_CHALLENGE
    }

    fn credential_headers(&self) -> &[HeaderName] {
        std::slice::from_ref(&X_API_KEY)
    }
}

#[derive(Debug, Default)]
struct Seen {
    subject: Option<String>,
    anonymous: bool,
    credentials: Vec<HeaderName>,
}

async fn send(layer: AuthLayer, request: Request<()>) -> (Response<()>, Option<Seen>) {
    let seen = Arc::new(Mutex::new(None));
    let inner = service_fn(|mut request: Request<()>| {
        let principal = SecurityContext::of(&mut request).principal().cloned();
        *seen.lock().unwrap() = Some(Seen {
            subject: principal.as_ref().map(|p| p.subject().to_owned()),
            anonymous: principal.is_some_and(|p| p.is_anonymous()),
            credentials: [&AUTHORIZATION, &X_API_KEY]
                .into_iter()
                .filter(|name| request.headers().contains_key(*name))
                .cloned()
                .collect(),
        });
        async { Ok::<_, Infallible>(Response::new(())) }
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let seen = seen.lock().unwrap().take();
    (response.map(|_| ()), seen)
}

fn with(fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

fn bearer() -> AuthLayer {
    AuthLayer::new(Scheme::new("Bearer"))
}

fn challenges(response: &Response<()>) -> Vec<&str> {
    response
        .headers()
        .get_all("www-authenticate")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect()
}

#[tokio::test]
async fn ac_1_ac_4_no_credential_is_401_with_a_challenge_and_no_error() {
    for request in [
        with(&[]),
        with(&[("authorization", "Basic eDp5")]),
        with(&[("authorization", "Negotiate")]),
        with(&[("cookie", "access_token=good")]),
    ] {
        let (response, seen) = send(bearer(), request).await;
        assert_eq!(response.status(), 401);
        assert_eq!(challenges(&response), [r#"Bearer realm="mcp""#]);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn ac_5_a_bad_token_is_401_invalid_token() {
    let (response, seen) = send(bearer(), with(&[("authorization", "Bearer abc")])).await;
    assert_eq!(response.status(), 401);
    assert_eq!(challenges(&response), [r#"Bearer error="invalid_token""#]);
    assert!(seen.is_none());
}

#[tokio::test]
async fn who_tries_many_credentials_can_be_told_from_who_repeats_one() {
    let refused = async |field: &str, value: &str| {
        let mut request = with(&[(field, value)]);
        let context = SecurityContext::of(&mut request);
        send(bearer().or(Key), request).await;
        context.refused_credential()
    };
    let one = refused("authorization", "Bearer abc").await;
    assert!(one.is_some());
    assert_eq!(one, refused("authorization", "bearer  abc").await);
    assert_ne!(one, refused("authorization", "Bearer abd").await);
    let key = refused("x-api-key", "bad").await;
    assert!(key.is_some() && key != one);
    assert_ne!(key, refused("x-api-key", "worse").await);
    // Nothing was refused, or nothing is known of it.
    for (field, value) in [
        ("authorization", "Bearer good"),
        ("authorization", "Bearer down"),
        ("authorization", "Negotiate"),
    ] {
        assert_eq!(refused(field, value).await, None, "{value}");
    }
}

#[tokio::test]
async fn ac_6_malformed_authorization_is_400_invalid_request() {
    let mut latin = with(&[]);
    latin.headers_mut().insert(
        AUTHORIZATION,
        HeaderValue::from_bytes(b"Bearer \xe9").unwrap(),
    );
    for request in [
        latin,
        with(&[
            ("authorization", "Bearer good"),
            ("authorization", "Bearer good"),
        ]),
        with(&[
            ("authorization", "Bearer good"),
            ("authorization", "DPoP good"),
        ]),
        with(&[("authorization", "Bearer")]),
        with(&[("authorization", "Bearer ")]),
    ] {
        let (response, seen) = send(bearer(), request).await;
        assert_eq!(response.status(), 400);
        assert_eq!(challenges(&response), [r#"Bearer error="invalid_request""#]);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn ac_7_the_scheme_ignores_case_and_takes_several_spaces() {
    for field in ["bEaReR good", "Bearer  good", "BEARER    good"] {
        let (response, seen) = send(bearer(), with(&[("authorization", field)])).await;
        assert_eq!(response.status(), 200, "{field}");
        assert_eq!(seen.unwrap().subject.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a_tab_after_the_scheme_is_no_separator() {
    let (response, seen) = send(bearer(), with(&[("authorization", "Bearer\tgood")])).await;
    assert_eq!(response.status(), 401);
    assert!(seen.is_none());
}

#[tokio::test]
async fn ac_8_a_token_in_the_query_is_not_looked_at() {
    let mut request = with(&[]);
    *request.uri_mut() = "/mcp?access_token=good".parse().unwrap();
    let (response, _) = send(bearer(), request).await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn tv_15_credentials_do_not_travel_inwards() {
    let (_, seen) = send(bearer(), with(&[("authorization", "Bearer good")])).await;
    assert!(seen.unwrap().credentials.is_empty());
    let keeps = bearer().danger_forward_credentials();
    let (_, seen) = send(keeps, with(&[("authorization", "Bearer good")])).await;
    assert_eq!(seen.unwrap().credentials, [AUTHORIZATION]);
}

#[tokio::test]
async fn a_credential_that_goes_on_is_marked_sensitive() {
    let inner = service_fn(|request: Request<()>| async move {
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
        Ok::<_, Infallible>(Response::new(()))
    });
    let layer = bearer().danger_forward_credentials();
    let request = with(&[("authorization", "Bearer good")]);
    layer.layer(inner).oneshot(request).await.unwrap();
}

#[tokio::test]
async fn a_cold_token_is_waited_for() {
    let (response, seen) = send(bearer(), with(&[("authorization", "Bearer cold")])).await;
    assert_eq!(response.status(), 200);
    let seen = seen.unwrap();
    assert_eq!(seen.subject.as_deref(), Some("ann"));
    assert!(seen.credentials.is_empty());
}

#[tokio::test]
async fn ac_16_an_outage_is_503_without_a_challenge() {
    let (response, seen) = send(bearer(), with(&[("authorization", "Bearer down")])).await;
    assert_eq!(response.status(), 503);
    assert!(challenges(&response).is_empty());
    assert!(seen.is_none());
}

#[tokio::test]
async fn what_the_authenticator_has_to_tell_is_on_the_answer() {
    let (response, _) = send(bearer(), with(&[("authorization", "Bearer nonce")])).await;
    assert_eq!(response.headers()["dpop-nonce"], "n1");
}

#[tokio::test]
async fn ac_12_bearer_comes_first_whatever_the_order() {
    let layer = AuthLayer::new(Key).or(Scheme::new("Bearer"));
    let (response, _) = send(layer.clone(), with(&[])).await;
    let absent = challenges(&response).join("\n");
    assert_eq!(absent, "Bearer realm=\"mcp\"\nApiKey realm=\"mcp\"");
    let (response, _) = send(layer, with(&[("x-api-key", "bad")])).await;
    assert_eq!(response.status(), 401);
    assert_eq!(
        challenges(&response).join("\n"),
        absent,
        "AC-15: bad key like no key"
    );
}

#[tokio::test]
async fn ac_12_bearer_comes_first_among_one_authenticators_challenges() {
    let mut both = Scheme::new("bearer");
    both.challenges
        .insert(0, HeaderValue::from_static(r#"DPoP algs="ES256""#));
    let (response, _) = send(AuthLayer::new(both), with(&[])).await;
    assert_eq!(
        challenges(&response),
        [r#"bearer realm="mcp""#, r#"DPoP algs="ES256""#]
    );
}

#[tokio::test]
async fn ac_6_credentials_in_two_places_are_refused() {
    let layer = AuthLayer::new(Scheme::new("Bearer")).or(Key);
    let both = with(&[("authorization", "Bearer good"), ("x-api-key", "good")]);
    let (response, seen) = send(layer.clone(), both).await;
    assert_eq!(response.status(), 400);
    assert!(seen.is_none());
    let twice = with(&[("x-api-key", "good"), ("x-api-key", "good")]);
    let (response, _) = send(layer, twice).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_principal_from_elsewhere_passes_without_a_credential_of_ours() {
    let mut request = with(&[("authorization", "Negotiate abc")]);
    identify(&mut request, Principal::user("sso", "eve").build("sso")).unwrap();
    let (response, seen) = send(bearer(), request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(seen.unwrap().subject.as_deref(), Some("eve"));
}

#[tokio::test]
async fn a_different_second_principal_is_400() {
    for token in ["Bearer good", "Bearer cold"] {
        let mut request = with(&[("authorization", token)]);
        identify(&mut request, Principal::user("sso", "eve").build("sso")).unwrap();
        let (response, seen) = send(bearer(), request).await;
        assert_eq!(response.status(), 400);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn anonymous_passes_only_without_a_credential_of_any_kind() {
    let layer = bearer().allow_anonymous();
    let (response, seen) = send(layer.clone(), with(&[])).await;
    assert_eq!(response.status(), 200);
    assert!(seen.unwrap().anonymous);
    for field in [
        ("authorization", "Basic eDp5"),
        ("authorization", "Bearer bad"),
        ("x-api-key", "k"),
        ("dpop", "proof"),
    ] {
        let (response, seen) = send(layer.clone(), with(&[field])).await;
        assert_eq!(response.status(), 401, "{field:?}");
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn an_anonymous_request_carries_the_challenges_inwards() {
    let inner = service_fn(|mut request: Request<()>| async move {
        let context = SecurityContext::of(&mut request);
        assert_eq!(context.challenges(), [r#"Bearer realm="mcp""#]);
        assert_eq!(
            context.principal().unwrap().kind(),
            PrincipalKind::Anonymous
        );
        Ok::<_, Infallible>(Response::new(()))
    });
    let layer = bearer().allow_anonymous();
    layer.layer(inner).oneshot(with(&[])).await.unwrap();
}

#[tokio::test]
async fn ac_10_every_request_on_one_service_is_judged_on_its_own() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let mut service = bearer().layer(inner);
    for (request, status) in [
        (with(&[("authorization", "Bearer good")]), 200),
        (with(&[]), 401),
        (with(&[("authorization", "Bearer good")]), 200),
        (with(&[("authorization", "Bearer bad")]), 401),
    ] {
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn tv_15_debug_of_layer_and_credentials_shows_no_token() {
    struct Spy(Arc<Mutex<String>>);
    impl Authenticator for Spy {
        fn name(&self) -> &'static str {
            "spy"
        }
        fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
            *self.0.lock().unwrap() = format!("{credentials:?} {:?}", credentials.headers());
            None
        }
        fn authenticate(&self, _: &Credentials<'_>, _: &SecurityContext) -> Verification {
            unreachable!()
        }
        fn challenges(&self) -> &[HeaderValue] {
            &[]
        }
    }
    let shown = Arc::new(Mutex::new(String::new()));
    let layer = AuthLayer::new(Spy(Arc::clone(&shown)));
    send(layer, with(&[("authorization", "Bearer s3cret")])).await;
    let shown = shown.lock().unwrap();
    assert!(!shown.is_empty() && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn a_strict_layer_inside_an_anonymous_one_still_wants_a_credential() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let strict = bearer().layer(inner);
    let service = AuthLayer::new(Key).allow_anonymous().layer(strict);
    let response = service.oneshot(with(&[])).await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn tv_15_credentials_of_every_kind_are_removed_whoever_judged() {
    let inner = || {
        service_fn(|request: Request<()>| async move {
            let shown = format!("{:?}", request.headers());
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(request.headers().is_empty(), "{shown}");
            Ok::<_, Infallible>(Response::new(()))
        })
    };
    let mut identified = with(&[("authorization", "Negotiate s3cret")]);
    identify(&mut identified, Principal::user("sso", "eve").build("sso")).unwrap();
    for request in [
        identified,
        with(&[
            ("authorization", "Bearer good"),
            ("x-api-key", "s3cret"),
            ("proxy-authorization", "Basic s3cret"),
            ("dpop", "s3cret"),
        ]),
    ] {
        let response = bearer().layer(inner()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn ac_6_an_outer_layer_does_not_swallow_a_second_credential() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let service = AuthLayer::new(Key).layer(bearer().layer(inner));
    let both = with(&[("authorization", "Bearer good"), ("x-api-key", "good")]);
    assert_eq!(service.oneshot(both).await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_same_party_with_other_authority_is_400() {
    for stamped in [
        Principal::user("https://issuer.example", "ann").roles(["admin"]),
        Principal::user("https://issuer.example", "ann").scopes(["all"]),
        Principal::user("https://issuer.example", "ann").tenant("other"),
    ] {
        let mut request = with(&[("authorization", "Bearer good")]);
        identify(&mut request, stamped.build("sso")).unwrap();
        let (response, seen) = send(bearer(), request).await;
        assert_eq!(response.status(), 400);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn a_limited_credential_gets_no_answer_where_nobody_judges_by_its_limits() {
    let answer = |token: &'static str, judged: bool, status: u16, denied: bool| async move {
        let inner = service_fn(move |mut request: Request<()>| async move {
            if judged {
                SecurityContext::of(&mut request).judge_limits();
            }
            let mut answer = Response::builder().status(status).body(()).unwrap();
            if denied {
                let denial = Denial::new(DenialKind::Unavailable, "by another layer");
                answer.extensions_mut().insert(denial);
            }
            Ok::<_, Infallible>(answer)
        });
        let request = with(&[("authorization", token)]);
        let answer = bearer().layer(inner).oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(answer("Bearer limited", false, 200, false).await, 500);
    assert_eq!(answer("Bearer limited", false, 302, false).await, 500);
    assert_eq!(answer("Bearer limited", true, 200, false).await, 200);
    assert_eq!(answer("Bearer limited", false, 404, false).await, 404);
    assert_eq!(answer("Bearer limited", false, 503, true).await, 503);
    assert_eq!(answer("Bearer good", false, 200, false).await, 200);
}

#[tokio::test]
async fn a_credential_with_a_rate_gets_no_answer_where_nobody_counts() {
    let answer = |counted: bool, judged: bool, status: u16| async move {
        let inner = service_fn(move |mut request: Request<()>| async move {
            let context = SecurityContext::of(&mut request);
            if counted {
                context.judge_rate();
            }
            if judged {
                context.judge_limits();
            }
            let answer = Response::builder().status(status).body(());
            Ok::<_, Infallible>(answer.unwrap())
        });
        let request = with(&[("authorization", "Bearer rated")]);
        let answer = bearer().layer(inner).oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(answer(false, false, 200).await, 500);
    assert_eq!(
        answer(false, true, 200).await,
        500,
        "who judges counts nothing"
    );
    assert_eq!(answer(false, false, 404).await, 404);
    // It says nothing of what is called, so nobody has to judge that.
    assert_eq!(answer(true, false, 200).await, 200);
}

#[tokio::test]
async fn a_full_header_map_is_judged_and_does_not_panic() {
    let mut request = with(&[]);
    for index in 0..24_576 {
        let name: HeaderName = format!("a{index}").parse().unwrap();
        let value = HeaderValue::from_static("");
        request.headers_mut().append(name, value);
    }
    assert_eq!(send(bearer(), request).await.0.status(), 401);
}

/// Refuses without a word.
struct Mute;

impl Authenticator for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        credentials
            .authorization()
            .map(|_| CredentialPlace::Authorization)
    }

    fn authenticate(&self, _: &Credentials<'_>, _: &SecurityContext) -> Verification {
        Verification::Refused(Denial::new(DenialKind::CredentialsInvalid, "no"))
    }

    fn challenges(&self) -> &[HeaderValue] {
        &API_KEY_CHALLENGE
    }
}

#[tokio::test]
async fn ac_1_a_401_always_has_a_challenge() {
    let (response, _) = send(AuthLayer::new(Mute), with(&[("authorization", "x y")])).await;
    assert_eq!(response.status(), 401);
    assert_eq!(challenges(&response), [r#"ApiKey realm="mcp""#]);
}

/// A body whose frames a test puts there.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<std::collections::VecDeque<Bytes>>>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        match self.0.lock().unwrap().pop_front() {
            Some(bytes) => std::task::Poll::Ready(Some(Ok(http_body::Frame::data(bytes)))),
            None => std::task::Poll::Pending,
        }
    }
}

/// Whether a frame passes now: `Some(false)` if the answer has ended.
async fn passes(
    stream: &Stream,
    body: &mut std::pin::Pin<Box<bartizan_core::ResponseBody<Stream>>>,
) -> Option<bool> {
    use http_body_util::BodyExt as _;
    stream
        .0
        .lock()
        .unwrap()
        .push_back(Bytes::from_static(b"data: x\n\n"));
    let frame = tokio::time::timeout(std::time::Duration::from_millis(50), body.frame()).await;
    frame.ok().map(|frame| frame.is_some())
}

#[tokio::test]
async fn tv_20_an_event_stream_ends_with_the_credential_and_a_running_call_has_time_to_finish() {
    const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
    let now = std::time::Duration::from_secs(1_800_000_000);
    for (method, kind, outlives) in [
        ("GET", "text/event-stream", 0),
        ("GET", "Text/Event-Stream; charset=utf-8", 0),
        ("POST", "text/event-stream", 10),
        ("POST", "application/json", u64::MAX),
    ] {
        let clock = bartizan_core::FakeClock::at(now);
        let stream = Stream::default();
        let body = stream.clone();
        let inner = service_fn(move |_: Request<()>| {
            let answer = Response::builder().header("content-type", kind);
            let answer = answer.body(body.clone()).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        let layer = bearer().call_grace(10 * SECOND).clock(clock.clone());
        let mut request = Request::builder().method(method).body(()).unwrap();
        let ann = Principal::user("https://a.example", "ann").expires_at(now + 3 * SECOND);
        bartizan_core::identify(&mut request, ann.build("other")).unwrap();
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        let mut body = Box::pin(answer.into_body());
        assert_eq!(passes(&stream, &mut body).await, Some(true));
        clock.advance(2 * SECOND);
        assert_eq!(passes(&stream, &mut body).await, Some(true));
        clock.advance(SECOND);
        let passed = passes(&stream, &mut body).await;
        assert_eq!(passed, Some(outlives > 0), "{method} {kind}");
        clock.advance(9 * SECOND);
        let passed = passes(&stream, &mut body).await;
        assert_eq!(passed, Some(outlives > 9), "{method} {kind}");
        clock.advance(2 * SECOND);
        let passed = passes(&stream, &mut body).await;
        assert_eq!(passed, Some(outlives > 11), "{method} {kind}");
    }
}

#[tokio::test]
async fn tv_20_a_stream_by_a_credential_without_an_end_ends_all_the_same() {
    const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
    let ann = || Principal::user("https://a.example", "ann").build("other");
    for (method, principal, outlives) in [
        ("GET", ann(), 60),
        ("POST", ann(), 70),
        ("GET", Principal::anonymous(), u64::MAX),
    ] {
        let clock = bartizan_core::FakeClock::at(1_800_000_000 * SECOND);
        let stream = Stream::default();
        let body = stream.clone();
        let inner = service_fn(move |_: Request<()>| {
            let answer = Response::builder().header("content-type", "text/event-stream");
            let answer = answer.body(body.clone()).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        let layer = bearer().call_grace(10 * SECOND).max_stream_age(60 * SECOND);
        let layer = layer.allow_anonymous().clock(clock.clone());
        let mut request = Request::builder().method(method).body(()).unwrap();
        if !principal.is_anonymous() {
            bartizan_core::identify(&mut request, principal).unwrap();
        }
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        let mut body = Box::pin(answer.into_body());
        let mut at = 0;
        for passed in [0, 59, 1, 9, 1] {
            clock.advance(passed * SECOND);
            at += u64::from(passed);
            let passes = passes(&stream, &mut body).await;
            assert_eq!(passes, Some(at < outlives), "{method} {at}");
        }
    }
}

#[tokio::test]
async fn tv_20_a_post_that_listens_ends_with_the_token_though_nobody_reads_its_body() {
    const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
    let now = 1_800_000_000 * SECOND;
    let listen = ("mcp-method", "subscriptions/listen");
    let call = ("mcp-method", "tools/call");
    let modern = ("mcp-protocol-version", "2026-07-28");
    let legacy = ("mcp-protocol-version", "2025-11-25");
    for (headers, outlives) in [
        (&[listen][..], false),
        (&[modern, listen], false),
        (&[legacy, listen], false),
        (&[call, listen], false),
        (&[modern], false),
        (&[("mcp-protocol-version", "2027-01-01")], false),
        (&[modern, call], true),
        (&[legacy], true),
        (&[], true),
    ] {
        let clock = bartizan_core::FakeClock::at(now);
        let stream = Stream::default();
        let body = stream.clone();
        let inner = service_fn(move |_: Request<()>| {
            let answer = Response::builder().header("content-type", "text/event-stream");
            let answer = answer.body(body.clone()).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        let layer = bearer().call_grace(10 * SECOND).clock(clock.clone());
        let mut request = Request::post("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        let ann = Principal::user("https://a.example", "ann").expires_at(now + SECOND);
        bartizan_core::identify(&mut request, ann.build("other")).unwrap();
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        let mut body = Box::pin(answer.into_body());
        assert_eq!(passes(&stream, &mut body).await, Some(true));
        clock.advance(2 * SECOND);
        let passed = passes(&stream, &mut body).await;
        assert_eq!(passed, Some(outlives), "{headers:?}");
    }
}
