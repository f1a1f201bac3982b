//! Event ids in the streams of sessions, and what comes back as `Last-Event-ID`.

use bartizan_core::{Denial, DenialKind, Principal};
use bartizan_kit::{Revision, Scripted, get_stream};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{Layer, ServiceExt};

use crate::{INNER, answered, arrived, by, keys, layer, legacy, modern, sent, user};

/// The id that a client gets to see of an event.
pub(crate) async fn wrapped_event(owner: &Principal, session: &str, event: &str) -> String {
    let layer = layer().danger_allow_anonymous();
    let stream = format!("id: {event}\ndata: x\n\n");
    let body = streamed(&layer, owner, session, "text/event-stream", stream.into()).await;
    let text = String::from_utf8(body).unwrap();
    let id = text.strip_prefix("id: ").unwrap();
    id.split_once('\n').unwrap().0.to_owned()
}

async fn streamed(
    layer: &crate::SessionLayer,
    owner: &Principal,
    session: &str,
    media: &str,
    body: Bytes,
) -> Vec<u8> {
    let wrapped = keys().wrap(owner, session.as_bytes()).unwrap();
    let request = by(owner, get_stream(Revision::V2025_11_25).session(&wrapped));
    let answer = Response::builder()
        .header("content-type", media)
        .header("content-length", body.len());
    let answer = answered(layer, request, answer.body(Full::new(body)).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let length = answer.headers().get("content-length").cloned();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    if let Some(length) = length {
        assert_eq!(length, body.len().to_string());
    }
    body.into()
}

fn resume(owner: &Principal, session: &str, event: &str) -> Request<Full<Bytes>> {
    let session = keys().wrap(owner, session.as_bytes()).unwrap();
    let request = get_stream(Revision::V2025_11_25).session(&session);
    by(owner, request.header("last-event-id", event))
}

#[tokio::test]
async fn an_event_is_resumed_in_its_session() {
    let event = wrapped_event(&user("ann"), INNER, "12/3").await;
    assert!(!event.contains("12/3"));
    let (answer, echo) = sent(&layer(), resume(&user("ann"), INNER, &event)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(arrived(&echo, "last-event-id"), ["12/3"]);
    assert_eq!(arrived(&echo, "mcp-session-id"), [INNER]);
}

#[tokio::test]
async fn se_4_an_event_of_another_session_or_principal_or_of_nobody_is_not_replayed() {
    let anns = wrapped_event(&user("ann"), INNER, "12/3").await;
    let session = keys().wrap(&user("bob"), b"bobs").unwrap();
    for (who, session, event) in [
        ("bob", "bobs", &*anns),
        ("ann", "another of hers", &anns),
        ("bob", "bobs", "12/3"),
        ("bob", "bobs", ""),
        ("bob", "bobs", &session),
    ] {
        let (answer, echo) = sent(&layer(), resume(&user(who), session, event)).await;
        let denial = answer.extensions().get::<Denial>().unwrap();
        assert_eq!(denial.kind(), DenialKind::SessionUnknown, "{who} {event}");
        assert!(echo.is_untouched());
    }
    let (mut twice, anns) = (resume(&user("ann"), INNER, &anns), anns.parse().unwrap());
    twice.headers_mut().append("last-event-id", anns);
    let (answer, echo) = sent(&layer(), twice).await;
    assert_eq!(answer.status(), 404);
    assert!(echo.is_untouched());
}

#[tokio::test]
async fn only_ids_in_the_event_streams_of_sessions_are_touched() {
    let ann = user("ann");
    let text = Bytes::from_static(b"id: 1\n\n");
    for media in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
        let body = streamed(&layer(), &ann, INNER, media, text.clone()).await;
        assert_ne!(body, text, "{media}");
    }
    for media in ["application/json", "text/event-streams", "text/plain"] {
        let body = streamed(&layer(), &ann, INNER, media, text.clone()).await;
        assert_eq!(body, text, "{media}");
    }
    for request in [modern(), legacy()] {
        let answer = Response::builder().header("content-type", "text/event-stream");
        let answer = answer.body(Full::new(text.clone())).unwrap();
        let answer = answered(&layer(), by(&ann, request), answer).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, text);
    }
}

/// Feeds frames and collects what comes out, frame by frame.
async fn framed(frames: &[&[u8]]) -> Vec<Bytes> {
    let (inner, mut exchanges) = Scripted::<std::convert::Infallible>::new();
    let session = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    let request = by(
        &user("ann"),
        get_stream(Revision::V2025_11_25).session(&session),
    );
    let call = layer().layer(inner).oneshot(request);
    let (answer, sender) = tokio::join!(call, async { exchanges.next().await.stream() });
    let mut body = Box::pin(answer.unwrap().into_body());
    for frame in frames {
        sender.data(frame.to_vec());
    }
    drop(sender);
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
        out.push(frame.unwrap().into_data().unwrap());
    }
    out
}

/// The same text with each wrapped id opened again.
async fn opened(text: &[u8]) -> String {
    let mut out = String::new();
    for line in String::from_utf8(text.to_vec())
        .unwrap()
        .split_inclusive(['\n', '\r'])
    {
        let end = line.trim_end_matches(['\n', '\r']).len();
        let (text, ending) = line.split_at(end);
        match text.strip_prefix("id: ") {
            Some(id) if !id.is_empty() => {
                let (answer, echo) = sent(&layer(), resume(&user("ann"), INNER, id)).await;
                assert_eq!(answer.status(), 200, "{id}");
                out.push_str("id: ");
                out.push_str(&arrived(&echo, "last-event-id")[0]);
            }
            _ => out.push_str(text),
        }
        out.push_str(ending);
    }
    out
}

#[tokio::test]
async fn ids_are_found_however_the_stream_is_cut() {
    let long = format!("data: {}\n", "x".repeat(3000));
    let text = [
        "\u{feff}id: first\r\ndata: {\"id\":1}\r\n\r\n",
        "data: id: no\nid:second\nidea: no\n id: no\nID: no\n\n",
        "id\nid: \nid:\ndata\n\n",
        ":id: no\rid: third/9\rdata: x\r\r",
        &long,
        "id: fourth\n\n",
    ]
    .concat();
    let expected = text.replace("id:second", "id: second");
    for size in [1, 2, 3, 5, 7, 64, 10_000] {
        let frames: Vec<_> = text.as_bytes().chunks(size).collect();
        let out = framed(&frames).await.concat();
        let out = opened(&out).await;
        // The first line's mark stands before the field.
        assert!(out.starts_with("\u{feff}id: "), "{size}");
        let cut = |text: &str| text.split_once("\r\n").unwrap().1.to_owned();
        assert_eq!(cut(&out), cut(&expected), "frames of {size}");
    }
}

#[tokio::test]
async fn what_has_no_id_passes_frame_by_frame() {
    let frames: [&[u8]; 4] = [b"data: one\n\n", b":\n\n", b"event: m\nda", b"ta: two\n\n"];
    assert_eq!(framed(&frames).await, frames);
}

#[tokio::test]
async fn an_id_that_cannot_be_wrapped_becomes_a_comment() {
    let long = format!("id: {}\ndata: x\n\n", "x".repeat(1025));
    for (text, expected) in [
        (&*long, ":\ndata: x\n\n"),
        ("id: a\0b\ndata: x\n\n", ":\ndata: x\n\n"),
        (&long.replace('\n', "\r\n"), ":\r\ndata: x\r\n\r\n"),
    ] {
        for size in [1, 100, 5000] {
            let frames: Vec<_> = text.as_bytes().chunks(size).collect();
            assert_eq!(
                framed(&frames).await.concat(),
                expected.as_bytes(),
                "{size}"
            );
        }
    }
}

#[tokio::test]
async fn an_id_that_never_ends_is_not_kept() {
    let endless = "x".repeat(1030);
    let out = framed(&[
        b"data: a\nid: ",
        endless.as_bytes(),
        b"yy",
        endless.as_bytes(),
    ])
    .await;
    assert_eq!(out, ["data: a\n", ":"]);
}

proptest! {
    #[test]
    fn no_cut_of_a_stream_changes_what_it_says(
        lines in prop::collection::vec(
            prop_oneof![
                "id:? ?[a-c]{0,3}",
                "[:id a]{0,6}",
                "(data|idx|event): [a-z]{0,4}",
            ],
            0..12,
        ),
        ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r"), Just("\r\n")], 12),
        size in 1..9usize,
    ) {
        let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line, *end]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = runtime.block_on(framed(&[text.as_bytes()])).concat();
        let frames: Vec<_> = text.as_bytes().chunks(size).collect();
        let cut = runtime.block_on(framed(&frames)).concat();
        prop_assert_eq!(&cut, &whole);
        // As many lines, and the ids are those that went in.
        let told = runtime.block_on(opened(&whole));
        let normal = |text: &str| -> Vec<String> {
            let lines = text.split(['\n', '\r']).map(str::to_owned);
            lines.map(|line| match line.strip_prefix("id:") {
                Some(id) => format!("id:{}", id.strip_prefix(' ').unwrap_or(id)),
                None => line,
            }).collect()
        };
        prop_assert_eq!(normal(&told), normal(&text));
    }
}
