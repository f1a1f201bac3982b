//! What records show of arguments, and that nothing sensitive is in any of them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bartizan_audit::{
    AuditLayer, JsonLines, Kind, Kinds, Level, LevelRule, Levels, MAX_RECORD_BYTES, Pseudonyms,
    Records, Redactor,
};
use bartizan_core::{CallLayer, Finding, RequestBody, Secret, SecurityContext, Verdict};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::{
    common::*,
    json_lines::{PATIENCE, Shared},
};

fn call_with(arguments: &Value) -> Request<Body> {
    let params = json!({ "name": "pay", "arguments": arguments });
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    rpc(&body.to_string())
}

async fn through_layer(layer: &AuditLayer, request: Request<Body>) {
    let inner = service_fn(|_: Request<RequestBody<Body>>| async { Ok::<_, Infallible>(ok()) });
    let service = layer.layer(CallLayer::new().layer(inner));
    service.oneshot(request).await.unwrap();
}

async fn at(level: Level, arguments: &Value) -> Vec<Value> {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).levels(Levels::new(level));
    through_layer(&layer, call_with(arguments)).await;
    records.all()
}

#[tokio::test]
async fn each_level_shows_what_it_says() {
    let arguments = json!({ "to": "ann@example.com", "amount": 17, "Pass-Word": ["hunter2"], "note": "for lunch" });
    assert!(at(Level::None, &arguments).await.is_empty());
    let metadata = at(Level::Metadata, &arguments).await.remove(0);
    assert_eq!(metadata["metadata"].get("arguments"), None);
    assert_eq!(metadata["metadata"].get("masked"), None);
    let shape = at(Level::Shape, &arguments).await.remove(0);
    let expected = json!({ "to": "string:15", "amount": "number", "Pass-Word": "***(field)", "note": "string:9" });
    assert_eq!(shape["metadata"]["arguments"], expected);
    let redacted = at(Level::Arguments, &arguments).await.remove(0);
    let expected = json!({ "to": "a***n@example.com", "amount": 17, "Pass-Word": "***(field)", "note": "for lunch" });
    assert_eq!(redacted["metadata"]["arguments"], expected);
    let mut masked = redacted["metadata"]["masked"].as_array().unwrap().clone();
    masked.sort_by_key(|mask| mask["kind"].to_string());
    assert_eq!(
        Value::from(masked),
        json!([{ "path": "arguments/to", "kind": "email" }, { "path": "arguments/Pass-Word", "kind": "field" }])
    );
}

#[tokio::test]
async fn seed_u8_phone_card_and_social_security_numbers_and_keys_are_masked_by_value() {
    let secrets = [
        ("+1 415 555 2671", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("078-05-1120", "ssn"),
        ("sk_live_4f9a7c2e1b8d6035", "api_key"),
    ];
    for (secret, kind) in secrets {
        let arguments = json!({ "note": format!("it is {secret}."), "deep": [{ "n": secret }] });
        let mut request = call_with(&arguments);
        let agent = HeaderValue::from_str(&format!("of {secret}")).unwrap();
        request.headers_mut().insert("user-agent", agent);
        let records = Records::new();
        let layer = AuditLayer::new(records.clone()).levels(Levels::new(Level::Arguments));
        through_layer(&layer, request).await;
        let record = only(&records);
        assert!(!record.to_string().contains(secret), "{record}");
        let masked = record["metadata"]["masked"].as_array().unwrap();
        let kinds: Vec<_> = masked.iter().map(|mask| &mask["kind"]).collect();
        assert_eq!(kinds, [kind; 3], "{record}");
    }
}

#[tokio::test]
async fn a_destructive_call_that_succeeds_is_recorded_whatever_its_level() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).levels(Levels::new(Level::None));
    let layer = layer.destructive(["pay"]).unwrap();
    through_layer(&layer, call_with(&json!({ "to": "ann" }))).await;
    let record = only(&records);
    assert_eq!(record["result"], "success");
    assert_eq!(record["tool_name"], "pay");
    assert_eq!(record["metadata"].get("arguments"), None);
}

#[tokio::test]
async fn a_request_without_a_record_gives_its_room_back_and_a_refused_one_has_its_record() {
    let records = Records::with_capacity(1);
    let layer = AuditLayer::new(records.clone()).levels(Levels::new(Level::None));
    for _ in 0..3 {
        through_layer(&layer, call_with(&json!({}))).await;
    }
    assert!(records.all().is_empty());
    let refusing = layer.layer(Actor(Act::Refuse));
    refusing.oneshot(as_ann(empty())).await.unwrap();
    assert_eq!(only(&records)["outcome"], "refused");
}

#[tokio::test]
async fn a_rule_is_for_its_tools_and_a_record_is_within_its_bound_whatever_the_arguments() {
    for filler in [
        "\u{1}",
        "😀",
        "x",
        "\"",
        "ann@example.com ",
        "4111111111111111 ",
    ] {
        let rule = LevelRule::new(Level::Arguments).tool("pay").unwrap();
        let records = Records::new();
        let layer = AuditLayer::new(records.clone()).levels(Levels::default().rule(rule));
        let long = filler.repeat(20_000);
        let members: serde_json::Map<_, _> = (0..40)
            .map(|n| (format!("{n}{}", filler.repeat(50)), json!([filler])))
            .collect();
        let mut request = call_with(&json!({ "a": members, "b": long }));
        let agent = HeaderValue::from_str("ann@example.com bob@example.com ").unwrap();
        request.headers_mut().insert("user-agent", agent);
        through_layer(&layer, request).await;
        let line = records.lines().remove(0);
        assert!(line.len() <= MAX_RECORD_BYTES, "{}", line.len());
        assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        let record: Value = serde_json::from_str(&line).unwrap();
        assert!(line.len() > 6000, "{line}");
        assert_eq!(record["user_agent"], "a***n@example.com b***b@example.com ");
    }
}

async fn with_answer(media: &'static str, frames: Vec<&'static str>, level: Level) -> Value {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).levels(Levels::new(level));
    let inner = service_fn(move |_: Request<RequestBody<Body>>| {
        let body = Frames(frames.clone().into());
        let answer = http::Response::builder()
            .header("content-type", media)
            .body(body);
        async { Ok::<_, Infallible>(answer.unwrap()) }
    });
    let service = layer.layer(CallLayer::new().layer(inner));
    let request = as_ann(call_with(&json!({ "to": "bob@example.com" })));
    let answer = service.oneshot(request).await.unwrap();
    http_body_util::BodyExt::collect(answer.into_body())
        .await
        .unwrap();
    only(&records)
}

/// A body of these frames.
struct Frames(std::collections::VecDeque<&'static str>);

impl http_body::Body for Frames {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
        let frame = self.0.pop_front();
        let frame =
            frame.map(|frame| http_body::Frame::data(bytes::Bytes::from_static(frame.as_bytes())));
        std::task::Poll::Ready(frame.map(Ok))
    }
}

#[tokio::test]
async fn an_answer_is_shown_redacted_where_its_level_says_so_and_nowhere_else() {
    let frames = vec![
        r#"{"jsonrpc":"2.0","id":7,"result":{"text":"to ann@exam"#,
        r#"ple.com","token":"t-1"}}"#,
    ];
    let record = with_answer("application/json", frames.clone(), Level::Answer).await;
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": { "text": "to a***n@example.com", "token": "***(field)" } });
    assert_eq!(record["metadata"]["response"], expected);
    assert_eq!(
        record["metadata"]["arguments"],
        json!({ "to": "b***b@example.com" })
    );
    let masked = record["metadata"]["masked"].to_string();
    assert!(masked.contains("response/result/token"), "{masked}");
    for (media, level) in [
        ("application/json", Level::Arguments),
        ("text/html", Level::Answer),
    ] {
        let record = with_answer(media, frames.clone(), level).await;
        assert_eq!(record["metadata"].get("response"), None, "{media}");
    }
}

#[tokio::test]
async fn of_an_event_stream_the_messages_are_shown_and_of_a_long_answer_its_beginning() {
    let frames = vec![
        "data: {\"method\":\"notifications/progress\"}\n\n: ping\n\nda",
        "ta: {\"id\":7,\"result\":{\"to\":\"ann@example.com\"}}\n\ndata: cut",
    ];
    let record = with_answer("text/event-stream", frames, Level::Answer).await;
    let expected = json!([{ "method": "notifications/progress" }, { "id": 7, "result": { "to": "a***n@example.com" } }]);
    assert_eq!(record["metadata"]["response"], expected);

    let long: &str = Box::leak(
        format!(
            r#"{{"id":7,"result":["{}"]}}"#,
            "ann@example.com ".repeat(4000)
        )
        .into(),
    );
    let (first, rest) = long.split_at(10_000);
    let record = with_answer("application/json", vec![first, rest], Level::Answer).await;
    let line = record.to_string();
    assert!(
        line.len() < MAX_RECORD_BYTES && !line.contains("ann@"),
        "{}",
        line.len()
    );
    assert_eq!(record["metadata"]["response"]["id"], 7);
}

#[tokio::test]
async fn a_pseudonym_finds_a_users_records_without_showing_who_it_is() {
    let names = Pseudonyms::new(1, &Secret::from(vec![7; 32])).unwrap();
    let redactor = Redactor::new().pseudonyms(names.clone(), &Kinds::of([Kind::Email]));
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).redactor(redactor).unwrap();
    let layer = layer.levels(Levels::new(Level::Arguments));
    let mut request = call_with(&json!({ "to": "ann@example.com" }));
    let ann = bartizan_core::Principal::user("https://auth.example.com", "ann@example.com");
    bartizan_core::identify(&mut request, ann.build("jwt")).unwrap();
    through_layer(&layer, request).await;
    let record = only(&records);
    let name = names.of(Kind::Email, "ann@example.com");
    assert_eq!(record["user_id"], name);
    assert_eq!(record["metadata"]["arguments"]["to"], name);
    let error = AuditLayer::new(records).redactor(Redactor::new().bytes(9000).unwrap());
    assert!(error.unwrap_err().to_string().contains("`9000`"));
}

/// A queue copies what a record shows and is redacted later: it must know what it cuts through all the same.
#[tokio::test]
async fn a_secret_at_the_end_of_what_is_shown_is_masked_alike_by_each_sink() {
    for before in (0..700).step_by(3).chain(1000..1050).chain([5000]) {
        let (written, records) = (Shared::default(), Records::new());
        let lines = JsonLines::to(written.clone());
        let layer = AuditLayer::new(records.clone()).also(lines.clone());
        let mut request = as_ann(call_with(&json!({})));
        let text = format!(
            "{}. 4111-1111-1111-1111, ann@example.com",
            "x".repeat(before)
        );
        let agent = HeaderValue::from_str(&text).unwrap();
        request.headers_mut().insert("user-agent", agent);
        let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
            let context = SecurityContext::of(&mut request);
            for kind in ["first", "second", "third", "fourth"] {
                context.record(|| Finding::new("tool", Verdict::Noted, kind, text.clone()));
            }
            async { Ok::<_, Infallible>(ok()) }
        });
        let service = layer.layer(CallLayer::new().layer(inner));
        service.oneshot(request).await.unwrap();
        lines.flush(PATIENCE).unwrap();
        let [mut queued, mut at_once]: [Value; 2] = [written.text(), records.lines().remove(0)]
            .map(|line| serde_json::from_str(&line).unwrap());
        for record in [&mut queued, &mut at_once] {
            record["sequence"].take();
        }
        assert_eq!(queued, at_once);
        let shown = [&queued["user_agent"], &queued["findings"]]
            .map(Value::to_string)
            .join("");
        assert!(!shown.contains("41") && !shown.contains("ann"), "{shown}");
    }
}

#[tokio::test]
async fn an_issuer_is_configured_and_is_no_secret_whatever_it_looks_like() {
    let records = Records::new();
    let mut request = call_with(&json!({}));
    let ci = bartizan_core::Principal::service("apikey:acme", "ci");
    bartizan_core::identify(&mut request, ci.build("apikey")).unwrap();
    through_layer(&AuditLayer::new(records.clone()), request).await;
    let record = only(&records);
    assert_eq!(record["metadata"]["issuer"], "apikey:acme");
    assert_eq!(record["metadata"].get("masked"), None);
}

/// A record with the text wherever a stranger can put one, in each kind of sink.
fn sinks_of(text: &str, arguments: &Value) -> [String; 3] {
    let written = Shared::default();
    let (lines, records) = (JsonLines::to(written.clone()), Records::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let layer = AuditLayer::new(records.clone())
        .also(lines.clone())
        .also(super::tracing_events::Fields::into(Arc::clone(&seen)))
        .levels(Levels::new(Level::Arguments));
    let printable: String = text.chars().filter(|c| (' '..='~').contains(c)).collect();
    let mut request = as_ann(call_with(arguments));
    request
        .headers_mut()
        .insert("user-agent", HeaderValue::from_str(&printable).unwrap());
    let path: String = printable
        .chars()
        .map(|c| match c {
            ' ' | '"' | '#' | '?' | '<' | '>' | '\\' => format!("%{:02X}", c as u32),
            _ => c.to_string(),
        })
        .collect();
    if let Ok(uri) = format!("/{path}").parse() {
        *request.uri_mut() = uri;
    }
    let reason = text.to_owned();
    let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
        let context = SecurityContext::of(&mut request);
        context.record(|| Finding::new("tool", Verdict::Noted, "seen", reason.clone()));
        async { Ok::<_, Infallible>(ok()) }
    });
    let service = layer.layer(CallLayer::new().layer(inner));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(service.oneshot(request)).unwrap();
    lines.flush(PATIENCE).unwrap();
    let seen = seen.lock().unwrap().join("\n");
    [records.lines().join("\n"), written.text(), seen]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn al_2_no_secret_is_in_any_sink(
        (secret, part) in super::secrets_made::secrets(),
        (before, after) in super::secrets_made::around(),
        form in prop::sample::select(&super::secrets_made::FORMS[..]),
        place in 0_u8..5,
    ) {
        let text = format!("{before}{}{after}", super::secrets_made::encoded(form, &secret));
        let shown = super::secrets_made::encoded(form, &part);
        for (sink, out) in sinks_of(&text, &json!({ "x": super::secrets_made::nested(place, &text) })).iter().enumerate() {
            prop_assert!(!out.contains(&part) && !out.contains(&shown), "sink {}: {}\n{}", sink, text, out);
            prop_assert_eq!(out.trim_end().lines().count(), 1, "sink {}", sink);
        }
    }
}
