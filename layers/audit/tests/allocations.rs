//! What a record costs on the request's path.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

use std::{
    convert::Infallible,
    future::ready,
    io,
    pin::pin,
    task::{Context, Waker},
};

use bartizan_audit::{AuditLayer, JsonLines};
use bartizan_core::{Principal, SecurityContext, admit, identify};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};

/// A request whose parts share a buffer, as those do that a server reads.
fn request() -> Request<()> {
    let shared = |text: &str| {
        let bytes = Bytes::from(text.to_owned());
        let also = bytes.clone();
        drop(also);
        bytes
    };
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_maybe_shared(shared("/mcp")).unwrap();
    let agent = HeaderValue::from_maybe_shared(shared("agent/1.0")).unwrap();
    request.headers_mut().insert("user-agent", agent);
    let ann = Principal::user("https://auth.example.com", "ann").roles(["developer"]);
    identify(&mut request, ann.build("jwt")).unwrap();
    request
}

fn allocations<S: Service<Request<()>>>(service: &mut S) -> u64 {
    let mut count = 0;
    // The first ones fill buffers that are kept.
    for _ in 0..10 {
        let request = request();
        let measured = allocation_counter::measure(|| {
            let mut future = pin!(service.call(request));
            let polled = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        });
        count = measured.count_total;
    }
    count
}

#[test]
fn a_record_with_six_findings_adds_three_allocations() {
    let inner = service_fn(|mut request: Request<()>| {
        let context = SecurityContext::of(&mut request);
        for _ in 0..6 {
            admit!("guard", &context, "allowed", "a static reason");
        }
        let mut answer = Response::new(Full::new(Bytes::from_static(b"{}")));
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert("content-type", json);
        ready(Ok::<_, Infallible>(answer))
    });
    let mut bare = inner;
    let lines = JsonLines::to(io::sink());
    let mut recorded = AuditLayer::new(lines.clone()).layer(inner);
    let added = allocations(&mut recorded) - allocations(&mut bare);
    // The trail's findings, the header's value, and the exchange: without its box every layer outside would copy it around,
    // in the future and in the answer, which takes longer. The buffer of lines grows now and then.
    assert_eq!(added, 3);
    lines.flush(std::time::Duration::from_secs(10)).unwrap();
}
