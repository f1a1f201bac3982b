//! What rules, conditions, approvals, scopes, limits, hidden rules and an engine say together is no more than each of
//! them lets pass.

use std::convert::Infallible;

use bartizan_core::{CredentialLimits, Principal, RequestBody, SecurityContext};
use bartizan_rbac::{
    Answer, Condition, Decision, EngineError, Operation, Policy, PolicyEngine, Question, RbacLayer,
    Rule,
};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::post;

const NAMES: [&str; 4] = ["a", "b", "ab", "zz"];

/// What one rule needs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Need {
    Somebody,
    Role,
    Scope,
    Small,
    Approval,
    Never,
}

#[derive(Debug, Clone)]
struct Drawn {
    pattern: &'static str,
    need: Need,
    is_hidden: bool,
}

impl Drawn {
    fn covers(&self, name: &str) -> bool {
        match self.pattern.split_once('*') {
            Some((before, after)) => name.starts_with(before) && name.ends_with(after),
            None => name == self.pattern,
        }
    }

    fn rule(&self, place: usize) -> Rule {
        let rule = Rule::tool(self.pattern).named(&place.to_string());
        let rule = match self.need {
            Need::Somebody => rule.identified(),
            Need::Role => rule.role("r"),
            Need::Scope => rule.scope("s"),
            Need::Small => rule.requires(Condition::argument("x").between(1..=10)),
            Need::Approval => rule.approval(),
            Need::Never => rule.deny(),
        };
        if self.is_hidden { rule.hidden() } else { rule }
    }
}

/// Forbids one name.
struct Without(&'static str);

impl PolicyEngine for Without {
    fn decide(&self, question: &Question<'_>) -> Result<Answer, EngineError> {
        match question.name() {
            Some(name) if name == self.0 => Ok(Answer::forbid()),
            _ => Ok(Answer::permit()),
        }
    }

    fn version(&self) -> &str {
        "without"
    }
}

#[derive(Debug, Clone)]
struct Case {
    rules: Vec<Drawn>,
    is_anonymous: bool,
    has_role: bool,
    has_scope: bool,
    limit: Option<&'static str>,
    forbidden: Option<&'static str>,
    x: Option<i64>,
}

impl Case {
    fn policy(&self, rules: &[Drawn]) -> Policy {
        let rules = rules.iter().enumerate();
        let policy = rules.fold(Policy::builder().role("r", []), |policy, (place, rule)| {
            policy.rule(rule.rule(place))
        });
        match self.forbidden {
            Some(name) => policy.engine(Without(name)).build().unwrap(),
            None => policy.build().unwrap(),
        }
    }

    fn principal(&self) -> Principal {
        if self.is_anonymous {
            return Principal::anonymous();
        }
        let ann = Principal::user("i", "ann").roles(self.has_role.then_some("r"));
        let ann = ann.scopes(self.has_scope.then_some("s"));
        let limits = self
            .limit
            .map(|tools| CredentialLimits::new().with_tools([tools]).unwrap());
        limits
            .into_iter()
            .fold(ann, |ann, limits| ann.limits(limits))
            .build("jwt")
    }

    /// Whether the rule lets pass, but for an approval.
    fn lets_pass(&self, rule: &Drawn, is_list: bool) -> bool {
        !self.is_anonymous
            && match rule.need {
                Need::Somebody | Need::Approval => true,
                Need::Role => self.has_role,
                Need::Scope => self.has_scope || is_list && !rule.is_hidden,
                Need::Small => is_list || self.x.is_some_and(|x| (1..=10).contains(&x)),
                Need::Never => false,
            }
    }

    fn covering(&self, name: &str) -> impl Iterator<Item = &Drawn> {
        self.rules.iter().filter(move |rule| rule.covers(name))
    }

    fn passes(&self, name: &str, is_list: bool) -> bool {
        let within = |tools| match tools {
            "*b" => name.ends_with('b'),
            exact => name == exact,
        };
        self.covering(name).next().is_some()
            && self
                .covering(name)
                .all(|rule| self.lets_pass(rule, is_list))
            && self.limit.is_none_or(within)
            && self.forbidden != Some(name)
    }

    /// The names in the list that the layer shows.
    fn listed(&self) -> Vec<String> {
        let tools: Vec<_> = NAMES.iter().map(|name| json!({"name": name})).collect();
        let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string();
        let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
            let answer = Response::builder().header(CONTENT_TYPE, "application/json");
            let answer = answer.body(Full::<Bytes>::from(list.clone())).unwrap();
            async { Ok::<_, Infallible>(answer) }
        });
        let mut request = post("tools/list", json!({}));
        let context = SecurityContext::of(&mut request);
        context.set_principal(self.principal()).unwrap();
        let service = RbacLayer::new(self.policy(&self.rules)).layer(inner);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let body = runtime.block_on(async {
            let answer = service.oneshot(request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        });
        let body: Value = serde_json::from_slice(&body).unwrap();
        let tools = body["result"]["tools"].as_array();
        let names = tools.into_iter().flatten();
        names
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let need = select(vec![
        Need::Somebody,
        Need::Role,
        Need::Scope,
        Need::Small,
        Need::Approval,
        Need::Never,
    ]);
    let pattern = select(vec!["a", "b", "a*", "*b", "*"]);
    let rule = (pattern, need, any::<bool>()).prop_map(|(pattern, need, is_hidden)| Drawn {
        pattern,
        need,
        is_hidden,
    });
    let name = || prop::option::of(select(vec!["a", "b", "ab"]));
    let whom = (prop::bool::weighted(0.1), any::<bool>(), any::<bool>());
    let limit = prop::option::weighted(0.3, select(vec!["a", "*b"]));
    let x = prop::option::of(0..12_i64);
    (prop::collection::vec(rule, 1..5), whom, limit, name(), x).prop_map(
        |(rules, (is_anonymous, has_role, has_scope), limit, forbidden, x)| Case {
            rules,
            is_anonymous,
            has_role,
            has_scope,
            limit,
            forbidden,
            x,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn ta_2_ta_3_nothing_passes_together_what_one_alone_refuses(case in cases()) {
        let (policy, who) = (case.policy(&case.rules), case.principal());
        let json = case.x.map_or_else(|| "{}".to_owned(), |x| json!({"x": x}).to_string());
        for name in NAMES {
            let operation = Operation::tool(name).arguments(&json);
            let decision = policy.decide(Some(&who), &operation);
            let needs_approval = case.covering(name).any(|rule| rule.need == Need::Approval);
            let expected = match (case.passes(name, false), needs_approval) {
                (true, false) => Some(Decision::Admitted),
                (true, true) => Some(Decision::ApprovalNeeded),
                (false, _) => None,
            };
            let passed = matches!(decision, Decision::Admitted | Decision::ApprovalNeeded);
            prop_assert_eq!(passed.then_some(decision), expected, "{} {:?}", name, decision);
        }
        let listed: Vec<_> = NAMES.into_iter().filter(|name| case.passes(name, true)).collect();
        prop_assert_eq!(case.listed(), listed);
    }

    #[test]
    fn ta_12_whom_a_hidden_rule_refuses_is_answered_as_if_there_were_no_such_name(case in cases()) {
        let case = Case { forbidden: None, ..case };
        let (policy, who) = (case.policy(&case.rules), case.principal());
        // A rule for what nobody names hides all the same.
        let mut plain: Vec<_> = case.rules.iter().filter(|rule| !rule.is_hidden).cloned().collect();
        plain.push(Drawn { pattern: "nothing", need: Need::Somebody, is_hidden: true });
        let without = case.policy(&plain);
        let json = case.x.map_or_else(|| "{}".to_owned(), |x| json!({"x": x}).to_string());
        for name in NAMES {
            let refuses = |rule: &Drawn| rule.is_hidden && !case.lets_pass(rule, false);
            if !case.covering(name).any(refuses) {
                continue;
            }
            let operation = Operation::tool(name).arguments(&json);
            let expected = match without.decide(Some(&who), &operation) {
                Decision::Admitted | Decision::ApprovalNeeded => Decision::Unknown,
                other => other,
            };
            prop_assert_eq!(policy.decide(Some(&who), &operation), expected, "{}", name);
        }
    }
}
