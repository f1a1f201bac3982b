use std::sync::Arc;

use bartizan_core::{Principal, PrincipalBuilder};
use bartizan_rbac::{Decision, Operation, Policy, Rule};
use serde_json::json;

use crate::common::Caller;

fn notes() -> Policy {
    let rule = Rule::resource("notes://{tenant}/users/{subject}/**");
    Policy::builder().version("1").rule(rule).build().unwrap()
}

fn user(subject: &str) -> PrincipalBuilder {
    Principal::user("https://auth.example.com", subject).tenant("acme")
}

#[tokio::test]
async fn ta_6_everybody_reads_below_their_own_segments_and_nowhere_else() {
    let policy = Arc::new(notes());
    let ann = Caller::of(user("ann").build("jwt"));
    for (uri, status) in [
        ("notes://acme/users/ann/a.md", 200),
        ("notes://acme/users/ann", 200),
        ("notes://acme/users/ann/", 200),
        ("notes://acme/users/ann/a?users/bob", 200),
        ("notes://acme/users/bob/a.md", 403),
        ("notes://acme/users/ann%2F..%2Fbob/a.md", 403),
        ("notes://acme/users/ann/../bob/a.md", 403),
        ("notes://acme/users/a%6En/a.md", 403),
        ("notes://acme/users/Ann/a.md", 403),
        ("notes://acme/users/ann;x/a.md", 403),
        ("notes://acme/users/ann%20/a.md", 403),
        ("notes://acme/users/{subject}/a.md", 403),
        ("notes://acme/users/%7Bsubject%7D/a.md", 403),
        ("notes://acme/users//a.md", 403),
        ("notes://acme/users", 403),
        ("notes://acme:80/users/ann/a.md", 403),
        ("notes://evil@acme/users/ann/a.md", 403),
        ("notes://other/users/ann/a.md", 403),
        ("notes:///users/ann/a.md", 403),
        ("notes://other/acme/users/ann/a.md", 403),
    ] {
        for method in ["resources/read", "resources/subscribe"] {
            let answer = ann.call(&policy, method, json!({"uri": uri})).await;
            assert_eq!(answer.status(), status, "{method} of {uri}");
            assert_eq!(answer.challenges(), [""; 0]);
        }
    }
    let answer = ann
        .call(
            &policy,
            "resources/read",
            json!({"uri": "notes://acme/users/bob/a"}),
        )
        .await;
    let reason = answer.denial().reason();
    assert!(
        reason.contains("lacks that `{subject}` is the subject"),
        "{reason}"
    );
    let listen = |uri| json!({"notifications": {"resourceSubscriptions": [uri]}});
    let policy = Policy::builder()
        .rule(Rule::resource("notes://{tenant}/users/{subject}/**"))
        .rule(Rule::method("subscriptions/listen").identified());
    let policy = Arc::new(policy.build().unwrap());
    for (uri, status) in [
        ("notes://acme/users/ann/a", 200),
        ("notes://acme/users/bob/a", 403),
    ] {
        let answer = ann.call(&policy, "subscriptions/listen", listen(uri)).await;
        assert_eq!(answer.status(), status, "{uri}");
    }
}

#[test]
fn who_is_named_oddly_gets_to_nobody_elses() {
    let policy = notes();
    for (principal, uri, expected) in [
        (
            user("auth0|1f").build("t"),
            "notes://acme/users/auth0%7C1f/a",
            true,
        ),
        (
            user("gr\u{fc}\u{df}e").build("t"),
            "notes://acme/users/gr%C3%BC%C3%9Fe/a",
            true,
        ),
        (
            user("{subject}").build("t"),
            "notes://acme/users/%7Bsubject%7D/a",
            true,
        ),
        (
            user("{subject}").build("t"),
            "notes://acme/users/{subject}/a",
            false,
        ),
        (user("").build("t"), "notes://acme/users//a", false),
        (
            user("ann/../bob").build("t"),
            "notes://acme/users/ann/../bob/a",
            false,
        ),
        (user("bob/a").build("t"), "notes://acme/users/bob/a", false),
        (
            user("bob;x").build("t"),
            "notes://acme/users/bob;x/a",
            false,
        ),
        (user("bob.").build("t"), "notes://acme/users/bob./a", false),
        (
            user("bob ").build("t"),
            "notes://acme/users/bob%20/a",
            false,
        ),
        (
            user("%62ob").build("t"),
            "notes://acme/users/%62ob/a",
            false,
        ),
        (user("*").build("t"), "notes://acme/users/bob/a", false),
        (user("..").build("t"), "notes://acme/users/../a", false),
        (
            user("ann").tenant("").build("t"),
            "notes:///users/ann/a",
            false,
        ),
        (
            user("ann").tenant("acme:80").build("t"),
            "notes://acme:80/users/ann/a",
            false,
        ),
        (
            Principal::user("i", "ann").build("t"),
            "notes://acme/users/ann/a",
            false,
        ),
        (
            Principal::service("i", "ann").tenant("acme").build("t"),
            "notes://acme/users/ann/a",
            false,
        ),
    ] {
        let decided = policy.decide(Some(&principal), &Operation::resource(uri));
        assert_eq!(decided.is_admitted(), expected, "{principal:?} {uri}");
        assert_eq!(decided == Decision::Forbidden, !expected);
    }
    let nobody = Principal::anonymous();
    let decided = policy.decide(
        Some(&nobody),
        &Operation::resource("notes://acme/users/ann/a"),
    );
    assert_eq!(decided, Decision::CredentialsMissing);
}

#[tokio::test]
async fn ta_7_a_templates_own_variable_is_nobodys_segment() {
    let policy = Arc::new(notes());
    let ann = user("ann").build("jwt");
    let odd = user("{subject}").tenant("{tenant}").build("jwt");
    for (template, expected) in [
        ("notes://acme/users/ann/{name}", true),
        ("notes://acme/users/ann/{+path}", true),
        ("notes://acme/users/ann{?page}", true),
        ("notes://acme/users/{subject}/{name}", false),
        ("notes://acme/users/{+path}", false),
        ("notes://{tenant}/users/ann/{name}", false),
        ("notes://acme/users/bob/{name}", false),
        ("notes://acme{/x}/users/ann/a", false),
    ] {
        let operation = Operation::resource_template(template);
        assert_eq!(
            policy.decide(Some(&ann), &operation).is_admitted(),
            expected,
            "{template}"
        );
        assert!(
            !policy.decide(Some(&odd), &operation).is_admitted(),
            "{template}"
        );
        let complete = json!({"ref": {"type": "ref/resource", "uri": template}, "argument": {}});
        let caller = Caller::of(ann.clone());
        let answer = caller.call(&policy, "completion/complete", complete);
        assert_eq!(
            answer.await.status(),
            if expected { 200 } else { 403 },
            "{template}"
        );
    }
    // What stands between may be more segments than one.
    let rule = Rule::resource("notes://*/users/{subject}/**");
    let policy = Policy::builder().rule(rule).build().unwrap();
    let shifted = Operation::resource_template("notes://{+any}/users/ann/a");
    assert!(!policy.decide(Some(&ann), &shifted).is_admitted());
}

#[test]
fn seed_z5_a_placeholder_that_is_none_does_not_build() {
    for (rule, named) in [
        (
            Rule::resource("notes://{user}/**"),
            "pattern `notes://{user}/**` has braces",
        ),
        (Rule::resource("notes://u-{subject}/**"), "stands alone"),
        (Rule::resource("**/{subject}"), "after `**`"),
        (
            Rule::resource("notes://**")
                .except("notes://{tenant}/**")
                .identified(),
            "pattern `notes://{tenant}/**`",
        ),
        (
            Rule::resource("notes://{tenant}/**").anyone(),
            "is for anyone",
        ),
        (Rule::resource("notes://{tenant}/**").deny(), "denies"),
        (
            Rule::tool("{tenant}_*").identified(),
            "pattern `{tenant}_*`",
        ),
    ] {
        let error = Policy::builder()
            .rule(rule)
            .build()
            .unwrap_err()
            .to_string();
        assert!(error.contains(named), "{error}");
    }
}
