use bartizan_core::Verdict;
use serde_json::json;

use crate::common::{Caller, notes};

#[tokio::test]
async fn seed_z9_sc_10_al_3_a_denial_is_recorded_with_its_rules_and_what_they_lacked() {
    let policy = notes();
    for (caller, tool, kind, named) in [
        (
            Caller::user(&["viewer", "x\ny"], &[]),
            "delete_note",
            "forbidden",
            &[
                "rule `tool:delete_*`",
                "role `admin`",
                r"unknown roles `x\u{a}y`",
            ][..],
        ),
        (
            Caller::user(&["viewer"], &[]),
            "trigger",
            "forbidden",
            &["rule `may trigger`", "capability `pipelines:trigger`"],
        ),
        (
            Caller::user(&["viewer"], &["notes.read", "other"]),
            "edit_note",
            "scope_insufficient",
            &[
                "rule `tool:edit_note` lacks scope `notes.write`",
                "`notes.read notes.write` needed, `notes.read other` held",
            ],
        ),
        (
            Caller::user(&["admin"], &[]),
            "un\u{202e}known",
            "forbidden",
            &["no rule covers `tools/call` of `un\\u{202e}known`"],
        ),
        (
            Caller::user(&["admin"], &[]),
            "format_disk",
            "forbidden",
            &["`tool:format_disk` denies"],
        ),
        (
            Caller::default(),
            "status",
            "forbidden",
            &["no principal", "authentication layer"],
        ),
        (
            Caller::anonymous(),
            "whoami",
            "credentials_missing",
            &["rule `tool:whoami` needs somebody"],
        ),
    ] {
        let answer = caller.tool(&policy, tool).await;
        let finding = answer.finding();
        assert_eq!((finding.layer, finding.verdict), ("rbac", Verdict::Refused));
        assert_eq!(finding.kind, kind, "{tool}");
        for name in named {
            assert!(finding.reason.contains(name), "{name}: {}", finding.reason);
        }
        assert!(finding.reason.starts_with("policy `test`: "), "{finding:?}");
    }
}

#[tokio::test]
async fn al_2_tr_24_no_reason_holds_what_a_resource_uri_may_hide() {
    for (uri, shown) in [
        ("https://h/x?access_token=s3cret", "`https://h/x…`"),
        ("https://h/x#s3cret", "`https://h/x…`"),
        ("https://ann:s3cret@h/x", "`https://…`"),
        ("https:/ann:s3cret@h/x", "`https:/…`"),
        ("HTTPS:ann:s3cret@h/x", "`HTTPS:…`"),
        ("db://ann:s3cret@h/x", "`db://…`"),
    ] {
        for method in ["resources/read", "resources/subscribe"] {
            let caller = Caller::user(&["viewer"], &[]);
            let answer = caller.call(&notes(), method, json!({"uri": uri})).await;
            let reason = answer.finding().reason.to_string();
            assert!(!reason.contains("s3cret"), "{reason}");
            assert!(reason.contains(shown), "{reason}");
        }
    }
}

#[tokio::test]
async fn an_admission_is_recorded_with_the_rules_that_were_satisfied() {
    let caller = Caller::user(&["viewer", "guest"], &["notes.admin"]);
    let answer = caller.tool(&notes(), "edit_note").await;
    let finding = answer.finding();
    assert_eq!(
        (finding.verdict, finding.kind),
        (Verdict::Allowed, "permitted")
    );
    let expected =
        "policy `test`: rule `tool:edit_note`, rule `tool:*_note`; unknown roles `guest`";
    assert_eq!(finding.reason, expected);
    let answer = caller.call(&notes(), "ping", json!({})).await;
    assert!(
        answer
            .finding()
            .reason
            .starts_with("policy `test`: baseline `lifecycle`")
    );
}

#[tokio::test]
async fn seed_z10_the_caller_is_told_neither_role_nor_capability_nor_rule() {
    for (caller, tool) in [
        (Caller::user(&["viewer"], &[]), "delete_note"),
        (Caller::user(&["viewer"], &[]), "trigger"),
        (Caller::user(&["viewer"], &[]), "edit_note"),
        (Caller::user(&["viewer"], &[]), "unknown_role"),
        (Caller::anonymous(), "delete_note"),
        (Caller::default(), "delete_note"),
    ] {
        let answer = caller.tool(&notes(), tool).await;
        assert!(answer.status().is_client_error());
        let text = answer.text().await;
        for secret in [
            "admin",
            "viewer",
            "pipelines",
            "tool:",
            "rule",
            "role",
            "capab",
            "unknown",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn seed_z10_a_known_and_an_unknown_tool_are_refused_with_the_same_bytes() {
    let viewer = Caller::user(&["viewer"], &[]);
    let hidden = viewer.tool(&notes(), "delete_note").await.text().await;
    let unknown = viewer.tool(&notes(), "unheard_of").await.text().await;
    assert_eq!(hidden, unknown);
}
