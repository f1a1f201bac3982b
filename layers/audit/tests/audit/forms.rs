//! Records in the forms of others, against the names that these publish.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use bartizan_audit::{
    Adding, Alert, Anomaly, AuditLayer, AuditSink, Commit, Outlet, Queue, Record, Severity, Watcher,
};
use bartizan_core::{CallLayer, Denial, DenialKind, Event, RequestBody, SecurityContext, refuse};
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::{common::*, json_lines::PATIENCE, published};

/// Each record in both forms.
#[derive(Clone, Default)]
struct Forms(Arc<Mutex<Vec<(Value, Value)>>>);

impl AuditSink for Forms {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        let forms = (record.to_ocsf(), record.to_ecs());
        self.0.lock().unwrap().push(forms);
    }
}

async fn forms_of(tool: &str, denial: Option<DenialKind>) -> (Value, Value) {
    let forms = Forms::default();
    let layer = AuditLayer::new(forms.clone())
        .destructive(["delete_*"])
        .unwrap();
    let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
        let context = SecurityContext::of(&mut request);
        async move {
            let answer = match denial {
                Some(kind) => refuse!("guard", &context, Denial::new(kind, "why")),
                None => ok().map(bartizan_core::ResponseBody::inner),
            };
            Ok::<Response<bartizan_core::ResponseBody<Body>>, Infallible>(answer)
        }
    });
    let mut request = as_ann(call_tool(tool));
    let context = SecurityContext::of(&mut request);
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    let agent = HeaderValue::from_static("client/1.0");
    request.headers_mut().insert("user-agent", agent);
    let service = layer.layer(CallLayer::new().layer(inner));
    service.oneshot(request).await.unwrap();
    forms.0.lock().unwrap().pop().unwrap()
}

#[tokio::test]
async fn all_is_as_it_was_published() {
    for tool in ["delete_note", "read_note"] {
        let kinds = DenialKind::ALL.iter().copied().map(Some);
        for denial in kinds.chain([None]) {
            let (ocsf, ecs) = forms_of(tool, denial).await;
            published::assert_ocsf(&ocsf);
            published::assert_ecs(&ecs);
        }
    }
}

/// Without a user and an address, without an answer, and without a request.
#[tokio::test]
async fn what_says_little_is_as_it_was_published_too() {
    let forms = Forms::default();
    let layer = AuditLayer::new(forms.clone());
    for act in [Act::Answer(200), Act::Answer(500), Act::Refuse, Act::Fail] {
        let _ = layer.layer(Actor(act)).oneshot(empty()).await;
    }
    drop(layer.layer(Actor(Act::Never)).oneshot(empty()));
    let mut service = layer.layer(Actor(Act::Never));
    drop(tower::Service::call(&mut service, empty()));
    for kind in ["policy_swapped", "provider_down"] {
        let event = Event::new(
            "rbac",
            bartizan_core::Severity::Error,
            kind,
            "what happened",
        );
        layer.recorded_events().emit(&event);
    }
    let forms = forms.0.lock().unwrap();
    assert_eq!(forms.len(), 7);
    for (ocsf, ecs) in &**forms {
        published::assert_ocsf(ocsf);
        published::assert_ecs(ecs);
    }
    let (aborted, aborted_ecs) = &forms[4];
    assert_eq!(aborted["status_id"], 99);
    assert_eq!(aborted["status"], "aborted");
    assert_eq!(aborted_ecs["event"]["outcome"], "unknown");
    let (failed, failed_ecs) = &forms[1];
    assert_eq!(failed["status"], "Failure");
    assert_eq!(failed_ecs["event"]["outcome"], "failure");
    let (event, _) = &forms[5];
    assert_eq!(event["class_uid"], 0);
    assert_eq!(event["message"], "what happened");
    assert_eq!(event["unmapped"]["action"], "policy_swapped");
}

#[tokio::test]
async fn ocsf_tells_api_activity_from_failed_authentication() {
    let (activity, _) = forms_of("delete_note", None).await;
    assert_eq!(activity["class_uid"], 6003);
    assert_eq!(
        (&activity["activity_id"], &activity["type_uid"]),
        (&json!(4), &json!(600_304))
    );
    assert_eq!(activity["status_id"], 1);
    assert_eq!(activity["actor"]["user"]["uid"], "ann");
    assert_eq!(activity["api"]["operation"], "tools/call");
    assert_eq!(activity["resources"][0]["name"], "delete_note");
    assert_eq!(activity["src_endpoint"]["ip"], "192.0.2.7");
    let (failed, _) = forms_of("read_note", Some(DenialKind::CredentialsInvalid)).await;
    assert_eq!(
        (&failed["class_uid"], &failed["type_uid"]),
        (&json!(3002), &json!(300_201))
    );
    assert_eq!(
        (&failed["status_id"], &failed["severity_id"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(failed["status_detail"], "credentials_invalid");
    assert_eq!(failed["user"]["uid"], "ann");
}

#[tokio::test]
async fn only_who_lacks_something_attempts_to_escalate() {
    for (denial, is_attempt) in [
        (DenialKind::Forbidden, true),
        (DenialKind::ScopeInsufficient, true),
        (DenialKind::ApprovalNeeded, false),
        (DenialKind::SessionUnknown, false),
        (DenialKind::RateLimited, false),
    ] {
        let (ocsf, _) = forms_of("delete_note", Some(denial)).await;
        let classes = ocsf["unmapped"]["classes"].as_array().unwrap();
        let is = classes.contains(&json!("privilege_escalation_attempt"));
        assert_eq!(is, is_attempt, "{denial:?}");
    }
}

#[tokio::test]
async fn ecs_says_who_did_what_and_whether_it_was_allowed() {
    let (_, ecs) = forms_of("delete_note", None).await;
    assert_eq!(ecs["event"]["type"], json!(["allowed", "deletion"]));
    assert_eq!(ecs["event"]["outcome"], "success");
    assert_eq!(ecs["user"]["id"], "ann");
    assert_eq!(ecs["http"]["response"]["status_code"], 200);
    let (_, ecs) = forms_of("delete_note", Some(DenialKind::Forbidden)).await;
    assert_eq!(ecs["event"]["type"], json!(["denied", "deletion"]));
    assert_eq!(
        ecs["event"]["category"],
        json!(["api", "intrusion_detection"])
    );
    assert_eq!(ecs["event"]["reason"], "forbidden");
}

impl Outlet for Forms {
    fn take(&mut self, record: &Record<'_>, _: &[u8]) {
        self.write(record);
    }

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        Ok(())
    }
}

/// Finds something in every record, and raises an alert of it.
struct Finds;

impl Watcher for Finds {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        let anomaly = Anomaly::new("finds", "records", Severity::Critical);
        let anomaly = anomaly.value("1").baseline("0").about("user ann");
        adding.anomaly(record.timestamp, Some(record), &anomaly);
        let alert = Alert::new("any record", Severity::Error).count(2);
        adding.alert(record.timestamp, Some(record), &alert.about("user ann"));
    }
}

#[tokio::test]
async fn anomalies_and_alerts_are_detection_findings_and_alerts() {
    let forms = Forms::default();
    let layer = AuditLayer::new(Queue::to(forms.clone()).watched_by(Finds));
    let inner = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(ok()) });
    let mut request = as_ann(empty());
    let context = SecurityContext::of(&mut request);
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    layer.layer(inner).oneshot(request).await.unwrap();
    layer.flush(PATIENCE).unwrap();
    let forms = forms.0.lock().unwrap();
    let [request, (anomaly, anomaly_ecs), (alert, alert_ecs)] = &**forms else {
        panic!("{forms:?}");
    };
    for (ocsf, ecs) in [(anomaly, anomaly_ecs), (alert, alert_ecs)] {
        published::assert_ocsf(ocsf);
        published::assert_ecs(ecs);
        assert_eq!(ocsf["class_uid"], 2004);
        assert_eq!(ocsf["type_uid"], 200_401);
        assert_eq!(ocsf["evidences"][0]["actor"]["user"]["uid"], "ann");
        assert_eq!(ocsf["evidences"][0]["src_endpoint"]["ip"], "192.0.2.7");
        let related = &ocsf["finding_info"]["related_events"][0]["uid"];
        assert_eq!(related, &request.0["metadata"]["uid"]);
        assert_eq!(ecs["event"]["kind"], "alert");
        assert_eq!(ecs["user"]["id"], "ann");
        assert_eq!(ecs["labels"]["found_event_id"], *related);
    }
    assert_eq!(anomaly["severity_id"], 5);
    assert_eq!(anomaly["finding_info"]["title"], "finds: records");
    let desc = "about: user ann; value: 1; baseline: 0";
    assert_eq!(anomaly["finding_info"]["desc"], desc);
    assert_eq!(
        (&anomaly["is_alert"], &alert["is_alert"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(alert["finding_info"]["related_events_count"], 2);
    assert_eq!(alert_ecs["rule"]["name"], "any record");
    assert_eq!(anomaly_ecs["rule"]["name"], "finds");
}
