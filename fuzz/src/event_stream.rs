use std::{collections::BTreeMap, convert::Infallible};

use bartizan_core::identify;
use futures_executor::block_on;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    send::{Frames, send},
    session_id::{KEYS, LAYER, ann},
};

/// An arbitrary event stream of a session, whose first byte is the length of its frames.
///
/// By a naive reading, line by line, what comes out is what went in, each id wrapped; and each
/// opens in this session as what it was. What cannot be an id of anything has become a comment.
pub fn event_stream(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    let out = through(stream, usize::from(size).max(1));
    assert_eq!(out, through(stream, stream.len().max(1)), "by the cut");
    let (before, after) = (lines(stream), lines(&out));
    // A last line that does not end says nothing, and may be held back.
    let whole = before.len() - 1;
    assert!(after.len() == before.len());
    let mut opened = BTreeMap::new();
    for (index, (before, after)) in before.iter().zip(&after).take(whole).enumerate() {
        let id = |line| id(line, index == 0);
        match (id(*before), id(*after)) {
            (None, _) => assert_eq!(before, after),
            (Some(was), Some(is)) => {
                let opens = opened.entry(is.to_vec()).or_insert_with(|| open(is));
                let fits = HeaderValue::from_bytes(was).is_ok();
                assert_eq!(opens.as_deref(), fits.then_some(was));
            }
            (Some(was), None) => {
                let mark = (index == 0).then(|| after.strip_prefix(BOM)).flatten();
                assert_eq!(mark.unwrap_or(after), b":");
                assert!(was.contains(&0) || was.len() > 1024);
            }
        }
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

fn lines(stream: &[u8]) -> Vec<&[u8]> {
    stream.split(|b| matches!(b, b'\n' | b'\r')).collect()
}

/// The id that a line gives, if it gives one.
fn id(line: &[u8], is_first: bool) -> Option<&[u8]> {
    let mark = is_first.then(|| line.strip_prefix(BOM)).flatten();
    let id = mark.unwrap_or(line).strip_prefix(b"id:")?;
    let id = id.strip_prefix(b" ").unwrap_or(id);
    (!id.is_empty()).then_some(id)
}

fn through(stream: &[u8], frame: usize) -> Vec<u8> {
    let inner = service_fn(|_: Request<()>| {
        let answer = Response::builder().header("content-type", "text/event-stream");
        let answer = answer.body(Frames::new(stream, frame));
        async { Ok::<_, Infallible>(answer.expect("the head is fine")) }
    });
    let mut request = Request::new(());
    request.headers_mut().insert("mcp-session-id", session());
    identify(&mut request, ann()).expect("it has no principal yet");
    let Ok(answer) = block_on(LAYER.layer(inner).oneshot(request));
    assert_eq!(answer.status(), 200);
    let Ok(body) = block_on(answer.into_body().collect());
    body.to_bytes().to_vec()
}

/// What the service gets to see of an event id that comes back; `None` if it does not fit into a header.
fn open(id: &[u8]) -> Option<Vec<u8>> {
    let mut request = Request::new(Frames::new(b"", 1));
    request.headers_mut().insert("mcp-session-id", session());
    let id = HeaderValue::from_bytes(id).expect("a wrapped id is ASCII");
    request.headers_mut().insert("last-event-id", id);
    identify(&mut request, ann()).expect("it has no principal yet");
    let reached = send(&*LAYER, request).reached?;
    Some(reached.headers()["last-event-id"].as_bytes().to_vec())
}

fn session() -> HeaderValue {
    let id = KEYS.wrap(&ann(), b"session").expect("it is short");
    HeaderValue::try_from(id).expect("it is ASCII")
}
