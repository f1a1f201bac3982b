//! The layer as its users see it.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{convert::Infallible, net::SocketAddr, str::FromStr};

use bartizan_core::{Denial, DenialKind, SecurityContext, Transport, Verdict};
use bartizan_network::{ForwardedHeader, Network, NetworkLayer, PeerAddr};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use tower::{Layer, Service, ServiceExt, service_fn};

/// A response, and the context of the request it answers.
struct Answer {
    response: Response<bartizan_core::ResponseBody<Full<Bytes>>>,
    context: SecurityContext,
}

impl Answer {
    fn denial(&self) -> Option<DenialKind> {
        self.response.extensions().get::<Denial>().map(Denial::kind)
    }

    fn client(&self) -> Option<String> {
        self.context.client_address().map(|a| a.to_string())
    }

    fn findings(&self) -> Vec<&'static str> {
        let findings = self.context.open_trail().findings();
        let noted = findings.iter().filter(|f| f.verdict == Verdict::Noted);
        noted.map(|f| f.kind).collect()
    }
}

async fn ask(layer: &NetworkLayer, mut request: Request<Full<Bytes>>) -> Answer {
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let echo = service_fn(|request: Request<Full<Bytes>>| async move {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let response = layer.layer(echo).oneshot(request).await.unwrap();
    Answer { response, context }
}

fn from(peer: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp").header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Full::default()).unwrap();
    let peer = SocketAddr::new(peer.parse().unwrap(), 40_000);
    request.extensions_mut().insert(PeerAddr(peer));
    request
}

fn behind_proxies() -> NetworkLayer {
    NetworkLayer::new()
        .trust_proxy("10.0.0.0/8")
        .and_then(|layer| layer.trust_proxy("2001:db8:a::/48"))
        .unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostVector {
    name: String,
    ids: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    host: Vec<String>,
    authority: Option<String>,
    expect: u16,
}

impl HostVector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../../../tests/vectors/hosts.json")).unwrap()
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let uri = match &self.authority {
            Some(authority) => format!("https://{authority}/mcp"),
            None => "/mcp".to_owned(),
        };
        let mut request = Request::post(uri);
        for line in &self.host {
            request = request.header("host", line.as_bytes());
        }
        request.body(Full::default()).unwrap()
    }
}

#[tokio::test]
async fn oh_3_tr_27_hosts_are_judged_as_the_vectors_say() {
    for vector in HostVector::all() {
        let mut layer = NetworkLayer::new();
        for host in &vector.allow {
            layer = layer.allow_host(host).unwrap();
        }
        let answer = ask(&layer, vector.request()).await;
        let kind = match vector.expect {
            200 => None,
            400 => Some(DenialKind::HostMalformed),
            403 => Some(DenialKind::HostRefused),
            other => panic!("{other} in `{}`", vector.name),
        };
        let (name, ids) = (&vector.name, vector.ids.join(" "));
        assert_eq!(answer.response.status(), vector.expect, "{name} ({ids})");
        assert_eq!(answer.denial(), kind, "{name} ({ids})");
    }
}

#[tokio::test]
async fn oh_3_any_host_still_means_one_well_formed_host() {
    let layer = NetworkLayer::new().danger_allow_any_host().unwrap();
    for vector in HostVector::all() {
        let expected = if vector.expect == 403 {
            200
        } else {
            vector.expect
        };
        let answer = ask(&layer, vector.request()).await;
        assert_eq!(answer.response.status(), expected, "{}", vector.name);
    }
}

#[tokio::test]
async fn md_4_a_refused_host_is_nowhere_in_the_answer() {
    for (host, shown) in [
        ("evil.example", "`evil.example`"),
        ("evil.example@x", "`x`"),
    ] {
        let request = Request::post("/mcp").header("host", host);
        let answer = ask(&NetworkLayer::new(), request.body(Full::default()).unwrap()).await;
        let reason = answer
            .response
            .extensions()
            .get::<Denial>()
            .unwrap()
            .reason();
        assert!(reason.contains(shown), "the operator learns it: {reason}");
        let (parts, body) = answer.response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("evil"));
        assert!(!format!("{:?}", parts.headers).contains("evil"));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForwardedVector {
    name: String,
    ids: Vec<String>,
    peer: String,
    header: String,
    headers: Vec<(String, String)>,
    client: String,
    transport: String,
    finding: Option<String>,
}

#[tokio::test]
async fn rl_9_tv_18_clients_and_transports_are_found_as_the_vectors_say() {
    let vectors = include_str!("../../../tests/vectors/forwarded.json");
    for vector in serde_json::from_str::<Vec<ForwardedVector>>(vectors).unwrap() {
        let layer = behind_proxies().forwarded_header(match vector.header.as_str() {
            "forwarded" => ForwardedHeader::Forwarded,
            "x-forwarded-for" => ForwardedHeader::XForwardedFor,
            other => panic!("{other} in `{}`", vector.name),
        });
        let layer = layer.unwrap();
        let headers: Vec<_> = vector.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let answer = ask(&layer, from(&vector.peer, &headers)).await;
        let transport = match answer.context.transport() {
            Some(Transport::Tls) => "tls",
            Some(Transport::Plain) => "plain",
            _ => "none",
        };
        let (name, ids) = (&vector.name, vector.ids.join(" "));
        assert_eq!(
            answer.client().as_ref(),
            Some(&vector.client),
            "{name} ({ids})"
        );
        assert_eq!(transport, vector.transport, "{name} ({ids})");
        let finding: Vec<_> = vector.finding.iter().map(String::as_str).collect();
        assert_eq!(answer.findings(), finding, "{name} ({ids})");
        assert_eq!(answer.response.status(), 200, "{name} ({ids})");
    }
}

#[tokio::test]
async fn seed_u16_the_address_is_ruled_by_the_trusted_proxies() {
    let forged = [("x-forwarded-for", "192.0.2.1")];
    let stranger = ask(&behind_proxies(), from("198.51.100.9", &forged)).await;
    assert_eq!(stranger.client().as_deref(), Some("198.51.100.9"));
    let proxy = ask(&behind_proxies(), from("10.0.0.1", &forged)).await;
    assert_eq!(proxy.client().as_deref(), Some("192.0.2.1"));
    let nobody_trusted = ask(&NetworkLayer::new(), from("10.0.0.1", &forged)).await;
    assert_eq!(nobody_trusted.client().as_deref(), Some("10.0.0.1"));
}

#[tokio::test]
async fn seed_u3_an_address_in_the_callers_own_arguments_is_not_the_clients() {
    let body = r#"{"params":{"arguments":{"request_context":{"ip":"192.0.2.1"}}}}"#;
    let request = from("198.51.100.9", &[]).map(|_| Full::from(body));
    let answer = ask(&behind_proxies(), request).await;
    assert_eq!(answer.client().as_deref(), Some("198.51.100.9"));
    let passed = answer
        .response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(passed, body, "the body was not touched");
}

#[tokio::test]
async fn seed_r9_two_anonymous_callers_have_two_addresses() {
    let one = ask(&NetworkLayer::new(), from("198.51.100.9", &[])).await;
    let two = ask(&NetworkLayer::new(), from("198.51.100.10", &[])).await;
    assert_ne!(one.client(), two.client());
}

#[tokio::test]
async fn a_request_without_a_peer_has_no_client_and_no_word_of_a_proxy() {
    let forged = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    let mut request = from("10.0.0.1", &forged);
    request.extensions_mut().remove::<PeerAddr>();
    let answer = ask(&behind_proxies(), request).await;
    assert_eq!(answer.response.status(), 200);
    assert_eq!(answer.client(), None);
    assert_eq!(answer.context.transport(), Some(Transport::Plain));
    assert_eq!(answer.findings(), ["peer_unknown"]);
}

#[tokio::test]
async fn tv_18_tls_of_our_own_says_nothing_about_what_a_proxy_brought() {
    let layer = behind_proxies().tls_terminated_here();
    let direct = ask(
        &layer,
        from("198.51.100.9", &[("x-forwarded-proto", "http")]),
    )
    .await;
    assert_eq!(direct.context.transport(), Some(Transport::Tls));
    let proxied = ask(
        &layer,
        from("10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]),
    )
    .await;
    assert_eq!(proxied.context.transport(), Some(Transport::Plain));
    let mut unknown = from("10.0.0.1", &[]);
    unknown.extensions_mut().remove::<PeerAddr>();
    let unknown = ask(&layer, unknown).await;
    assert_eq!(unknown.context.transport(), Some(Transport::Tls));
}

#[tokio::test]
async fn tv_18_plain_http_is_refused_where_tls_is_required_and_never_redirected() {
    let layer = behind_proxies().require_tls().unwrap();
    let https = ("x-forwarded-proto", "https");
    let client = ("x-forwarded-for", "192.0.2.1");
    for (peer, headers, status) in [
        ("10.0.0.1", &[client, https][..], 200),
        ("10.0.0.1", &[client, ("x-forwarded-proto", "http")], 403),
        ("10.0.0.1", &[client], 403),
        ("198.51.100.9", &[https], 403),
        ("198.51.100.9", &[client, https], 403),
        ("127.0.0.1", &[], 403),
    ] {
        let answer = ask(&layer, from(peer, headers)).await;
        assert_eq!(answer.response.status(), status, "{peer} {headers:?}");
        let kind = (status == 403).then_some(DenialKind::TlsRequired);
        assert_eq!(answer.denial(), kind);
        assert!(!answer.response.headers().contains_key("location"), "AC-14");
    }
    let own = NetworkLayer::new().tls_terminated_here().require_tls();
    let answer = ask(&own.unwrap(), from("198.51.100.9", &[])).await;
    assert_eq!(answer.response.status(), 200);
}

#[tokio::test]
async fn tv_18_plain_loopback_is_excepted_for_the_peer_itself_only() {
    let layer = behind_proxies()
        .trust_proxy("127.0.0.2")
        .and_then(NetworkLayer::require_tls)
        .and_then(NetworkLayer::danger_allow_plain_loopback)
        .unwrap();
    for (peer, headers, status) in [
        ("127.0.0.1", &[][..], 200),
        ("::1", &[], 200),
        ("::ffff:127.0.0.1", &[], 200),
        // A proxy that nobody listed.
        ("127.0.0.1", &[("x-forwarded-for", "192.0.2.1")], 403),
        ("127.0.0.1", &[("forwarded", "for=192.0.2.1")], 403),
        ("127.0.0.1", &[("via", "1.1 x")], 403),
        // A trusted one speaks for somebody, who may claim to be here.
        ("127.0.0.2", &[], 403),
        ("10.0.0.1", &[("x-forwarded-for", "127.0.0.1")], 403),
        ("10.0.0.1", &[("x-forwarded-for", "unknown")], 403),
        ("198.51.100.9", &[], 403),
    ] {
        let answer = ask(&layer, from(peer, headers)).await;
        assert_eq!(answer.response.status(), status, "{peer} {headers:?}");
    }
    let mut unknown = from("127.0.0.1", &[]);
    unknown.extensions_mut().remove::<PeerAddr>();
    assert_eq!(ask(&layer, unknown).await.response.status(), 403);
}

#[tokio::test]
async fn rl_9_seed_u16_the_client_behind_the_proxies_is_what_the_lists_judge() {
    let layer = behind_proxies()
        .allow_network("192.0.2.0/24")
        .and_then(|layer| layer.allow_network("10.0.0.0/8"))
        .and_then(|layer| layer.deny_network("192.0.2.66"))
        .unwrap();
    for (peer, forwarded, status) in [
        ("192.0.2.1", None, 200),
        ("::ffff:192.0.2.1", None, 200),
        ("192.0.2.66", None, 403),
        ("198.51.100.9", None, 403),
        ("198.51.100.9", Some("192.0.2.1"), 403),
        ("10.0.0.1", Some("192.0.2.1"), 200),
        ("10.0.0.1", Some("192.0.2.66"), 403),
        ("10.0.0.1", Some("192.0.2.1, 198.51.100.9"), 403),
        ("10.0.0.1", None, 200),
        // Whoever it was, it was not the proxy, whose own address is allowed.
        ("10.0.0.1", Some("unknown"), 403),
        ("10.0.0.1", Some("192.0.2.1, _hidden"), 403),
    ] {
        let header = forwarded.map(|f| ("x-forwarded-for", f));
        let headers: Vec<_> = header.into_iter().collect();
        let answer = ask(&layer, from(peer, &headers)).await;
        assert_eq!(answer.response.status(), status, "{peer} {forwarded:?}");
        let kind = (status == 403).then_some(DenialKind::AddressRefused);
        assert_eq!(answer.denial(), kind);
        assert!(answer.client().is_some(), "the record has the address");
    }
}

#[tokio::test]
async fn a_client_of_unknown_address_passes_no_list() {
    let strict = NetworkLayer::new().deny_network("192.0.2.66").unwrap();
    for (layer, status) in [(strict, 403), (NetworkLayer::new(), 200)] {
        let mut request = from("198.51.100.9", &[]);
        request.extensions_mut().remove::<PeerAddr>();
        assert_eq!(ask(&layer, request).await.response.status(), status);
    }
}

#[tokio::test]
async fn addresses_are_judged_before_tls_and_tls_before_hosts() {
    let layer = NetworkLayer::new()
        .tls_terminated_here()
        .trust_proxy("10.0.0.0/8")
        .and_then(NetworkLayer::require_tls)
        .and_then(|layer| layer.deny_network("192.0.2.66"))
        .unwrap();
    for (client, proto, kind) in [
        ("192.0.2.66", "http", DenialKind::AddressRefused),
        ("192.0.2.1", "http", DenialKind::TlsRequired),
        ("192.0.2.1", "https", DenialKind::HostRefused),
    ] {
        let headers = [("x-forwarded-for", client), ("x-forwarded-proto", proto)];
        let mut request = from("10.0.0.1", &headers);
        let evil = "evil.example".parse().unwrap();
        request.headers_mut().insert("host", evil);
        let answer = ask(&layer, request).await;
        assert_eq!(answer.denial(), Some(kind));
        assert_eq!(answer.client().as_deref(), Some(client));
        assert!(answer.context.transport().is_some());
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_request_and_nobody_else_does() {
    let layer = behind_proxies()
        .correlation_id_header("X-Request-ID")
        .unwrap();
    for (peer, lines, taken, findings) in [
        ("10.0.0.1", &["req-1"][..], true, &[][..]),
        ("10.0.0.1", &[], false, &[]),
        ("198.51.100.9", &["req-1"], false, &[]),
        (
            "10.0.0.1",
            &["req-1", "req-1"],
            false,
            &["correlation_id_ignored"],
        ),
        ("10.0.0.1", &["req 1"], false, &["correlation_id_ignored"]),
        ("10.0.0.1", &[""], false, &["correlation_id_ignored"]),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("x-request-id", *line)).collect();
        let answer = ask(&layer, from(peer, &headers)).await;
        let id = answer.context.correlation_id().as_str().to_owned();
        assert_eq!(id == "req-1", taken, "{peer} {lines:?}");
        assert_eq!(answer.findings(), findings, "{peer} {lines:?}");
        assert_eq!(answer.response.status(), 200);
    }
}

#[tokio::test]
async fn an_id_that_was_made_already_stays() {
    let layer = behind_proxies()
        .correlation_id_header("x-request-id")
        .unwrap();
    let mut request = from("10.0.0.1", &[("x-request-id", "req-1")]);
    let made = SecurityContext::of(&mut request).correlation_id().clone();
    let answer = ask(&layer, request).await;
    assert_eq!(answer.context.correlation_id(), &made);
    assert_eq!(answer.findings(), ["correlation_id_kept"]);
    assert_eq!(answer.response.status(), 200);
}

#[test]
fn settings_that_could_have_no_effect_or_admit_nobody_do_not_build() {
    let errors = [
        NetworkLayer::new().correlation_id_header("x-request-id"),
        NetworkLayer::new().require_tls(),
        NetworkLayer::new().danger_allow_plain_loopback(),
        NetworkLayer::new()
            .tls_terminated_here()
            .danger_allow_plain_loopback(),
    ]
    .map(|layer| layer.unwrap_err().to_string());
    let named = [
        "correlation_id_header",
        "require_tls",
        "danger_allow_plain_loopback",
        "danger_allow_plain_loopback",
    ];
    for (error, setting) in errors.iter().zip(named) {
        assert!(error.contains(&format!("`{setting}`")), "{error}");
    }
}

#[tokio::test]
async fn a_refused_host_still_leaves_address_and_transport_for_the_record() {
    let mut request = from("198.51.100.9", &[]);
    request
        .headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    let answer = ask(&NetworkLayer::new(), request).await;
    assert_eq!(answer.response.status(), 403);
    assert_eq!(answer.client().as_deref(), Some("198.51.100.9"));
    assert_eq!(answer.context.transport(), Some(Transport::Plain));
}

#[tokio::test]
async fn a_different_stamp_of_another_layer_is_refused_and_the_same_is_not() {
    for (address, transport, status) in [
        ("198.51.100.9", Transport::Plain, 200),
        ("192.0.2.1", Transport::Plain, 500),
        ("198.51.100.9", Transport::Tls, 500),
    ] {
        let mut request = from("198.51.100.9", &[]);
        let context = SecurityContext::of(&mut request);
        context
            .set_client_address(address.parse().unwrap())
            .unwrap();
        context.set_transport(transport).unwrap();
        let answer = ask(&NetworkLayer::new(), request).await;
        assert_eq!(answer.response.status(), status, "{address} {transport:?}");
        let kind = (status == 500).then_some(DenialKind::Internal);
        assert_eq!(answer.denial(), kind);
    }
}

#[tokio::test]
async fn the_peer_may_come_from_a_function() {
    #[derive(Clone)]
    struct Connection(SocketAddr);
    let layer = NetworkLayer::new().peer_from(|e| e.get::<Connection>().map(|c| c.0));
    let mut request = from("198.51.100.9", &[]);
    let peer = SocketAddr::from_str("[::ffff:192.0.2.1]:1").unwrap();
    request.extensions_mut().insert(Connection(peer));
    let answer = ask(&layer, request).await;
    assert_eq!(answer.client().as_deref(), Some("192.0.2.1"));
}

#[tokio::test]
async fn a_refusal_never_reaches_the_inner_service_and_its_errors_pass() {
    let (mock, mut handle) = tower_test::mock::pair::<Request<()>, Response<()>>();
    handle.allow(1);
    let refused = NetworkLayer::new().layer(mock.clone());
    let evil = Request::post("/")
        .header("host", "evil.example")
        .body(())
        .unwrap();
    assert_eq!(refused.oneshot(evil).await.unwrap().status(), 403);
    assert!(
        tokio::time::timeout(std::time::Duration::ZERO, handle.next_request())
            .await
            .is_err()
    );

    let admitted = NetworkLayer::new().layer(mock);
    let good = Request::post("/")
        .header("host", "localhost")
        .body(())
        .unwrap();
    handle.allow(1);
    let answer = tokio::spawn(admitted.oneshot(good));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_error("inner");
    assert_eq!(answer.await.unwrap().unwrap_err().to_string(), "inner");
}

#[test]
fn readiness_is_the_inner_services() {
    let (mock, mut handle) =
        tower_test::mock::spawn_layer::<Request<()>, Response<()>, _>(NetworkLayer::new());
    let mut mock = mock;
    handle.allow(0);
    assert!(mock.poll_ready().is_pending());
    handle.allow(1);
    assert!(mock.poll_ready().is_ready());
}

#[test]
fn it_serves_every_body_and_is_send_and_sync() {
    /// Neither `Send`, `Sync`, `Unpin` nor `Default`.
    struct Stubborn(#[expect(dead_code)] std::rc::Rc<std::marker::PhantomPinned>);

    fn serves<Req, Res>() {
        fn service<S: Service<Request<Req>>, Req>(_: impl FnOnce() -> S) {}
        type Inner<Req, Res> =
            fn(Request<Req>) -> std::future::Ready<Result<Response<Res>, Infallible>>;
        service::<Network<tower::util::ServiceFn<Inner<Req, Res>>>, Req>(|| unreachable!());
    }
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>() {}

    serves::<axum::body::Body, axum::body::Body>();
    serves::<hyper::body::Incoming, Full<Bytes>>();
    serves::<Full<Bytes>, http_body_util::combinators::BoxBody<Bytes, Infallible>>();
    serves::<Stubborn, Stubborn>();
    is_shared::<NetworkLayer>();
    is_shared::<Network<axum::Router>>();
}

#[tokio::test]
async fn it_stacks_on_a_router_and_on_itself() {
    let app = axum::Router::new()
        .fallback_service(service_fn(|_: Request<axum::body::Body>| async {
            Ok::<_, Infallible>(Response::new(axum::body::Body::empty()))
        }))
        .layer((NetworkLayer::new(), NetworkLayer::new()));
    for (host, status) in [("localhost", 200), ("evil.example", 403)] {
        let request = Request::get("/").header("host", host);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
}
