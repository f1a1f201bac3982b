use std::{fmt::Write, sync::Arc};

use bartizan::{Principal, RbacLayer, SecurityContext, call::Subject, rbac::Policy};
use bartizan_kit::{McpRequest, raw};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Response, header::WWW_AUTHENTICATE};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use super::Operation;

/// Roles of the preset, and whoever has none of them; a scope stands behind a plus sign.
pub(super) const COLUMNS: [&str; 11] = [
    "unseen",
    "nobody",
    "no role",
    "root",
    "viewer",
    "analyst",
    "analyst+",
    "developer",
    "service",
    "admin",
    "admin+",
];

pub(super) const HEAD: &str = "\
What is decided about every method of MCP, for every role of the preset. A test writes this table anew and compares.

yes    it may be
login  somebody has to identify (401)
scope  all is there but a scope (403, with a challenge that names it)
-      it may not be (403)

unseen    no authentication layer saw the request
nobody    anonymous
no role   somebody without roles
root      somebody with a role that the policy does not know
+         with the scope `reports.read`

request and notice are JSON-RPC requests and notifications; result and error are posted responses.
";

pub(super) fn write(text: &mut String, title: &str, policy: Policy, operations: &[Operation]) {
    let policy = Arc::new(policy);
    write!(
        text,
        "\n\n{title}\n\n{:8} {:35} {:27}",
        "", "method", "acts on"
    )
    .unwrap();
    for column in COLUMNS {
        write!(text, " {column:9}").unwrap();
    }
    for operation in operations {
        let subject = operation
            .subject
            .as_ref()
            .map_or_else(String::new, |(subject, name)| {
                let subject = match subject {
                    Subject::Tool => "tool",
                    Subject::Prompt => "prompt",
                    Subject::Resource => "resource",
                    Subject::Task => "task",
                    other => panic!("{other:?} has no word"),
                };
                format!("{subject} {name}")
            });
        let is_plain = |method: &str| !method.is_empty() && method.trim() == method;
        let method = match &*operation.method {
            method if is_plain(method) || operation.body.is_none() => method.to_owned(),
            "" if !matches!(operation.kind, "request" | "notice") => String::new(),
            method => format!("{method:?}"),
        };
        write!(text, "\n{:8} {method:35} {subject:27}", operation.kind).unwrap();
        for column in COLUMNS {
            write!(text, " {:9}", decide(&policy, column, operation)).unwrap();
        }
        text.truncate(text.trim_end().len());
    }
    text.push('\n');
}

/// What the layer answers.
pub(super) fn decide(policy: &Arc<Policy>, column: &str, operation: &Operation) -> &'static str {
    let request = match &operation.body {
        Some(body) => raw(body.to_string()),
        None => McpRequest::new(Method::from_bytes(operation.kind.as_bytes()).unwrap()),
    };
    let mut request = request.build();
    let context = SecurityContext::of(&mut request);
    if let Some(principal) = principal(column) {
        context.set_principal(principal).unwrap();
    }
    context.offer_challenges([HeaderValue::from_static(r#"Bearer realm="r""#)].into());
    let inner = service_fn(|_| async { Ok::<_, ()>(Response::new(Full::<Bytes>::default())) });
    let layer = RbacLayer::new(Arc::clone(policy)).without_list_filtering();
    let answer = layer.layer(inner).oneshot(request);
    let answer = answer.now_or_never().expect("the body is there").unwrap();
    let challenge = answer.headers().get(WWW_AUTHENTICATE);
    let asks_for_scope =
        challenge.is_some_and(|c| c.to_str().unwrap().contains("insufficient_scope"));
    match answer.status().as_u16() {
        200 => "yes",
        401 => "login",
        403 if asks_for_scope => "scope",
        403 if challenge.is_none() => "-",
        other => panic!("{other} for {} {}", operation.kind, operation.method),
    }
}

fn principal(column: &str) -> Option<Principal> {
    let (role, scopes): (_, &[&str]) = match column.strip_suffix('+') {
        Some(role) => (role, &["reports.read"]),
        None => (column, &[]),
    };
    let roles: &[&str] = match role {
        "unseen" => return None,
        "nobody" => return Some(Principal::anonymous()),
        "no role" => &[],
        role => &[role],
    };
    let ann = Principal::user("https://auth.example.com", "ann");
    Some(
        ann.roles(roles.iter().copied())
            .scopes(scopes.iter().copied())
            .build("jwt"),
    )
}
