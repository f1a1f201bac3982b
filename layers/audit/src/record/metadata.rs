use bartizan_core::{
    Call, CallKind, DenialKind, Principal, PrincipalKind, SecurityContext,
    call::{Revision, Subject},
};

use super::{
    Asked, Decision, EventId, Found, Json, Names, Text, Told,
    fields::{Fields, key},
    write_hex,
};
use crate::gaps::Missing;

/// What a record says beside its twelve fields; nothing that stands there stands here.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Metadata<'a> {
    /// Why a guard refused.
    pub denial: Option<DenialKind>,
    /// `anonymous`, `user` or `service`; absent if no authentication layer decided.
    pub principal_kind: Option<&'static str>,
    /// How the principal was authenticated: `jwt`, `apikey`.
    pub auth_method: Option<Text<'a>>,
    /// Who vouches for the user.
    pub issuer: Option<Text<'a>>,
    /// The OAuth client that the user acts through.
    pub client_id: Option<Text<'a>>,
    /// The user's tenant.
    pub tenant: Option<Text<'a>>,
    /// The id of the credential, never the credential: a token's `jti`, a key's id.
    pub credential_id: Option<Text<'a>>,
    /// The scopes of the credential.
    pub scopes: Names<'a>,
    /// Who acts for the user, the current actor first, as the credential says.
    pub delegation: Names<'a>,
    /// `request`, `notification`, `response`, `stream` or `end_session`; absent if no layer read the call.
    pub call_kind: Option<&'static str>,
    /// The JSON-RPC id, as the JSON text that was sent.
    pub rpc_id: Option<Text<'a>>,
    /// The prompt that was asked for.
    pub prompt: Option<Text<'a>>,
    /// The task that was asked for.
    pub task: Option<Text<'a>>,
    /// The protocol revision that the request declares.
    pub protocol_version: Option<Revision>,
    /// The HTTP method.
    pub http_method: Option<Text<'a>>,
    /// The path, never the query (AL-2).
    pub http_path: Option<Text<'a>>,
    /// The call's arguments, or their shape, as the request's [`Level`](crate::Level) says.
    pub arguments: Option<Json<'a>>,
    /// The beginning of the answer's body, redacted, as the level says: a message, or a list of those in an event stream.
    pub response: Option<Json<'a>>,
    /// What of the record's texts, arguments and answer was masked: a list of objects with `path` and `kind`, and one with `more` if
    /// it were more than sixteen.
    pub masked: Option<Json<'a>>,
    /// What an authorization layer decided; absent if none came to that.
    pub decision: Option<Decision<'a>>,
    /// The `resultType` of the answer's result: `complete`, `input_required`, `task` or `other`.
    pub result_type: Option<&'static str>,
    /// The record that said beforehand what was going to happen.
    pub intent: Option<EventId>,
    /// The layer that says so; of what happened outside of requests.
    pub layer: Option<&'static str>,
    /// What happened, as a person would say it; of what happened outside of requests.
    pub detail: Option<Text<'a>>,
    /// What was found; of an anomaly or an alert.
    pub found: Option<Found<'a>>,
    /// How many requests have no record; of a gap record, or where one had no room.
    pub(crate) missing: Option<Missing>,
}

impl<'a> Metadata<'a> {
    /// In one piece, so that nothing of this size is made twice.
    #[inline]
    pub(super) fn of(
        asked: &Asked<'a>,
        told: &Told,
        context: &'a SecurityContext,
        denial: Option<DenialKind>,
    ) -> Self {
        let (principal, call) = (context.principal(), context.call());
        let named = |subject| call.and_then(|call| named(call, subject));
        let issuer = principal.map(Principal::issuer);
        Self {
            denial,
            principal_kind: principal.map(kind_of),
            auth_method: text(principal.map(Principal::method), 32),
            issuer: text(issuer.filter(|issuer| !issuer.is_empty()), 512),
            client_id: text(principal.and_then(Principal::client_id), 256),
            tenant: text(principal.and_then(Principal::tenant), 128),
            credential_id: text(principal.and_then(Principal::credential_id), 256),
            scopes: Names::scopes_of(principal),
            delegation: principal.map_or(Names::nobodys(), Names::actors_of),
            call_kind: call.map(|call| kind_of_call(call.kind())),
            rpc_id: text(call.and_then(Call::id), 128),
            prompt: text(named(Subject::Prompt), 256),
            task: text(named(Subject::Task), 256),
            protocol_version: call.and_then(Call::revision),
            http_method: Some(Text::new(asked.method, 32)),
            http_path: text(asked.path, 512),
            arguments: None,
            response: None,
            masked: None,
            decision: context.decided().map(Decision::of),
            result_type: told.answer.and_then(|(_, kind)| Some(kind?.0)),
            intent: told.intent,
            layer: None,
            detail: None,
            found: None,
            missing: None,
        }
    }

    /// `parent` is the caller's span.
    pub(crate) fn write_json(&self, parent: Option<u64>, out: &mut Vec<u8>) {
        let mut fields = Fields::begin(out);
        fields.word_if(key!("denial"), self.denial.map(DenialKind::name));
        fields.word_if(key!("principal_kind"), self.principal_kind);
        fields.text_if(key!("auth_method"), self.auth_method);
        fields.text_if(key!("issuer"), self.issuer);
        fields.text_if(key!("client_id"), self.client_id);
        fields.text_if(key!("tenant"), self.tenant);
        fields.text_if(key!("credential_id"), self.credential_id);
        if self.scopes.is_known() {
            self.scopes.write_json(fields.value(key!("scopes")));
        }
        if self.delegation.is_known() {
            self.delegation.write_json(fields.value(key!("delegation")));
        }
        fields.word_if(key!("call_kind"), self.call_kind);
        fields.text_if(key!("rpc_id"), self.rpc_id);
        fields.text_if(key!("prompt"), self.prompt);
        fields.text_if(key!("task"), self.task);
        fields.word_if(
            key!("protocol_version"),
            self.protocol_version.map(Revision::as_str),
        );
        fields.text_if(key!("http_method"), self.http_method);
        fields.text_if(key!("http_path"), self.http_path);
        fields.word_if(key!("result_type"), self.result_type);
        if let Some(intent) = self.intent {
            intent.write_json(fields.value(key!("intent_id")));
        }
        if let Some(parent) = parent {
            write_hex(fields.value(key!("parent_id")), parent.into(), 16);
        }
        fields.word_if(key!("layer"), self.layer);
        fields.text_if(key!("detail"), self.detail);
        if let Some(decision) = self.decision {
            decision.write_json(fields.value(key!("decision")));
        }
        fields.json_if(key!("arguments"), self.arguments);
        fields.json_if(key!("response"), self.response);
        fields.json_if(key!("masked"), self.masked);
        if let Some(found) = self.found {
            found.write_json(fields.value(key!("found")));
        }
        if let Some(missing) = self.missing {
            fields.number(key!("missing_refused"), missing.refused);
            fields.number(key!("missing_passed"), missing.passed);
            fields.number(key!("missing_folded"), missing.folded);
            if missing.spilled > 0 {
                fields.number(key!("spilled"), missing.spilled);
            }
        }
        fields.end();
    }
}

fn text(text: Option<&str>, limit: u32) -> Option<Text<'_>> {
    text.map(|text| Text::new(text, limit))
}

/// The name of what the call acts on, if it is of that sort.
pub(crate) fn named(call: &Call, subject: Subject) -> Option<&str> {
    (call.subject() == Some(subject))
        .then(|| call.name())
        .flatten()
}

fn kind_of(principal: &Principal) -> &'static str {
    match principal.kind() {
        PrincipalKind::Anonymous => "anonymous",
        PrincipalKind::User => "user",
        PrincipalKind::Service => "service",
        _ => "other",
    }
}

fn kind_of_call(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Request => "request",
        CallKind::Notification => "notification",
        CallKind::Response => "response",
        CallKind::Stream => "stream",
        CallKind::EndSession => "end_session",
        _ => "other",
    }
}
