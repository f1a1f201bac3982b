//! Findings that come when the record is written.

use bartizan_audit::{AuditLayer, Records};
use bartizan_core::{Denial, DenialKind, Finding, SecurityContext, Trail, Verdict, refuse};
use http::Response;
use serde_json::Value;
use tower::{Layer, ServiceExt};

use super::common::*;

/// An answered request's context, as a handler keeps it that still runs.
async fn answered(layer: &AuditLayer) -> SecurityContext {
    let mut request = as_ann(empty());
    let context = SecurityContext::of(&mut request);
    let service = layer.layer(Actor(Act::Answer(200)));
    service.oneshot(request).await.unwrap();
    context
}

fn refuses(context: &SecurityContext) {
    let denial = Denial::new(DenialKind::Forbidden, "the handler needs more");
    let _: Response<bartizan_core::ResponseBody<Body>> = refuse!("caller", context, denial);
}

#[tokio::test]
async fn al_4_a_refusal_after_the_answers_head_has_a_record_of_its_own() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone());
    let context = answered(&layer).await;
    refuses(&context);
    context.record(|| Finding::new("caller", Verdict::Noted, "odd", "seen"));
    context.record(|| Finding::new("caller", Verdict::Allowed, "fine", ""));
    let all = records.all();
    assert_eq!(all.len(), 3, "what is allowed changes nothing");
    assert_eq!(all[0]["findings"].as_array().unwrap().len(), 0);
    let (refused, noted) = (&all[1], &all[2]);
    for late in [refused, noted] {
        assert_eq!(late["event_type"], "late_finding");
        assert_eq!(late["correlation_id"], all[0]["correlation_id"]);
        assert_eq!(late["user_id"], "ann");
        assert_eq!(late["status"], Value::Null);
        assert_eq!(late["findings"].as_array().unwrap().len(), 1);
        assert_eq!(late["metadata"]["http_method"], Value::Null);
    }
    assert_eq!(refused["result"], "failure");
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["metadata"]["denial"], "forbidden");
    assert_eq!(refused["findings"][0]["reason"], "the handler needs more");
    assert_eq!(noted["result"], "success");
    assert_eq!(noted["findings"][0]["reason"], "seen");
}

#[tokio::test]
async fn a_late_finding_without_room_is_counted() {
    let records = Records::with_capacity(1);
    let layer = AuditLayer::new(records.clone());
    let context = answered(&layer).await;
    refuses(&context);
    assert_eq!(records.take().len(), 1);
    answered(&layer).await;
    assert_eq!(only(&records)["metadata"]["missing_passed"], 1);
}

#[tokio::test]
async fn al_5_late_findings_of_strangers_cannot_use_up_the_room_of_others() {
    let records = Records::with_capacity(8);
    let layer = AuditLayer::new(records.clone());
    let mut request = empty();
    let stranger = SecurityContext::of(&mut request);
    let service = layer.layer(Actor(Act::Answer(200)));
    service.oneshot(request).await.unwrap();
    for _ in 0..20 {
        refuses(&stranger);
        stranger.record(|| Finding::new("caller", Verdict::Noted, "odd", "seen"));
    }
    assert_eq!(records.lines().len(), 6);
    let ann = answered(&layer).await;
    refuses(&ann);
    let all = records.all();
    assert_eq!(all.len(), 8, "{all:?}");
    assert_eq!(all[6]["metadata"]["missing_folded"], 35);
    assert_eq!(all[7]["event_type"], "late_finding");
}

#[tokio::test]
async fn late_findings_of_one_request_are_bounded_and_the_rest_is_counted() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone());
    let context = answered(&layer).await;
    for _ in 0..1000 {
        refuses(&context);
    }
    assert_eq!(records.take().len(), 1 + Trail::CAPACITY);
    answered(&layer).await;
    let gap = &records.all()[0];
    assert_eq!(gap["metadata"]["missing_passed"], 1000 - Trail::CAPACITY);
}

#[tokio::test]
async fn a_handlers_refusal_inside_of_a_200_is_a_refusal() {
    let (record, answer) = through(as_ann(empty()), |mut request| {
        refuses(&SecurityContext::of(&mut request));
        async { ok() }
    })
    .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(record["outcome"], "refused");
    assert_eq!(record["result"], "failure");
    assert_eq!(record["event_type"], "authorization_denied");
    assert_eq!(record["metadata"]["denial"], "forbidden");
}
