use bartizan_rbac::{Decision, Policy, Replay, Rule, Untold};
use serde_json::{Value, json};

/// A record as `bartizan-audit` writes it.
fn record(tool: &str, roles: &[&str], outcome: &str) -> Value {
    json!({
        "schema": 1,
        "event_type": "tool_call",
        "user_id": "ann",
        "user_role": roles,
        "tool_name": tool,
        "resource_id": null,
        "action": "tools/call",
        "correlation_id": format!("id-{tool}"),
        "metadata": {
            "principal_kind": "user",
            "issuer": "https://auth.example.com",
            "scopes": [],
            "call_kind": "request",
            "decision": { "outcome": outcome, "policy": "1", "rules": [] },
        },
    })
}

fn with(mut record: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = record.pointer_mut(parent).unwrap();
    parent[key] = value;
    record
}

fn replay(policy: &Policy, records: &[Value]) -> Replay {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    policy.replay(lines.as_bytes()).unwrap()
}

/// Viewers read, admins delete.
fn policy() -> Policy {
    Policy::enterprise()
        .rule(Rule::tool("read_*").role("viewer"))
        .rule(Rule::tool("delete_*").role("admin"))
        .rule(Rule::tool("edit_*").scope("notes.write"))
        .rule(Rule::resource("https://h/**").role("viewer"))
        .rule(Rule::method("subscriptions/listen").role("admin"))
        .version("2")
        .build()
        .unwrap()
}

#[test]
fn who_gains_and_who_loses_is_told_with_counts_and_examples() {
    let replay = replay(
        &policy(),
        &[
            record("read_a", &["viewer"], "admitted"),
            record("delete_a", &["viewer"], "admitted"),
            with(
                record("delete_a", &["viewer"], "admitted"),
                "/correlation_id",
                json!("last"),
            ),
            record("delete_a", &["developer"], "admitted"),
            record("delete_b", &["admin"], "forbidden"),
            record("edit_a", &["admin"], "forbidden"),
        ],
    );
    assert_eq!(
        (replay.same, replay.gained, replay.lost, replay.changed),
        (1, 1, 3, 1)
    );
    let first = &replay.differences[0];
    assert!(first.is_loss());
    assert_eq!(
        (&*first.method, first.name.as_deref()),
        ("tools/call", Some("delete_a"))
    );
    assert_eq!(
        (first.count, &*first.first, &*first.last),
        (2, "id-delete_a", "last")
    );
    assert_eq!(first.roles, ["viewer"]);
    assert_eq!(first.rules, ["tool:delete_*"]);
    let gain = replay.gains().next().unwrap();
    assert_eq!(
        (gain.before, gain.after),
        (Decision::Forbidden, Decision::Admitted)
    );
    let change = replay.changes().next().unwrap();
    assert_eq!(change.after, Decision::ScopeInsufficient);
    assert!(replay.has_gains() && replay.is_complete());
    assert_eq!(replay.versions["1"], 6);
    let json = serde_json::to_value(&replay).unwrap();
    assert_eq!(json["differences"][0]["before"], "admitted");
}

#[test]
fn what_a_record_does_not_hold_is_not_guessed() {
    let read = |uri: &str| {
        let record = with(
            record("x", &["viewer"], "admitted"),
            "/tool_name",
            Value::Null,
        );
        let record = with(record, "/action", json!("resources/read"));
        with(record, "/resource_id", json!(uri))
    };
    let listen = with(
        record("x", &["admin"], "admitted"),
        "/tool_name",
        Value::Null,
    );
    let listen = with(listen, "/action", json!("subscriptions/listen"));
    let decision = "/metadata/decision";
    for (record, why) in [
        (read("https://h/x…"), Untold::Resource),
        (record("read_…", &["viewer"], "admitted"), Untold::Name),
        (
            record("delete_a", &["viewer", "…"], "admitted"),
            Untold::Roles,
        ),
        (
            with(
                record("edit_a", &[], "admitted"),
                "/metadata/scopes",
                json!(["x…"]),
            ),
            Untold::Scopes,
        ),
        (
            with(
                record("delete_a", &["viewer"], "admitted"),
                &format!("{decision}/is_granted"),
                json!(true),
            ),
            Untold::Grants,
        ),
        (
            with(listen.clone(), &format!("{decision}/operations"), json!(2)),
            Untold::Listened,
        ),
        (record("read_a", &["viewer"], "permitted"), Untold::Word),
        (
            with(
                record("read_a", &[], "admitted"),
                "/metadata/principal_kind",
                json!("robot"),
            ),
            Untold::Word,
        ),
        (
            with(
                record("read_a", &[], "admitted"),
                "/metadata/call_kind",
                json!("batch"),
            ),
            Untold::Word,
        ),
        (
            with(
                record("read_a", &[], "admitted"),
                "/metadata/scopes",
                Value::Null,
            ),
            Untold::Word,
        ),
        (
            with(
                record("read_a", &[], "admitted"),
                "/metadata/issuer",
                json!("https://a…"),
            ),
            Untold::Principal,
        ),
    ] {
        let replay = replay(&policy(), std::slice::from_ref(&record));
        let told: Vec<_> = replay.untold.keys().copied().collect();
        assert_eq!(told, [why], "{record}");
        assert!(replay.differences.is_empty() && !replay.is_complete());
    }
    assert_eq!(replay(&policy(), &[read("https://h/x"), listen]).same, 2);
}

#[test]
fn what_no_missing_part_could_change_is_told() {
    let decision = "/metadata/decision";
    let nobody = |record| with(record, "/metadata/principal_kind", Value::Null);
    for (record, after) in [
        // A viewer is one whatever else it is.
        (
            record("read_a", &["viewer", "…"], "forbidden"),
            Decision::Admitted,
        ),
        // Nobody has a tool that no rule speaks of.
        (
            record("unknown", &["viewer", "…"], "admitted"),
            Decision::Forbidden,
        ),
        (
            with(
                record("read_a", &["viewer"], "forbidden"),
                &format!("{decision}/is_granted"),
                json!(true),
            ),
            Decision::Admitted,
        ),
        // No policy admits what can be read in two ways, whatever the record shows of it.
        (
            with(
                record("read_a…", &["viewer"], "admitted"),
                &format!("{decision}/is_unclear"),
                json!(true),
            ),
            Decision::Forbidden,
        ),
        (
            with(
                record("read_a", &["viewer"], "admitted"),
                &format!("{decision}/is_limited"),
                json!(true),
            ),
            Decision::Forbidden,
        ),
        (
            nobody(record("read_a", &[], "admitted")),
            Decision::Forbidden,
        ),
        (
            with(
                with(
                    record("read_a", &[], "admitted"),
                    "/metadata/principal_kind",
                    json!("anonymous"),
                ),
                "/user_role",
                Value::Null,
            ),
            Decision::CredentialsMissing,
        ),
    ] {
        let replay = replay(&policy(), std::slice::from_ref(&record));
        assert_eq!(replay.differences[0].after, after, "{record}");
    }
}

#[test]
fn records_without_a_decision_are_counted_and_those_that_repeat_one_are_too() {
    let late = with(
        record("delete_a", &["viewer"], "admitted"),
        "/event_type",
        json!("late_finding"),
    );
    let refused = with(
        record("delete_a", &["viewer"], "admitted"),
        "/metadata/decision",
        Value::Null,
    );
    let gap = json!({"schema": 1, "event_type": "audit_gap", "metadata": {"missing_refused": 3}});
    let replay = replay(&policy(), &[late, refused, gap]);
    assert_eq!((replay.records, replay.undecided, replay.bad), (3, 3, 0));
    assert!(!replay.is_complete(), "nothing was compared");
}

#[test]
fn a_line_that_is_no_record_is_named_and_the_rest_is_read_on() {
    let good = record("read_a", &["viewer"], "admitted").to_string();
    let two = with(
        record("read_a", &["viewer"], "admitted"),
        "/resource_id",
        json!("x:y"),
    );
    let newer = with(
        record("read_a", &["viewer"], "admitted"),
        "/schema",
        json!(3),
    );
    let log = format!(
        "{good}\nstarted\n\n{{\"schema\":1}}\n{}\n{newer}\n{two}\n{}\n{good}\n{}",
        good.replacen("\"schema\":1", "\"schema\":1,\"schema\":1", 1),
        "x".repeat(100_000),
        &good[..good.len() / 2],
    );
    let replay = policy().replay(log.as_bytes()).unwrap();
    let lines: Vec<_> = replay.bad_lines.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [2, 4, 5, 6, 7, 8, 10]);
    assert_eq!((replay.same, replay.bad), (2, 7));
    assert!(!replay.is_complete());
}

#[test]
fn a_hostile_log_is_told_in_bounded_memory() {
    let lines = (0..10_000).map(|n| {
        let record = record(&format!("delete_{n}"), &["viewer"], "admitted");
        with(record, "/metadata/decision/policy", json!(n.to_string()))
    });
    let replay = replay(&policy(), &lines.collect::<Vec<_>>());
    assert_eq!(
        (replay.lost, replay.differences.len(), replay.unlisted),
        (10_000, 4096, 5904)
    );
    assert_eq!(replay.versions.len(), 64);
    let replay = policy().replay("x\n".repeat(1000).as_bytes()).unwrap();
    assert_eq!((replay.bad, replay.bad_lines.len()), (1000, 20));
}

#[test]
fn a_method_that_is_called_like_a_stream_is_none() {
    let stream = Policy::builder()
        .rule(Rule::stream().anyone())
        .without_baseline();
    let stream = stream.build().unwrap();
    let method = with(record("x", &[], "forbidden"), "/tool_name", Value::Null);
    let method = with(method, "/action", json!("stream"));
    let get = with(method.clone(), "/metadata/call_kind", json!("stream"));
    let replay = replay(&stream, &[method, get]);
    assert_eq!((replay.same, replay.gained), (1, 1));
}
