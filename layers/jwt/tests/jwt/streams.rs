//! Event streams: they end with the token of their request, and with its revocation.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bartizan_core::{AuthLayer, Clock as _, auth::Revocations};
use http_body::{Body, Frame};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A body of events that a test pushes.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<VecDeque<Bytes>>>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = self.0.lock().unwrap().pop_front();
        event.map_or(Poll::Pending, |event| {
            Poll::Ready(Some(Ok(Frame::data(event))))
        })
    }
}

struct Stream {
    events: Events,
    body: ResponseBody<Events>,
}

impl Stream {
    async fn open(layer: &AuthLayer, method: &str, token: &str) -> Self {
        Self::open_stamped(layer, method, token, None).await
    }

    /// The same of a request whose caller another layer has stamped.
    async fn open_stamped(
        layer: &AuthLayer,
        method: &str,
        token: &str,
        stamped: Option<Principal>,
    ) -> Self {
        let events = Events::default();
        let body = events.clone();
        let inner = service_fn(move |_: Request<()>| {
            let answer = Response::builder().header("content-type", "text/event-stream");
            let answer = answer.body(body.clone()).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        let request = Request::builder().method(method).uri("/mcp");
        let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        let mut request = request.body(()).unwrap();
        if let Some(principal) = stamped {
            bartizan_core::identify(&mut request, principal).unwrap();
        }
        let answer = layer.layer(inner).oneshot(request).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = answer.into_body();
        Self { events, body }
    }

    /// Whether an event that happens now is delivered; otherwise the stream has ended.
    async fn delivers(&mut self) -> bool {
        let event = Bytes::from_static(b"data: x\n\n");
        self.events.0.lock().unwrap().push_back(event);
        self.body.frame().await.is_some()
    }
}

#[tokio::test]
async fn tv_20_no_event_after_a_revocation_reaches_an_open_stream() {
    for method in ["GET", "POST"] {
        for what in 0..3 {
            let clock = clock();
            let list = Revocations::with_clock(10, clock.clone());
            let verifier = builder(&clock).revocations(list.clone()).build().unwrap();
            let layer = AuthLayer::new(verifier);
            let token = mint(&clock)
                .token()
                .claim("jti", "t1")
                .claim("sid", "s1")
                .encode();
            let mut stream = Stream::open(&layer, method, &token).await;
            assert!(stream.delivers().await);
            let until = clock.wall() + 3600 * SECOND;
            list.revoke_credential(I, "another", until).unwrap();
            assert!(stream.delivers().await, "it is another's");
            match what {
                0 => list.revoke_credential(I, "t1", until),
                1 => list.revoke_session(I, "s1", until),
                _ => list.revoke_subject(I, "ann", until),
            }
            .unwrap();
            assert!(!stream.delivers().await, "{method} {what}");
            assert!(!stream.delivers().await, "it stays so");
        }
    }
}

#[tokio::test]
async fn tv_20_a_stream_ends_when_its_token_would_be_refused_and_not_before() {
    let clock = clock();
    let verifier = builder(&clock).leeway(60 * SECOND).build().unwrap();
    let layer = AuthLayer::new(verifier.clone()).clock(clock.clone());
    let token = mint(&clock).token().expires_in(-5).encode();
    // Cold, and then remembered.
    for _ in 0..2 {
        let mut stream = Stream::open(&layer, "GET", &token).await;
        assert!(stream.delivers().await, "the leeway is the stream's too");
    }
    let mut stream = Stream::open(&layer, "GET", &token).await;
    clock.advance(54 * SECOND);
    assert!(stream.delivers().await);
    clock.advance(SECOND);
    assert!(!stream.delivers().await);
    let again = verifier.verify(&token).await;
    assert_eq!(reason(again), "the token has expired");
}

#[tokio::test]
async fn where_revocations_are_not_known_nobody_listens_on_and_a_running_call_finishes() {
    for (method, goes_on) in [("GET", false), ("POST", true)] {
        let clock = clock();
        let list = Revocations::with_clock(10, clock.clone());
        let feed = list.depend_on_feed(10 * SECOND).unwrap();
        feed.touch();
        let verifier = builder(&clock).revocations(list.clone()).build().unwrap();
        let layer = AuthLayer::new(verifier);
        let token = mint(&clock).token().claim("jti", "t1").encode();
        let mut stream = Stream::open(&layer, method, &token).await;
        assert!(stream.delivers().await);
        clock.advance(10 * SECOND);
        assert_eq!(stream.delivers().await, goes_on, "{method}");
        let until = clock.wall() + 3600 * SECOND;
        list.revoke_credential(I, "t1", until).unwrap();
        assert!(!stream.delivers().await, "{method}");
    }
}

#[tokio::test]
async fn a_stream_is_watched_by_its_token_also_where_another_layer_stamped_the_caller_first() {
    let clock = clock();
    let list = Revocations::with_clock(10, clock.clone());
    let verifier = builder(&clock).revocations(list.clone()).build().unwrap();
    let token = mint(&clock).token().claim("jti", "t1").encode();
    let known = verifier.verify(&token).await.unwrap();
    let mut stamped = Principal::user(I, "ann").scopes(known.scopes());
    stamped = stamped.roles(known.roles()).leeway(60 * SECOND);
    stamped = stamped.expires_at(known.expires_at().unwrap());
    if let Some(client) = known.client_id() {
        stamped = stamped.client_id(client);
    }
    let stamped = stamped.build("other");
    assert!(stamped.credential_id().is_none());
    let layer = AuthLayer::new(verifier);
    let mut stream = Stream::open_stamped(&layer, "GET", &token, Some(stamped)).await;
    assert!(stream.delivers().await);
    let until = clock.wall() + 3600 * SECOND;
    list.revoke_credential(I, "t1", until).unwrap();
    assert!(!stream.delivers().await);
}
