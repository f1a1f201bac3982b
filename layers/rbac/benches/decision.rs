//! What one decision costs over 1,000 rules and 100 roles, allocations printed before each.
//!
//! ```sh
//! cargo bench -p bartizan-rbac --bench decision --features cedar
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

use std::hint::black_box;

use bartizan_core::Principal;
use bartizan_rbac::{Condition, Operation, Policy, Rule};
use criterion::{Criterion, criterion_group, criterion_main};

/// Each role includes the next; of the rules half are exact, and half speak of a beginning or an end.
fn policy() -> Policy {
    let mut policy = Policy::builder().role("role_99", []);
    for n in 0..99 {
        let next = format!("role_{}", n + 1);
        policy = policy.role(&format!("role_{n}"), [&*next]);
    }
    for n in 0..1000 {
        let pattern = match n % 4 {
            0 | 1 => format!("tool_{n}"),
            2 => format!("tool_{n}_*"),
            _ => format!("*_of_{n}"),
        };
        policy = policy.rule(Rule::tool(&pattern).role(&format!("role_{}", n % 100)));
    }
    let own = Rule::tool("edit_note").requires(Condition::argument("owner").is_subject());
    policy = policy.rule(own).rule(
        Rule::tool("pay")
            .requires(Condition::argument("owner").is_subject())
            .requires(Condition::argument("region").one_of(["eu", "us"]))
            .requires(Condition::any_of([
                Condition::argument("amount").between(1..=1000),
                Condition::role("role_0"),
            ]))
            .requires(Condition::argument("path").within("/srv/public")),
    );
    policy = policy.rule(Rule::resource("notes://{tenant}/users/{subject}/**"));
    policy.build().unwrap()
}

fn decisions(c: &mut Criterion) {
    let policy = policy();
    let ann = |roles: &[&str]| {
        let ann = Principal::user("https://auth.example.com", "ann").tenant("acme");
        ann.roles(roles.iter().copied()).build("jwt")
    };
    let (one, five) = (
        ann(&["role_0"]),
        ann(&["role_0", "role_20", "role_40", "role_60", "other"]),
    );
    let (role_99, long) = (ann(&["role_99"]), "note ".repeat(400));
    let small = r#"{"owner":"ann","region":"eu","amount":12.50,"path":"/srv/public/a.txt"}"#;
    let large = format!(r#"{{"text":"{long}","owner":"ann"}}"#);
    let tool = Operation::tool;
    let resource = Operation::resource("notes://acme/users/ann/todo.md");
    for (name, principal, operation, expected) in [
        ("exact", &one, tool("tool_500"), true),
        ("prefix", &one, tool("tool_502_x"), true),
        ("suffix", &one, tool("x_of_503"), true),
        ("five_roles", &five, tool("tool_500"), true),
        ("lacks_role", &role_99, tool("tool_500"), false),
        ("uncovered", &one, tool("unknown_tool"), false),
        ("owner", &one, tool("edit_note").arguments(small), true),
        (
            "owner_in_2_kb",
            &one,
            tool("edit_note").arguments(&large),
            true,
        ),
        ("four_conditions", &one, tool("pay").arguments(small), true),
        ("placeholders", &one, resource, true),
    ] {
        let name = format!("decision_1000_rules_100_roles/{name}");
        let decide = || policy.decide(Some(black_box(principal)), black_box(&operation));
        assert_eq!(decide().is_admitted(), expected, "{name}");
        let counted = allocation_counter::measure(|| {
            black_box(decide());
        });
        println!("{name}: {} allocations", counted.count_total);
        c.bench_function(&name, |b| b.iter(decide));
    }
}

/// The same question to rules, and to Cedar besides: three policies, one of which reads an argument.
#[cfg(feature = "cedar")]
fn cedar(c: &mut Criterion) {
    use bartizan_rbac::{CEDAR_BASELINE, CedarEngine};
    let rules = || Policy::enterprise().rule(Rule::tool("*").role("viewer"));
    let cedar = CedarEngine::builder().policies(CEDAR_BASELINE).policies(
        r#"@id("viewers")
        permit (principal in Mcp::Role::"viewer", action == Mcp::Action::"tools/call", resource);
        @id("large")
        forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"transfer")
        when { context.arguments has transfer && context.arguments.transfer.amount > 1000 };"#,
    );
    let cedar = cedar.tool_arguments("transfer", "amount: Long").build();
    let policies = [
        ("rules", rules().build().unwrap()),
        ("cedar", rules().engine(cedar.unwrap()).build().unwrap()),
    ];
    let ann = Principal::user("https://auth.example.com", "ann");
    let ann = ann.roles(["developer"]).scopes(["a", "b"]).build("jwt");
    for (name, policy) in &policies {
        for (tool, json) in [
            ("read_note", "{}"),
            ("transfer", r#"{"to":"bob","amount":1000}"#),
        ] {
            let name = format!("decision_{name}/{tool}");
            let decide = || {
                let operation = Operation::tool(black_box(tool)).arguments(json);
                policy.decide(Some(black_box(&ann)), &operation)
            };
            assert!(decide().is_admitted(), "{name}");
            let counted = allocation_counter::measure(|| {
                black_box(decide());
            });
            println!("{name}: {} allocations", counted.count_total);
            c.bench_function(&name, |b| b.iter(decide));
        }
    }
}

#[cfg(not(feature = "cedar"))]
fn cedar(_: &mut Criterion) {}

criterion_group!(benches, decisions, cedar);
criterion_main!(benches);
