/// The name of an event, with the namespace that OpenTelemetry demands of one.
pub(super) fn of(event_type: &'static str) -> &'static str {
    let known = NAMES.iter().find(|(word, _)| *word == event_type);
    known.map_or(event_type, |(_, name)| name)
}

macro_rules! names {
    ($($word:literal)*) => { &[$(($word, concat!("bartizan.audit.", $word))),*] };
}

const NAMES: &[(&str, &str)] = names! {
    "authentication_failure" "authentication_challenge" "authorization_denied" "rate_limited" "policy_violation"
    "protocol_violation" "guard_failure" "refused" "tool_call" "resource_read" "prompt_get" "task" "request" "notification"
    "response" "stream" "session_end" "http_request" "intent" "late_finding" "audit_gap" "configuration_change"
    "system_event" "anomaly" "alert"
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JSON_SCHEMA;

    #[test]
    fn every_event_type_of_a_record_has_a_name() {
        let schema: serde_json::Value = serde_json::from_str(JSON_SCHEMA).unwrap();
        let words = schema["properties"]["event_type"]["enum"].as_array();
        for word in words.unwrap() {
            // Of a chain, which no outlet beside it sees.
            let word = word.as_str().unwrap();
            if word != "audit_checkpoint" {
                let word: &'static str = Box::leak(word.to_owned().into_boxed_str());
                assert_eq!(of(word), format!("bartizan.audit.{word}"));
            }
        }
    }
}
