//! The layer from outside.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::{cell::Cell, convert::Infallible, future::Ready, marker::PhantomPinned, time::Duration};

use bartizan_core::{Denial, DenialKind, ResponseBody, SecurityContext, Verdict};
use bartizan_cors::{Cors, CorsLayer};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::ORIGIN};
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

type Body = Full<bytes::Bytes>;

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example";

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";
const ALLOW_HEADERS: &str = "access-control-allow-headers";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const ALLOW_PRIVATE_NETWORK: &str = "access-control-allow-private-network";
const EXPOSE: &str = "access-control-expose-headers";
const MAX_AGE: &str = "access-control-max-age";
const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";
const REQUEST_PRIVATE_NETWORK: &str = "access-control-request-private-network";

fn app() -> CorsLayer {
    CorsLayer::new().allow_origin(APP).unwrap()
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    for (name, value) in headers {
        let name = http::HeaderName::try_from(*name).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

fn preflight(extra: &[(&str, &str)]) -> Request<Body> {
    let asked = [("origin", APP), (REQUEST_METHOD, "POST")];
    request("OPTIONS", &[&asked, extra].concat())
}

/// The answer through the layer over a service that answers `status` and `headers`.
async fn over(
    layer: &CorsLayer,
    request: Request<Body>,
    status: u16,
    headers: &[(&str, &str)],
) -> Response<ResponseBody<Body>> {
    let mut inner = Response::builder().status(status);
    for (name, value) in headers {
        inner = inner.header(*name, *value);
    }
    let inner = inner.body(Body::from("inner")).unwrap();
    let service = layer.layer(service_fn(move |_: Request<Body>| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(inner) }
    }));
    service.oneshot(request).await.unwrap()
}

async fn answer(layer: &CorsLayer, request: Request<Body>) -> Response<ResponseBody<Body>> {
    over(layer, request, 200, &[]).await
}

fn cors_headers(headers: &HeaderMap) -> Vec<&str> {
    let names = headers.keys().map(http::HeaderName::as_str);
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

async fn assert_refused(response: Response<ResponseBody<Body>>, case: &str) {
    assert_eq!(response.status(), StatusCode::FORBIDDEN, "{case}");
    assert!(cors_headers(response.headers()).is_empty(), "{case}");
    assert_eq!(response.headers()["vary"], "Origin", "{case}");
    let denial = response.extensions().get::<Denial>().expect(case);
    assert_eq!(denial.kind(), DenialKind::OriginRefused, "{case}");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(
        !body.contains("\"id\"") && !body.contains("inner"),
        "{case}"
    );
}

#[tokio::test]
async fn oh_1_and_oh_2_hold_for_every_vector_on_every_method() {
    let vectors = include_str!("../../../tests/vectors/origins.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let strings = |value: &serde_json::Value| -> Vec<String> {
        let values = value.as_array().unwrap().iter();
        values.map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let layer = CorsLayer::new()
        .allow_origins(strings(&vectors["allowlist"]))
        .and_then(CorsLayer::allow_loopback)
        .unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let origins = strings(&case["origins"]);
        let headers: Vec<_> = origins.iter().map(|o| ("origin", o.as_str())).collect();
        let allowed = case["allowed"].as_bool().unwrap();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"] {
            let response = answer(&layer, request(method, &headers)).await;
            if allowed {
                assert_eq!(response.status(), 200, "{name} {method}");
                let granted = response.headers().get(ALLOW_ORIGIN);
                assert_eq!(
                    granted.map(HeaderValue::as_bytes),
                    origins.first().map(|o| o.as_bytes())
                );
            } else {
                assert_refused(response, &format!("{name} {method}")).await;
            }
        }
        if let [origin] = &*origins {
            assert_eq!(layer.allows(origin), allowed, "{name}");
        }
    }
}

#[tokio::test]
async fn oh_1_an_unlisted_origin_is_refused_with_and_without_a_token() {
    for token in [None, Some(("authorization", "Bearer good"))] {
        let headers: Vec<_> = [Some(("origin", EVIL)), token]
            .into_iter()
            .flatten()
            .collect();
        assert_refused(answer(&app(), request("POST", &headers)).await, "").await;
    }
}

/// The answer through the layer over a service that must not be called.
async fn alone(request: Request<Body>) -> Response<ResponseBody<Body>> {
    let inner = service_fn(
        |_: Request<Body>| -> Ready<Result<Response<Body>, Infallible>> {
            unreachable!("the request went inwards")
        },
    );
    app().layer(inner).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn oh_1_a_refused_request_and_a_preflight_never_reach_the_inner_service() {
    for method in ["POST", "OPTIONS"] {
        let response = alone(request(method, &[("origin", EVIL)])).await;
        assert_eq!(response.status(), 403);
    }
    assert_eq!(alone(preflight(&[])).await.status(), 204);
}

#[tokio::test]
async fn oh_1_an_empty_allowlist_refuses_every_origin_and_no_other_request() {
    let layer = CorsLayer::new();
    for origin in [APP, "http://localhost", "null"] {
        assert_refused(
            answer(&layer, request("GET", &[("origin", origin)])).await,
            origin,
        )
        .await;
    }
    assert_eq!(answer(&layer, request("GET", &[])).await.status(), 200);
}

#[tokio::test]
async fn the_own_host_is_no_excuse_for_an_unlisted_origin() {
    let rebound = [("host", "evil.example"), ("origin", EVIL)];
    assert_refused(answer(&app(), request("POST", &rebound)).await, "").await;
}

#[tokio::test]
async fn non_utf_8_origins_are_refused_and_logged_escaped() {
    let mut request = request("POST", &[]);
    let value = HeaderValue::from_bytes(b"https://app.example.com\xff").unwrap();
    request.headers_mut().insert(ORIGIN, value);
    let response = answer(&app(), request).await;
    let denial = response.extensions().get::<Denial>().unwrap();
    assert!(denial.reason().is_ascii() && denial.reason().contains(r"\u{fffd}"));
    assert_refused(response, "").await;
}

#[tokio::test]
async fn seed_c1_the_headers_of_a_real_mcp_client_are_granted() {
    let asked = "accept,authorization,content-type,last-event-id,mcp-method,mcp-name,\
                 mcp-param-region,mcp-protocol-version,mcp-session-id";
    let response = answer(&app(), preflight(&[(REQUEST_HEADERS, asked)])).await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()[ALLOW_HEADERS], asked);
    assert_eq!(response.headers()[ALLOW_ORIGIN], APP);
}

#[tokio::test]
async fn seed_c2_delete_is_granted() {
    let mut asked = preflight(&[]);
    asked
        .headers_mut()
        .insert(REQUEST_METHOD, HeaderValue::from_static("DELETE"));
    let response = answer(&app(), asked).await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()[ALLOW_METHODS], "POST, GET, DELETE");
}

#[tokio::test]
async fn seed_c3_scripts_can_read_what_mcp_answers_with_on_every_status() {
    for status in [200, 202, 204, 400, 401, 403, 404, 413, 429, 500, 503] {
        let response = over(&app(), request("POST", &[("origin", APP)]), status, &[]).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[ALLOW_ORIGIN], APP);
        assert_eq!(
            response.headers()[EXPOSE],
            "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After, \
             RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, \
             X-RateLimit-Reset, X-Request-Id"
        );
    }
}

#[tokio::test]
async fn seed_c4_an_evil_origin_is_refused_with_403_and_not_merely_unmarked() {
    assert_refused(alone(request("POST", &[("origin", EVIL)])).await, "evil").await;
}

#[tokio::test]
async fn seed_c5_credentials_are_off_unless_allowed() {
    let with = app().allow_credentials().unwrap();
    for (layer, expected) in [(app(), None), (with, Some("true"))] {
        for asked in [preflight(&[]), request("POST", &[("origin", APP)])] {
            let response = answer(&layer, asked).await;
            let sent = response.headers().get(ALLOW_CREDENTIALS);
            assert_eq!(sent.map(|v| v.to_str().unwrap()), expected);
            assert_eq!(response.headers()[ALLOW_ORIGIN], APP);
        }
    }
}

#[tokio::test]
async fn oh_5_answers_vary_by_origin_even_without_one() {
    for origin in [None, Some(("origin", APP))] {
        let headers: Vec<_> = origin.into_iter().collect();
        let inner = [("vary", "Accept-Encoding")];
        let response = over(&app(), request("GET", &headers), 200, &inner).await;
        let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["Accept-Encoding", "Origin"]);
        assert_eq!(
            response.headers().contains_key(ALLOW_ORIGIN),
            origin.is_some()
        );
    }
}

#[tokio::test]
async fn oh_5_an_inner_cors_answer_is_replaced_or_removed() {
    let inner = [
        (ALLOW_ORIGIN, "*"),
        (ALLOW_ORIGIN, EVIL),
        (ALLOW_CREDENTIALS, "true"),
        (EXPOSE, "x-secret"),
        (ALLOW_HEADERS, "*"),
        ("x-inner", "stays"),
    ];
    let response = over(&app(), request("GET", &[]), 200, &inner).await;
    assert!(cors_headers(response.headers()).is_empty());
    assert_eq!(response.headers()["x-inner"], "stays");
    let response = over(&app(), request("GET", &[("origin", APP)]), 200, &inner).await;
    let mut left = cors_headers(response.headers());
    left.sort_unstable();
    assert_eq!(left, [ALLOW_ORIGIN, EXPOSE]);
    let origins: Vec<_> = response.headers().get_all(ALLOW_ORIGIN).iter().collect();
    assert_eq!(origins, [APP]);
}

#[tokio::test]
async fn a_preflight_is_answered_whole() {
    let response = answer(&app(), preflight(&[(REQUEST_HEADERS, "accept,x-evil")])).await;
    assert_eq!(response.status(), 204);
    let headers = response.headers();
    assert_eq!(headers[ALLOW_ORIGIN], APP);
    assert_eq!(headers[ALLOW_HEADERS], "accept");
    assert_eq!(headers[MAX_AGE], "3600");
    assert_eq!(
        headers["vary"],
        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    );
    assert!(!headers.contains_key(EXPOSE));
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

#[tokio::test]
async fn settings_reach_the_preflight() {
    let layer = app()
        .methods(["POST"])
        .and_then(|layer| layer.allow_headers(["X-Trace"]))
        .and_then(|layer| layer.max_age(Duration::from_secs(60)))
        .unwrap();
    let response = answer(&layer, preflight(&[(REQUEST_HEADERS, "x-trace")])).await;
    assert_eq!(response.headers()[ALLOW_METHODS], "POST");
    assert_eq!(response.headers()[ALLOW_HEADERS], "x-trace");
    assert_eq!(response.headers()[MAX_AGE], "60");
}

#[tokio::test]
async fn a_method_that_is_not_granted_is_answered_with_those_that_are() {
    let asked = [("origin", APP), (REQUEST_METHOD, "PUT")];
    let response = answer(&app(), request("OPTIONS", &asked)).await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()[ALLOW_METHODS], "POST, GET, DELETE");
}

#[tokio::test]
async fn only_a_real_preflight_is_swallowed() {
    let origin = ("origin", APP);
    for (method, headers) in [
        ("OPTIONS", &[][..]),
        ("OPTIONS", &[origin]),
        ("OPTIONS", &[(REQUEST_METHOD, "POST")]),
        ("OPTIONS", &[origin, (REQUEST_METHOD, "")]),
        ("OPTIONS", &[origin, (REQUEST_METHOD, "PO ST")]),
        (
            "OPTIONS",
            &[origin, (REQUEST_METHOD, "POST"), (REQUEST_METHOD, "POST")],
        ),
        ("OPTIONS", &[origin, (REQUEST_HEADERS, "accept")]),
        ("POST", &[origin, (REQUEST_METHOD, "POST")]),
    ] {
        let response = over(&app(), request(method, headers), 418, &[]).await;
        assert_eq!(response.status(), 418, "{method} {headers:?}");
    }
}

#[tokio::test]
async fn a_preflight_from_an_unlisted_origin_is_refused() {
    for origins in [&[EVIL][..], &["null"], &[APP, APP], &[APP, EVIL]] {
        let mut headers: Vec<_> = origins.iter().map(|o| ("origin", *o)).collect();
        headers.push((REQUEST_METHOD, "POST"));
        assert_refused(answer(&app(), request("OPTIONS", &headers)).await, "").await;
    }
}

#[tokio::test]
async fn the_private_network_is_granted_only_when_allowed_and_asked_for() {
    let open = app().allow_private_network();
    for (layer, asked, expected) in [
        (&app(), Some("true"), false),
        (&open, Some("true"), true),
        (&open, Some("false"), false),
        (&open, None, false),
    ] {
        let extra: Vec<_> = asked
            .map(|v| (REQUEST_PRIVATE_NETWORK, v))
            .into_iter()
            .collect();
        let response = answer(layer, preflight(&extra)).await;
        assert_eq!(
            response.headers().contains_key(ALLOW_PRIVATE_NETWORK),
            expected
        );
    }
}

#[tokio::test]
async fn tr_10_a_challenge_of_an_inner_layer_is_readable_and_a_preflight_never_meets_it() {
    let challenge = [("www-authenticate", "Bearer realm=\"mcp\"")];
    let response = over(&app(), preflight(&[]), 401, &challenge).await;
    assert_eq!(response.status(), 204);
    let response = over(&app(), request("POST", &[("origin", APP)]), 401, &challenge).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()[ALLOW_ORIGIN], APP);
    assert!(
        response.headers()[EXPOSE]
            .to_str()
            .unwrap()
            .contains("WWW-Authenticate")
    );
    assert_eq!(response.headers()["www-authenticate"], challenge[0].1);
}

#[tokio::test]
async fn findings_tell_what_was_decided() {
    for (asked, verdict, kind) in [
        (
            request("POST", &[("origin", APP)]),
            Verdict::Allowed,
            "origin_allowed",
        ),
        (preflight(&[]), Verdict::Allowed, "preflight"),
        (
            request("POST", &[("origin", EVIL)]),
            Verdict::Refused,
            "origin_refused",
        ),
    ] {
        let mut asked = asked;
        let context = SecurityContext::of(&mut asked);
        context.open_trail();
        let _ = answer(&app(), asked).await;
        let findings = context.trail().unwrap().findings();
        let [finding] = &*findings else {
            panic!("{findings:?}")
        };
        assert_eq!(
            (finding.layer, finding.verdict, finding.kind),
            ("cors", verdict, kind)
        );
    }
}

#[tokio::test]
async fn an_inner_error_passes_untouched() {
    let service = app().layer(service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>("inner")
    }));
    let result = service.oneshot(request("GET", &[("origin", APP)])).await;
    assert_eq!(result.unwrap_err(), "inner");
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut inner) = tower_test::mock::spawn_with(|service| app().layer(service));
    inner.allow(0);
    assert!(service.poll_ready::<Request<Body>>().is_pending());
    inner.allow(1);
    assert!(service.poll_ready().is_ready());
    let _: &Cors<tower_test::mock::Mock<Request<Body>, Response<Body>>> = service.get_ref();
}

#[tokio::test]
async fn bodies_need_be_neither_sync_nor_unpin_nor_default() {
    struct Odd(
        #[allow(dead_code)] Cell<u8>,
        #[allow(dead_code)] PhantomPinned,
    );
    let odd = || Odd(Cell::new(0), PhantomPinned);
    let inner =
        service_fn(move |_: Request<Odd>| async move { Ok::<_, Infallible>(Response::new(odd())) });
    let response = app()
        .layer(inner)
        .oneshot(Request::new(odd()))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[test]
fn the_service_is_send_sync_and_clone() {
    fn check<T: Send + Sync + Clone>(_: &T) {}
    check(&app());
    let mut service = app().layer(Empty::<bytes::Bytes>::new());
    check(&service);
    let _: &mut Empty<_> = service.get_mut();
    let _: Empty<_> = service.into_inner();
}

proptest! {
    #[test]
    fn no_request_panics_and_only_listed_origins_are_granted(
        origins in prop::collection::vec(
            prop_oneof![
                Just(APP.as_bytes().to_vec()),
                prop::collection::vec(b' '..=b'~', 0..40),
                prop::collection::vec(0x80..=0xffu8, 0..40),
            ],
            0..3,
        ),
        options in any::<bool>(),
        asked in "[ -~]{0,20}",
    ) {
        let layer = app();
        let mut request = request(if options { "OPTIONS" } else { "POST" }, &[(REQUEST_METHOD, &asked)]);
        for origin in &origins {
            request.headers_mut().append(ORIGIN, HeaderValue::from_bytes(origin).unwrap());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(answer(&layer, request));
        let allowed = origins == [APP.as_bytes()];
        prop_assert_eq!(response.headers().contains_key(ALLOW_ORIGIN), allowed);
        prop_assert_eq!(response.status() == 403, !allowed && !origins.is_empty());
    }
}
