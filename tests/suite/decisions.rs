//! Every method of MCP, for every role: what is decided, as a table that a reviewer can read.
//!
//! The methods are those that rbac's lint knows and those that rmcp's model has, so that a new one in either
//! has no line in the table, and the test fails until somebody wrote down what is decided about it.

mod methods;
mod table;

use std::collections::BTreeSet;

use bartizan::{
    call::{Call, Subject},
    rbac::{Policy, Rule},
};
use serde_json::{Value, json};

use crate::readings::admitted;
use bartizan_core::names::METHODS;
use methods::of_rmcp;

/// Methods that no revision has clients send, or that are written otherwise.
const UNKNOWN: [&str; 14] = [
    "",
    "Tools/Call",
    "acme/run",
    "elicitation/create",
    "notifications/message",
    "notifications/unheard",
    "resources",
    "roots/list",
    "rpc.discover",
    "sampling/createMessage",
    "tools/call ",
    "tools/calls",
    "tools/delete",
    "unheard",
];

/// What lint knows and rmcp has no type for: tasks of 2025-11-25, and an older answer to elicitations.
const WITHOUT_TYPE: [&str; 4] = [
    "notifications/elicitation/response",
    "notifications/tasks/status",
    "tasks/list",
    "tasks/result",
];

/// Roles of the preset and the baseline, and no rule.
fn alone() -> Policy {
    Policy::enterprise().build().unwrap()
}

/// The rules of a server of notes.
fn notes() -> Policy {
    let policy = Policy::enterprise()
        .rule(Rule::tool("*_note").any_role(["viewer", "service"]))
        .rule(Rule::tool("delete_*").role("admin"))
        .rule(Rule::tool("report").role("analyst").scope("reports.read"))
        .rule(Rule::tool("status").anyone())
        .rule(Rule::tool("format_disk").deny())
        .rule(Rule::prompt("review_*").any_role(["developer", "analyst"]))
        .rule(Rule::resource("file:///public/**").identified())
        .rule(Rule::resource("file:///secret/**").role("admin"))
        .rule(Rule::method("logging/setLevel").role("admin"))
        .rule(Rule::method("subscriptions/listen").identified())
        .rule(Rule::method("skills/list").role("viewer"))
        .rule(
            Rule::method("tasks/*")
                .except("tasks/list")
                .any_role(["viewer", "service"]),
        );
    policy.build().unwrap()
}

/// What is sent.
struct Operation {
    /// What the table calls it.
    kind: &'static str,
    method: String,
    subject: Option<(Subject, String)>,
    /// `GET` and `DELETE` have none.
    body: Option<Value>,
}

fn operations() -> Vec<Operation> {
    let known: BTreeSet<String> = of_rmcp()
        .into_iter()
        .map(|method| method.name)
        .chain(METHODS.map(str::to_owned))
        .collect();
    let unknown = UNKNOWN.map(str::to_owned);
    let mut all = Vec::new();
    for method in known.into_iter().chain(unknown) {
        for kind in ["request", "notice"] {
            all.extend(params(&method).into_iter().map(|params| {
                let mut body = json!({"jsonrpc": "2.0", "method": method, "params": params});
                if kind == "request" {
                    body["id"] = json!(1);
                }
                let call = read(&body);
                let subject = call.subject().zip(call.name().map(str::to_owned));
                let method = method.clone();
                Operation {
                    kind,
                    method,
                    subject,
                    body: Some(body),
                }
            }));
        }
    }
    let of = |kind, body| Operation {
        kind,
        method: String::new(),
        subject: None,
        body,
    };
    all.push(of("GET", None));
    all.push(of("DELETE", None));
    all.push(of(
        "result",
        Some(json!({"jsonrpc": "2.0", "id": 1, "result": {}})),
    ));
    let error = json!({"code": -1, "message": ""});
    all.push(of(
        "error",
        Some(json!({"jsonrpc": "2.0", "id": 1, "error": error})),
    ));
    all
}

/// One for each name that the table has of what the method acts on, as core reads it.
fn params(method: &str) -> Vec<Value> {
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    let mut params = json!({"name": "", "uri": "", "taskId": "", "ref": prompt("")});
    let probe = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let names: &[&str] = match read(&probe).subject() {
        None => return vec![json!({})],
        Some(Subject::Tool) => &[
            "read_note",
            "delete_note",
            "report",
            "status",
            "format_disk",
            "unheard_of",
        ],
        Some(Subject::Prompt) => &["review_code", "unheard_of"],
        Some(Subject::Resource) => &["file:///public/a", "file:///secret/a", "file:///unheard"],
        Some(Subject::Task) => &["t"],
        Some(other) => panic!("{other:?} has no names in the table"),
    };
    let mut all = Vec::new();
    for name in names {
        for member in ["name", "uri", "taskId"] {
            params[member] = json!(name);
        }
        params["ref"] = prompt(name);
        all.push(params.clone());
    }
    if method == "completion/complete" {
        params["ref"] = json!({"type": "ref/resource", "uri": "file:///secret/{x}"});
        all.push(params);
    }
    all
}

fn read(body: &Value) -> Call {
    admitted(body.to_string().as_bytes()).unwrap_or_else(|| panic!("core refuses {body}"))
}

#[test]
fn sc_9_tr_28_every_method_is_decided_for_every_role_as_the_table_says() {
    let operations = operations();
    let mut text = String::from(table::HEAD);
    for (title, policy) in [
        (
            "The baseline alone: the roles of the preset, and no rule",
            alone(),
        ),
        ("The rules of a server of notes", notes()),
    ] {
        table::write(&mut text, title, policy, &operations);
    }
    let expected = include_str!("../vectors/decisions.txt");
    if text != expected {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/decisions.txt");
        std::fs::write(path, &text).unwrap();
        let mut lines = text.lines().zip(expected.lines());
        let first = lines.find(|(now, then)| now != then);
        panic!(
            "what is decided is not what tests/vectors/decisions.txt says; see {path}\n{first:#?}"
        );
    }
}

#[test]
fn tr_28_methods_that_nobody_knows_are_denied_to_all() {
    for policy in [alone(), notes()] {
        let policy = std::sync::Arc::new(policy);
        let operations = operations();
        let unknown = operations
            .iter()
            .filter(|o| UNKNOWN.contains(&&*o.method) && o.body.is_some());
        let mut count = 0;
        for operation in unknown.filter(|o| matches!(o.kind, "request" | "notice")) {
            for column in table::COLUMNS {
                let decided = table::decide(&policy, column, operation);
                assert_eq!(
                    decided, "-",
                    "{} {} for {column:?}",
                    operation.kind, operation.method
                );
            }
            count += 1;
        }
        assert_eq!(count, 2 * UNKNOWN.len());
    }
}

#[test]
fn lint_knows_the_methods_of_rmcp_and_these_others() {
    let of_rmcp: BTreeSet<_> = of_rmcp().into_iter().map(|method| method.name).collect();
    assert!(of_rmcp.len() > 20, "{of_rmcp:?}");
    let of_lint: BTreeSet<_> = METHODS.map(str::to_owned).into();
    let missing: Vec<_> = of_rmcp.difference(&of_lint).collect();
    assert!(missing.is_empty(), "not in rbac's list: {missing:?}");
    let besides: Vec<_> = of_lint.difference(&of_rmcp).collect();
    assert_eq!(besides, WITHOUT_TYPE);
}

/// What rmcp's types have of what a method acts on, core has to read; and whatever else they have in their
/// params was looked at, and names nothing that a rule could speak of.
#[test]
fn ta_4_whatever_names_something_to_rmcp_names_it_to_core() {
    const NAMES: [&str; 4] = ["name", "uri", "taskId", "ref"];
    const OTHERS: [&str; 19] = [
        "_meta",
        "argument",
        "arguments",
        "capabilities",
        "clientInfo",
        "context",
        "cursor",
        "inputResponses",
        "level",
        "message",
        "notifications",
        "progress",
        "progressToken",
        "protocolVersion",
        "reason",
        "requestId",
        "requestState",
        "total",
        "task",
    ];
    for method in of_rmcp() {
        let names: Vec<_> = method
            .params
            .iter()
            .filter(|p| NAMES.contains(&&***p))
            .collect();
        assert!(names.len() < 2, "{method:?} has two names");
        for param in &method.params {
            let is_known = NAMES.contains(&&**param) || OTHERS.contains(&&**param);
            assert!(
                is_known,
                "{}: does `{param}` name what the method acts on?",
                method.name
            );
        }
        for params in params(&method.name) {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method.name, "params": params});
            let call = read(&body);
            assert_eq!(call.subject().is_some(), names.len() == 1, "{method:?}");
            assert_eq!(
                call.subject().is_some(),
                call.name().is_some(),
                "{method:?}"
            );
            if let Some(member) = names.first().filter(|member| ***member != "ref") {
                assert_eq!(
                    Some(call.name().unwrap()),
                    params[member.as_str()].as_str(),
                    "{method:?}"
                );
            }
        }
    }
}
