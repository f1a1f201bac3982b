use std::sync::Arc;

use bartizan_core::{DenialKind, Principal, PrincipalBuilder};
use bartizan_rbac::{Condition, Decision, Operation, Policy, PolicyBuilder, Rule};
use serde_json::json;

use crate::common::{Caller, raw};

fn ann() -> PrincipalBuilder {
    let ann = Principal::user("https://auth.example.com", "ann");
    ann.tenant("acme").client_id("agent-7").roles(["viewer"])
}

fn roles() -> PolicyBuilder {
    Policy::builder()
        .role("viewer", [])
        .role("manager", ["viewer"])
        .grant("viewer", ["notes:read"])
        .grant("manager", ["notes:write"])
}

fn owner() -> Condition {
    Condition::argument("owner").is_subject()
}

fn decide(rule: Rule, principal: &Principal, operation: &Operation<'_>) -> Decision {
    let policy = roles().rule(rule).build().unwrap();
    policy.decide(Some(principal), operation)
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn ta_1_conditions_hold_as_the_vectors_say() {
    use bartizan_rbac::RbacConfig;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        requires: serde_json::Value,
        holds: Vec<String>,
        fails: Vec<Fails>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fails {
        arguments: String,
        why: String,
    }
    let vectors = include_str!("../../../../tests/vectors/conditions.json");
    let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
    assert!(vectors.len() > 20);
    let ann = ann().build("jwt");
    for Vector {
        requires,
        holds,
        fails,
    } in vectors
    {
        let config: RbacConfig = serde_json::from_value(json!({
            "roles": {"viewer": {"grants": ["notes:read"]}, "manager": {"grants": ["notes:write"]}},
            "rules": [{"tool": "t", "requires": requires}],
        }))
        .unwrap();
        let policy = Arc::new(Policy::try_from(config).unwrap());
        let holds = holds
            .into_iter()
            .map(|arguments| (arguments, true, String::new()));
        let fails = fails.into_iter().map(|one| (one.arguments, false, one.why));
        for (arguments, expected, why) in holds.chain(fails) {
            let operation = Operation::tool("t").arguments(&arguments);
            let decided = policy.decide(Some(&ann), &operation).is_admitted();
            assert_eq!(decided, expected, "{requires} on {arguments:?}: {why}");
            // The strict reading of the body may refuse it before.
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
            );
            let answer = Caller::of(ann.clone()).ask(&policy, raw(body)).await;
            if expected && arguments != "{" {
                assert_eq!(answer.status(), 200, "{requires} on {arguments}");
            } else {
                assert_eq!(answer.reached, 0, "{requires} on {arguments}: {why}");
            }
        }
    }
}

#[tokio::test]
async fn sc_5_al_2_what_does_not_hold_is_403_without_a_challenge_and_no_record_shows_the_value() {
    let rule = Rule::tool("edit_*").requires(owner());
    let policy = Arc::new(roles().version("1").rule(rule).build().unwrap());
    let caller = Caller::of(ann().build("jwt"));
    let edit =
        |owner: &str| json!({"name": "edit_note", "arguments": {"owner": owner, "text": "s3cret"}});
    let admitted = caller.call(&policy, "tools/call", edit("ann")).await;
    assert_eq!((admitted.status().as_u16(), admitted.reached), (200, 1));
    let refused = caller.call(&policy, "tools/call", edit("b0b")).await;
    assert_eq!((refused.status().as_u16(), refused.reached), (403, 0));
    assert_eq!(refused.denial().kind(), DenialKind::Forbidden);
    assert_eq!(refused.challenges(), [""; 0]);
    assert_eq!(
        refused.denial().reason(),
        "policy `1`: rule `tool:edit_*` lacks that argument `owner` is the subject"
    );
    let findings = format!("{:?}", refused.findings);
    let arguments = edit("b0b")["arguments"].to_string();
    let operation = Operation::tool("edit_note").arguments(&arguments);
    let shown = format!("{findings} {operation:?} {}", refused.text().await);
    assert!(
        !shown.contains("b0b") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn all_of_a_rules_needs_must_hold_and_all_rules() {
    let policy = roles()
        .rule(Rule::tool("*").requires(owner()).scope("notes.write"))
        .rule(Rule::tool("edit").role("viewer"))
        .build()
        .unwrap();
    let scoped = ann().scopes(["notes.write"]).build("jwt");
    let own = Operation::tool("edit").arguments(r#"{"owner":"ann"}"#);
    let other = Operation::tool("edit").arguments(r#"{"owner":"bob"}"#);
    assert_eq!(policy.decide(Some(&scoped), &own), Decision::Admitted);
    assert_eq!(policy.decide(Some(&scoped), &other), Decision::Forbidden);
    let unscoped = ann().build("jwt");
    assert_eq!(
        policy.decide(Some(&unscoped), &own),
        Decision::ScopeInsufficient
    );
    assert_eq!(policy.decide(Some(&unscoped), &other), Decision::Forbidden);
    let no_role = Principal::user("i", "ann")
        .scopes(["notes.write"])
        .build("jwt");
    assert_eq!(policy.decide(Some(&no_role), &own), Decision::Forbidden);
}

#[test]
fn tv_16_an_owner_is_a_person_and_a_service_of_that_name_is_another() {
    let own = Operation::tool("t").arguments(r#"{"owner":"ann"}"#);
    let empty = Operation::tool("t").arguments(r#"{"owner":""}"#);
    let service = Principal::service("https://auth.example.com", "ann").client_id("ann");
    let service = service.tenant("").build("jwt");
    let nobody = Principal::anonymous();
    let unnamed = Principal::user("i", "").build("jwt");
    let is = |condition| Rule::tool("t").requires(condition);
    let argument = || Condition::argument("owner");
    for (rule, principal, operation, expected) in [
        (is(owner()), &service, &own, Decision::Forbidden),
        (
            is(argument().is(bartizan_rbac::Attribute::Service)),
            &service,
            &own,
            Decision::Admitted,
        ),
        (
            is(argument().is_client()),
            &service,
            &own,
            Decision::Admitted,
        ),
        (
            is(argument().is_tenant()),
            &service,
            &empty,
            Decision::Forbidden,
        ),
        (is(owner()), &unnamed, &empty, Decision::Forbidden),
        (
            is(argument().is_client()),
            &unnamed,
            &empty,
            Decision::Forbidden,
        ),
        (is(owner()), &nobody, &empty, Decision::CredentialsMissing),
        (
            is(owner().clone()),
            &nobody,
            &own,
            Decision::CredentialsMissing,
        ),
    ] {
        assert_eq!(
            decide(rule.clone(), principal, operation),
            expected,
            "{rule:?}"
        );
    }
}

#[test]
fn what_is_for_anyone_may_have_conditions_and_who_would_be_helped_is_told_to_identify() {
    let nobody = Principal::anonymous();
    let amount = || Condition::argument("amount").between(..=100);
    let or_manager = Condition::any_of([amount(), Condition::role("manager")]);
    let little = Operation::tool("t").arguments(r#"{"amount":100}"#);
    let much = Operation::tool("t").arguments(r#"{"amount":101}"#);
    let rule = Rule::tool("t").anyone().requires(amount());
    assert_eq!(decide(rule.clone(), &nobody, &little), Decision::Admitted);
    assert_eq!(decide(rule, &nobody, &much), Decision::Forbidden);
    let rule = Rule::tool("t").anyone().requires(or_manager);
    assert_eq!(decide(rule.clone(), &nobody, &little), Decision::Admitted);
    assert_eq!(
        decide(rule.clone(), &nobody, &much),
        Decision::CredentialsMissing
    );
    assert_eq!(
        decide(rule.clone(), &ann().build("jwt"), &much),
        Decision::Forbidden
    );
    let manager = ann().roles(["manager"]).build("jwt");
    assert_eq!(decide(rule, &manager, &much), Decision::Admitted);
}

#[tokio::test]
async fn ta_7_a_completion_of_a_prompt_with_conditions_on_arguments_is_refused() {
    let rule = Rule::prompt("ask").requires(Condition::argument("owner").or_absent().is_subject());
    let policy = Arc::new(roles().rule(rule).build().unwrap());
    let caller = Caller::of(ann().build("jwt"));
    for (owner, status) in [("ann", 200), ("bob", 403)] {
        let get = json!({"name": "ask", "arguments": {"owner": owner}});
        let answer = caller.call(&policy, "prompts/get", get).await;
        assert_eq!(answer.status(), status, "{owner}");
    }
    let complete = json!({
        "ref": {"type": "ref/prompt", "name": "ask"},
        "argument": {"name": "text", "value": "x"},
        "context": {"arguments": {"owner": "ann"}},
        "arguments": {"owner": "ann"},
    });
    let answer = caller.call(&policy, "completion/complete", complete).await;
    assert_eq!(answer.status(), 403);
}

#[test]
fn a_rule_for_the_method_judges_the_arguments_of_every_tool() {
    let policy = roles()
        .rule(Rule::method("tools/call").requires(owner()))
        .build()
        .unwrap();
    let ann = ann().build("jwt");
    for (arguments, expected) in [
        (r#"{"owner":"ann"}"#, Decision::Admitted),
        (r#"{"owner":"bob"}"#, Decision::Forbidden),
    ] {
        let operation = Operation::tool("any").arguments(arguments);
        assert_eq!(policy.decide(Some(&ann), &operation), expected);
    }
    assert_eq!(
        policy.decide(Some(&ann), &Operation::tool("any")),
        Decision::Forbidden
    );
}

#[test]
fn seed_z5_a_condition_that_holds_never_or_in_no_such_rule_does_not_build() {
    let argument = || Condition::argument("a");
    let tool = |condition| Rule::tool("t").requires(condition);
    let many = (0..65).fold(Rule::tool("t"), |rule, n| {
        rule.requires(Condition::argument(&n.to_string()).is_subject())
    });
    for (rule, named) in [
        (tool(Condition::argument("").is_subject()), "argument ``"),
        (
            tool(argument().member("").is_subject()),
            "argument `a` has a name",
        ),
        (tool(argument().one_of::<&str>([])), "is one of none"),
        (tool(argument().one_of(["x", "x"])), "there twice"),
        (tool(argument().one_of([true, true])), "there twice"),
        (tool(argument().between(2.5..=1.0)), "above its most"),
        (tool(argument().between(f64::NAN..)), "no number"),
        (
            tool(argument().starts_with("")),
            "starts with what is empty",
        ),
        (tool(argument().starts_with("../")), "segments of dots"),
        (tool(argument().starts_with("https://h")), "matches_uri"),
        (
            tool(argument().matches("https://*.example.com/*")),
            "matches_uri",
        ),
        (tool(argument().matches("a/../*")), "segments of dots"),
        (tool(argument().matches("a?")), "argument `a` has one of"),
        (
            tool(argument().within("/srv/../x")),
            "is within what is no path",
        ),
        (tool(argument().within("")), "is within what is no path"),
        (
            tool(argument().matches_uri("https://H/")),
            "argument `a` has a host",
        ),
        (tool(argument().each().each().is_subject()), "each of each"),
        (tool(Condition::any_of([])), "any of none"),
        (
            tool(Condition::any_of([Condition::any_of([owner()])])),
            "any itself",
        ),
        (
            tool(Condition::role("managr")),
            "role `managr` is not declared",
        ),
        (
            tool(Condition::any_of([owner(), Condition::capability("x:y")])),
            "capability `x:y`",
        ),
        (tool(Condition::issuer("")), "issuer ``"),
        (tool(owner()).requires(owner()), "is required twice"),
        (many, "more than 64"),
        (
            Rule::resource("file:///a/**").requires(owner()),
            "argument `owner` is needed where there are none",
        ),
        (
            Rule::method("tools/*").requires(owner()),
            "where there are none",
        ),
        (
            Rule::method("resources/read").requires(owner()),
            "where there are none",
        ),
        (
            Rule::method("completion/complete").requires(owner()),
            "where there are none",
        ),
        (
            Rule::stream().requires(Condition::any_of([owner()])),
            "where there are none",
        ),
        (tool(owner()).deny(), "denies, so it cannot need"),
        (tool(owner()).anyone(), "for anyone, so it cannot need"),
        (
            tool(Condition::any_of([owner(), Condition::role("viewer")])).anyone(),
            "for anyone",
        ),
    ] {
        let error = roles().rule(rule).build().unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
    let fine = Rule::resource("file:///a/**").requires(Condition::role("viewer"));
    assert!(roles().rule(fine).build().is_ok());
}
