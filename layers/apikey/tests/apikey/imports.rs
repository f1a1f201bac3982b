//! Keys that another system made.

use std::{net::IpAddr, time::Duration};

use bartizan_apikey::{
    ApiKeyConfig, ApiKeys, ApiKeysBuilder, Argon2idCost, ImportConfig, ImportedForm, KeyError,
    KeyGrant, KeyStore, MemoryStore, PublicPart, SecretHash, StoreError, Upgrade,
};
use bartizan_core::{DenialKind, Events, FakeClock};
use http::StatusCode;

use super::{
    counting::Counting,
    support::{builder, clock, grant, issue, reason, send, verify, with},
};

const DAY: Duration = Duration::from_secs(86_400);

/// `hunter42`, cheaply.
pub(crate) const ARGON2ID: &str = "$argon2id$v=19$m=32,t=1,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$";

/// `correctbatteryhorsestapler`, from a test of Python's bcrypt.
const BCRYPT: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
const SECRET: &str = "correctbatteryhorsestapler";

pub(crate) fn cheap() -> ImportConfig {
    let config = serde_json::json!({
        "argon2id": {"memory_kib": 32, "passes": 1, "lanes": 1},
        "danger_weak_hashes": true,
        "concurrency": 1,
    });
    serde_json::from_value(config).unwrap()
}

pub(crate) fn old(upgrade: Upgrade) -> ImportedForm {
    ImportedForm::new("old_", PublicPart::Until('_'), upgrade).unwrap()
}

pub(crate) fn importing(
    store: impl KeyStore,
    clock: &FakeClock,
    upgrade: Upgrade,
) -> ApiKeysBuilder {
    builder(store, clock)
        .imported(old(upgrade))
        .imports(cheap())
}

/// Keys that are read anew from their store with each request.
fn keys(clock: &FakeClock, upgrade: Upgrade) -> (ApiKeys, Counting<MemoryStore>) {
    let store = Counting::new(MemoryStore::new());
    let keys = importing(store.clone(), clock, upgrade).build().unwrap();
    (keys, store)
}

/// After everything that was remembered of keys, and what waits in other tasks.
async fn later(clock: &FakeClock) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance(Duration::from_secs(31));
}

async fn hash_of(keys: &ApiKeys, beginning: &str) -> SecretHash {
    let id = keys.id_of_imported(beginning).unwrap();
    keys.inspect(id).await.unwrap().unwrap().hash
}

#[tokio::test]
async fn seed_a13_an_imported_key_is_found_by_its_public_part_and_costs_one_slow_hash_ever() {
    let clock = clock();
    let (keys, store) = keys(&clock, Upgrade::ToHmac);
    for n in 0..100 {
        let beginning = format!("old_other{n}");
        keys.import(&beginning, BCRYPT, grant()).await.unwrap();
    }
    let record = keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
    let text = format!("old_7f3a_{SECRET}");
    for request in [
        with("x-api-key", &text),
        with("authorization", format!("ApiKey {text}")),
        with("authorization", format!("Bearer {text}")),
    ] {
        let response = send(&keys, request).await;
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.body(), "ci 0");
    }
    assert_eq!((store.reads(), keys.slow_hashes()), (1, 1));
    later(&clock).await;
    // Upgraded: the next cold look costs none, here and in another process.
    assert!(matches!(
        hash_of(&keys, "old_7f3a").await,
        SecretHash::Hmac { pepper: 1, .. }
    ));
    assert_eq!(verify(&keys, &text).await, Ok(()));
    assert_eq!(keys.slow_hashes(), 1);
    let there = importing(store, &clock, Upgrade::ToHmac).build().unwrap();
    assert_eq!(verify(&there, &text).await, Ok(()));
    assert_eq!(there.slow_hashes(), 0);
    let principal = keys.verifier().verify(&text, None).await.unwrap();
    assert_eq!(principal.credential_id(), Some(&*record.id.to_string()));
}

/// What a text costs and is answered: reads, slow hashes, status, body and headers.
async fn cost(keys: &ApiKeys, store: &Counting<MemoryStore>, text: &str) -> (usize, u64, String) {
    let before = (store.reads(), keys.slow_hashes());
    let response = send(keys, with("x-api-key", text)).await;
    let told = format!(
        "{} {:?} {}",
        response.status(),
        response.headers(),
        response.body()
    );
    (
        store.reads() - before.0,
        keys.slow_hashes() - before.1,
        told,
    )
}

#[tokio::test]
async fn ac_15_unknown_wrong_expired_and_revoked_imported_keys_cost_and_are_told_the_same() {
    for upgrade in [Upgrade::ToHmac, Upgrade::ToArgon2id, Upgrade::Never] {
        let clock = clock();
        let (keys, store) = keys(&clock, upgrade);
        let (generated, revoked_generated) = (issue(&keys).await, issue(&keys).await);
        for public in ["wrong", "revoked", "used", "used-revoked", "renewed"] {
            let beginning = format!("old_{public}");
            keys.import_for(&beginning, BCRYPT, grant(), 9 * DAY)
                .await
                .unwrap();
        }
        let id = |beginning| keys.id_of_imported(beginning).unwrap();
        for text in ["old_used", "old_used-revoked"] {
            let text = format!("{text}_{SECRET}");
            assert_eq!(verify(&keys, &text).await, Ok(()), "{text}");
        }
        let expiring = keys.import_for("old_expired", BCRYPT, grant(), DAY).await;
        expiring.unwrap();
        keys.revoke(id("old_revoked"), "left").await.unwrap();
        keys.revoke(id("old_used-revoked"), "left").await.unwrap();
        later(&clock).await;
        clock.advance(DAY);
        let mut told = Vec::new();
        for text in [
            format!("old_unknown_{SECRET}"),
            "old_wrong_x".to_owned(),
            format!("old_wrong_{}", "x".repeat(100)),
            format!("old_expired_{SECRET}"),
            format!("old_revoked_{SECRET}"),
            "old_revoked_x".to_owned(),
            // Of these the hash was upgraded, or is remembered to have verified.
            "old_used_x".to_owned(),
            format!("old_used-revoked_{SECRET}"),
            "old_used-revoked_x".to_owned(),
        ] {
            let (reads, slow, answer) = cost(&keys, &store, &text).await;
            assert_eq!((reads, slow), (1, 1), "{upgrade:?}: {text}");
            told.push(answer);
        }
        keys.revoke(revoked_generated.record().id, "left")
            .await
            .unwrap();
        for text in [
            revoked_generated.text(),
            "old_",
            "old_a",
            "old_a_",
            "old__a",
            "old_é_a",
        ] {
            let (_, slow, answer) = cost(&keys, &store, text).await;
            assert_eq!(slow, 0);
            told.push(answer);
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("401"));
        assert_eq!(verify(&keys, generated.text()).await, Ok(()));
    }
}

#[tokio::test]
async fn a_decoy_of_bcrypt_is_run_to_its_end_for_any_secret() {
    let clock = clock();
    let store = Counting::new(MemoryStore::new());
    let keys = builder(store.clone(), &clock)
        .imported(old(Upgrade::Never).mostly_bcrypt(4))
        .imports(cheap())
        .build()
        .unwrap();
    for text in ["old_a_b".to_owned(), format!("old_a_{}", "x".repeat(500))] {
        let (reads, slow, told) = cost(&keys, &store, &text).await;
        assert_eq!((reads, slow), (1, 1));
        assert!(told.starts_with("401"), "{told}");
    }
}

#[tokio::test]
async fn what_is_upgraded_is_the_forms_to_say() {
    for (upgrade, is_upgraded) in [(Upgrade::ToArgon2id, true), (Upgrade::Never, false)] {
        let clock = clock();
        let (keys, _) = keys(&clock, upgrade);
        keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
        let text = format!("old_7f3a_{SECRET}");
        assert_eq!(verify(&keys, &text).await, Ok(()));
        later(&clock).await;
        let hash = hash_of(&keys, "old_7f3a").await;
        assert_eq!(
            matches!(hash, SecretHash::Argon2id(_)),
            is_upgraded,
            "{hash:?}"
        );
        // What is remembered to have verified is not run again while the record has that hash.
        let begun = keys.slow_hashes();
        for _ in 0..3 {
            assert_eq!(verify(&keys, &text).await, Ok(()));
            later(&clock).await;
        }
        assert_eq!(keys.slow_hashes(), begun);
        let upgraded = hash_of(&keys, "old_7f3a").await;
        assert_eq!(upgraded, hash, "once is enough");
        assert!(verify(&keys, "old_7f3a_x").await.is_err());
    }
}

#[tokio::test]
async fn a_record_that_takes_too_much_is_never_run_and_named_to_the_operator() {
    let clock = clock();
    let store = Counting::new(MemoryStore::new());
    let keys = importing(store.clone(), &clock, Upgrade::ToHmac)
        .build()
        .unwrap();
    for (public, hash) in [
        (
            "m",
            "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
        ),
        (
            "t",
            "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
        ),
        (
            "c",
            "$2b$31$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        ),
    ] {
        let beginning = format!("old_{public}");
        let refused = keys.import(&beginning, hash, grant()).await.unwrap_err();
        assert!(refused.to_string().contains("hash"), "{refused}");
        // Somebody else wrote it.
        let mut record = keys.import(&beginning, BCRYPT, grant()).await.unwrap();
        record.hash = hash.parse().unwrap();
        record.version += 1;
        store.replace(record).await.unwrap();
        let response = send(&keys, with("x-api-key", format!("{beginning}_{SECRET}"))).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(
            reason(&response).contains("more than is permitted"),
            "{}",
            reason(&response)
        );
    }
    assert_eq!(keys.slow_hashes(), 3, "decoys");
}

#[tokio::test]
async fn an_import_that_can_t_be_is_refused_by_name_and_shows_no_secret() {
    let (keys, _) = keys(&clock(), Upgrade::ToHmac);
    let whole = format!("old_7f3a_{SECRET}");
    for (beginning, hash, grant, named) in [
        (&*whole, BCRYPT, grant(), "beginning"),
        ("new_7f3a", BCRYPT, grant(), "beginning"),
        ("old_", BCRYPT, grant(), "beginning"),
        (
            "old_7f3a",
            "$argon2i$v=19$m=65536,t=4,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            grant(),
            "argon2i",
        ),
        ("old_7f3a", SECRET, grant(), "neither"),
        (
            "old_7f3a",
            BCRYPT,
            KeyGrant::service("ci", "prod"),
            "environment",
        ),
    ] {
        let error = keys.import(beginning, hash, grant).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains(named), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }
    keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
    let again = keys.import("old_7f3a", BCRYPT, grant()).await;
    assert!(matches!(again, Err(KeyError::Store(StoreError::Conflict))));
    // Without a form there is nothing to import.
    let (none, _) = super::support::keys(&clock());
    assert!(none.import("old_7f3a", BCRYPT, grant()).await.is_err());
    assert_eq!(none.slow_hashes(), 0);
}

#[tokio::test]
async fn weak_hashes_are_taken_only_if_that_was_asked_for() {
    let clock = clock();
    let keys = builder(MemoryStore::new(), &clock).imported(old(Upgrade::ToHmac));
    let keys = keys.build().unwrap();
    let refused = keys.import("old_7f3a", BCRYPT, grant()).await.unwrap_err();
    assert!(
        refused.to_string().contains("`bcrypt 4` is weak"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_import_is_an_event_without_what_guesses_could_be_tried_against() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let events = {
        let seen = std::sync::Arc::clone(&seen);
        Events::to(move |event: &bartizan_core::Event| {
            seen.lock().unwrap().push(format!("{event:?}"));
        })
    };
    let keys = importing(MemoryStore::new(), &clock(), Upgrade::ToHmac).events(events);
    let keys = keys.build().unwrap();
    keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].contains("key_imported") && seen[0].contains("$2b$04$.."),
        "{seen:?}"
    );
    assert!(!seen[0].contains("EGdrhb"), "{seen:?}");
}

#[tokio::test]
async fn an_imported_key_lives_as_others_do() {
    let clock = clock();
    let (keys, _) = keys(&clock, Upgrade::ToHmac);
    for public in ["a", "b", "c"] {
        let beginning = format!("old_{public}");
        keys.import(&beginning, BCRYPT, grant()).await.unwrap();
    }
    let text = |public: &str| format!("old_{public}_{SECRET}");
    // Revoked while it is remembered.
    assert_eq!(verify(&keys, &text("a")).await, Ok(()));
    let id = keys.id_of_imported("old_a").unwrap();
    keys.revoke(id, "left").await.unwrap();
    assert!(verify(&keys, &text("a")).await.is_err());
    // Rotated: its successor is one of ours.
    let id = keys.id_of_imported("old_b").unwrap();
    let successor = keys.rotate(id, DAY).await.unwrap().unwrap();
    assert!(successor.text().starts_with("acme_live_"));
    assert_eq!(verify(&keys, successor.text()).await, Ok(()));
    assert_eq!(verify(&keys, &text("b")).await, Ok(()));
    clock.advance(DAY);
    assert!(verify(&keys, &text("b")).await.is_err());
    // Revoked by being shown, and not by a wrong one.
    assert_eq!(keys.revoke_leaked("old_c_x").await.unwrap(), None);
    assert!(matches!(
        keys.revoke_leaked("old_c").await,
        Err(KeyError::NoKey)
    ));
    assert_eq!(verify(&keys, &text("c")).await, Ok(()));
    let shown = keys.revoke_leaked(&text("c")).await.unwrap();
    assert!(shown.unwrap().revoked.is_some());
    assert!(verify(&keys, &text("c")).await.is_err());
}

#[tokio::test]
async fn a_key_of_ours_with_the_id_of_an_imported_one_is_none() {
    let clock = clock();
    let (keys, store) = keys(&clock, Upgrade::ToHmac);
    let key = issue(&keys).await;
    let mut record = key.record().clone();
    record.hash = BCRYPT.parse().unwrap();
    record.version += 1;
    store.replace(record).await.unwrap();
    let refused = verify(&keys, key.text()).await.unwrap_err();
    assert_eq!(refused, "the id is that of a key of another form");
    assert_eq!(keys.slow_hashes(), 0);
}

#[tokio::test]
async fn a_store_that_is_down_or_never_writes_is_no_reason_to_refuse_and_nothing_to_wait_for() {
    let clock = clock();
    let (keys, store) = keys(&clock, Upgrade::ToHmac);
    keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
    let text = format!("old_7f3a_{SECRET}");
    assert_eq!(verify(&keys, &text).await, Ok(()));
    store.is_down(true);
    later(&clock).await;
    assert_eq!(verify(&keys, &text).await, Ok(()), "stale");
    let denial = keys.verifier().verify("old_a_b", None).await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(keys.slow_hashes(), 1);
}

fn from(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

async fn kind(keys: &ApiKeys, text: &str, from: Option<IpAddr>) -> Option<DenialKind> {
    let verdict = keys.verifier().verify(text, from).await;
    verdict.err().map(|denial| denial.kind())
}

#[tokio::test]
async fn rl_5_who_knows_a_public_id_locks_out_neither_its_owner_nor_anybody_else() {
    for upgrade in [Upgrade::ToHmac, Upgrade::ToArgon2id, Upgrade::Never] {
        let clock = clock();
        let (keys, _) = keys(&clock, upgrade);
        for public in ["used", "unused", "other"] {
            let beginning = format!("old_{public}");
            keys.import(&beginning, BCRYPT, grant()).await.unwrap();
        }
        let text = |public: &str| format!("old_{public}_{SECRET}");
        assert_eq!(kind(&keys, &text("used"), from(1)).await, None);
        later(&clock).await;
        for public in ["used", "unused"] {
            let before = keys.slow_hashes();
            let mut refused = 0;
            for guess in 0..100 {
                match kind(&keys, &format!("old_{public}_{guess}"), from(66))
                    .await
                    .unwrap()
                {
                    DenialKind::Unavailable => refused += 1,
                    kind => assert_eq!(kind, DenialKind::CredentialsInvalid),
                }
            }
            assert_eq!(keys.slow_hashes() - before, 100 - refused);
            assert_eq!(refused, 94, "{upgrade:?}");
        }
        // From there such a key must wait, and is told how long.
        let denial = keys.verifier().verify("old_used_y", from(66)).await;
        assert!(denial.unwrap_err().retry_after().is_some());
        // Its owner, though nothing of the verdict is remembered any more, even from the same network.
        clock.advance(Duration::from_secs(31));
        let begun = keys.slow_hashes();
        assert_eq!(
            kind(&keys, &text("used"), from(66)).await,
            None,
            "{upgrade:?}"
        );
        assert_eq!(keys.slow_hashes(), begun);
        // One whose key nobody has seen yet, from elsewhere; and another key from the same network.
        assert_eq!(kind(&keys, &text("unused"), from(2)).await, None);
        assert_eq!(kind(&keys, &text("other"), from(66)).await, None);
    }
}

#[tokio::test]
async fn rl_5_who_shows_wrong_keys_as_leaked_spends_the_part_of_one_network() {
    let clock = clock();
    let (keys, _) = keys(&clock, Upgrade::ToHmac);
    keys.import("old_7f3a", BCRYPT, grant()).await.unwrap();
    let mut busy = 0;
    for guess in 0..100 {
        match keys.revoke_leaked(&format!("old_7f3a_{guess}")).await {
            Ok(None) => {}
            Err(KeyError::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((keys.slow_hashes(), busy), (6, 94));
    let text = format!("old_7f3a_{SECRET}");
    assert_eq!(kind(&keys, &text, from(1)).await, None);
}

#[tokio::test]
async fn who_spends_the_throttle_of_a_revoked_key_is_not_let_in_by_what_was_known_before() {
    for (upgrade, verified_age) in [
        (Upgrade::ToHmac, 3600),
        (Upgrade::Never, 3600),
        (Upgrade::Never, 0),
    ] {
        let clock = clock();
        let store = Counting::new(MemoryStore::new());
        let process = || {
            let mut config = cheap();
            config.verified_age_seconds = verified_age;
            let keys = importing(store.clone(), &clock, upgrade).imports(config);
            keys.build().unwrap()
        };
        let (here, there) = (process(), process());
        let record = here.import("old_used", BCRYPT, grant()).await.unwrap();
        let text = format!("old_used_{SECRET}");
        assert_eq!(kind(&here, &text, from(66)).await, None);
        later(&clock).await;
        there.revoke(record.id, "its owner left").await.unwrap();
        for guess in 0..10 {
            kind(&here, &format!("old_used_{guess}"), from(66)).await;
        }
        let refused = kind(&here, &text, from(66)).await;
        assert_eq!(refused, Some(DenialKind::Unavailable), "{upgrade:?}");
        clock.advance(Duration::from_secs(60));
        let refused = kind(&here, &text, from(66)).await;
        assert_eq!(refused, Some(DenialKind::CredentialsInvalid), "{upgrade:?}");
    }
}

#[tokio::test]
async fn right_keys_spend_nothing_of_the_throttle() {
    let clock = clock();
    let (keys, _) = keys(&clock, Upgrade::Never);
    for n in 0..200 {
        let beginning = format!("old_{n}");
        keys.import(&beginning, BCRYPT, grant()).await.unwrap();
    }
    // All behind one address, more than its part of what may be wrong.
    for n in 0..200 {
        assert_eq!(
            kind(&keys, &format!("old_{n}_{SECRET}"), from(1)).await,
            None
        );
    }
    assert_eq!(keys.slow_hashes(), 200);
}

#[tokio::test]
async fn argon2id_verifies_whole_texts_and_secrets() {
    let clock = clock();
    for (form, is_whole) in [
        (old(Upgrade::ToHmac), false),
        (old(Upgrade::ToHmac).hashed_whole(), true),
    ] {
        let keys = builder(MemoryStore::new(), &clock)
            .imported(form)
            .imports(cheap());
        let keys = keys.build().unwrap();
        let hashed = if is_whole {
            "old_7f3a_hunter42"
        } else {
            "hunter42"
        };
        let hash = argon2id(hashed);
        keys.import("old_7f3a", &hash, grant()).await.unwrap();
        for _ in 0..2 {
            assert_eq!(verify(&keys, "old_7f3a_hunter42").await, Ok(()));
            assert!(verify(&keys, "old_7f3a_hunter43").await.is_err());
            later(&clock).await;
        }
    }
}

/// A PHC string as another system would make it.
pub(crate) fn argon2id(secret: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, Version};
    let cost = Argon2idCost {
        memory_kib: 32,
        passes: 1,
        lanes: 1,
    };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; 32];
    argon2
        .hash_password_into(secret.as_bytes(), b"1234567890123456", &mut output)
        .unwrap();
    format!("{ARGON2ID}{}", data_encoding::BASE64_NOPAD.encode(&output))
}

#[tokio::test]
async fn a_form_or_setting_that_can_t_be_does_not_build() {
    let with = |form: ImportedForm, config: ImportConfig| {
        let keys = builder(MemoryStore::new(), &clock())
            .imported(form)
            .imports(config);
        keys.build().unwrap_err().to_string()
    };
    let brand = ImportedForm::new("acme_x", PublicPart::Until('_'), Upgrade::Never).unwrap();
    assert!(with(brand, cheap()).contains("acme_x"));
    let slow = old(Upgrade::Never).mostly_bcrypt(31);
    assert!(with(slow, cheap()).contains("mostly_bcrypt"));
    let none: ImportConfig = serde_json::from_str(r#"{"concurrency":0}"#).unwrap();
    assert!(with(old(Upgrade::Never), none).contains("concurrency"));
    assert!(serde_json::from_str::<ImportConfig>(r#"{"cost":1}"#).is_err());
    assert!(serde_json::from_str::<ApiKeyConfig>("{}").is_ok());
}
