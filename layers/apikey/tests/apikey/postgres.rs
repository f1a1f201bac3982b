//! What the store in a database has besides the laws.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, KeyStore as _, OpenError, PostgresStore, StoreError};
use bartizan_core::{DenialKind, FakeClock, Secret};
use bartizan_kit::PostgresServer;

use super::{
    laws::{next, record, revoked},
    places::{InDatabase, Place as _},
    support::{builder, clock, issue},
};

async fn refusal(place: &InDatabase) -> OpenError {
    let store = PostgresStore::builder(&place.url()).schema(place.schema());
    store.open().await.unwrap_err()
}

#[tokio::test]
async fn what_everybody_could_change_or_read_is_not_opened() {
    let Some(place) = InDatabase::new().await else {
        return;
    };
    let schema = place.schema();
    place
        .change(&format!("GRANT CREATE ON SCHEMA {schema} TO PUBLIC"))
        .await;
    assert!(matches!(refusal(&place).await, OpenError::Exposed(_)));
    place
        .change(&format!("REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"))
        .await;
    drop(place.open().await);
    for (privilege, table) in [
        ("SELECT", "api_keys"),
        ("SELECT (hash)", "api_keys"),
        ("UPDATE (revoked_at, revoked_reason)", "api_keys"),
        ("TRUNCATE", "api_keys"),
        ("TRIGGER", "api_keys"),
        ("UPDATE", "api_keys_version"),
    ] {
        let change = async |to| {
            let sql = format!("{to} PUBLIC").replace('%', &format!("{privilege} ON {table}"));
            place.change(&sql).await;
        };
        change("GRANT % TO").await;
        let refused = PostgresStore::builder(&place.url()).schema(schema).open();
        let refused = refused.await.err();
        let is_exposed = matches!(refused, Some(OpenError::Exposed(_)));
        assert!(is_exposed, "{privilege} ON {table}: {refused:?}");
        change("REVOKE % FROM").await;
    }
    drop(place.open().await);
}

#[tokio::test]
async fn tables_of_another_version_are_left_alone() {
    let Some(place) = InDatabase::new().await else {
        return;
    };
    let unchanged = || {
        PostgresStore::builder(&place.url())
            .schema(place.schema())
            .without_migrations()
    };
    let error = unchanged().open().await.unwrap_err();
    assert!(matches!(error, OpenError::Older(0, 1)), "{error:?}");
    drop(place.open().await);
    assert!(unchanged().open().await.is_ok());
    place
        .change("UPDATE api_keys_version SET version = 99")
        .await;
    assert!(matches!(refusal(&place).await, OpenError::Newer(99, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_open_a_new_schema_at_once_all_do() {
    let Some(place) = InDatabase::new().await else {
        return;
    };
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let store = PostgresStore::builder(&place.url()).schema(place.schema());
            tokio::spawn(store.open())
        })
        .collect();
    for opener in openers {
        opener.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_an_error_for_itself_alone_and_can_be_revoked() {
    let Some(place) = InDatabase::new().await else {
        return;
    };
    let store = place.open().await;
    let mut all = [record().await, record().await, record().await];
    all.sort_by_key(|record| record.id);
    for record in &all {
        store.insert(record.clone()).await.unwrap();
    }
    let [first, spoilt, last] = &all;
    for spoil in [
        "key_grant = '{}'",
        "hash = 'md5$x'",
        "expires_at = -1",
        "successor = '\\x00'",
    ] {
        place
            .change(&format!(
                "UPDATE api_keys SET {spoil} WHERE id = (SELECT id FROM api_keys ORDER BY id LIMIT 1 OFFSET 1)"
            ))
            .await;
        let is_named =
            |error: &StoreError| matches!(error, StoreError::Unreadable(id, _) if *id == spoilt.id);
        assert!(is_named(&store.get(spoilt.id).await.unwrap_err()));
        let page = store.list(None, 9).await.unwrap();
        assert_eq!(page, std::slice::from_ref(first));
        assert!(is_named(&store.list(Some(first.id), 9).await.unwrap_err()));
        let rest = store.list(Some(spoilt.id), 9).await.unwrap();
        assert_eq!(rest, std::slice::from_ref(last));
    }
    let answer = store.revoke(spoilt.id, revoked("left")).await;
    assert!(matches!(answer, Err(StoreError::Unreadable(..))));
    let again = store.replace(next(spoilt)).await;
    assert!(matches!(again, Err(StoreError::Revoked)), "it took hold");
}

#[tokio::test]
async fn a_setting_that_can_t_be_is_named() {
    let url = "host=/nowhere user=keys";
    let build = || PostgresStore::builder(url);
    for (refused, named) in [
        (
            PostgresStore::builder("postgres://user:secret@[host/"),
            "URL",
        ),
        (PostgresStore::builder("user=keys"), "no host"),
        (
            PostgresStore::builder("host=db.example sslmode=disable"),
            "danger_without_tls",
        ),
        (
            PostgresStore::builder("host=/nowhere options='-c a=b'"),
            "options",
        ),
        (
            build().schema("keys; DROP TABLE x"),
            "schema `keys; DROP TABLE x`",
        ),
        (build().schema("pg_temp"), "schema"),
        (build().schema(""), "schema"),
        (build().connections(0), "`0` connections"),
        (build().timeout(Duration::ZERO), "timeout"),
        (
            PostgresStore::builder("host=db.example").root_certificates("none"),
            "root certificates",
        ),
    ] {
        let error = refused.open().await.unwrap_err();
        assert!(matches!(error, OpenError::Setting(_)), "{error:?}");
        let error = error.to_string();
        assert!(
            error.contains(named) && !error.contains("secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn over_tcp_it_speaks_tls_to_the_server_that_it_knows() {
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (ours, other) = (made(), made());
    let (pem, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
    let Some(server) = PostgresServer::start_with_tls(&pem, &key) else {
        return;
    };
    let store = |pem: &str| {
        let password = Secret::from(server.password().as_bytes().to_vec());
        let store = PostgresStore::builder(&server.tls_url()).password(password);
        store.root_certificates(pem)
    };
    let opened = store(&pem).open().await.unwrap();
    opened.insert(record().await).await.unwrap();
    assert!(store(&other.cert.pem()).open().await.is_err());
    let wrong = store(&pem).password(Secret::from(b"guessed".to_vec()));
    assert!(wrong.open().await.is_err());
}

async fn kind(keys: &ApiKeys, text: &str) -> Option<DenialKind> {
    let here = IpAddr::from([192, 0, 2, 1]);
    let verdict = keys.verifier().verify(text, Some(here)).await;
    verdict.err().map(|denial| denial.kind())
}

fn keys(store: PostgresStore, clock: &FakeClock) -> ApiKeys {
    let config: ApiKeyConfig = serde_json::from_str(r#"{"timeout_seconds":1}"#).unwrap();
    builder(store, clock).config(config).build().unwrap()
}

/// What keys are worth while the database is away, and that nobody waits for it for long.
async fn outlast(
    server: &mut PostgresServer,
    leave: impl Fn(&mut PostgresServer),
    come_back: impl Fn(&mut PostgresServer),
) {
    let clock = clock();
    let store = PostgresStore::builder(&server.url()).timeout(Duration::from_secs(2));
    let store = store.open().await.unwrap();
    let keys = keys(store.clone(), &clock);
    let (known, new, dead) = (issue(&keys).await, issue(&keys).await, issue(&keys).await);
    for key in [&known, &dead] {
        assert_eq!(kind(&keys, key.text()).await, None);
    }

    leave(server);
    let began = Instant::now();
    clock.advance(Duration::from_secs(31));
    let down = Some(DenialKind::Unavailable);
    assert_eq!(kind(&keys, known.text()).await, None);
    assert_eq!(kind(&keys, new.text()).await, down);
    assert!(keys.revoke(dead.record().id, "left").await.is_err());
    let dead_here = kind(&keys, dead.text()).await;
    assert_eq!(dead_here, Some(DenialKind::CredentialsInvalid));
    assert!(keys.issue(super::support::grant()).await.is_err());
    clock.advance(Duration::from_secs(300));
    assert_eq!(kind(&keys, known.text()).await, down);
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(9), "{waited:?}");

    come_back(server);
    clock.advance(Duration::from_secs(10));
    for key in [&known, &new] {
        assert_eq!(kind(&keys, key.text()).await, None);
    }
    keys.revoke(dead.record().id, "left")
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .get(dead.record().id)
            .await
            .unwrap()
            .unwrap()
            .revoked
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_known_keys_are_good_for_a_bounded_time_and_others_wait() {
    let Some(mut server) = PostgresServer::start() else {
        return;
    };
    outlast(&mut server, PostgresServer::kill, PostgresServer::restart).await;
    let (hang, go_on) = (
        |s: &mut PostgresServer| s.hang(),
        |s: &mut PostgresServer| s.go_on(),
    );
    outlast(&mut server, hang, go_on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_while_he_waits_leaves_no_answer_to_the_next() {
    let Some(place) = InDatabase::new().await else {
        return;
    };
    let store = PostgresStore::builder(&place.url())
        .schema(place.schema())
        .connections(1);
    let store = store.open().await.unwrap();
    let (one, other) = (record().await, record().await);
    for record in [&one, &other] {
        store.insert(record.clone()).await.unwrap();
    }
    for pause in 0..200 {
        let impatient = tokio::time::timeout(Duration::from_micros(pause * 5), store.get(one.id));
        let _ = impatient.await;
        assert_eq!(store.get(other.id).await.unwrap(), Some(other.clone()));
    }
}
