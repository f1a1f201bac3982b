use serde_json::{Value, json};

use super::{pruned, shown};
use crate::{Classes, Outcome, Record};

impl Record<'_> {
    /// The record in the Elastic Common Schema (9.4), as nested objects. What that has no field for stands under
    /// `labels`.
    ///
    /// Not for a request's thread: call it in an [`Outlet`](crate::Outlet).
    pub fn to_ecs(&self) -> Value {
        let metadata = &self.metadata;
        let mut timestamp = Vec::new();
        self.write_timestamp(&mut timestamp);
        let names = |names: crate::Names<'_>| -> Vec<_> {
            names.iter().map(|name| name.to_string()).collect()
        };
        let user = shown(self.user_id);
        let address = self.ip_address.map(|address| address.to_string());
        let rules = metadata.decision.map(|decision| names(decision.rules));
        let rules = rules
            .map(|rules| rules.join(", "))
            .filter(|rules| !rules.is_empty());
        let found = metadata.found.unwrap_or_default();
        let word = |word: &'static str| Some(word.to_owned()).filter(|word| !word.is_empty());
        let rule = shown(found.rule).or_else(|| word(found.detector)).or(rules);
        let trace = self.trace.map(|trace| format!("{:032x}", trace.trace_id()));
        let parent = self
            .trace
            .map(|trace| format!("{:016x}", trace.parent_id()));
        let duration = self
            .duration
            .map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        pruned(json!({
            "@timestamp": String::from_utf8_lossy(&timestamp),
            "ecs": { "version": "9.4.0" },
            "message": format!("{} {}", self.event_type, self.result),
            "log": { "level": self.severity.name() },
            "event": {
                "id": self.event_id.to_string(),
                "kind": if self.is_alert() { "alert" } else { "event" },
                "category": self.ecs_categories(),
                "type": self.ecs_types(),
                "action": self.event_type,
                "outcome": match self.result {
                    "success" => Some("success"),
                    "failure" | "error" => Some("failure"),
                    "intended" | "found" | "raised" => None,
                    _ => Some("unknown"),
                },
                "reason": metadata.denial.map(|denial| denial.name()),
                "code": self.answer.and_then(|answer| answer.code()).map(|code| code.to_string()),
                "sequence": self.sequence,
                "severity": self.severity as u8,
                "duration": duration,
                "module": "bartizan",
                "dataset": "bartizan.audit",
            },
            "user": { "id": user, "roles": names(self.user_role) },
            "organization": { "id": shown(metadata.tenant) },
            "source": { "ip": address },
            "user_agent": { "original": shown(self.user_agent) },
            "http": {
                "request": {
                    "id": shown(self.correlation_id),
                    "method": shown(metadata.http_method),
                    "body": { "bytes": self.request_bytes },
                },
                "response": {
                    "status_code": self.status.map(|status| status.as_u16()),
                    "body": { "bytes": self.response_bytes },
                },
            },
            "url": { "path": shown(metadata.http_path) },
            "rule": {
                "name": rule,
                "version": metadata.decision.map(|decision| decision.policy.to_string()),
            },
            "trace": { "id": trace },
            "related": {
                "user": Vec::from_iter(shown(self.user_id)),
                "ip": Vec::from_iter(self.ip_address.map(|address| address.to_string())),
            },
            "labels": {
                "mcp_method": shown(self.action),
                "mcp_tool": shown(self.tool_name),
                "mcp_resource": shown(self.resource_id),
                "mcp_rpc_id": shown(metadata.rpc_id),
                "mcp_answer": self.answer.map(|answer| answer.name()),
                "outcome": self.outcome.map(Outcome::name),
                "auth_method": shown(metadata.auth_method),
                "client_id": shown(metadata.client_id),
                "credential_id": shown(metadata.credential_id),
                "issuer": shown(metadata.issuer),
                "delegation": Some(names(metadata.delegation).join(" ")).filter(|d| !d.is_empty()),
                "parent_id": parent,
                "decoy": self.decoy(),
                "found_feature": word(found.feature),
                "found_value": shown(found.value),
                "found_baseline": shown(found.baseline),
                "found_about": shown(found.about),
                "found_count": found.count,
                "found_event_id": found.event_id.map(|id| id.to_string()),
                "intent_id": metadata.intent.map(|intent| intent.to_string()),
            },
        }))
    }

    fn is_alert(&self) -> bool {
        self.metadata.found.is_some() || self.classes.has(Classes::HONEY_TOUCHED)
    }

    fn ecs_categories(&self) -> Vec<&'static str> {
        let has = |class| self.classes.has(class);
        let mut categories = vec!["api"];
        if has(Classes::AUTHENTICATION_FAILURE) {
            categories.push("authentication");
        }
        if has(Classes::CONFIGURATION_CHANGE) {
            categories.push("configuration");
        }
        if self.is_alert() || has(Classes::PRIVILEGE_ESCALATION_ATTEMPT) {
            categories.push("intrusion_detection");
        }
        categories
    }

    fn ecs_types(&self) -> Vec<&'static str> {
        let mut types = vec![match self.outcome {
            Some(Outcome::Refused) => "denied",
            Some(Outcome::Admitted) => "allowed",
            _ => "info",
        }];
        // What a category expects.
        if self.classes.has(Classes::AUTHENTICATION_FAILURE) {
            types.push("start");
        }
        if self.classes.has(Classes::DESTRUCTIVE_OPERATION) {
            types.push("deletion");
        }
        if self.classes.has(Classes::CONFIGURATION_CHANGE) {
            types.push("change");
        }
        types
    }
}
