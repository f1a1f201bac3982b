//! What a decision takes from the heap, counted.

use bartizan_core::Principal;
use bartizan_rbac::{Operation, Policy, PolicyHandle, Rule};

#[test]
fn a_decision_over_1000_rules_and_100_roles_takes_nothing_from_the_heap() {
    let mut policy = Policy::builder();
    for n in 0..100 {
        policy = policy.role(&format!("role_{n}"), []);
    }
    for n in 0..1000 {
        let pattern = if n % 2 == 0 {
            format!("tool_{n}")
        } else {
            format!("tool_{n}_*")
        };
        let rule = Rule::tool(&pattern)
            .role(&format!("role_{}", n % 100))
            .scope("s");
        policy = policy.rule(rule);
    }
    let handle = PolicyHandle::new(policy.build().expect("a policy"));
    let ann = Principal::user("https://auth.example.com", "ann")
        .roles(["role_0", "role_7"])
        .scopes(["s"]);
    let ann = ann.build("jwt");
    // What a thread keeps for all its looks at handles is made at its first.
    assert_eq!(handle.policy().version().len(), 12);
    for (tool, expected) in [
        ("tool_500", true),
        ("tool_507_x", true),
        ("tool_508", false),
        ("other", false),
    ] {
        let mut admitted = false;
        let counted = allocation_counter::measure(|| {
            let decision = handle.policy().decide(Some(&ann), &Operation::tool(tool));
            admitted = decision.is_admitted();
        });
        assert_eq!((admitted, counted.count_total), (expected, 0), "{tool}");
    }
}
