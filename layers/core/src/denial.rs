use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};

use crate::Disguise;

/// Why a request was refused: a kind, what the caller is told, and what only the operator learns.
///
/// A layer that refuses puts the denial into the response's extensions, where outer layers and
/// tests find it.
#[derive(Clone)]
pub struct Denial(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: DenialKind,
    message: &'static str,
    reason: Cow<'static, str>,
    challenges: Vec<HeaderValue>,
    headers: Vec<(HeaderName, HeaderValue)>,
    retry_after: Option<Duration>,
    rpc_id: Option<Box<str>>,
    rpc_data: Option<Box<str>>,
    disguise: Option<Box<Disguise>>,
    violated_policy: Option<Cow<'static, str>>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $name:literal, $status:ident, $code:expr, $message:literal;)*) => {
        /// The causes of refusal. Each has one status, one JSON-RPC code and one public text.
        ///
        /// The JSON-RPC codes stay out of the bands that MCP reserves (N-13, RL-7): where the
        /// specification names none, the code is the HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DenialKind {
            $($(#[$doc])* $kind,)*
        }

        impl DenialKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// A stable word for logs and metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The HTTP status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)* }
            }

            /// The code of the JSON-RPC error in the answer's body.
            pub fn rpc_code(self) -> i32 {
                match self { $(Self::$kind => $code,)* }
            }

            /// What the caller is told unless the layer has a more helpful text.
            pub fn message(self) -> &'static str {
                match self { $(Self::$kind => $message,)* }
            }
        }
    };
}

kinds! {
    /// No credential of a kind that the layer knows (AC-1, AC-4).
    CredentialsMissing: "credentials_missing", UNAUTHORIZED, 401, "authentication required";
    /// A credential that does not verify (AC-5).
    CredentialsInvalid: "credentials_invalid", UNAUTHORIZED, 401, "the credentials are not valid";
    /// A good credential whose proof lacks a nonce of this server's, which the answer tells (DP-3): no
    /// failed attempt.
    NonceNeeded: "nonce_needed", UNAUTHORIZED, 401, "the proof needs the nonce of this answer";
    /// A credential that is not one: repeated, doubled, unparsable (AC-6).
    CredentialsMalformed: "credentials_malformed", BAD_REQUEST, 400, "the credentials are malformed";
    /// The token's scopes do not cover the operation, and others would (SC-1).
    ScopeInsufficient: "scope_insufficient", FORBIDDEN, 403, "the token lacks a scope";
    /// The policy does not permit it, and no scope would (SC-5).
    Forbidden: "forbidden", FORBIDDEN, 403, "not permitted";
    /// All is there but the approval of another principal, for which it waits now; no scope would help (SC-5).
    ApprovalNeeded: "approval_needed", FORBIDDEN, 403, "approval needed";
    /// An approval that is not known, or not the caller's to decide: nobody can tell which.
    ApprovalUnknown: "approval_unknown", NOT_FOUND, 404, "approval not found";
    /// The browser origin is not on the allowlist (OH-1).
    OriginRefused: "origin_refused", FORBIDDEN, 403, "origin not allowed";
    /// The host is not on the allowlist (OH-3).
    HostRefused: "host_refused", FORBIDDEN, 403, "host not allowed";
    /// The host is missing, repeated, contradictory or unparsable (OH-3).
    HostMalformed: "host_malformed", BAD_REQUEST, 400, "the host is malformed";
    /// The client's address is not admitted.
    AddressRefused: "address_refused", FORBIDDEN, 403, "address not allowed";
    /// Plain HTTP where TLS is required (TV-18).
    TlsRequired: "tls_required", FORBIDDEN, 403, "TLS required";
    /// The body is not JSON (PH-7).
    JsonMalformed: "json_malformed", BAD_REQUEST, -32700, "the body is not valid JSON";
    /// JSON, but not one unambiguous JSON-RPC message (PH-2, TA-4).
    MessageInvalid: "message_invalid", BAD_REQUEST, -32600, "the body is not one JSON-RPC message";
    /// The message's parameters cannot be read (N-2, IV-2).
    ParamsInvalid: "params_invalid", BAD_REQUEST, -32602, "the parameters are not valid";
    /// The arguments of a tool are not what they may be (IV-1). Layers [disguise](crate::Disguise) it as the result
    /// of a tool that failed, which the model reads (IV-2).
    ArgumentsInvalid: "arguments_invalid", BAD_REQUEST, -32602, "the arguments are not valid";
    /// The answer of a tool that ran is not what it may be, and is withheld (IV-9). Layers [disguise](crate::Disguise) it as
    /// the error of a request that was answered: to make it again would run the tool again.
    AnswerRefused: "answer_refused", BAD_GATEWAY, -32603, "the tool ran, and its answer is withheld: it is not what it may be";
    /// Mirrored headers and body disagree (N-3, N-5).
    HeaderMismatch: "header_mismatch", BAD_REQUEST, -32020, "headers and body do not agree";
    /// A protocol version that is not spoken here (N-3, PH-1).
    VersionUnsupported: "version_unsupported", BAD_REQUEST, -32022, "protocol version not supported";
    /// A session that is not known, or is somebody else's: nobody can tell which (SE-2, SE-3).
    SessionUnknown: "session_unknown", NOT_FOUND, 404, "session not found";
    /// A task that is not known, or is somebody else's: nobody can tell which (SE-6, TA-9).
    TaskUnknown: "task_unknown", BAD_REQUEST, -32602, "unknown task";
    /// An HTTP method that MCP does not use.
    MethodNotAllowed: "method_not_allowed", METHOD_NOT_ALLOWED, 405, "method not allowed";
    /// A media type or encoding that cannot be inspected (PH-7).
    MediaTypeUnsupported: "media_type_unsupported", UNSUPPORTED_MEDIA_TYPE, 415, "content type not supported";
    /// The body did not arrive in time.
    UploadTimeout: "upload_timeout", REQUEST_TIMEOUT, 408, "the body did not arrive in time";
    /// The body exceeds the limit (IV-6).
    BodyTooLarge: "body_too_large", PAYLOAD_TOO_LARGE, 413, "the body is too large";
    /// The MCP headers exceed the limit (IV-7).
    HeadersTooLarge: "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, 431, "the headers are too large";
    /// Too many requests (RL-2).
    RateLimited: "rate_limited", TOO_MANY_REQUESTS, 429, "too many requests";
    /// `server/discover` or `initialize` too often: a client that is answered 4xx takes the server for an older one (TR-3).
    DiscoveryLimited: "discovery_limited", SERVICE_UNAVAILABLE, 503, "too many requests";
    /// As much is under way as the server bears; nobody in particular is at fault (RL-2).
    Saturated: "saturated", SERVICE_UNAVAILABLE, 503, "too much is under way";
    /// What the guard needs is down (AC-16).
    Unavailable: "unavailable", SERVICE_UNAVAILABLE, 503, "temporarily unavailable";
    /// The inner service failed (SH-4).
    Internal: "internal", INTERNAL_SERVER_ERROR, -32603, "internal error";
}

impl Denial {
    /// A denial with its kind's own public text.
    ///
    /// `reason` is for the operator: it may name what the caller sent, made
    /// [`printable`](crate::printable), but never a credential.
    pub fn new(kind: DenialKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: kind.message(),
            reason: reason.into(),
            challenges: Vec::new(),
            headers: Vec::new(),
            retry_after: None,
            rpc_id: None,
            rpc_data: None,
            disguise: None,
            violated_policy: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Replaces the public text. It is static, so that nothing a request holds can leak into it.
    #[must_use]
    pub fn with_message(self, message: &'static str) -> Self {
        self.with(|inner| inner.message = message)
    }

    /// Appends a `WWW-Authenticate` line.
    #[must_use]
    pub fn with_challenge(self, challenge: HeaderValue) -> Self {
        self.with(|inner| inner.challenges.push(challenge))
    }

    /// Replaces the `WWW-Authenticate` lines.
    #[must_use]
    pub fn with_challenges(self, challenges: Vec<HeaderValue>) -> Self {
        self.with(|inner| inner.challenges = challenges)
    }

    /// Appends a header line to the answer.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|inner| inner.headers.push((name, value)))
    }

    /// When to come back; sent in whole seconds, rounded up.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.with(|inner| inner.retry_after = Some(after))
    }

    /// The id of the refused JSON-RPC request, as the JSON text that was sent (PH-5).
    #[must_use]
    #[cfg(feature = "call")]
    pub(crate) fn with_rpc_id(self, id: Option<&str>) -> Self {
        self.with(|inner| inner.rpc_id = id.map(Into::into))
    }

    /// The `data` of the JSON-RPC error, as JSON text.
    #[must_use]
    #[cfg(feature = "call")]
    pub(crate) fn with_rpc_data(self, data: String) -> Self {
        self.with(|inner| inner.rpc_data = Some(data.into()))
    }

    /// Tells the caller which approval it is about, and how long that is kept: the member `approval` of the
    /// JSON-RPC error's `data`, with `id` as 32 hexadecimal digits and `expires_in` in whole seconds.
    #[must_use]
    #[cfg(feature = "call")]
    pub fn with_approval(self, id: u128, expires_in: Duration) -> Self {
        let seconds = expires_in.as_secs();
        let data = format!(r#"{{"approval":{{"id":"{id:032x}","expires_in":{seconds}}}}}"#);
        self.with_rpc_data(data)
    }

    /// The policy of `RateLimit-Policy` that is violated, for a caller whose call is not known (RL-6).
    #[must_use]
    pub fn with_violated_policy(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|inner| inner.violated_policy = Some(name.into()))
    }

    /// Answers something else than the kind does, with another [`status`](Self::status).
    #[must_use]
    pub fn disguised(self, disguise: Disguise) -> Self {
        self.with(|inner| inner.disguise = Some(Box::new(disguise)))
    }

    pub(crate) fn disguise(&self) -> Option<&Disguise> {
        self.0.disguise.as_deref()
    }

    /// The cause.
    pub fn kind(&self) -> DenialKind {
        self.0.kind
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        let kind = self.0.kind.status();
        self.disguise().map_or(kind, |disguise| disguise.status)
    }

    /// What the caller is told.
    pub fn message(&self) -> &'static str {
        self.0.message
    }

    /// What only the operator learns.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The `WWW-Authenticate` lines, in order.
    pub fn challenges(&self) -> &[HeaderValue] {
        &self.0.challenges
    }

    /// When to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    pub(crate) fn violated_policy(&self) -> Option<&str> {
        self.0.violated_policy.as_deref()
    }

    pub(crate) fn rpc_id(&self) -> Option<&str> {
        self.0.rpc_id.as_deref()
    }

    pub(crate) fn rpc_data(&self) -> Option<&str> {
        self.0.rpc_data.as_deref()
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("kind", &self.0.kind)
            .field("reason", &self.0.reason)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_13_codes_stay_out_of_the_reserved_bands() {
        for kind in DenialKind::ALL {
            let code = kind.rpc_code();
            let reserved = (-32099..=-32020).contains(&code) && ![-32020, -32022].contains(&code);
            let discouraged = (-32019..=-32000).contains(&code);
            assert!(!reserved && !discouraged, "{kind:?} has {code}");
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }
}
