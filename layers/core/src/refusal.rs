use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    Denial, DenialKind, Finding, ResponseBody, SecurityContext, Verdict, text::write_json_string,
};

impl Denial {
    /// The one place where a refusal becomes an answer.
    ///
    /// Status and headers follow the kind; the body is a JSON-RPC error that echoes the request's
    /// id when it is known and omits it otherwise, never `null` (PH-5). A limit that refuses before the
    /// call was read answers with problem details instead (RFC 9457, RL-6). A 5xx names the
    /// correlation id. Answers are not cacheable (RL-2, SH-3). A [disguise](crate::Disguise) replaces all of it.
    ///
    /// Layers call this through [`refuse!`](crate::refuse), which also logs and records it.
    pub fn into_response<B>(self, context: &SecurityContext) -> Response<ResponseBody<B>> {
        if let Some(disguise) = self.disguise() {
            return disguise.clone().response(self);
        }
        let problem = self.problem_type(context);
        let mut response = Response::new(self.body_for(context, problem));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let media = match problem {
            Some(_) => "application/problem+json",
            None => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in self.challenges() {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(after) = self.retry_after() {
            let whole = after
                .as_secs()
                .saturating_add(u64::from(after.subsec_nanos() > 0));
            headers.insert(RETRY_AFTER, whole.max(1).into());
        }
        for (name, value) in self.headers() {
            headers.append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }

    fn body_for<B>(
        &self,
        context: &SecurityContext,
        problem: Option<&'static str>,
    ) -> ResponseBody<B> {
        if context.answers_head() {
            return ResponseBody::default();
        }
        ResponseBody::refusal(match problem {
            Some(problem) => self.problem(problem, context),
            None => self.body(context),
        })
    }

    /// The problem type of a limit that refuses before anybody knows what to answer to.
    fn problem_type(&self, context: &SecurityContext) -> Option<&'static str> {
        let problem = match self.kind() {
            DenialKind::RateLimited | DenialKind::DiscoveryLimited => "quota-exceeded",
            DenialKind::Saturated => "temporary-reduced-capacity",
            _ => return None,
        };
        let is_known = self.rpc_id().is_some() || self.rpc_data().is_some() || is_read(context);
        (!is_known).then_some(problem)
    }

    /// RFC 9457; the types are those of draft-ietf-httpapi-ratelimit-headers-11.
    fn problem(&self, problem: &str, context: &SecurityContext) -> String {
        let mut body = String::with_capacity(192);
        body.push_str(r#"{"type":"https://iana.org/assignments/http-problem-types#"#);
        body.push_str(problem);
        body.push_str(r#"","title":"#);
        write_json_string(&mut body, self.message());
        body.push_str(r#","status":"#);
        body.push_str(self.status().as_str());
        if let Some(policy) = self.violated_policy() {
            body.push_str(r#","violated-policies":["#);
            write_json_string(&mut body, policy);
            body.push(']');
        }
        if self.status().is_server_error() {
            body.push_str(r#","correlationId":"#);
            write_json_string(&mut body, context.correlation_id().as_str());
        }
        body.push('}');
        body
    }

    fn body(&self, context: &SecurityContext) -> String {
        let mut body = String::with_capacity(128);
        body.push_str(r#"{"jsonrpc":"2.0","#);
        if let Some(id) = self.rpc_id().or_else(|| call_id(context)) {
            body.push_str(r#""id":"#);
            body.push_str(id);
            body.push(',');
        }
        body.push_str(r#""error":{"code":"#);
        body.push_str(&self.kind().rpc_code().to_string());
        body.push_str(r#","message":"#);
        write_json_string(&mut body, self.message());
        if let Some(data) = self.rpc_data() {
            body.push_str(r#","data":"#);
            body.push_str(data);
        } else if self.status().is_server_error() {
            body.push_str(r#","data":{"correlationId":"#);
            write_json_string(&mut body, context.correlation_id().as_str());
            body.push('}');
        }
        body.push_str("}}");
        body
    }
}

#[cfg(feature = "call")]
fn call_id(context: &SecurityContext) -> Option<&str> {
    // The id of a posted response is the server's own: a client would take it for one of its requests.
    let call = context.call()?;
    (call.kind() == crate::CallKind::Request).then(|| call.id())?
}

#[cfg(feature = "call")]
fn is_read(context: &SecurityContext) -> bool {
    context.call().is_some()
}

#[cfg(not(feature = "call"))]
fn call_id(_: &SecurityContext) -> Option<&str> {
    None
}

#[cfg(not(feature = "call"))]
fn is_read(_: &SecurityContext) -> bool {
    false
}

/// Refuses a request: logs it, records the finding, and renders the answer.
///
/// `refuse!("cors", &context, denial)` is a `Response<ResponseBody<_>>`. The event goes to
/// `tracing` at WARN under the target `bartizan::<layer>`.
#[macro_export]
macro_rules! refuse {
    ($layer:literal, $context:expr, $denial:expr) => {{
        let (context, denial): (&$crate::SecurityContext, $crate::Denial) = ($context, $denial);
        $crate::__private::tracing::warn!(
            target: concat!("bartizan::", $layer),
            kind = denial.kind().name(),
            status = denial.status().as_u16(),
            reason = denial.reason(),
            correlation_id = context.correlation_id().as_str(),
            "refused"
        );
        $crate::__count!($layer, "refused");
        $crate::__private::record_refusal($layer, context, &denial);
        denial.into_response(context)
    }};
}

/// Records a refusal among the findings, if somebody collects them.
pub fn record_refusal(layer: &'static str, context: &SecurityContext, denial: &Denial) {
    context.record(|| {
        Finding::new(
            layer,
            Verdict::Refused,
            denial.kind().name(),
            denial.reason().to_owned(),
        )
    });
}

/// Replaces the text of an inner service's server error, which may hold anything, by a body that
/// names only the correlation id (SH-4).
///
/// Status and protocol headers stay; what describes the lost body goes, and so do the response's
/// extensions, among which may be a reason phrase that a server writes out. A refusal of ours and
/// any answer below 500 pass untouched.
///
/// Tells whether it did.
pub fn scrub<B>(response: &mut Response<ResponseBody<B>>, context: &SecurityContext) -> bool {
    let denial = response.extensions().get::<Denial>();
    let ours = denial.is_some_and(|denial| denial.status() == response.status());
    if ours || response.status().as_u16() < 500 {
        return false;
    }
    let denial = Denial::new(
        DenialKind::Internal,
        "the inner service answered a server error",
    );
    *response.body_mut() = denial.body_for(context, None);
    response.extensions_mut().clear();
    let headers = response.headers_mut();
    for described in DESCRIBES_THE_BODY {
        headers.remove(described);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    true
}

const DESCRIBES_THE_BODY: [&str; 11] = [
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-range",
    "etag",
    "last-modified",
    "trailer",
    "transfer-encoding",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body::Body as _;

    use super::*;

    #[test]
    fn ph_5_a_refusal_without_a_known_id_omits_it() {
        let denial = Denial::new(DenialKind::OriginRefused, "evil");
        let body = denial.body(&SecurityContext::default());
        assert_eq!(
            body,
            r#"{"jsonrpc":"2.0","error":{"code":403,"message":"origin not allowed"}}"#
        );
    }

    #[test]
    #[cfg(feature = "call")]
    fn sc_5_a_refusal_that_waits_for_approval_names_it() {
        let denial = Denial::new(DenialKind::ApprovalNeeded, "why");
        let denial = denial.with_approval(0xf, Duration::from_millis(7999));
        let id = "0000000000000000000000000000000f";
        let data = format!(r#"{{"approval":{{"id":"{id}","expires_in":7}}}}"#);
        assert_eq!(
            denial.body(&SecurityContext::default()),
            format!(
                r#"{{"jsonrpc":"2.0","error":{{"code":403,"message":"approval needed","data":{data}}}}}"#
            )
        );
    }

    #[test]
    fn the_internal_reason_never_reaches_the_caller() {
        let context = SecurityContext::default();
        for kind in DenialKind::ALL {
            let denial = Denial::new(*kind, "inner-secret");
            assert!(!denial.body(&context).contains("inner-secret"));
        }
    }

    #[test]
    fn a_refusal_of_head_has_no_body() {
        let mut request = http::Request::head("/mcp").body(()).unwrap();
        let context = SecurityContext::of(&mut request);
        let denial = Denial::new(DenialKind::HostRefused, "evil");
        let response = denial.into_response::<String>(&context);
        assert_eq!(response.body().size_hint().exact(), Some(0));
        assert_eq!(response.status(), 403);
    }

    #[test]
    fn a_server_error_names_the_correlation_id() {
        let context = SecurityContext::default();
        let body = Denial::new(DenialKind::Unavailable, "down").body(&context);
        assert!(body.contains(context.correlation_id().as_str()));
    }

    #[test]
    fn rl_2_retry_after_is_rounded_up_and_never_zero() {
        for (after, sent) in [(0, "1"), (1, "1"), (999, "1"), (1000, "1"), (1001, "2")] {
            let response = Denial::new(DenialKind::RateLimited, "")
                .with_retry_after(Duration::from_millis(after))
                .into_response::<String>(&SecurityContext::default());
            assert_eq!(response.headers()[RETRY_AFTER], sent, "{after} ms");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn rl_6_a_limit_that_refuses_before_the_call_is_read_answers_with_problem_details() {
        let context = SecurityContext::default();
        let limited = Denial::new(DenialKind::RateLimited, "why").with_violated_policy("address");
        let response = limited.clone().into_response::<String>(&context);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let problem = limited.problem_type(&context).unwrap();
        assert_eq!(
            limited.problem(problem, &context),
            r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"too many requests","status":429,"violated-policies":["address"]}"#
        );
        let saturated = Denial::new(DenialKind::Saturated, "why");
        let problem = saturated.problem_type(&context).unwrap();
        let id = context.correlation_id().as_str();
        assert_eq!(
            saturated.problem(problem, &context),
            format!(
                r#"{{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"too much is under way","status":503,"correlationId":"{id}"}}"#
            )
        );
        let other = Denial::new(DenialKind::Unavailable, "why");
        assert_eq!(other.problem_type(&context), None);
    }

    #[test]
    fn an_endless_wait_is_rendered() {
        let denial = Denial::new(DenialKind::RateLimited, "").with_retry_after(Duration::MAX);
        let response = denial.into_response::<String>(&SecurityContext::default());
        assert_eq!(
            response.headers()[RETRY_AFTER],
            u64::MAX.to_string().as_str()
        );
    }

    #[test]
    fn sh_4_an_inner_server_error_loses_its_text_and_keeps_its_status() {
        let mut scrubbed = Response::builder()
            .status(502)
            .header("content-length", "5")
            .header("content-encoding", "gzip")
            .header("retry-after", "7")
            .header("content-digest", "sha-256=:x:")
            .extension(Denial::new(DenialKind::Forbidden, "of another status"))
            .body(ResponseBody::inner("stack".to_owned()))
            .unwrap();
        let context = SecurityContext::default();
        assert!(scrub(&mut scrubbed, &context));
        assert_eq!(scrubbed.status(), 502);
        assert_eq!(scrubbed.headers()["retry-after"], "7");
        assert!(!scrubbed.headers().contains_key("content-length"));
        assert!(!scrubbed.headers().contains_key("content-encoding"));
        assert!(!scrubbed.headers().contains_key("content-digest"));
        assert!(scrubbed.extensions().is_empty());
        let expected = Denial::new(DenialKind::Internal, "").body(&context).len();
        assert_eq!(scrubbed.body().size_hint().exact(), Some(expected as u64));
    }
}
