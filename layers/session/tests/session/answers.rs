//! What comes out of an answer that names a session.

use bartizan_core::{Denial, DenialKind, Principal};
use bartizan_kit::{Revision, initialize};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use proptest::prelude::*;

use crate::{
    INNER, SessionKeys, SessionLayer, answered, by, keys, layer, legacy, modern, secret, user,
};

fn begins(ids: &[&str]) -> Response<Full<Bytes>> {
    let mut answer = Response::builder();
    for id in ids {
        answer = answer.header("mcp-session-id", *id);
    }
    answer.body(Full::default()).unwrap()
}

#[tokio::test]
async fn se_1_the_client_gets_visible_ascii_that_opens_for_it_alone() {
    let begun = by(&user("ann"), initialize(Revision::V2025_11_25));
    let answer = answered(&layer(), begun, begins(&[INNER])).await;
    let id = answer.headers()["mcp-session-id"].clone();
    assert!(id.is_sensitive());
    let id = id.to_str().unwrap();
    assert!(id.bytes().all(|b| matches!(b, 0x21..=0x7e)), "{id}");
    assert!(!id.contains(INNER));
    assert_eq!(
        keys().open(&user("ann"), id.as_bytes()).unwrap(),
        INNER.as_bytes()
    );
    assert_eq!(keys().open(&user("bob"), id.as_bytes()), None);
}

#[tokio::test]
async fn an_id_that_every_answer_repeats_stays_the_same_for_the_client() {
    let id = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    for _ in 0..2 {
        let request = by(&user("ann"), legacy().session(&id));
        let answer = answered(&layer(), request, begins(&[INNER])).await;
        assert_eq!(answer.headers()["mcp-session-id"], *id);
    }
}

#[tokio::test]
async fn after_a_rotation_old_ids_open_and_new_ones_are_wrapped_anew() {
    let rotated = SessionKeys::new(secret(2))
        .unwrap()
        .accept(secret(1))
        .unwrap();
    let id = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    let request = by(&user("ann"), legacy().session(&id));
    let answer = answered(&SessionLayer::new(rotated), request, begins(&[INNER])).await;
    assert_eq!(answer.status(), 200);
    let new = answer.headers()["mcp-session-id"].as_bytes();
    assert_eq!(keys().open(&user("ann"), new), None);
}

#[tokio::test]
async fn a_session_id_that_cannot_be_wrapped_is_a_failure_and_does_not_leave() {
    let long = "x".repeat(SessionKeys::MAX_ID_BYTES + 1);
    for ids in [&[""][..], &[&long], &["a", "a"], &["a", "b"]] {
        let answer = answered(&layer(), by(&user("ann"), legacy()), begins(ids)).await;
        let denial = answer.extensions().get::<Denial>().unwrap();
        assert_eq!(denial.kind(), DenialKind::Internal);
        assert!(!answer.headers().contains_key("mcp-session-id"));
    }
    let longest = "x".repeat(SessionKeys::MAX_ID_BYTES);
    let answer = answered(&layer(), by(&user("ann"), legacy()), begins(&[&longest])).await;
    let id = &answer.headers()["mcp-session-id"];
    assert_eq!(
        keys().open(&user("ann"), id.as_bytes()).unwrap(),
        longest.as_bytes()
    );
}

#[tokio::test]
async fn the_anonymous_are_not_told_of_a_session_that_they_may_not_have() {
    let anonymous = Principal::anonymous();
    let answer = answered(&layer(), by(&anonymous, modern()), begins(&[INNER])).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("mcp-session-id"));
}

#[test]
fn a_secret_that_is_short_made_up_or_there_already_does_not_build() {
    for (secret, named) in [
        (vec![7; 31], "`31`"),
        (vec![0; 64], "random"),
        ("password".repeat(4).into_bytes(), "random"),
    ] {
        let error = SessionKeys::new(secret).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    assert!(keys().accept(secret(1)).is_err());
    let mut many = keys();
    for seed in 2..=8 {
        many = many.accept(secret(seed)).unwrap();
    }
    let error = many.accept(secret(9)).unwrap_err().to_string();
    assert!(
        error.contains("`9`") && error.contains("at most 8"),
        "{error}"
    );
    assert_eq!(format!("{:?}", keys()), "SessionKeys(1)");
}

#[test]
fn keys_of_two_processes_differ() {
    let [one, two] = [0; 2].map(|_| SessionKeys::until_restart().unwrap());
    let wrapped = one.wrap(&user("ann"), b"s").unwrap();
    assert!(one.open(&user("ann"), wrapped.as_bytes()).is_some());
    assert!(two.open(&user("ann"), wrapped.as_bytes()).is_none());
}

fn parties() -> impl Strategy<Value = Principal> {
    let text = || prop_oneof!["[ab]{0,2}", ".{0,8}"];
    (text(), text(), prop::option::of(text()), any::<bool>()).prop_map(
        |(issuer, subject, client, is_user)| {
            let mut builder = match is_user {
                true => Principal::user(&issuer, &subject),
                false => Principal::service(&issuer, &subject),
            };
            if let Some(client) = client {
                builder = builder.client_id(&client);
            }
            builder.build("test")
        },
    )
}

proptest! {
    #[test]
    fn an_id_opens_for_its_principal_and_for_no_other(
        owner in parties(),
        other in parties(),
        id in prop::collection::vec(any::<u8>(), 1..=SessionKeys::MAX_ID_BYTES),
    ) {
        let wrapped = keys().wrap(&owner, &id).unwrap();
        prop_assert!(wrapped.bytes().all(|b| matches!(b, 0x21..=0x7e)));
        prop_assert_eq!(keys().open(&owner, wrapped.as_bytes()), Some(id));
        let opened = keys().open(&other, wrapped.as_bytes());
        prop_assert_eq!(opened.is_some(), owner.is_same_party(&other));
    }

    #[test]
    fn nothing_but_the_id_itself_opens(
        id in prop::collection::vec(any::<u8>(), 1..64),
        at in any::<prop::sample::Index>(),
        by in 1..=255u8,
        insert in any::<bool>(),
    ) {
        let ann = user("ann");
        let wrapped = keys().wrap(&ann, &id).unwrap().into_bytes();
        let mut changed = wrapped.clone();
        let at = at.index(changed.len());
        if insert { changed.insert(at, by) } else { changed[at] ^= by }
        prop_assert_eq!(keys().open(&ann, &changed), None);
        prop_assert_eq!(keys().open(&ann, &wrapped[..at]), None);
    }

    #[test]
    fn arbitrary_text_does_not_open(text in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "AQ[A-Za-z0-9_-]{0,200}".prop_map(String::into_bytes),
    ]) {
        prop_assert_eq!(keys().open(&user("ann"), &text), None);
    }
}

#[tokio::test]
async fn se_7_debug_of_a_request_under_way_shows_no_inner_id() {
    let id = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    let inner = tower::service_fn(|_: http::Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
    });
    let request = by(&user("ann"), legacy().session(&id));
    let future = tower::Service::call(&mut tower::Layer::layer(&layer(), inner), request);
    let shown = format!("{future:?} {future:#?}");
    let bytes = format!("{:?}", INNER.as_bytes());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    assert!(
        !shown.contains(INNER) && !shown.contains("53,\n"),
        "{shown}"
    );
    assert!(shown.contains("InnerId(..)"), "{shown}");
}
