//! The layer from outside: readiness, streaming, refusals, panics, body types.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy spares tests these, but not their helpers"
)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, pending, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bartizan_core::{
    Denial, DenialKind, Principal, ResponseBody, SecurityContext, Transport, identify, refuse,
};
use bartizan_headers::{SecurityHeaders, SecurityHeadersLayer};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::ext::ReasonPhrase;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::{assert_request_eq, mock};
use tracing_subscriber::fmt::MakeWriter;

type Answer = Response<ResponseBody<Full<Bytes>>>;

/// What the layer makes of an inner answer to a bare request.
async fn through(layer: SecurityHeadersLayer, inner: Response<&'static str>) -> Answer {
    through_request(layer, Request::new(()), inner).await
}

async fn through_request(
    layer: SecurityHeadersLayer,
    request: Request<()>,
    inner: Response<&'static str>,
) -> Answer {
    let mut inner = Some(inner.map(|text| Full::new(Bytes::from_static(text.as_bytes()))));
    let service = service_fn(move |_: Request<()>| {
        let answer = inner.take().expect("one call");
        async { Ok::<_, Infallible>(answer) }
    });
    layer.layer(service).oneshot(request).await.unwrap()
}

async fn text<B: Body<Data = Bytes>>(response: Response<B>) -> String
where
    B::Error: std::fmt::Debug,
{
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn answering(status: u16) -> Response<&'static str> {
    Response::builder()
        .status(status)
        .body("inner text")
        .unwrap()
}

fn assert_secured(headers: &HeaderMap) {
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let csp = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    assert_eq!(headers["content-security-policy"], csp);
}

#[tokio::test]
async fn sh_1_seed_h3_headers_are_set_on_every_status() {
    for status in [
        200, 202, 204, 301, 304, 400, 401, 403, 404, 405, 413, 429, 500, 502, 503,
    ] {
        let answer = through(SecurityHeadersLayer::mcp(), answering(status)).await;
        assert_eq!(answer.status(), status);
        assert_secured(answer.headers());
        assert_eq!(answer.headers()["cache-control"], "no-store", "{status}");
    }
}

#[tokio::test]
async fn classic_sets_exactly_the_seven_names() {
    let layer = SecurityHeadersLayer::classic().tls_terminated_here();
    let answer = through(layer, answering(200)).await;
    let mut lines: Vec<_> = answer
        .headers()
        .iter()
        .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
        .collect();
    lines.sort();
    let expected = [
        "content-security-policy: default-src 'self'",
        "permissions-policy: geolocation=(), microphone=(), camera=()",
        "referrer-policy: no-referrer",
        "strict-transport-security: max-age=31536000; includeSubDomains",
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "x-xss-protection: 0",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_page_profile_inside_keeps_its_headers_under_an_api_profile_outside() {
    let page = SecurityHeadersLayer::html().layer(service_fn(|_: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let service = SecurityHeadersLayer::mcp().layer(page);
    let answer = service.oneshot(Request::new(())).await.unwrap();
    let headers = answer.headers();
    assert_eq!(headers["referrer-policy"], "same-origin");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    assert_eq!(headers.get_all("content-security-policy").iter().count(), 1);
}

#[tokio::test]
async fn seed_h5_a_forwarded_proto_header_earns_no_hsts() {
    let request = Request::builder()
        .header("x-forwarded-proto", "https")
        .header("forwarded", "proto=https")
        .body(())
        .unwrap();
    let answer = through_request(SecurityHeadersLayer::mcp(), request, answering(200)).await;
    assert!(!answer.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn seed_h5_what_a_network_layer_stamps_further_in_decides_on_hsts() {
    let declared = SecurityHeadersLayer::mcp().tls_terminated_here();
    for (layer, stamped, sent) in [
        (SecurityHeadersLayer::mcp(), None, false),
        (SecurityHeadersLayer::mcp(), Some(Transport::Tls), true),
        (SecurityHeadersLayer::mcp(), Some(Transport::Plain), false),
        (declared.clone(), None, true),
        (declared.clone(), Some(Transport::Tls), true),
        (declared, Some(Transport::Plain), false),
    ] {
        let service = layer.layer(service_fn(|mut request: Request<()>| async move {
            if let Some(transport) = stamped {
                SecurityContext::of(&mut request)
                    .set_transport(transport)
                    .unwrap();
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let answer = service.oneshot(Request::new(())).await.unwrap();
        let has = answer.headers().contains_key("strict-transport-security");
        assert_eq!(has, sent, "{stamped:?}");
    }
}

#[tokio::test]
async fn sh_2_public_answers_are_kept_from_shared_caches_only_for_those_who_identified() {
    let public = || {
        let builder = Response::builder().header("cache-control", "public, max-age=60");
        builder.body("").unwrap()
    };
    let ann = Principal::user("https://auth.example", "ann").build("apikey");
    for (authorization, principal, kept) in [
        (None, None, true),
        (None, Some(Principal::anonymous()), true),
        (Some("Bearer x"), None, false),
        (Some(""), None, false),
        (None, Some(ann), false),
    ] {
        let mut request = Request::new(());
        if let Some(value) = authorization {
            request
                .headers_mut()
                .insert("authorization", value.parse().unwrap());
        }
        let named = format!("{authorization:?} {principal:?}");
        if let Some(principal) = principal {
            identify(&mut request, principal).unwrap();
        }
        let answer = through_request(SecurityHeadersLayer::mcp(), request, public()).await;
        let expected = if kept {
            "public, max-age=60"
        } else {
            "no-store"
        };
        assert_eq!(answer.headers()["cache-control"], expected, "{named}");
    }
}

#[tokio::test]
async fn sh_2_removing_authorization_on_the_way_in_does_not_hide_it() {
    let service = SecurityHeadersLayer::mcp().layer(service_fn(|mut r: Request<()>| async move {
        r.headers_mut().remove("authorization");
        let builder = Response::builder().header("cache-control", "public");
        Ok::<_, Infallible>(builder.body(Full::<Bytes>::default()).unwrap())
    }));
    let request = Request::builder()
        .header("authorization", "Bearer x")
        .body(())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn sh_4_an_inner_server_error_names_an_id_instead_of_its_text() {
    for content_type in ["text/plain", "text/event-stream"] {
        let inner = Response::builder()
            .status(503)
            .header("server", "secret/1")
            .header("content-type", content_type)
            .header("content-length", "10")
            .header("retry-after", "7")
            .body("inner text")
            .unwrap();
        let mut request = Request::new(());
        let context = SecurityContext::of(&mut request);
        let id = context.correlation_id().to_string();
        context.open_trail();
        let answer = through_request(SecurityHeadersLayer::mcp(), request, inner).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(!answer.headers().contains_key("server"));
        assert!(!answer.headers().contains_key("content-length"));
        let body = text(answer).await;
        assert!(body.contains(&id) && !body.contains("inner text"), "{body}");
        assert_eq!(context.trail().unwrap().findings()[0].kind, "scrubbed");
    }
}

#[tokio::test]
async fn sh_4_an_inner_reason_phrase_goes_with_the_text() {
    let mut inner = answering(502);
    let phrase = ReasonPhrase::from_static(b"NullPointerException at Db.java:7");
    inner.extensions_mut().insert(phrase);
    let answer = through(SecurityHeadersLayer::mcp(), inner).await;
    assert_eq!(answer.status(), 502);
    assert!(answer.extensions().get::<ReasonPhrase>().is_none());
}

#[tokio::test]
async fn sh_4_a_status_beyond_the_known_ones_is_a_server_error() {
    for status in [599, 600, 999] {
        let answer = through(SecurityHeadersLayer::mcp(), answering(status)).await;
        assert_eq!(answer.status(), status);
        assert!(!text(answer).await.contains("inner text"), "{status}");
    }
}

#[tokio::test]
async fn sh_4_inner_bodies_below_500_or_in_danger_stay() {
    let danger = SecurityHeadersLayer::mcp().danger_keep_inner_5xx_bodies();
    assert_eq!(
        text(through(danger, answering(500)).await).await,
        "inner text"
    );
    assert_eq!(
        text(through(SecurityHeadersLayer::mcp(), answering(499)).await).await,
        "inner text"
    );
}

#[tokio::test]
async fn a_refusal_of_an_inner_layer_keeps_its_text_and_gets_the_headers() {
    let service =
        SecurityHeadersLayer::mcp().layer(service_fn(|mut request: Request<()>| async move {
            let context = SecurityContext::of(&mut request);
            let denial = Denial::new(DenialKind::Unavailable, "keys are missing");
            Ok::<Answer, Infallible>(refuse!("jwt", &context, denial))
        }));
    let mut request = Request::new(());
    let context = SecurityContext::of(&mut request);
    let trail = context.open_trail();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_secured(answer.headers());
    assert_eq!(trail.findings().len(), 1, "only the refusal itself");
    assert!(text(answer).await.contains("temporarily unavailable"));
}

#[tokio::test]
async fn an_answer_whose_headers_fill_the_map_is_a_500_and_not_a_panic() {
    let service = SecurityHeadersLayer::mcp().layer(service_fn(|_: Request<()>| async move {
        let mut answer = Response::new(Full::new(Bytes::from_static(b"inner text")));
        for index in 0.. {
            let name = format!("x-{index}").parse::<http::HeaderName>().unwrap();
            if answer
                .headers_mut()
                .try_insert(name, "a".parse().unwrap())
                .is_err()
            {
                break;
            }
        }
        Ok::<_, Infallible>(answer)
    }));
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_secured(answer.headers());
    assert!(!text(answer).await.contains("inner text"));
}

#[tokio::test]
async fn a_body_that_panics_when_it_is_dropped_for_a_full_map_is_still_answered() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("hunter2");
        }
    }
    let service = SecurityHeadersLayer::mcp().layer(service_fn(|_: Request<()>| async move {
        let mut answer = Response::new(Bomb);
        let full = |index| {
            answer
                .headers_mut()
                .try_insert(numbered(index), "a".parse().unwrap())
        };
        (0..).map(full).find(Result::is_err);
        Ok::<_, Infallible>(answer)
    }));
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_secured(answer.headers());
}

fn numbered(index: usize) -> http::HeaderName {
    format!("x-{index}").parse().unwrap()
}

async fn assert_answered<S>(service: S)
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let mut request = Request::new(());
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let layer = SecurityHeadersLayer::mcp();
    let answer = layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_secured(answer.headers());
    assert_eq!(answer.headers()["content-type"], "application/json");
    let kind = answer.extensions().get::<Denial>().unwrap().kind();
    assert_eq!(kind, DenialKind::Internal);
    let body = text(answer).await;
    assert!(body.contains(context.correlation_id().as_str()), "{body}");
    assert!(!body.contains("hunter2"), "{body}");
    assert_eq!(context.trail().unwrap().findings()[0].kind, "internal");
}

#[tokio::test]
async fn seed_h3_a_panic_in_call_is_a_500_with_headers_and_no_text() {
    assert_answered(service_fn(|_: Request<()>| {
        if true {
            panic!("hunter2");
        }
        pending()
    }))
    .await;
}

#[tokio::test]
async fn seed_h3_a_panic_in_the_future_is_a_500_with_headers_and_no_text() {
    assert_answered(service_fn(|_: Request<()>| async move {
        tokio::task::yield_now().await;
        panic!("hunter2")
    }))
    .await;
}

#[tokio::test]
async fn a_future_that_panics_and_then_panics_when_dropped_is_still_answered() {
    struct Bomb;
    impl Future for Bomb {
        type Output = Result<Response<Full<Bytes>>, Infallible>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            panic!("hunter2");
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("hunter2 again");
        }
    }
    assert_answered(service_fn(|_: Request<()>| Bomb)).await;
}

#[tokio::test]
async fn the_service_serves_on_after_a_panic() {
    let mut service =
        SecurityHeadersLayer::mcp().layer(service_fn(|r: Request<bool>| async move {
            assert!(r.into_body(), "hunter2");
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    for (fine, status) in [(true, 200), (false, 500), (true, 200)] {
        let answer = service
            .ready()
            .await
            .unwrap()
            .call(Request::new(fine))
            .await;
        assert_eq!(answer.unwrap().status(), status);
    }
}

#[tokio::test]
async fn an_answered_future_polled_again_neither_panics_nor_answers() {
    let mut service = SecurityHeadersLayer::mcp().layer(service_fn(|_: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let mut future = pin!(service.call(Request::new(())));
    assert!(future.as_mut().await.is_ok());
    let again = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(again);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn al_5_what_a_panic_said_is_logged_once_escaped_and_bounded() {
    // For all threads: a callsite that another test's thread meets first, without a subscriber,
    // would stay silent here.
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    tracing::callsite::rebuild_interest_cache();

    let service = service_fn(|_: Request<()>| async move {
        if true {
            panic!("broken\n\u{1b}[31m{}END", "x".repeat(5000));
        }
        pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    });
    let mut request = Request::new(());
    let context = SecurityContext::of(&mut request);
    SecurityHeadersLayer::mcp()
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let mut lines = log.lines().filter(|l| l.contains("broken"));
    let line = lines.next().unwrap();
    assert_eq!(lines.next(), None);
    assert!(line.contains("ERROR bartizan::headers"), "{line}");
    assert!(line.contains(r"broken\u{a}\u{1b}[31mxxx"), "{line}");
    assert!(line.contains(context.correlation_id().as_str()), "{line}");
    assert!(line.len() < 1000 && !line.contains("END"), "{line}");
}

/// Frames as they were put in: data, data, trailers.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

#[tokio::test]
async fn seed_h6_a_streamed_body_passes_frame_by_frame_with_its_trailers() {
    let service = SecurityHeadersLayer::mcp().layer(service_fn(|_: Request<()>| async move {
        let trailers: HeaderMap = [("x-sum".parse().unwrap(), "1".parse().unwrap())]
            .into_iter()
            .collect();
        let frames = Frames(VecDeque::from([
            Frame::data(Bytes::from_static(b"data: 1\n\n")),
            Frame::data(Bytes::from_static(b"data: 2\n\n")),
            Frame::trailers(trailers),
        ]));
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(frames)
    }));
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut body = answer.into_body();
    assert!(!body.is_end_stream());
    for expected in ["data: 1\n\n", "data: 2\n\n"] {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), expected);
    }
    let trailers = body
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_trailers()
        .unwrap();
    assert_eq!(trailers["x-sum"], "1");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn readiness_and_requests_pass_to_the_inner_service() {
    let (inner, mut handle) = mock::pair::<Request<&str>, Response<Full<Bytes>>>();
    let mut service = SecurityHeadersLayer::mcp().layer(inner);
    handle.allow(0);
    let waiting = poll_fn(|cx| {
        let polled = Service::<Request<&str>>::poll_ready(&mut service, cx);
        Poll::Ready(polled.is_pending())
    });
    assert!(waiting.await);
    handle.allow(1);
    poll_fn(|cx| Service::<Request<&str>>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    let answer = service.call(Request::new("hello"));
    let serve = async {
        let (request, send) = handle.next_request().await.unwrap();
        assert!(SecurityContext::find(request.extensions()).is_some());
        assert_eq!(request.into_body(), "hello");
        send.send_response(Response::new(Full::default()));
    };
    let (answer, ()) = tokio::join!(answer, serve);
    assert_secured(answer.unwrap().headers());
}

#[tokio::test]
async fn an_inner_error_passes_untouched() {
    let (inner, mut handle) = mock::pair::<&str, Response<Full<Bytes>>>();
    let inner = inner.map_request(|request: Request<&'static str>| request.into_body());
    let service = SecurityHeadersLayer::mcp().layer(inner);
    let answer = tokio::spawn(service.oneshot(Request::new("hello")));
    assert_request_eq!(handle, "hello").send_error("broken");
    let error = answer.await.unwrap().err().unwrap();
    assert_eq!(error.to_string(), "broken");
}

#[tokio::test]
async fn dropping_the_future_drops_the_inner_one() {
    struct Guard(Arc<()>);
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let mut service = SecurityHeadersLayer::mcp().layer(service_fn(move |_: Request<()>| {
        let guard = Guard(Arc::clone(&held));
        async move {
            let answer = pending::<Result<Response<Full<Bytes>>, Infallible>>().await;
            drop(guard.0);
            answer
        }
    }));
    let future = service.call(Request::new(()));
    assert_eq!(Arc::strong_count(&alive), 3);
    drop(future);
    assert_eq!(Arc::strong_count(&alive), 2);
}

#[test]
fn it_serves_every_usual_body_type() {
    fn served<S, ReqB, ResB>(_: &SecurityHeaders<S>)
    where
        S: Service<Request<ReqB>, Response = Response<ResB>, Error = Infallible>,
        SecurityHeaders<S>: Service<Request<ReqB>, Response = Response<ResponseBody<ResB>>>,
        <SecurityHeaders<S> as Service<Request<ReqB>>>::Future: Send,
        ResponseBody<ResB>: Body<Data = Bytes>,
    {
    }
    type Boxed = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;
    let layer = SecurityHeadersLayer::mcp();
    served(
        &layer.layer(service_fn(|r: Request<axum::body::Body>| async move {
            Ok(Response::new(r.into_body()))
        })),
    );
    served(
        &layer.layer(service_fn(|r: Request<Full<Bytes>>| async move {
            Ok(Response::new(r.into_body()))
        })),
    );
    served(&layer.layer(service_fn(|r: Request<Boxed>| async move {
        Ok(Response::new(r.into_body()))
    })));
    served(
        &layer.layer(service_fn(|r: Request<hyper::body::Incoming>| async move {
            Ok(Response::new(r.into_body()))
        })),
    );
}

#[test]
fn the_inner_service_can_be_reached() {
    let mut service = SecurityHeadersLayer::default().layer(7);
    *service.get_mut() += 1;
    assert_eq!(*service.get_ref(), 8);
    assert_eq!(service.into_inner(), 8);
}
