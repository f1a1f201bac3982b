//! What tools answer, judged by what they say of it.

use std::{convert::Infallible, time::Duration};

use bartizan_core::{Denial, DenialKind, Finding, SecurityContext, Verdict};
use bartizan_kit::{FrameSender, Frames, Revision, Scripted, call_tool};
use bartizan_validate::{Answers, ValidateLayer};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::server::{Server, tool};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[expect(dead_code, reason = "for readers")]
    ids: Vec<String>,
    #[serde(default)]
    modern: bool,
    /// Whether the call asks for a task.
    #[serde(default)]
    task: bool,
    #[serde(default = "json_media")]
    media: String,
    encoding: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    body: String,
    /// What is wrong with it.
    unfit: Option<String>,
    /// Of events, those that pass before.
    passes: Option<String>,
}

fn json_media() -> String {
    "application/json".to_owned()
}

fn ok() -> u16 {
    200
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../../tests/vectors/answers.json")).unwrap()
}

const SCHEMA: &str = r#"{"type":"object","properties":{"n":{"type":"integer"},
    "w1":{"type":"integer"},"w2":{"type":"integer"},"w3":{"type":"integer"}},"required":["n"]}"#;

fn layer(answers: Answers) -> ValidateLayer {
    ValidateLayer::new()
        .without_learning()
        .danger_without_schema("count")
        .output_schema("count", SCHEMA)
        .unwrap()
        .answers(answers.bytes(1024).unwrap())
}

fn request(vector: &Vector) -> Request<Full<Bytes>> {
    let revision = match vector.modern {
        true => Revision::V2026_07_28,
        false => Revision::V2025_11_25,
    };
    let mut request = call_tool(revision, "count", json!({})).id("seven");
    if vector.task {
        let mut body: Value = serde_json::from_slice(&request.bytes()).unwrap();
        body["params"]["task"] = json!({});
        request = request.body(body.to_string());
    }
    let mut request = request.build();
    SecurityContext::of(&mut request).open_trail();
    request
}

/// What came of an answer.
struct Got {
    head: http::response::Parts,
    body: String,
    findings: Vec<Finding>,
}

async fn send(answers: Answers, vector: &Vector, pieces: Vec<Bytes>) -> Got {
    let request = request(vector);
    let context = SecurityContext::find(request.extensions()).unwrap().clone();
    let inner = service_fn(move |_: Request<_>| {
        let (sender, frames) = Frames::channel();
        pieces.iter().for_each(|piece| sender.data(piece.clone()));
        let mut answer = Response::builder()
            .status(vector.status)
            .header("content-type", &vector.media)
            .header("etag", "\"x\"");
        if let Some(encoding) = &vector.encoding {
            answer = answer.header("content-encoding", encoding);
        }
        let answer = answer.body(frames).unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let answer = layer(answers).layer(inner).oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Got {
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
        findings: context.trail().unwrap().findings(),
    }
}

fn whole(text: &str) -> Vec<Bytes> {
    cut(text, text.len().max(1))
}

fn cut(text: &str, frame: usize) -> Vec<Bytes> {
    let pieces = text.as_bytes().chunks(frame);
    pieces.map(Bytes::copy_from_slice).collect()
}

/// What is said of the answer, without a layer's word on the arguments.
fn told(got: &Got) -> Vec<(Verdict, &str, &str)> {
    let findings = got
        .findings
        .iter()
        .filter(|one| one.kind.starts_with("answer_"));
    findings
        .map(|one| (one.verdict, one.kind, &*one.reason))
        .collect()
}

fn is_refusal(text: &str) -> bool {
    let Ok(message) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    assert_eq!(message["id"], "seven");
    assert!(message["error"]["data"]["correlationId"].is_string());
    message["error"]["code"] == -32603
}

/// That an answer is withheld, or passes.
fn check(vector: &Vector, got: &Got) {
    let name = &vector.name;
    let denial = got.head.extensions.get::<Denial>();
    let Some(why) = &vector.unfit else {
        assert_eq!(got.head.status, vector.status, "{name}");
        assert!(denial.is_none(), "{name}");
        assert_eq!(
            &got.body,
            vector.passes.as_ref().unwrap_or(&vector.body),
            "{name}"
        );
        return;
    };
    assert!(!got.body.contains("s3cret"), "{name}");
    assert_eq!(got.head.status, 200, "{name}");
    let reason = format!("the tool's answer {why}");
    let told = told(got);
    assert_eq!(
        told.last(),
        Some(&(Verdict::Refused, "answer_refused", &*reason)),
        "{name}"
    );
    match &vector.passes {
        None => {
            assert_eq!(denial.unwrap().kind(), DenialKind::AnswerRefused, "{name}");
            assert!(is_refusal(&got.body), "{name}: {}", got.body);
            assert!(!got.head.headers.contains_key("etag"), "{name}");
            assert!(!got.head.headers.contains_key("content-encoding"), "{name}");
        }
        Some(passes) => {
            let rest = got.body.strip_prefix(&**passes).unwrap();
            let event = rest
                .strip_prefix("data: ")
                .and_then(|rest| rest.strip_suffix("\n\n"));
            assert!(is_refusal(event.unwrap()), "{name}: {rest}");
        }
    }
}

#[tokio::test]
async fn iv_9_an_answer_that_is_not_what_its_tool_says_is_withheld() {
    for vector in vectors() {
        for frame in [1, 7, vector.body.len()] {
            let got = send(Answers::refuse(), &vector, cut(&vector.body, frame)).await;
            check(&vector, &got);
        }
    }
}

#[tokio::test]
async fn iv_9_or_it_is_noted_and_passes_as_it_was() {
    for vector in vectors() {
        for frame in [1, 7, vector.body.len()] {
            let got = send(Answers::report(), &vector, cut(&vector.body, frame)).await;
            let name = &vector.name;
            assert_eq!(got.body, vector.body, "{name}");
            assert_eq!(got.head.headers["etag"], "\"x\"", "{name}");
            let noted: Vec<_> = told(&got)
                .into_iter()
                .filter(|(verdict, ..)| *verdict == Verdict::Noted)
                .collect();
            let reason = vector.unfit.as_ref();
            let reason = reason.map(|why| format!("the tool's answer {why}"));
            let expected = reason.as_deref();
            let expected = expected.map(|why| (Verdict::Noted, "answer_unfit", why));
            assert_eq!(noted, Vec::from_iter(expected), "{name}");
        }
    }
}

#[tokio::test]
async fn nothing_is_looked_at_unless_it_is_asked_for() {
    let unlike = json!({"content": [], "structuredContent": 7});
    for layer in [
        ValidateLayer::new()
            .without_learning()
            .danger_unknown_tools()
            .output_schema("count", SCHEMA)
            .unwrap(),
        ValidateLayer::new()
            .without_learning()
            .danger_unknown_tools()
            .answers(Answers::refuse()),
    ] {
        let echo = bartizan_kit::Echo::new().with_result("tools/call", unlike.clone());
        let request = call_tool(Revision::V2025_11_25, "count", json!({})).build();
        let answer = layer.layer(echo).oneshot(request).await.unwrap();
        assert!(answer.extensions().get::<Denial>().is_none());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["result"], unlike);
    }
}

fn listed(schema: &Value, output: &Value) -> Server {
    let server = Server::default();
    let mut tool = tool("count", schema);
    tool["outputSchema"] = output.clone();
    server.state().pages = vec![json!([tool])];
    server
}

async fn refused(service: &bartizan_validate::Validate<Server>) -> Option<DenialKind> {
    let request = call_tool(Revision::V2026_07_28, "count", json!({})).build();
    let answer: Response<_> = service.clone().oneshot(request).await.unwrap();
    answer.extensions().get().map(Denial::kind)
}

#[tokio::test]
async fn iv_9_the_schema_is_what_the_server_lists_also_where_the_arguments_have_one_that_is_given()
{
    let plain = json!({"type": "object"});
    let refusing = ValidateLayer::new().answers(Answers::refuse());
    let given = refusing.clone().schema("count", "{}").unwrap();
    for (layer, asked) in [
        (refusing, 1),
        (given, 1),
        (ValidateLayer::new().schema("count", "{}").unwrap(), 0),
    ] {
        let server = listed(&plain, &json!({"type": "object"}));
        let service = layer.layer(server.clone());
        let is_judged = asked == 1;
        assert_eq!(
            refused(&service).await,
            is_judged.then_some(DenialKind::AnswerRefused)
        );
        assert_eq!(server.counts(), (asked, 1));
    }
    // One that declares none needs none, and what is given is what counts.
    for output in [Value::Null, json!({"type": "array"})] {
        let layer = ValidateLayer::new().answers(Answers::refuse());
        let layer = match output.is_null() {
            true => layer,
            false => layer.output_schema("count", r#"{"type":"null"}"#).unwrap(),
        };
        let server = listed(&plain, &output);
        let kind = refused(&layer.layer(server)).await;
        assert_eq!(kind.is_some(), !output.is_null());
    }
}

#[tokio::test]
async fn iv_4_a_schema_of_results_that_is_not_taken_is_found_out_before_the_tool_runs() {
    let remote = json!({"$ref": "http://127.0.0.1:9/x"});
    let events = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&events);
    let telling = bartizan_core::Events::to(move |event: &bartizan_core::Event| {
        told.lock().unwrap().push(event.kind);
    });
    for (answers, kind) in [
        (Answers::refuse(), Some(DenialKind::Forbidden)),
        (Answers::report(), None),
    ] {
        let server = listed(&json!({"type": "object"}), &remote);
        let layer = ValidateLayer::new()
            .answers(answers)
            .events(telling.clone());
        let service = layer.layer(server.clone());
        for _ in 0..2 {
            assert_eq!(refused(&service).await, kind);
        }
        assert_eq!(server.counts().1, if kind.is_some() { 0 } else { 2 });
    }
    let events = events.lock().unwrap();
    assert_eq!(
        events
            .iter()
            .filter(|kind| **kind == "schema_refused")
            .count(),
        2
    );
}

#[tokio::test]
async fn without_its_list_a_tool_whose_arguments_are_known_runs_only_if_nothing_is_withheld() {
    for (answers, kind) in [
        (Answers::refuse(), Some(DenialKind::Unavailable)),
        (Answers::report(), None),
    ] {
        let server = listed(&json!({}), &json!({}));
        server.state().instead = Some((500, String::new()));
        let layer = ValidateLayer::new()
            .answers(answers)
            .schema("count", "{}")
            .unwrap();
        assert_eq!(refused(&layer.layer(server)).await, kind);
    }
}

#[tokio::test]
async fn what_is_pinned_is_the_schema_of_results_too() {
    let server = listed(&json!({}), &json!({"type": "object"}));
    server.state().also = Some(json!({"ttlMs": 10_000}));
    let layer = ValidateLayer::new()
        .on_change(bartizan_validate::OnChange::Refuse)
        .answers(Answers::report());
    let layer = layer.learning(
        bartizan_validate::Learning::new()
            .keep(Duration::from_millis(1))
            .unwrap(),
    );
    server.state().also = None;
    let service = layer.layer(server.clone());
    assert_eq!(refused(&service).await, None);
    let mut other = tool("count", &json!({}));
    other["outputSchema"] = json!({});
    server.state().pages = vec![json!([other])];
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(refused(&service).await, Some(DenialKind::Forbidden));
}

async fn scripted(
    answers: Answers,
    media: &str,
) -> (
    FrameSender,
    tokio::task::JoinHandle<
        Response<impl http_body::Body<Data = Bytes, Error: std::fmt::Debug> + use<>>,
    >,
) {
    let (inner, mut exchanges) = Scripted::<Infallible>::new();
    let vector = &vectors()[0];
    let service = layer(answers).layer(inner);
    let request = request(vector);
    let answer = tokio::spawn(async move { service.oneshot(request).await.unwrap() });
    let head = Response::builder()
        .header("content-type", media)
        .header("content-length", 5);
    let sender = exchanges.next().await.respond(head.body(()).unwrap());
    (sender, answer)
}

#[tokio::test]
async fn ph_4_events_arrive_one_by_one_and_the_server_hears_when_it_is_not_listened_to_any_more() {
    for answers in [Answers::refuse(), Answers::report()] {
        let (sender, answer) = scripted(answers, "text/event-stream").await;
        let mut body = Box::pin(answer.await.unwrap().into_body());
        for event in [": hi\n\n", "data: {\"method\":\"x\"}\n\n"] {
            sender.data(event);
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(frame, event);
        }
        sender.data("data: {\"id\":\"seven\",\"result\":{}}\n\n");
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let is_withheld =
            frame.starts_with(b"data: {\"jsonrpc\":\"2.0\",\"id\":\"seven\",\"error\"");
        assert_eq!(is_withheld, answers == Answers::refuse());
        assert_eq!(sender.is_dropped(), is_withheld);
        if is_withheld {
            assert!(body.frame().await.is_none());
            assert!(body.frame().await.is_none(), "asked once more");
        }
    }
}

#[tokio::test]
async fn what_breaks_off_is_refused_where_that_is_still_possible() {
    let (sender, answer) = scripted(Answers::refuse(), "application/json").await;
    sender.data("{");
    sender.fail();
    let answer = answer.await.unwrap();
    let denial = answer.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.reason(), "the tool's answer broke off");
    let (sender, answer) = scripted(Answers::refuse(), "text/event-stream").await;
    let mut body = Box::pin(answer.await.unwrap().into_body());
    sender.fail();
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn trailers_stay_behind_what_passes() {
    let good = r#"{"id":"seven","result":{"structuredContent":{"n":1}}}"#;
    for (media, text) in [
        ("application/json", good.to_owned()),
        ("text/event-stream", format!("data: {good}\n\n")),
    ] {
        for answers in [Answers::refuse(), Answers::report()] {
            let (sender, answer) = scripted(answers, media).await;
            let mut trailers = HeaderMap::new();
            trailers.insert("x-tail", "1".parse().unwrap());
            sender.data(text.clone());
            sender.trailers(trailers.clone());
            drop(sender);
            let collected = Box::pin(answer.await.unwrap().into_body())
                .collect()
                .await
                .unwrap();
            assert_eq!(collected.trailers(), Some(&trailers));
            assert_eq!(collected.to_bytes(), text);
        }
    }
}

#[tokio::test]
async fn iv_9_what_is_withheld_late_is_found_by_who_records() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|vector| vector.name == "an event that does not fit")
        .unwrap();
    let request = request(vector);
    let context = SecurityContext::find(request.extensions()).unwrap().clone();
    let body = vector.body.clone();
    let inner = service_fn(move |_: Request<_>| {
        let answer = Response::builder().header("content-type", "text/event-stream");
        let answer = answer.body(Full::<Bytes>::from(body.clone())).unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let answer = layer(Answers::refuse())
        .layer(inner)
        .oneshot(request)
        .await
        .unwrap();
    struct Late(std::sync::Mutex<Vec<&'static str>>);
    impl bartizan_core::LateFindings for Late {
        fn late(&self, _: &SecurityContext, finding: &Finding) {
            self.0.lock().unwrap().push(finding.kind);
        }
        fn lost(&self) {}
    }
    let late = std::sync::Arc::new(Late(std::sync::Mutex::default()));
    context.trail().unwrap().close(late.clone());
    answer.into_body().collect().await.unwrap();
    assert_eq!(*late.0.lock().unwrap(), ["answer_refused"]);
}

proptest! {
    #[test]
    fn an_answer_is_judged_alike_however_it_is_cut(
        index in 0..vectors().len(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let vector = &vectors()[index];
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(vector.body.len() + 1)).collect();
        cuts.extend([0, vector.body.len()]);
        cuts.sort_unstable();
        let bytes = Bytes::copy_from_slice(vector.body.as_bytes());
        let pieces = cuts.windows(2).map(|pair| bytes.slice(pair[0]..pair[1])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        check(vector, &runtime.block_on(send(Answers::refuse(), vector, pieces)));
    }

    #[test]
    fn no_bytes_make_it_panic_and_none_that_are_unlike_pass(bytes in prop::collection::vec(any::<u8>(), 0..200), events in any::<bool>()) {
        let mut vector = vectors().swap_remove(0);
        if events {
            vector.media = "text/event-stream".to_owned();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got = runtime.block_on(send(Answers::refuse(), &vector, vec![bytes.into()]));
        prop_assert!(events || is_refusal(&got.body));
    }
}

#[tokio::test]
async fn a_call_that_has_no_answer_has_none_to_be_judged() {
    let note = call_tool(Revision::V2025_11_25, "count", json!({}))
        .notification()
        .build();
    let answer = layer(Answers::refuse())
        .layer(bartizan_kit::Echo::new())
        .oneshot(note)
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let got = send(Answers::refuse(), &vectors()[0], whole("")).await;
    assert!(is_refusal(&got.body), "an empty answer is no result");
}

/// Events with these results, as one answer.
fn stream(results: impl Iterator<Item = Value>) -> Vector {
    let event = |result: Value| {
        let message = json!({"jsonrpc": "2.0", "id": "seven", "result": result});
        format!("data: {message}\n\n")
    };
    Vector {
        name: "many".to_owned(),
        ids: Vec::new(),
        modern: false,
        task: false,
        media: "text/event-stream".to_owned(),
        encoding: None,
        status: 200,
        body: results.map(event).collect(),
        unfit: None,
        passes: None,
    }
}

#[tokio::test]
async fn a_server_that_answers_again_and_again_pushes_nothing_out_of_the_record() {
    let fit = std::iter::repeat_n(json!({"structuredContent": {"n": 1}}), 200);
    let unfit = json!({"structuredContent": {"n": "s3cret"}});
    let vector = stream(fit.chain([unfit.clone()]));
    for (answers, kind) in [
        (Answers::refuse(), "answer_refused"),
        (Answers::report(), "answer_unfit"),
    ] {
        let got = send(answers, &vector, whole(&vector.body)).await;
        assert_eq!(told(&got).last().map(|(_, told, _)| *told), Some(kind));
        assert!(got.findings.len() <= 8, "{}", got.findings.len());
    }
    // Nor does it fill the record with one thing, or with many.
    let number = |is_one| if is_one { json!(1) } else { json!("s3cret") };
    let other = |place: u32| {
        let bit = |bit: u32| number(place >> bit & 1 == 0);
        json!({"structuredContent": {"n": bit(0), "w1": bit(1), "w2": bit(2), "w3": bit(3)}})
    };
    for vector in [
        stream(std::iter::repeat_n(unfit, 200)),
        stream((0..200).map(other)),
    ] {
        let got = send(Answers::report(), &vector, whole(&vector.body)).await;
        assert_eq!(got.body, vector.body);
        let noted = told(&got).len();
        assert!((1..=9).contains(&noted), "{noted}");
    }
}

#[tokio::test]
async fn a_call_without_an_id_gets_no_result_from_a_server_that_answers_all_the_same() {
    let unfit =
        json!({"jsonrpc": "2.0", "id": null, "result": {"structuredContent": {"n": "s3cret"}}});
    for media in ["application/json", "text/event-stream"] {
        for (answers, is_withheld) in [(Answers::refuse(), true), (Answers::report(), false)] {
            let text = match media {
                "application/json" => unfit.to_string(),
                _ => format!("data: {unfit}\n\n"),
            };
            let inner = service_fn(move |_: Request<_>| {
                let body = Full::<Bytes>::from(text.clone());
                let answer = Response::builder().header("content-type", media).body(body);
                async { Ok::<_, Infallible>(answer.unwrap()) }
            });
            let note = call_tool(Revision::V2025_11_25, "count", json!({}));
            let mut note = note.notification().build();
            let context = SecurityContext::of(&mut note).clone();
            context.open_trail();
            let answer = layer(answers).layer(inner).oneshot(note).await.unwrap();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body);
            assert_eq!(body.contains("s3cret"), !is_withheld, "{media}");
            let findings = context.trail().unwrap().findings();
            assert!(
                findings
                    .iter()
                    .any(|one| one.reason.contains("to no request")),
                "{findings:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_call_without_an_id_that_is_not_answered_goes_unnoted() {
    for media in ["application/json", "text/plain"] {
        for answers in [Answers::refuse(), Answers::report()] {
            let (inner, mut exchanges) = Scripted::<Infallible>::new();
            let service = layer(answers).layer(inner);
            let note = call_tool(Revision::V2025_11_25, "count", json!({}));
            let mut note = note.notification().build();
            let context = SecurityContext::of(&mut note).clone();
            context.open_trail();
            let answer = tokio::spawn(async move { service.oneshot(note).await.unwrap() });
            let head = Response::builder()
                .status(202)
                .header("content-type", media);
            // Nobody says beforehand that there is no body.
            drop(exchanges.next().await.respond(head.body(()).unwrap()));
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 202, "{media}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(body.is_empty(), "{media}");
            let findings = context.trail().unwrap().findings();
            assert_eq!(findings.len(), 1, "{media}: {findings:?}");
        }
    }
}
