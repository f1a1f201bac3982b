//! A recorded audit log under another policy.

mod generated;

use bartizan::rbac::{Decision, Policy, Replay, Rule};
use bartizan_kit::{McpRequest, Revision, call_tool, get_stream, post};
use serde_json::json;

use crate::{
    answers::send,
    server::{self, Mode, Server},
    workspace,
};

fn call(tool: &str) -> McpRequest {
    call_tool(Revision::V2025_11_25, tool, json!({}))
}

fn rpc(method: &str) -> McpRequest {
    post(Revision::V2025_11_25, method, json!({}))
}

/// The log of a server that a viewer, an admin and nobody in particular asked.
async fn log() -> String {
    let server = Server::start(Mode::Json).await;
    let token = |role: &str, scope: &str| {
        let token = server.token("vera").claim("roles", json!([role]));
        token.claim("scope", json!(scope)).encode()
    };
    for (role, scope) in [("viewer", ""), ("viewer", "reports.read"), ("admin", "x y")] {
        for tool in ["whoami", "delete", "report", "unknown"] {
            let request = call(tool).bearer(token(role, scope));
            send(&server, request).await.bytes().await.unwrap();
        }
    }
    for request in [
        rpc("ping"),
        rpc("tools/list"),
        rpc("nope/x"),
        rpc("logging/setLevel"),
    ] {
        let request = request.bearer(token("viewer", ""));
        send(&server, request).await.bytes().await.unwrap();
    }
    send(
        &server,
        get_stream(Revision::V2025_11_25).bearer(token("viewer", "")),
    )
    .await;
    // Refused before anybody decides.
    send(&server, call("whoami")).await;
    let lines = server.records.lines();
    assert_eq!(lines.len(), 18);
    lines.join("\n")
}

fn replay(policy: &Policy, log: &str) -> Replay {
    policy.replay(log.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_log_of_the_whole_stack_is_replayed_whole() {
    let log = log().await;
    let same = replay(&server::policy().build().unwrap(), &log);
    assert!(same.differences.is_empty(), "{:?}", same.differences);
    assert_eq!((same.records, same.same, same.undecided), (18, 17, 1));
    assert!(same.is_complete());

    let narrower = server::policy().rule(Rule::tool("whoami").role("admin"));
    let narrower = replay(&narrower.build().unwrap(), &log);
    assert_eq!(
        (narrower.lost, narrower.gained, narrower.changed),
        (2, 0, 0)
    );
    // With scopes and without them.
    for lost in &narrower.differences {
        assert!(lost.is_loss());
        assert_eq!(lost.name.as_deref(), Some("whoami"));
        assert_eq!(
            (&*lost.roles, &*lost.rules),
            (&["viewer".to_owned()][..], &["tool:whoami".to_owned()][..])
        );
    }

    // Whoever may see reports may without a scope, and the admins' tool is everybody's.
    let wider = Policy::enterprise()
        .rule(Rule::tool("*").identified())
        .rule(Rule::method("nope/*").identified());
    let wider = replay(&wider.build().unwrap(), &log);
    assert_eq!((wider.lost, wider.gained, wider.changed), (0, 4, 0));
    let mut gains: Vec<_> = wider
        .gains()
        .map(|gain| {
            let roles = gain.roles.join(" ");
            (
                gain.name.as_deref().unwrap(),
                roles,
                gain.scopes.join(" "),
                gain.before,
            )
        })
        .collect();
    gains.sort_by_key(|gain| (gain.0, gain.1.clone(), gain.2.clone()));
    let (forbidden, scope) = (Decision::Forbidden, Decision::ScopeInsufficient);
    let gain =
        |tool, role: &str, scopes: &str, before| (tool, role.to_owned(), scopes.to_owned(), before);
    assert_eq!(
        gains,
        [
            gain("delete", "viewer", "", forbidden),
            gain("delete", "viewer", "reports.read", forbidden),
            gain("report", "admin", "x y", scope),
            gain("report", "viewer", "", scope),
        ]
    );
}

#[test]
fn the_sample_of_the_example_says_what_its_readme_says() {
    let folder = workspace::root().join("examples/policy_replay");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let policy = bartizan::rbac::RbacConfig::from_toml(&read("policy.toml")).unwrap();
    let replay = replay(&policy.try_into().unwrap(), &read("audit.jsonl"));
    assert!(replay.has_gains() && replay.lost > 0);
    assert_eq!((replay.bad, replay.untold.len()), (0, 1));
}
