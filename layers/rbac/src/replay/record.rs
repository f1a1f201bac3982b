use std::ops::RangeInclusive;

use bartizan_core::{CallKind, CredentialLimits, Principal, call::Subject, printable};
use serde::Deserialize;

use crate::Decision;

/// The versions of the record's form that are known here: they differ in nothing that is read.
const SCHEMAS: RangeInclusive<u64> = 1..=2;

/// Stands where a record's writer cut something off.
const CUT: char = '…';

/// What a line holds.
pub(super) enum Recorded {
    Blank,
    /// No authorization layer decided, or another record says what it did.
    Undecided,
    Decided(Box<Decided>),
    /// A word of it is none that is known here.
    Unknown {
        policy: String,
        id: String,
    },
}

/// A decision, and all that a record holds of what it was made of.
pub(super) struct Decided {
    pub(super) before: Decision,
    pub(super) policy: String,
    /// How many operations were judged as one.
    pub(super) operations: u32,
    /// It can be read in two ways: no policy admits it.
    pub(super) is_unclear: bool,
    /// It is beyond the limits of the credential: no policy admits that either.
    pub(super) is_limited: bool,
    /// Roles counted that the credential does not name.
    pub(super) is_granted: bool,
    pub(super) id: String,
    pub(super) kind: CallKind,
    pub(super) method: String,
    pub(super) subject: Option<(Subject, String)>,
    pub(super) who: Who,
}

/// Who asked.
pub(super) struct Who {
    /// `None` if no authentication layer said.
    pub(super) kind: Option<WhoKind>,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) client_id: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) roles: Listed,
    pub(super) scopes: Listed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhoKind {
    Anonymous,
    User,
    Service,
}

/// Names of which some may be cut off.
#[derive(Default)]
pub(super) struct Listed {
    /// Those that are whole, sorted, each once.
    pub(super) names: Vec<String>,
    pub(super) are_cut: bool,
}

#[derive(Deserialize)]
struct Line {
    schema: u64,
    event_type: String,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    user_role: Option<Vec<String>>,
    #[serde(default)]
    tool_name: Option<String>,
    #[serde(default)]
    resource_id: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    principal_kind: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    tenant: Option<String>,
    scopes: Option<Vec<String>>,
    call_kind: Option<String>,
    prompt: Option<String>,
    task: Option<String>,
    decision: Option<RecordedDecision>,
}

#[derive(Deserialize)]
struct RecordedDecision {
    outcome: String,
    policy: String,
    #[serde(default = "one")]
    operations: u32,
    #[serde(default)]
    is_unclear: bool,
    #[serde(default)]
    is_granted: bool,
    #[serde(default)]
    is_limited: bool,
}

fn one() -> u32 {
    1
}

/// # Errors
///
/// Why the line is no record.
pub(super) fn read(line: &str) -> Result<Recorded, String> {
    if line.is_empty() {
        return Ok(Recorded::Blank);
    }
    let line: Line = serde_json::from_str(line)
        .map_err(|error| format!("is no record: {}", printable(&error.to_string(), 200)))?;
    if !SCHEMAS.contains(&line.schema) {
        return Err(format!("is of schema {}, which is not known", line.schema));
    }
    // These repeat what their request's record says.
    let is_own = !["late_finding", "intent"].contains(&&*line.event_type);
    let Some(decision) = line.metadata.decision.as_ref().filter(|_| is_own) else {
        return Ok(Recorded::Undecided);
    };
    let call_kind = line.metadata.call_kind.as_deref();
    let known = Decision::named(&decision.outcome).zip(call_kind.and_then(call_kind_named));
    let who = who(&line);
    let ((before, kind), who) = match (known, who) {
        (Some(known), Some(who)) => (known, who),
        _ => {
            return Ok(Recorded::Unknown {
                policy: decision.policy.clone(),
                id: line.correlation_id.unwrap_or_default(),
            });
        }
    };
    let decision = RecordedDecision {
        policy: decision.policy.clone(),
        outcome: String::new(),
        ..*decision
    };
    let action = line.action.ok_or("is no record: it has no action")?;
    let mut subjects = [
        (Subject::Tool, line.tool_name),
        (Subject::Prompt, line.metadata.prompt),
        (Subject::Resource, line.resource_id),
        (Subject::Task, line.metadata.task),
    ]
    .into_iter()
    .filter_map(|(subject, name)| Some((subject, name?)));
    let subject = subjects.next();
    if subjects.next().is_some() {
        return Err("is no record: it acts on two things".to_owned());
    }
    Ok(Recorded::Decided(Box::new(Decided {
        before,
        policy: decision.policy,
        operations: decision.operations,
        is_unclear: decision.is_unclear,
        is_limited: decision.is_limited,
        is_granted: decision.is_granted,
        id: line.correlation_id.unwrap_or_default(),
        kind,
        method: match kind {
            CallKind::Request | CallKind::Notification => action,
            _ => String::new(),
        },
        subject,
        who,
    })))
}

fn call_kind_named(name: &str) -> Option<CallKind> {
    Some(match name {
        "request" => CallKind::Request,
        "notification" => CallKind::Notification,
        "response" => CallKind::Response,
        "stream" => CallKind::Stream,
        "end_session" => CallKind::EndSession,
        _ => return None,
    })
}

/// `None` if it is of a sort that is not known here, or lists are missing that somebody has.
fn who(line: &Line) -> Option<Who> {
    let metadata = &line.metadata;
    let kind = match metadata.principal_kind.as_deref() {
        None => None,
        Some("anonymous") => Some(WhoKind::Anonymous),
        Some("user") => Some(WhoKind::User),
        Some("service") => Some(WhoKind::Service),
        Some(_) => return None,
    };
    let has_lists = matches!(kind, Some(WhoKind::User | WhoKind::Service));
    if has_lists && (line.user_role.is_none() || metadata.scopes.is_none()) {
        return None;
    }
    Some(Who {
        kind,
        issuer: metadata.issuer.clone().unwrap_or_default(),
        subject: line.user_id.clone().unwrap_or_default(),
        client_id: metadata.client_id.clone(),
        tenant: metadata.tenant.clone(),
        roles: listed(line.user_role.as_deref()),
        scopes: listed(metadata.scopes.as_deref()),
    })
}

fn listed(names: Option<&[String]>) -> Listed {
    let names = names.unwrap_or_default();
    let mut whole: Vec<_> = names.iter().filter(|name| !is_cut(name)).cloned().collect();
    let are_cut = whole.len() < names.len();
    whole.sort_unstable();
    whole.dedup();
    Listed {
        names: whole,
        are_cut,
    }
}

/// Whether it may be: a name can end so by itself.
pub(super) fn is_cut(text: &str) -> bool {
    text.ends_with(CUT)
}

impl Listed {
    fn and<'a>(&'a self, more: &[&'a str]) -> impl Iterator<Item = &'a str> {
        let own = self.names.iter().map(String::as_str);
        own.chain(more.iter().copied())
    }
}

impl Who {
    /// Whether some of what tells parties apart is.
    pub(super) fn is_cut(&self) -> bool {
        let optional = [&self.client_id, &self.tenant].into_iter().flatten();
        [&self.issuer, &self.subject]
            .into_iter()
            .chain(optional)
            .any(|text| is_cut(text))
    }

    /// The principal, with these roles and scopes besides, and beyond its limits if that is so; `None` if no
    /// authentication layer said who.
    pub(super) fn principal(
        &self,
        roles: &[&str],
        scopes: &[&str],
        is_limited: bool,
    ) -> Option<Principal> {
        let builder = match self.kind? {
            WhoKind::Anonymous => return Some(Principal::anonymous()),
            WhoKind::User => Principal::user(&self.issuer, &self.subject),
            WhoKind::Service => Principal::service(&self.issuer, &self.subject),
        };
        let mut builder = builder
            .roles(self.roles.and(roles))
            .scopes(self.scopes.and(scopes));
        // Which limits these were, no record says: some that admit no method.
        let closed = CredentialLimits::new().with_methods([""; 0]).ok();
        if let Some(closed) = closed.filter(|_| is_limited) {
            builder = builder.limits(closed);
        }
        if let Some(client) = &self.client_id {
            builder = builder.client_id(client);
        }
        if let Some(tenant) = &self.tenant {
            builder = builder.tenant(tenant);
        }
        Some(builder.build("replay"))
    }
}
