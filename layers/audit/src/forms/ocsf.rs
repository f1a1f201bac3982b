use serde_json::{Map, Value, json};

use super::{pruned, shown};
use crate::{Answer, Classes, Found, Outcome, Record};

/// Of the classes that are used here, by category: Base Event, Detection Finding, Authentication, API Activity.
const BASE: (u32, u32) = (0, 0);
const DETECTION_FINDING: (u32, u32) = (2, 2004);
const AUTHENTICATION: (u32, u32) = (3, 3002);
const API_ACTIVITY: (u32, u32) = (6, 6003);

impl Record<'_> {
    /// The record in the Open Cybersecurity Schema Framework (1.8): failed authentication as Authentication,
    /// anomalies and alerts as Detection Finding, what happened outside of requests as Base Event, all else as API Activity. What that has no attribute
    /// for stands under `unmapped`.
    ///
    /// Not for a request's thread: call it in an [`Outlet`](crate::Outlet).
    pub fn to_ocsf(&self) -> Value {
        let metadata = &self.metadata;
        let (category, class) = self.ocsf_class();
        let activity = self.ocsf_activity(class);
        let names = |names: crate::Names<'_>| -> Vec<_> {
            names.iter().map(|name| name.to_string()).collect()
        };
        let groups = names(self.user_role);
        let groups: Vec<_> = groups.iter().map(|role| json!({ "name": role })).collect();
        let credential = shown(metadata.credential_id).map(|uid| json!([{ "uid": uid }]));
        // These need somebody, and a place.
        let is_needed = class == AUTHENTICATION.1 || class == API_ACTIVITY.1;
        let unknown = |is_absent: bool| (is_needed && is_absent).then_some("unknown");
        let user = json!({
            "uid": shown(self.user_id),
            "name": unknown(self.user_id.is_none()),
            "domain": shown(metadata.issuer),
            "programmatic_credentials": credential,
            "org": { "uid": shown(metadata.tenant) },
            "groups": groups,
        });
        let decision = metadata.decision.map(|decision| {
            let rules = names(decision.rules).join(", ");
            json!([{
                "decision": decision.outcome,
                "policy": {
                    "name": Some(rules).filter(|rules| !rules.is_empty()),
                    "type": "authorization",
                    "version": decision.policy.to_string(),
                },
            }])
        });
        let (tool, resource) = (shown(self.tool_name), shown(self.resource_id));
        let resources = [(tool, "tool"), (resource, "resource")]
            .into_iter()
            .filter_map(|(name, kind)| Some(json!({ "name": name?, "type": kind })));
        let is_user = class == AUTHENTICATION.1;
        let time = u64::try_from(self.timestamp.as_millis()).unwrap_or(u64::MAX);
        let millis = |duration: Option<std::time::Duration>| duration.map(|d| d.as_millis() as u64);
        // The caption of the id, or a word of ours.
        let (status_id, status) = match self.result {
            "success" => (1, "Success"),
            "failure" | "error" => (2, "Failure"),
            other => (99, other),
        };
        let mut ocsf = json!({
            "activity_id": activity,
            "category_uid": category,
            "class_uid": class,
            "type_uid": class * 100 + activity,
            "time": time,
            "severity_id": self.severity as u8 + 1,
            "status_id": status_id,
            "status": status,
            "status_code": self.answer.and_then(Answer::code).map(|code| code.to_string()),
            "status_detail": metadata.denial.map(|denial| denial.name()),
            "duration": millis(self.duration),
            "message": shown(metadata.detail),
            "metadata": {
                "version": "1.8.0",
                "product": { "name": "Bartizan", "vendor_name": "Bartizan", "version": env!("CARGO_PKG_VERSION") },
                "uid": self.event_id.to_string(),
                "sequence": self.sequence,
                "correlation_uid": shown(self.correlation_id),
                "event_code": self.event_type,
                "log_name": "audit",
            },
            "user": is_user.then(|| user.clone()),
            "service": is_user.then(|| json!({ "name": "MCP server" })),
            "actor": {
                "user": user,
                "app_uid": shown(metadata.client_id),
                "authorizations": decision,
            },
            "api": {
                "operation": shown(self.action).unwrap_or_else(|| self.event_type.to_owned()),
                "request": { "uid": shown(metadata.rpc_id) },
                "response": {
                    "code": self.answer.and_then(Answer::code),
                    "message": self.answer.map(Answer::name),
                },
            },
            "http_request": {
                "http_method": shown(metadata.http_method),
                "user_agent": shown(self.user_agent),
                "url": { "path": shown(metadata.http_path) },
                "body_length": self.request_bytes,
            },
            "http_response": self.status.map(|status| json!({
                "code": status.as_u16(),
                "latency": millis(self.latency),
                "body_length": self.response_bytes,
            })),
            "src_endpoint": {
                "ip": self.ip_address.map(|address| address.to_string()),
                "name": unknown(self.ip_address.is_none()),
            },
            "resources": resources.collect::<Vec<_>>(),
            "unmapped": {
                "outcome": self.outcome.map(Outcome::name),
                "classes": self.classes.words().collect::<Vec<_>>(),
                "auth_method": shown(metadata.auth_method),
                "delegation": names(metadata.delegation),
                "trace_id": self.trace.map(|trace| format!("{:032x}", trace.trace_id())),
                "decoy": self.decoy(),
                "result": self.result,
                "action": shown(self.action).filter(|_| class != API_ACTIVITY.1),
                "layer": metadata.layer,
                "intent_id": metadata.intent.map(|intent| intent.to_string()),
            },
        });
        if let Some(members) = ocsf.as_object_mut() {
            for other in others(class) {
                members.remove(*other);
            }
            if let Some(found) = metadata.found {
                self.make_finding(&found, members);
            }
        }
        pruned(ocsf)
    }

    /// Makes what is said of an activity evidence, and says what was found.
    fn make_finding(&self, found: &Found<'_>, members: &mut Map<String, Value>) {
        let mut evidence = Map::new();
        for shows in ["actor", "src_endpoint"] {
            evidence.extend(members.remove(shows).map(|shown| (shows.to_owned(), shown)));
        }
        let title = shown(found.rule);
        let title = title.unwrap_or_else(|| format!("{}: {}", found.detector, found.feature));
        let parts = [
            ("about", found.about),
            ("value", found.value),
            ("baseline", found.baseline),
        ];
        let parts = parts.map(|(name, text)| Some(format!("{name}: {}", shown(text)?)));
        let info = json!({
            "uid": self.event_id.to_string(),
            "title": title,
            "desc": parts.into_iter().flatten().collect::<Vec<_>>().join("; "),
            "types": [self.event_type],
            "related_events": found.event_id.map(|id| json!([{ "uid": id.to_string() }])),
            "related_events_count": found.count,
        });
        members.insert("evidences".to_owned(), json!([evidence]));
        members.insert("finding_info".to_owned(), info);
        members.insert("is_alert".to_owned(), json!(self.event_type == "alert"));
        // New.
        members.insert("status_id".to_owned(), json!(1));
    }

    fn ocsf_class(&self) -> (u32, u32) {
        if self.metadata.found.is_some() {
            DETECTION_FINDING
        } else if self.classes.has(Classes::AUTHENTICATION_FAILURE) {
            AUTHENTICATION
        } else if self.correlation_id.is_none() {
            BASE
        } else {
            API_ACTIVITY
        }
    }

    fn ocsf_activity(&self, class: u32) -> u32 {
        let is_read = matches!(self.event_type, "resource_read" | "prompt_get")
            || shown(self.action).is_some_and(|action| action.ends_with("/list"));
        match class {
            // Create; Logon.
            class if class == DETECTION_FINDING.1 || class == AUTHENTICATION.1 => 1,
            class if class == API_ACTIVITY.1 && is_read => 2,
            class
                if class == API_ACTIVITY.1 && self.classes.has(Classes::DESTRUCTIVE_OPERATION) =>
            {
                4
            }
            _ => 99,
        }
    }
}

/// Attributes that a class does not have.
fn others(class: u32) -> &'static [&'static str] {
    match class {
        class if class == BASE.1 => &[
            "actor",
            "api",
            "http_request",
            "http_response",
            "resources",
            "src_endpoint",
        ],
        class if class == DETECTION_FINDING.1 => &[
            "api",
            "http_request",
            "http_response",
            "resources",
            "status",
        ],
        class if class == AUTHENTICATION.1 => &["api", "resources"],
        _ => &[],
    }
}
