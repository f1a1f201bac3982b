//! Whatever is asked, by whomever, under whatever policy.

use std::{convert::Infallible, sync::Arc};

use bartizan::{
    AuditLayer, CredentialLimits, Principal, RbacLayer, RequestBody,
    audit::Records,
    identify,
    rbac::{Condition, Policy, PolicyBuilder, Rule},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// What a rule speaks of, and what it needs.
fn rule() -> impl Strategy<Value = Rule> {
    let target = (
        0..8usize,
        select(vec!["*", "a*", "*b", "a", "x://h/**", "x://h/a"]),
    );
    let target = target.prop_map(|(kind, pattern)| match kind {
        0 | 1 if !pattern.contains(':') => Rule::tool(pattern),
        2 if !pattern.contains(':') => Rule::prompt(pattern),
        3 | 4 if pattern.contains(':') => Rule::resource(pattern),
        5 => Rule::stream(),
        6 => Rule::method("subscriptions/listen"),
        _ => Rule::method("*"),
    });
    let needs = (target, 0..6usize, role(), scope());
    let needs = needs.prop_map(|(rule, needs, role, scope)| match needs {
        0 => rule.anyone(),
        1 => rule.identified(),
        2 => rule.deny(),
        3 => rule.scope(scope),
        4 => rule.role(role).scope(scope),
        _ => rule.role(role),
    });
    let more = (select(vec!["*", "a*"]), role(), 0..2i64, 0..3usize);
    let more = more.prop_map(|(tool, role, least, more)| {
        let small = Condition::argument("n").between(least..=1);
        let rule = Rule::tool(tool).requires(Condition::any_of([small, Condition::role(role)]));
        match more {
            0 => rule,
            1 => rule.approval(),
            _ => rule.hidden(),
        }
    });
    prop_oneof![4 => needs, 2 => more]
}

fn role() -> impl Strategy<Value = &'static str> {
    select(vec!["admin", "developer", "viewer", "service"])
}

fn scope() -> impl Strategy<Value = &'static str> {
    select(vec!["s", "t", "s.all"])
}

fn policy() -> impl Strategy<Value = Policy> {
    (vec(rule(), 0..6), any::<bool>()).prop_map(|(rules, without_baseline)| {
        let start = Policy::enterprise().scope_includes("s.all", ["s"]);
        let start: PolicyBuilder = match without_baseline {
            true => start.without_baseline(),
            false => start,
        };
        let rules = rules.into_iter().enumerate();
        let policy = rules.fold(start, |policy, (n, rule)| {
            policy.rule(rule.named(&format!("r{n}")))
        });
        policy.build().unwrap()
    })
}

/// Names as they are, as nobody would choose them, and longer than a record shows.
fn name() -> impl Strategy<Value = String> {
    let usual = select(vec!["a", "ab", "aab", "b", "…", "a…", "stream"]);
    prop_oneof![
        4 => usual.prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (1..400usize).prop_map(|n| format!("a{}b", "é".repeat(n))),
    ]
}

fn uri() -> impl Strategy<Value = String> {
    let usual = vec![
        "x://h/a",
        "x://h/a/",
        "x://h/a/b",
        "x://h/a?q=1",
        "x://h/a#f",
        "x://u@h/a",
        "x://h/../a",
        "y://h",
        "x://h/{a}",
        "x://h/a…",
    ];
    prop_oneof![
        4 => select(usual).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (900..1100usize).prop_map(|n| format!("x://h/{}", "a".repeat(n))),
    ]
}

fn asked() -> impl Strategy<Value = Request<Full<Bytes>>> {
    (0..11usize, name(), uri(), vec(uri(), 0..3), 0..2u8).prop_map(|(kind, name, uri, watched, n)| {
        let rpc = |method: &str, params: Value, id: Option<u8>| {
            let mut body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
            if let Some(id) = id {
                body["id"] = id.into();
            }
            let request = Request::post("/mcp").header("content-type", "application/json");
            request.body(Full::from(body.to_string())).unwrap()
        };
        let prompt = json!({ "ref": { "type": "ref/prompt", "name": name }, "argument": { "name": "x", "value": "" } });
        let template = json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": "x", "value": "" } });
        let listen = json!({ "notifications": { "resourceSubscriptions": watched } });
        match kind {
            0 | 1 => rpc("tools/call", json!({ "name": name, "arguments": { "n": n } }), Some(7)),
            2 => rpc("prompts/get", json!({ "name": name }), Some(7)),
            3 => rpc("resources/read", json!({ "uri": uri }), Some(7)),
            4 => rpc("completion/complete", prompt, Some(7)),
            5 => rpc("completion/complete", template, Some(7)),
            6 => rpc("subscriptions/listen", listen, Some(7)),
            7 => rpc(&name, json!({}), Some(7)),
            8 => rpc(&name, json!({}), None),
            9 => rpc("tools/list", json!({}), Some(7)),
            _ => Request::get("/mcp").body(Full::default()).unwrap(),
        }
    })
}

/// Whom the authentication layer stamped, if anybody.
fn principal() -> impl Strategy<Value = Option<Principal>> {
    let roles = prop_oneof![3 => role().prop_map(str::to_owned), 1 => name()];
    let scopes = prop_oneof![3 => scope().prop_map(str::to_owned), 1 => name()];
    (0..8usize, vec(roles, 0..16), vec(scopes, 0..20), name()).prop_map(
        |(kind, roles, scopes, name)| {
            let somebody = match kind {
                0 => return None,
                1 => return Some(Principal::anonymous()),
                2 => Principal::service("https://auth.example.com", &name),
                3 => Principal::user("https://auth.example.com", &name).limits(limits()),
                _ => Principal::user("https://auth.example.com", &name),
            };
            Some(somebody.roles(roles).scopes(scopes).build("jwt"))
        },
    )
}

/// A key for some tools.
fn limits() -> CredentialLimits {
    CredentialLimits::new().with_tools(["a*"]).unwrap()
}

/// The line that a request leaves under a policy.
fn line(
    policy: &Arc<Policy>,
    asked: &Request<Full<Bytes>>,
    principal: Option<&Principal>,
) -> String {
    let records = Records::new();
    let mut request = asked.clone();
    if let Some(principal) = principal {
        identify(&mut request, principal.clone()).unwrap();
    }
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let guarded = RbacLayer::new(Arc::clone(policy)).layer(inner);
    let service = AuditLayer::new(records.clone()).layer(guarded);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(service.oneshot(request)).unwrap();
    records.take().remove(0)
}

fn decided(line: &str) -> Option<String> {
    let record: Value = serde_json::from_str(line).unwrap();
    let outcome = record.pointer("/metadata/decision/outcome")?;
    Some(outcome.as_str().unwrap().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_replay_says_what_the_other_policy_says_or_that_it_cannot_tell(
        (before, after) in (policy(), policy()),
        asked in asked(),
        principal in principal(),
    ) {
        let (before, after) = (Arc::new(before), Arc::new(after));
        let recorded = line(&before, &asked, principal.as_ref());
        let said = decided(&line(&after, &asked, principal.as_ref()));

        // Under the same policy nothing ever differs.
        let same = before.replay(recorded.as_bytes()).unwrap();
        prop_assert!(same.differences.is_empty(), "{recorded}\n{:?}", same.differences);
        prop_assert_eq!((same.records, same.bad), (1, 0), "{}", recorded);
        prop_assert_eq!(same.undecided == 0, decided(&recorded).is_some());

        let other = after.replay(recorded.as_bytes()).unwrap();
        if !other.untold.is_empty() || other.undecided > 0 {
            return Ok(());
        }
        let told = match &*other.differences {
            [] => decided(&recorded),
            [difference] => Some(difference.after.name().to_owned()),
            _ => None,
        };
        prop_assert_eq!(told, said, "{}", recorded);
    }
}
