//! A step-up is asked for exactly where the scopes that it names would cure the refusal (SC-2, SC-5), whatever rules,
//! limits and hidden rules there are; and what is hidden answers as what does not exist (TA-12).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

use std::{convert::Infallible, sync::Arc};

use bartizan_core::{
    CredentialLimits, Denial, DenialKind, Principal, RequestBody, SecurityContext,
};
use bartizan_rbac::{Decision, Operation, Policy, RbacLayer, Rule};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use proptest::{collection::vec, option};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

const ROLES: [&str; 2] = ["r0", "r1"];
const SCOPES: [&str; 3] = ["s0", "s1", "s2"];
const TOOLS: [&str; 4] = ["a", "ab", "b", "zz"];
const FILES: [&str; 3] = ["file:///a/x", "file:///b/y", "file:///c"];
const TOOL_PATTERNS: [&str; 4] = ["*", "a*", "a", "*b"];
const FILE_PATTERNS: [&str; 4] = ["**", "file:///a/**", "file:///**/y", "file:///c"];
const METHODS: [&str; 4] = [
    "*",
    "tools/*",
    "resources/subscribe",
    "subscriptions/listen",
];

#[derive(Debug, Clone)]
struct ModelRule {
    /// Tools, resources, methods.
    kind: usize,
    pattern: usize,
    role: Option<usize>,
    scopes: Vec<usize>,
    deny: bool,
    hidden: bool,
}

#[derive(Debug, Clone)]
struct Who {
    anonymous: bool,
    roles: Vec<usize>,
    scopes: Vec<usize>,
    limits: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
enum Asked {
    Tool(usize),
    Read(usize),
    Listen(Vec<usize>),
}

fn rule() -> impl Strategy<Value = ModelRule> {
    (
        0..3_usize,
        0..4_usize,
        option::weighted(0.3, 0..2_usize),
        vec(0..3_usize, 0..3),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(kind, pattern, role, mut scopes, deny, hidden)| {
            scopes.sort_unstable();
            scopes.dedup();
            ModelRule {
                kind,
                pattern,
                role,
                scopes,
                deny,
                hidden,
            }
        })
}

fn who() -> impl Strategy<Value = Who> {
    (
        prop::bool::weighted(0.1),
        vec(0..2_usize, 0..3),
        vec(0..3_usize, 0..3),
        vec((0..3_usize, 0..4_usize), 0..2),
    )
        .prop_map(|(anonymous, roles, scopes, limits)| Who {
            anonymous,
            roles,
            scopes,
            limits,
        })
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        (0..4_usize).prop_map(Asked::Tool),
        (0..3_usize).prop_map(Asked::Read),
        vec(0..3_usize, 0..3).prop_map(Asked::Listen),
    ]
}

fn built(rules: &[ModelRule]) -> Arc<Policy> {
    let mut policy = Policy::builder().role("r0", []).role("r1", ["r0"]);
    for (place, model) in rules.iter().enumerate() {
        let mut rule = match model.kind {
            0 => Rule::tool(TOOL_PATTERNS[model.pattern]),
            1 => Rule::resource(FILE_PATTERNS[model.pattern]),
            _ => Rule::method(METHODS[model.pattern]),
        };
        rule = rule.named(&format!("rule {place}"));
        if model.hidden && model.kind < 2 {
            rule = rule.hidden();
        }
        rule = match model {
            ModelRule { deny: true, .. } => rule.deny(),
            ModelRule { role, scopes, .. } => {
                let rule = role
                    .iter()
                    .fold(rule.identified(), |r, n| r.role(ROLES[*n]));
                scopes.iter().fold(rule, |r, n| r.scope(SCOPES[*n]))
            }
        };
        policy = policy.rule(rule);
    }
    Arc::new(policy.build().expect("a policy"))
}

impl Who {
    fn principal(&self, more: &[String]) -> Principal {
        if self.anonymous {
            return Principal::anonymous();
        }
        let scopes = self.scopes.iter().map(|n| SCOPES[*n].to_owned());
        let ann = Principal::user("https://auth.example.com", "ann")
            .roles(self.roles.iter().map(|n| ROLES[*n]))
            .scopes(scopes.chain(more.iter().cloned()));
        let limit = |(kind, pattern): &(usize, usize)| {
            let limits = CredentialLimits::new();
            let limits = match kind {
                0 => limits.with_tools([TOOL_PATTERNS[*pattern]]),
                1 => limits.with_resources([FILE_PATTERNS[*pattern]]),
                _ => limits.with_methods([METHODS[*pattern]]),
            };
            limits.expect("limits")
        };
        let limited = self
            .limits
            .iter()
            .map(limit)
            .fold(ann, |ann, limit| ann.limits(limit));
        limited.build("jwt")
    }
}

/// What is answered: the kind of a refusal, the scopes that it challenges for, and all of it.
#[derive(Debug, PartialEq)]
struct Answer {
    kind: Option<DenialKind>,
    challenged: Vec<String>,
    text: String,
}

fn answer(policy: &Arc<Policy>, principal: Principal, asked: &Asked) -> Answer {
    let (method, params) = match asked {
        Asked::Tool(n) => ("tools/call", json!({"name": TOOLS[*n]})),
        Asked::Read(n) => ("resources/read", json!({"uri": FILES[*n]})),
        Asked::Listen(uris) => {
            let uris: Vec<_> = uris.iter().map(|n| FILES[*n]).collect();
            let listen = json!({"notifications": {"resourceSubscriptions": uris}});
            ("subscriptions/listen", listen)
        }
    };
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let context = SecurityContext::of(&mut request);
    context.set_principal(principal).expect("the first one");
    context.offer_challenges([HeaderValue::from_static("Bearer")].into());
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = RbacLayer::new(Arc::clone(policy)).layer(inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let Ok(response) = service.oneshot(request).await;
        let kind = response.extensions().get::<Denial>().map(Denial::kind);
        let line = response.headers().get("www-authenticate");
        let line = line.map_or("", |line| line.to_str().expect("text"));
        let scopes = line
            .split_once("scope=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let scopes = scopes.map_or("", |(scopes, _)| scopes);
        let challenged = scopes.split_whitespace().map(str::to_owned).collect();
        let head = format!("{} {:?}", response.status(), response.headers());
        let Ok(body) = response.into_body().collect().await;
        let text = format!("{head} {}", String::from_utf8_lossy(&body.to_bytes()));
        Answer {
            kind,
            challenged,
            text,
        }
    })
}

fn all_scopes() -> Vec<String> {
    SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn sc_2_sc_5_a_step_up_is_asked_for_exactly_where_its_scopes_cure_the_refusal(
        rules in vec(rule(), 1..7),
        who in who(),
        asked in asked(),
    ) {
        let rules: Vec<_> = rules.into_iter().map(|rule| ModelRule { hidden: false, ..rule }).collect();
        let policy = built(&rules);
        let found = answer(&policy, who.principal(&[]), &asked);
        match found.kind {
            None => {}
            Some(DenialKind::ScopeInsufficient) => {
                let cured = answer(&policy, who.principal(&found.challenged), &asked);
                prop_assert_eq!(cured.kind, None, "{:?}", found);
            }
            Some(kind) => {
                prop_assert!(kind == DenialKind::CredentialsMissing || found.challenged.is_empty());
                if !who.anonymous {
                    prop_assert_eq!(kind, DenialKind::Forbidden);
                }
                let all = answer(&policy, who.principal(&all_scopes()), &asked);
                prop_assert_eq!(all.kind, Some(kind), "no scope would have cured it");
            }
        }
    }

    /// Where rules hide something, whoever is not admitted is answered as if these rules, and what they speak of,
    /// were not there: whatever the others admit or do not cover is unknown.
    #[test]
    fn ta_12_sc_2_what_is_hidden_is_answered_as_if_there_were_nothing_to_hide(
        rules in vec(rule(), 1..7),
        who in who(),
        asked in asked(),
    ) {
        let hides = |kind| rules.iter().any(|rule| rule.hidden && rule.kind == kind);
        let policy = built(&rules);
        let found = answer(&policy, who.principal(&[]), &asked);
        let visible: Vec<_> = rules.iter().filter(|rule| !(rule.hidden && rule.kind < 2)).cloned().collect();
        let others = built(&visible);
        let without = answer(&others, who.principal(&[]), &asked);
        let kind_hides = match asked {
            Asked::Tool(_) => hides(0),
            Asked::Read(_) | Asked::Listen(_) => hides(1),
        };
        let principal = who.principal(&[]);
        let operation = match &asked {
            Asked::Tool(n) => Operation::tool(TOOLS[*n]),
            Asked::Read(n) => Operation::resource(FILES[*n]),
            Asked::Listen(_) => return Ok(()),
        };
        let decided = policy.decide(Some(&principal), &operation);
        match decided {
            Decision::Admitted => prop_assert_eq!(found.kind, None),
            Decision::Unknown => {
                prop_assert!(kind_hides);
                prop_assert!(found.text.starts_with("200 "), "{}", found.text);
                prop_assert!(!found.text.contains("www-authenticate"), "{}", found.text);
                // The others admit it, or none of them covers it.
                let covered = visible.iter().any(|rule| covers(rule, &asked));
                prop_assert!(without.kind.is_none() || !covered, "{:?}", without);
            }
            _ if kind_hides => {
                // Those who satisfy the hidden rules are told all scopes at once.
                let told_all = without.kind == Some(DenialKind::ScopeInsufficient)
                    && without.challenged.iter().all(|scope| found.challenged.contains(scope));
                prop_assert!(told_all || found == without, "{:?} {:?}", found, without);
                if found != without {
                    let cured = answer(&policy, who.principal(&found.challenged), &asked);
                    prop_assert_eq!(cured.kind, None);
                }
            }
            _ => {}
        }
    }
}

fn covers(rule: &ModelRule, asked: &Asked) -> bool {
    let matches = |pattern: &str, shape, name| {
        bartizan_core::names::Pattern::parse(pattern, shape).is_ok_and(|p| p.matches(name))
    };
    use bartizan_core::names::Shape;
    match (rule.kind, asked) {
        (0, Asked::Tool(n)) => matches(TOOL_PATTERNS[rule.pattern], Shape::Flat, TOOLS[*n]),
        (1, Asked::Read(n)) => matches(FILE_PATTERNS[rule.pattern], Shape::Uri, FILES[*n]),
        (2, Asked::Tool(_)) => matches(METHODS[rule.pattern], Shape::Flat, "tools/call"),
        (2, Asked::Read(_)) => matches(METHODS[rule.pattern], Shape::Flat, "resources/read"),
        _ => false,
    }
}
