//! What a decision takes from the heap, counted.

use bartizan_core::Principal;
use bartizan_rbac::{Condition, Operation, Policy, PolicyHandle, Rule};

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

#[test]
fn conditions_take_nothing_from_the_heap_unless_what_they_ask_for_is_escaped() {
    let argument = Condition::argument;
    let rule = Rule::tool("pay")
        .requires(argument("owner").is_subject())
        .requires(argument("region").one_of(["eu", "us"]))
        .requires(argument("amount").between(1..=1000))
        .requires(argument("path").within("/srv/public"))
        .requires(argument("name").matches("report-*"))
        .requires(argument("tags").each().one_of(["a", "b"]))
        .requires(argument("filter").member("id").or_absent().is_client());
    let own = Rule::resource("notes://{subject}/**");
    let policy = Policy::builder().rule(rule).rule(own).build();
    let policy = policy.expect("a policy");
    let ann = Principal::user("https://auth.example.com", "ann").build("jwt");
    let pay = |owner: &str| {
        format!(
            r#"{{"owner":"{owner}","region":"eu","amount":12.50,"path":"/srv/public/a","name":"report-1",
                "tags":["a","b","a"],"filter":{{}},"text":"{}"}}"#,
            "note ".repeat(100)
        )
    };
    let (yes, no) = (pay("ann"), pay("bob"));
    for (operation, expected) in [
        (Operation::tool("pay").arguments(&yes), true),
        (Operation::tool("pay").arguments(&no), false),
        (Operation::resource("notes://ann/a"), true),
        (Operation::resource("notes://bob/a"), false),
    ] {
        let mut admitted = false;
        let counted = allocation_counter::measure(|| {
            admitted = policy.decide(Some(&ann), &operation).is_admitted();
        });
        assert_eq!(
            (admitted, counted.count_total),
            (expected, 0),
            "{operation:?}"
        );
    }
}
