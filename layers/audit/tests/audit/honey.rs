//! Decoys that were touched.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bartizan_audit::{AuditLayer, AuditSink, Record, Records};
use bartizan_core::{
    CallLayer, Denial, DenialKind, RequestBody, ResponseBody, SecurityContext, honey, refuse,
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::common::*;

fn guarded(kind: Option<DenialKind>, context: &SecurityContext) -> Answer {
    honey!("guard", context, "honey_tool", "tool `export_salaries`");
    match kind {
        Some(kind) => refuse!("guard", context, Denial::new(kind, "why")),
        None => ok().map(ResponseBody::inner),
    }
}

async fn touched(kind: Option<DenialKind>, sink: impl AuditSink + Clone) -> Answer {
    let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
        let answer = guarded(kind, &SecurityContext::of(&mut request));
        async { Ok::<_, Infallible>(answer) }
    });
    let service = AuditLayer::new(sink).layer(CallLayer::new().layer(inner));
    let answer = service.oneshot(as_ann(call_tool("x"))).await.unwrap();
    let (head, _) = answer.into_parts();
    Response::from_parts(head, ResponseBody::default())
}

#[tokio::test]
async fn a_touched_decoy_is_critical_whatever_became_of_the_request_and_named_once() {
    for kind in [
        None,
        Some(DenialKind::Forbidden),
        Some(DenialKind::CredentialsInvalid),
        Some(DenialKind::Unavailable),
    ] {
        let records = Records::new();
        touched(kind, records.clone()).await;
        let record = only(&records);
        assert_eq!(record["severity"], "critical", "{kind:?}");
        let classes = record["classes"].as_array().unwrap();
        assert!(classes.contains(&json!("honey_touched")), "{record}");
        let findings = record["findings"].as_array().unwrap();
        let is_honey = |finding: &&Value| finding["verdict"] == "honey";
        let honey: Vec<_> = findings.iter().filter(is_honey).collect();
        assert_eq!(
            honey,
            [&json!({
                "layer": "guard",
                "verdict": "honey",
                "kind": "honey_tool",
                "reason": "tool `export_salaries`",
            })]
        );
        assert!(!record["metadata"].to_string().contains("salaries"));
    }
}

#[tokio::test]
async fn what_touches_no_decoy_is_not_of_that_class() {
    let record = of_call(as_ann(call_tool("x"))).await;
    assert_eq!(record["severity"], "info");
    assert!(!record.to_string().contains("honey"));
}

#[tokio::test]
async fn a_decoy_that_is_touched_after_the_record_has_one_of_its_own() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone());
    let mut request = as_ann(empty());
    let context = SecurityContext::of(&mut request);
    let service = layer.layer(Actor(Act::Answer(200)));
    service.oneshot(request).await.unwrap();
    honey!("guard", &context, "honey_tool", "tool `export_salaries`");
    let all = records.all();
    assert_eq!((all.len(), &all[0]["severity"]), (2, &json!("info")));
    assert_valid(&all[1]);
    assert_eq!(all[1]["event_type"], "late_finding");
    assert_eq!(all[1]["severity"], "critical");
}

/// Each record in both forms.
#[derive(Clone, Default)]
struct Forms(Arc<Mutex<Vec<[Value; 2]>>>);

impl AuditSink for Forms {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        let forms = [record.to_ocsf(), record.to_ecs()];
        self.0.lock().unwrap().push(forms);
    }
}

#[tokio::test]
async fn other_forms_tell_of_it_too() {
    let forms = Forms::default();
    touched(Some(DenialKind::Forbidden), forms.clone()).await;
    let [ocsf, ecs] = forms.0.lock().unwrap().remove(0);
    assert_eq!(ocsf["severity_id"], 5);
    assert_eq!(ocsf["unmapped"]["decoy"], "tool `export_salaries`");
    assert_eq!(ecs["event"]["kind"], "alert");
    assert_eq!(
        ecs["event"]["category"],
        json!(["api", "intrusion_detection"])
    );
    assert_eq!(ecs["labels"]["decoy"], "tool `export_salaries`");
    assert_eq!(ecs["log"]["level"], "critical");
}

#[tokio::test]
async fn a_stranger_who_floods_first_does_not_hide_the_touch_of_a_decoy_nor_use_up_the_room_by_more()
 {
    let records = Records::with_capacity(8);
    let inner = service_fn(|mut request: Request<Body>| {
        let context = SecurityContext::of(&mut request);
        if request.uri().path() == "/honey" {
            honey!("apikey", &context, "honey_key", "key `backup`");
        }
        let denial = Denial::new(DenialKind::CredentialsInvalid, "why");
        let answer: Answer = refuse!("apikey", &context, denial);
        async { Ok::<_, Infallible>(answer) }
    });
    let service = AuditLayer::new(records.clone()).layer(inner);
    let ask = async |path: &str| {
        let request = Request::post(path).body(Body::default()).unwrap();
        service.clone().oneshot(request).await.unwrap().status()
    };
    for _ in 0..20 {
        assert_eq!(ask("/mcp").await, 401);
    }
    assert_eq!(records.lines().len(), 6);
    for _ in 0..20 {
        assert_eq!(ask("/honey").await, 401);
    }
    let all = records.all();
    assert_eq!(
        all.len(),
        7,
        "the touch is recorded, once, and room is left"
    );
    assert_eq!(all[6]["severity"], "critical");
    assert_eq!(all[6]["metadata"]["missing_folded"], 14);
}

#[tokio::test]
async fn each_time_that_room_is_scarce_the_first_touch_of_a_decoy_is_recorded() {
    let records = Records::with_capacity(8);
    let inner = service_fn(|mut request: Request<Body>| {
        let context = SecurityContext::of(&mut request);
        if request.uri().path() == "/honey" {
            honey!("apikey", &context, "honey_key", "key `backup`");
        }
        async { Ok::<_, Infallible>(ok()) }
    });
    let service = AuditLayer::new(records.clone()).layer(inner);
    for _ in 0..3 {
        for _ in 0..6 {
            service.clone().oneshot(as_ann(empty())).await.unwrap();
        }
        let request = Request::get("/honey").body(Body::default()).unwrap();
        service.clone().oneshot(request).await.unwrap();
        let all = records.take();
        assert_eq!(all.len(), 7);
        assert!(all[6].contains("honey_touched"), "{}", all[6]);
    }
}
