use std::sync::Arc;

use bartizan_core::{Denial, DenialKind};
use bartizan_rbac::{Policy, Rule};
use serde_json::json;

use crate::common::{BEARER, Caller, notes};

#[tokio::test]
async fn seed_z7_sc_7_a_scope_without_the_role_and_a_role_without_the_scope_are_both_refused() {
    for (roles, scopes, kind) in [
        (&["viewer"][..], &["notes.read", "notes.write"][..], None),
        (
            &["viewer"],
            &["notes.read"],
            Some(DenialKind::ScopeInsufficient),
        ),
        (&["admin"], &[], Some(DenialKind::ScopeInsufficient)),
        (
            &[],
            &["notes.read", "notes.write"],
            Some(DenialKind::Forbidden),
        ),
        (&[], &[], Some(DenialKind::Forbidden)),
    ] {
        let answer = Caller::user(roles, scopes)
            .tool(&notes(), "edit_note")
            .await;
        let found = answer
            .response
            .extensions()
            .get::<Denial>()
            .map(Denial::kind);
        assert_eq!(found, kind, "{roles:?} {scopes:?}");
        let challenged = kind == Some(DenialKind::ScopeInsufficient);
        assert_eq!(!answer.challenges().is_empty(), challenged);
    }
}

#[tokio::test]
async fn sc_1_sc_2_sc_3_too_few_scopes_are_403_with_all_scopes_of_the_operation_each_time() {
    let line = r#"Bearer error="insufficient_scope", scope="notes.read notes.write", resource_metadata="https://h/m""#;
    for scopes in [
        &[][..],
        &["notes.read"],
        &["notes.write"],
        &["base", "other"],
    ] {
        let answer = Caller::user(&["viewer"], scopes)
            .tool(&notes(), "edit_note")
            .await;
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.challenges(), [line], "{scopes:?}");
    }
    let full = Caller::user(&["viewer"], &["notes.write", "notes.read"]);
    assert_eq!(full.tool(&notes(), "edit_note").await.status(), 200);
}

#[tokio::test]
async fn sc_2_scopes_of_every_covering_rule_are_in_the_one_challenge() {
    let policy = Policy::builder()
        .rule(Rule::tool("a*").scope("one").scope("two"))
        .rule(Rule::tool("ab").scope("three").scope("one"))
        .rule(Rule::method("tools/call").scope("four"))
        .build();
    let answer = Caller::user(&[], &["two"])
        .tool(&Arc::new(policy.unwrap()), "ab")
        .await;
    let line = answer.challenges().join("\n");
    assert!(line.contains(r#"scope="three one two four""#), "{line}");
}

#[tokio::test]
async fn sc_8_a_token_with_fewer_scopes_does_what_they_cover_and_no_more() {
    let policy = Policy::builder()
        .rule(Rule::tool("read_note").scope("notes.read"))
        .rule(
            Rule::tool("edit_note")
                .scope("notes.read")
                .scope("notes.write"),
        )
        .build();
    let policy = Arc::new(policy.unwrap());
    let narrow = Caller::user(&[], &["notes.read"]);
    assert_eq!(
        narrow.call(&policy, "tools/list", json!({})).await.status(),
        200
    );
    assert_eq!(narrow.tool(&policy, "read_note").await.status(), 200);
    let answer = narrow.tool(&policy, "edit_note").await;
    assert_eq!(answer.denial().kind(), DenialKind::ScopeInsufficient);
}

#[tokio::test]
async fn sc_4_a_wider_scope_will_do() {
    let wide = Caller::user(&["viewer"], &["notes.admin"]);
    assert_eq!(wide.tool(&notes(), "edit_note").await.status(), 200);
}

#[tokio::test]
async fn ac_1_ac_4_ac_12_nobody_where_somebody_is_needed_is_401_with_what_the_operation_needs() {
    let mut nobody = Caller::anonymous();
    nobody.challenges = vec!["ApiKey realm=\"k\"", BEARER];
    let answer = nobody.tool(&notes(), "edit_note").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.denial().kind(), DenialKind::CredentialsMissing);
    let bearer = r#"Bearer scope="notes.read notes.write", resource_metadata="https://h/m""#;
    assert_eq!(answer.challenges(), [bearer, "ApiKey realm=\"k\""]);

    let answer = nobody.tool(&notes(), "whoami").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.challenges(), [BEARER, "ApiKey realm=\"k\""]);

    nobody.challenges.clear();
    let answer = nobody.tool(&notes(), "whoami").await;
    assert_eq!(
        answer.status(),
        403,
        "there is nothing to answer a 401 with"
    );
    assert_eq!(answer.challenges(), [""; 0]);
}
