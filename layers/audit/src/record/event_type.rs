use bartizan_core::{Call, CallKind, DenialKind, call::Subject};

/// The record's `event_type`: why it was refused, else what was asked for. The crate's docs list
/// them.
pub(crate) fn event_type(denial: Option<DenialKind>, call: Option<&Call>) -> &'static str {
    match (denial, call) {
        (Some(kind), _) => refusal(kind),
        (None, Some(call)) => request(call),
        (None, None) => "http_request",
    }
}

/// Whether a request's record may have this type.
pub(crate) fn is_event_type(word: &str) -> bool {
    WORDS.contains(&word)
}

const WORDS: &[&str] = &[
    "authentication_failure",
    "authentication_challenge",
    "authorization_denied",
    "rate_limited",
    "policy_violation",
    "protocol_violation",
    "guard_failure",
    "refused",
    "tool_call",
    "resource_read",
    "prompt_get",
    "task",
    "request",
    "notification",
    "response",
    "stream",
    "session_end",
    "http_request",
];

pub(super) fn refusal(kind: DenialKind) -> &'static str {
    use DenialKind as Kind;
    match kind {
        Kind::CredentialsMissing | Kind::CredentialsInvalid | Kind::CredentialsMalformed => {
            "authentication_failure"
        }
        Kind::NonceNeeded => "authentication_challenge",
        Kind::ScopeInsufficient
        | Kind::Forbidden
        | Kind::ApprovalNeeded
        | Kind::ApprovalUnknown
        | Kind::SessionUnknown
        | Kind::TaskUnknown => "authorization_denied",
        Kind::RateLimited | Kind::DiscoveryLimited | Kind::Saturated => "rate_limited",
        Kind::OriginRefused
        | Kind::HostRefused
        | Kind::HostMalformed
        | Kind::AddressRefused
        | Kind::TlsRequired
        | Kind::AnswerRefused => "policy_violation",
        Kind::JsonMalformed
        | Kind::MessageInvalid
        | Kind::ParamsInvalid
        | Kind::ArgumentsInvalid
        | Kind::HeaderMismatch
        | Kind::VersionUnsupported
        | Kind::MethodNotAllowed
        | Kind::MediaTypeUnsupported
        | Kind::UploadTimeout
        | Kind::BodyTooLarge
        | Kind::HeadersTooLarge => "protocol_violation",
        Kind::Unavailable | Kind::Internal => "guard_failure",
        _ => "refused",
    }
}

fn request(call: &Call) -> &'static str {
    match (call.kind(), call.method(), call.subject()) {
        (CallKind::Request, "tools/call", _) => "tool_call",
        (CallKind::Request, "resources/read", _) => "resource_read",
        (CallKind::Request, "prompts/get", _) => "prompt_get",
        (CallKind::Request, _, Some(Subject::Task)) => "task",
        (CallKind::Request, ..) => "request",
        (CallKind::Notification, ..) => "notification",
        (CallKind::Response, ..) => "response",
        (CallKind::Stream, ..) => "stream",
        (CallKind::EndSession, ..) => "session_end",
        _ => "request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_word_of_its_own() {
        for kind in DenialKind::ALL {
            let word = event_type(Some(*kind), None);
            assert_ne!(word, "refused", "{kind:?}");
            assert!(is_event_type(word), "{word}");
        }
    }
}
