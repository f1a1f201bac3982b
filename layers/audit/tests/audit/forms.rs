//! Records in the forms of others, against the names that these publish.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use bartizan_audit::{
    Adding, Alert, Anomaly, AuditLayer, AuditSink, Commit, Outlet, Queue, Record, Severity, Watcher,
};
use bartizan_core::{CallLayer, Denial, DenialKind, RequestBody, SecurityContext, refuse};
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::{common::*, json_lines::PATIENCE};

/// Names of ECS 9.0 (elastic.co/docs/reference/ecs); `labels` holds what one likes.
const ECS: &[&str] = &[
    "@timestamp",
    "ecs.version",
    "message",
    "log.level",
    "event.id",
    "event.kind",
    "event.category",
    "event.type",
    "event.action",
    "event.outcome",
    "event.reason",
    "event.code",
    "event.sequence",
    "event.severity",
    "event.duration",
    "event.module",
    "event.dataset",
    "user.id",
    "user.roles",
    "organization.id",
    "source.ip",
    "user_agent.original",
    "http.request.id",
    "http.request.method",
    "http.request.body.bytes",
    "http.response.status_code",
    "http.response.body.bytes",
    "url.path",
    "rule.name",
    "rule.version",
    "trace.id",
    "related.user",
    "related.ip",
    "labels",
];

/// Names of OCSF 1.5, of the classes `api_activity`, `authentication` and `detection_finding`; `unmapped` holds what one likes.
const OCSF: &[&str] = &[
    "activity_id",
    "category_uid",
    "class_uid",
    "type_uid",
    "time",
    "severity_id",
    "status_id",
    "status",
    "status_code",
    "status_detail",
    "duration",
    "metadata.version",
    "metadata.product.name",
    "metadata.product.vendor_name",
    "metadata.product.version",
    "metadata.uid",
    "metadata.sequence",
    "metadata.correlation_uid",
    "metadata.event_code",
    "metadata.log_name",
    "user.uid",
    "user.domain",
    "user.credential_uid",
    "user.org.uid",
    "user.groups.name",
    "actor.user.uid",
    "actor.user.domain",
    "actor.user.credential_uid",
    "actor.user.org.uid",
    "actor.user.groups.name",
    "actor.app_uid",
    "actor.authorizations.decision",
    "actor.authorizations.policy.name",
    "actor.authorizations.policy.version",
    "api.operation",
    "api.request.uid",
    "api.response.code",
    "api.response.message",
    "http_request.http_method",
    "http_request.user_agent",
    "http_request.url.path",
    "http_request.length",
    "http_response.code",
    "http_response.latency",
    "http_response.length",
    "src_endpoint.ip",
    "is_alert",
    "finding_info.uid",
    "finding_info.title",
    "finding_info.desc",
    "finding_info.types",
    "finding_info.related_events.uid",
    "finding_info.related_events_count",
    "evidences.actor.user.uid",
    "evidences.actor.user.domain",
    "evidences.actor.user.credential_uid",
    "evidences.actor.user.org.uid",
    "evidences.actor.user.groups.name",
    "evidences.actor.app_uid",
    "evidences.src_endpoint.ip",
    "resources.name",
    "resources.type",
    "unmapped",
];

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

fn assert_known(value: &Value, path: &str, known: &[&str]) {
    if known.contains(&path) {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                assert_known(value, &path, known);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| assert_known(item, path, known)),
        _ => panic!("`{path}` is no name of theirs"),
    }
}

#[tokio::test]
async fn all_names_are_those_that_were_published() {
    for denial in [
        None,
        Some(DenialKind::CredentialsInvalid),
        Some(DenialKind::Forbidden),
    ] {
        let (ocsf, ecs) = forms_of("delete_note", denial).await;
        assert_known(&ocsf, "", OCSF);
        assert_known(&ecs, "", ECS);
    }
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
        assert_known(ocsf, "", OCSF);
        assert_known(ecs, "", ECS);
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
