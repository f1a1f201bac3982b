//! Slow hashes under load: what they keep waiting, and what they don't.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, ImportConfig, MemoryStore, Upgrade};
use bartizan_core::{
    AuthLayer, Authenticator, DenialKind, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{
    counting::Counting,
    imports::{argon2id, cheap, importing, old},
    support::{builder, clock, grant, issue, verify, with},
};

/// A decoy that takes about so many milliseconds, however fast this machine and build are.
fn slow(millis: f64, changes: serde_json::Value) -> ImportConfig {
    let began = Instant::now();
    argon2id("to know how long it takes");
    let filled = millis / (began.elapsed().as_secs_f64() * 1000.0) * 32.0;
    let memory_kib = (filled as u32 / 2).clamp(1024, 65_536);
    let mut config = serde_json::to_value(cheap()).unwrap();
    config["argon2id"] = serde_json::json!({"memory_kib": memory_kib, "passes": 2, "lanes": 1});
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

/// Whatever else this machine does.
fn patient() -> ApiKeyConfig {
    serde_json::from_str(r#"{"timeout_seconds":60}"#).unwrap()
}

async fn begun(keys: &ApiKeys, at_least: u64) {
    while keys.slow_hashes() < at_least {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn for_clients_that_left_no_slow_hash_is_begun() {
    let keys = importing(MemoryStore::new(), &clock(), Upgrade::Never)
        .imports(slow(300.0, serde_json::json!({})))
        .config(patient())
        .build()
        .unwrap();
    let asked: Vec<_> = (0..10)
        .map(|n| {
            let keys = keys.clone();
            tokio::spawn(async move { verify(&keys, &format!("old_{n}_x")).await })
        })
        .collect();
    begun(&keys, 1).await;
    asked.iter().for_each(|asked| asked.abort());
    for asked in asked {
        assert!(asked.await.unwrap_err().is_cancelled());
    }
    assert_eq!(
        verify(&keys, "old_a_x").await.unwrap_err(),
        "there is no such key"
    );
    assert_eq!(keys.slow_hashes(), 2, "the first, and the last");
}

#[tokio::test]
async fn where_there_is_no_room_a_known_key_stands_and_others_come_back() {
    let clock = clock();
    let store = Counting::new(MemoryStore::new());
    let config = slow(
        600.0,
        serde_json::json!({"max_waiting": 0, "verified_age_seconds": 0}),
    );
    let keys = importing(store.clone(), &clock, Upgrade::Never)
        .imports(config)
        .config(patient())
        .build()
        .unwrap();
    for public in ["known", "new"] {
        let hash = argon2id("hunter42");
        let beginning = format!("old_{public}");
        keys.import(&beginning, &hash, grant()).await.unwrap();
    }
    assert_eq!(verify(&keys, "old_known_hunter42").await, Ok(()));
    clock.advance(Duration::from_secs(31));
    let occupied = {
        let keys = keys.clone();
        tokio::spawn(async move { verify(&keys, "old_a_x").await })
    };
    begun(&keys, 2).await;
    assert_eq!(verify(&keys, "old_known_hunter42").await, Ok(()));
    let verdict = keys.verifier().verify("old_new_hunter42", None).await;
    let denial = verdict.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(denial.retry_after(), Some(Duration::from_secs(1)));
    assert!(denial.reason().contains("too many slow hashes wait"));
    assert!(occupied.await.unwrap().is_err());
    assert_eq!(keys.slow_hashes(), 2);
    // Nothing of it is remembered, and it opened no breaker.
    assert_eq!(verify(&keys, "old_new_hunter42").await, Ok(()));
}

/// Knows one token at once, as a verifier of signed ones does that it has seen.
struct Tokens([HeaderValue; 1]);

impl Authenticator for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }
    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let is_bearer = credentials.authorization()?.is_scheme("Bearer");
        is_bearer.then_some(CredentialPlace::Authorization)
    }
    fn authenticate(&self, _: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let ann = Principal::user("tokens", "ann").build("jwt");
        Ok(Identified::new(ann)).into()
    }
    fn challenges(&self) -> &[HeaderValue] {
        &self.0
    }
}

async fn inner(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    Ok(Response::new(Full::default()))
}

/// On one thread: a slow hash on it would keep all else waiting.
#[tokio::test]
async fn two_hundred_wrong_imported_keys_at_once_keep_no_other_key_and_no_token_waiting() {
    let clock = clock();
    let store = Counting::new(MemoryStore::new());
    let keys = builder(store.clone(), &clock)
        .imported(old(Upgrade::Never))
        .imports(slow(150.0, serde_json::json!({})))
        .build()
        .unwrap();
    let cached = issue(&keys).await;
    assert_eq!(verify(&keys, cached.text()).await, Ok(()));
    let hash = argon2id("hunter42");
    keys.import("old_used", &hash, grant()).await.unwrap();
    assert_eq!(verify(&keys, "old_used_hunter42").await, Ok(()));
    let begun_before = keys.slow_hashes();

    let flood: Vec<_> = (0..200_u8)
        .map(|n| {
            let keys = keys.clone();
            // Half of them at a key that there is, from four networks.
            let public = if n % 2 == 0 {
                "used".to_owned()
            } else {
                n.to_string()
            };
            let from = Some(IpAddr::from([192, 0, 2, n % 4]));
            tokio::spawn(async move {
                let verifier = keys.verifier();
                verifier.verify(&format!("old_{public}_{n}"), from).await
            })
        })
        .collect();
    begun(&keys, begun_before + 1).await;

    let bearer = HeaderValue::from_static("Bearer");
    let layer = AuthLayer::new(keys.verifier()).or(Tokens([bearer]));
    let service = layer.layer(service_fn(inner));
    let mut longest = Duration::ZERO;
    let began = Instant::now();
    let mut rounds = 0;
    while flood.iter().any(|asked| !asked.is_finished()) {
        // One that was never seen costs its read and its HMAC, and waits for nobody either.
        let new = issue(&keys).await;
        for request in [
            with("x-api-key", cached.text()),
            with("x-api-key", new.text()),
            with("x-api-key", "old_used_hunter42"),
            with("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        ] {
            let asked = Instant::now();
            let answer = service.clone().oneshot(request).await.unwrap();
            longest = longest.max(asked.elapsed());
            assert_eq!(answer.status(), 200);
        }
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    let (mut wrong, mut later) = (0, 0);
    for asked in flood {
        match asked.await.unwrap().unwrap_err().kind() {
            DenialKind::CredentialsInvalid => wrong += 1,
            DenialKind::Unavailable => later += 1,
            other => panic!("{other:?}"),
        }
    }
    let run = keys.slow_hashes() - begun_before;
    println!(
        "{rounds} rounds in {took:?}, longest {longest:?}; {run} slow hashes, {wrong} x 401, {later} x 503"
    );
    assert_eq!(wrong + later, 200);
    assert!(later >= 200 - 65, "one runs and 64 wait: {later}");
    assert!(wrong <= run && run <= wrong + 1, "{run} {wrong}");
    // Whoever shares a thread with slow hashes is served between two of them.
    assert!(rounds > 2 * run, "{rounds} rounds, {run} slow hashes");
    assert!(longest < took / 4, "{longest:?} of {took:?}");
}
