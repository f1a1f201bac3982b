//! Capabilities that a credential grants itself.

use bartizan_core::Principal;
use bartizan_rbac::{Condition, Operation, Policy, Rule};

const GRANTS: [&str; 8] = [
    "notes:read",
    "notes:write",
    "notes:*",
    "logs:read",
    "logs:*",
    "*",
    "other:thing",
    "notes",
];

/// For each of the grants a role that grants it, if the policy can hold such a grant.
fn policy() -> Policy {
    let mut policy = Policy::builder().role("reader", []);
    for (n, grant) in GRANTS[..6].iter().enumerate() {
        let role = format!("role_{n}");
        policy = policy.role(&role, []).grant(&role, [*grant]);
    }
    let either = Condition::any_of([
        Condition::capability("logs:read"),
        Condition::role("reader"),
    ]);
    policy
        .capability("notes:delete")
        .rule(Rule::tool("read").capability("notes:read"))
        .rule(
            Rule::tool("both")
                .capability("notes:read")
                .capability("logs:read"),
        )
        .rule(Rule::tool("delete").capability("notes:delete"))
        .rule(Rule::tool("role").role("reader").capability("notes:read"))
        .rule(Rule::tool("either").requires(either))
        .build()
        .unwrap()
}

fn with(roles: &[&str], grants: &[&str]) -> Principal {
    let key = Principal::service("apikey:acme", "ci").roles(roles);
    key.capabilities(grants).build("apikey")
}

#[test]
fn a_credentials_capability_counts_as_if_a_role_had_granted_it() {
    let policy = policy();
    let mut admitted = 0;
    for (n, grant) in GRANTS[..6].iter().enumerate() {
        for also in [&[][..], &["reader"]] {
            let by_role = with(&[also, &[&*format!("role_{n}")]].concat(), &[]);
            let by_key = with(also, &[grant]);
            for tool in ["read", "both", "delete", "role", "either", "unknown"] {
                let [one, other] =
                    [&by_role, &by_key].map(|who| policy.decide(Some(who), &Operation::tool(tool)));
                assert_eq!(one, other, "{grant} {also:?} {tool}");
                admitted += usize::from(one.is_admitted());
            }
            for capability in [
                "notes:read",
                "notes:delete",
                "logs:read",
                "notes:raed",
                "*",
                "",
            ] {
                let [one, other] =
                    [&by_role, &by_key].map(|who| policy.has_capability(who, capability));
                assert_eq!(one, other, "{grant} {also:?} {capability}");
            }
        }
    }
    assert!(admitted > 15, "{admitted}");
}

#[test]
fn what_the_policy_does_not_know_is_granted_by_no_credential() {
    let policy = policy();
    let all = with(&[], &GRANTS);
    for unknown in ["other:thing", "notes", "notes:raed", "notes:*", "*", ""] {
        assert!(!policy.has_capability(&all, unknown), "{unknown}");
    }
    // Nor is a text that grants nothing.
    for wrong in ["", "no*", "**", "notes:", "notes:re*", "NOTES:READ"] {
        let key = with(&[], &[wrong]);
        assert!(!policy.has_capability(&key, "notes:read"), "{wrong}");
        let decision = policy.decide(Some(&key), &Operation::tool("read"));
        assert!(!decision.is_admitted(), "{wrong}");
    }
}

#[test]
fn a_credentials_capability_is_no_role() {
    let policy = policy();
    let key = with(&[], &["reader", "role_0", "*"]);
    assert!(!policy.check_role(&key, &["reader", "role_0"]));
    let decision = policy.decide(Some(&key), &Operation::tool("role"));
    assert!(!decision.is_admitted());
}
