//! Honey keys: nobody is let in by one, and whoever tries is found out.

use std::{net::IpAddr, time::Duration};

use bartizan_apikey::{
    ApiKeyConfig, ApiKeyLayer, ApiKeys, IssuedKey, KeyError, KeyRecord, KeyStore, MemoryStore,
    Peppers, Standing,
};
use bartizan_core::{Denial, DenialKind, Finding, Secret, SecurityContext, Verdict};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{
    made_up::made_up,
    support::{NOW, builder, clock, form, issue, keys, verify, with},
};

const REASON: &str = "the key is a honey key";

async fn honey(keys: &ApiKeys) -> IssuedKey {
    keys.issue_honey("old backup", "live").await.unwrap()
}

/// All that a caller sees, and what is recorded.
async fn send(keys: &ApiKeys, mut request: Request<Full<Bytes>>) -> (String, Vec<Finding>) {
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let inner = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("in")))
    });
    let layer = ApiKeyLayer::new(keys.verifier());
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = format!("{} {:?} {body:?}", parts.status, parts.headers);
    (seen, context.open_trail().findings())
}

fn touches(findings: &[Finding]) -> Vec<&str> {
    let touched = findings.iter().filter(|f| f.verdict == Verdict::Honey);
    touched.map(|finding| &*finding.reason).collect()
}

#[tokio::test]
async fn al_3_a_honey_key_is_answered_as_an_unknown_one_and_marked_each_time() {
    let (keys, store) = keys(&clock());
    let key = honey(&keys).await;
    let named = format!("key `{}`, `old backup`", key.record().id);
    for header in ["authorization", "x-api-key"] {
        for _ in 0..3 {
            let request = |text: &str| match header {
                "authorization" => with(header, format!("Bearer {text}")),
                _ => with(header, text),
            };
            let before = store.reads();
            let (unknown, findings) = send(&keys, request(&made_up(7))).await;
            let cost = store.reads() - before;
            assert!(touches(&findings).is_empty());
            let before = store.reads();
            let (seen, findings) = send(&keys, request(key.text())).await;
            assert_eq!(store.reads() - before, cost, "as often looked up");
            assert_eq!(seen, unknown);
            assert!(seen.starts_with("401"), "{seen}");
            assert_eq!(touches(&findings), [&named]);
            assert!(!format!("{findings:?}").contains(key.text()));
        }
    }
}

#[tokio::test]
async fn no_other_key_touches_a_honey_key() {
    let (keys, _) = keys(&clock());
    let (key, good) = (honey(&keys).await, issue(&keys).await);
    // Its id alone is not enough: what was made up may name it.
    let other = honey(&keys).await;
    let (id, secret) = (key.record().id.to_string(), other.text());
    let secret = secret.split('_').nth(3).unwrap();
    let mut forged = format!("acme_live_{id}_{}", &secret[..52]);
    let sum = crc32fast::hash(forged.as_bytes());
    forged.push_str(&letters().encode(&sum.to_be_bytes()));
    for text in [good.text(), &forged, &key.text()[..40], "acme_live_x"] {
        let (_, findings) = send(&keys, with("x-api-key", text)).await;
        assert!(touches(&findings).is_empty(), "{findings:?}");
    }
    assert_eq!(verify(&keys, good.text()).await, Ok(()));
}

fn letters() -> data_encoding::Encoding {
    let mut letters = data_encoding::Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    letters.encoding().unwrap()
}

#[tokio::test]
async fn the_throttle_is_that_of_unknown_keys() {
    let mut config = ApiKeyConfig::default();
    config.new_keys_per_minute = 8;
    let build = || {
        let builder = builder(MemoryStore::new(), &clock());
        builder.config(config.clone()).build().unwrap()
    };
    let here = Some(IpAddr::from([192, 0, 2, 1]));
    let mut kinds = Vec::new();
    for is_honey in [false, true] {
        let keys = build();
        let mut seen = Vec::new();
        for n in 0..200 {
            let text = match is_honey {
                false => made_up(n),
                true => honey(&keys).await.text().to_owned(),
            };
            let refused = keys.verifier().verify(&text, here).await.unwrap_err();
            seen.push(refused.kind());
        }
        assert!(seen.contains(&DenialKind::Unavailable), "{seen:?}");
        kinds.push(seen);
    }
    assert_eq!(kinds[0], kinds[1]);
}

#[tokio::test]
async fn a_honey_key_is_touched_in_another_environment_and_whatever_its_time() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = honey(&keys).await;
    let body = key.text().strip_prefix("acme_live_").unwrap();
    let mut moved = format!("acme_test_{}", &body[..body.len() - 7]);
    let sum = crc32fast::hash(moved.as_bytes());
    moved.push_str(&letters().encode(&sum.to_be_bytes()));
    assert_eq!(verify(&keys, &moved).await.unwrap_err(), REASON);
    assert_eq!(key.record().standing(0), Standing::Honey);
    let mut old = key.record().clone();
    old.expires_at = NOW - 1;
    old.version += 1;
    store.replace(old).await.unwrap();
    clock.advance(Duration::from_secs(600));
    assert_eq!(verify(&keys, key.text()).await.unwrap_err(), REASON);
    // Whoever issued it ends that by revoking it.
    keys.revoke(key.record().id, "done").await.unwrap();
    clock.advance(Duration::from_secs(600));
    let refused = verify(&keys, key.text()).await.unwrap_err();
    assert_eq!(refused, "the key is revoked");
}

#[tokio::test]
async fn no_honey_key_becomes_one_that_is_good() {
    let (keys, store) = keys(&clock());
    let key = honey(&keys).await;
    let id = key.record().id;
    let honey_error = |error: KeyError| matches!(error, KeyError::Honey(named) if named == id);
    let rotated = keys.rotate(id, Duration::from_secs(60)).await;
    assert!(honey_error(rotated.unwrap_err()));
    let again = keys.rotate_again(id).await;
    assert!(matches!(again, Err(KeyError::NotRotated)));
    let leaked = keys.revoke_leaked(key.text()).await;
    assert!(honey_error(leaked.unwrap_err()));
    let record = keys.inspect(id).await.unwrap().unwrap();
    assert!(record.is_honey() && record.revoked.is_none());
    assert!(record.grant.roles.is_empty() && record.grant.scopes.is_empty());
    // Whoever writes into the store, and has no pepper, makes it no good key, nor a good one a decoy.
    let change = |record: &KeyRecord, from: &str, to: &str| {
        let mut changed = record.clone();
        changed.hash = record
            .hash
            .to_string()
            .replacen(from, to, 1)
            .parse()
            .unwrap();
        changed.version += 1;
        assert_ne!(changed.hash, record.hash);
        changed
    };
    store.replace(change(&record, "honey-", "")).await.unwrap();
    let refused = verify(&keys, key.text()).await.unwrap_err();
    assert_eq!(refused, "the key's secret is wrong");
    let good = issue(&keys).await;
    let changed = change(good.record(), "hmac", "honey-hmac");
    store.replace(changed).await.unwrap();
    let refused = verify(&keys, good.text()).await.unwrap_err();
    assert_eq!(refused, "the key's secret is wrong");
}

#[tokio::test]
async fn a_honey_key_that_is_shown_is_kept_under_the_current_pepper_and_stays_one() {
    let store = MemoryStore::new();
    let key = honey(&builder(store.clone(), &clock()).build().unwrap()).await;
    let both = Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let both = both.and_older(1, Secret::from(vec![1; 32])).unwrap();
    let keys = ApiKeys::builder(form(), both, store.clone()).clock(clock());
    let keys = keys.build().unwrap();
    assert_eq!(verify(&keys, key.text()).await.unwrap_err(), REASON);
    tokio::task::yield_now().await;
    let record = store.get(key.record().id).await.unwrap().unwrap();
    let hash = record.hash.to_string();
    assert!(hash.starts_with("honey-hmac-sha256$2$"), "{hash}");
    let alone = Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let keys = ApiKeys::builder(form(), alone, store).clock(clock());
    let refused = verify(&keys.build().unwrap(), key.text()).await;
    assert_eq!(refused.unwrap_err(), REASON);
}

#[tokio::test]
async fn a_label_that_is_none_or_a_foreign_environment_issues_nothing() {
    let (keys, _) = keys(&clock());
    for (label, environment) in [("", "live"), ("a\nb", "live"), ("backup", "prod")] {
        let refused = keys.issue_honey(label, environment).await;
        assert!(matches!(refused, Err(KeyError::Grant(_))), "{label:?}");
    }
    assert!(keys.list(None, 9).await.unwrap().is_empty());
}

#[cfg(feature = "attenuation")]
#[tokio::test]
async fn a_child_of_a_honey_key_touches_it_too() {
    use bartizan_apikey::{Attenuation, HeldKey};

    let (keys, _) = keys(&clock());
    let (key, good) = (honey(&keys).await, issue(&keys).await);
    let child = |key: &IssuedKey| {
        let held = HeldKey::parse(&form(), key.text()).unwrap();
        held.attenuate(Attenuation::new()).unwrap()
    };
    let touching = child(&key);
    let (unknown, _) = send(&keys, with("x-api-key", made_up(1))).await;
    let (seen, findings) = send(&keys, with("x-api-key", touching.text())).await;
    assert_eq!(seen, unknown);
    let named = format!("key `{}`, `old backup`", key.record().id);
    assert_eq!(touches(&findings), [&named]);
    let leaked = keys.revoke_leaked(touching.text()).await;
    assert!(matches!(leaked, Err(KeyError::Honey(_))));
    assert_eq!(verify(&keys, child(&good).text()).await, Ok(()));
}

/// The flaw: what its children are verified with was kept as a good key's is, and who made its record read as one had
/// children of it let in.
#[cfg(feature = "attenuation")]
#[tokio::test]
async fn no_child_of_a_honey_key_is_good_whoever_writes_its_record() {
    use bartizan_apikey::{Attenuation, HeldKey};

    let (keys, store) = keys(&clock());
    let key = honey(&keys).await;
    let held = HeldKey::parse(&form(), key.text()).unwrap();
    let child = held.attenuate(Attenuation::new()).unwrap();
    let mut record = key.record().clone();
    let hash = record.hash.to_string();
    record.hash = hash.strip_prefix("honey-").unwrap().parse().unwrap();
    record.version += 1;
    store.replace(record).await.unwrap();
    let refused = verify(&keys, child.text()).await.unwrap_err();
    assert_eq!(refused, "the public key is not one that was issued here");
    let leaked = keys.revoke_leaked(child.text()).await;
    assert!(matches!(leaked, Ok(None)));
}

#[cfg(feature = "leaks")]
#[tokio::test]
async fn who_reports_a_honey_key_as_leaked_is_told_as_ever_and_found_out() {
    use bartizan_apikey::LeakEndpoint;

    let (keys, _) = keys(&clock());
    let (key, good) = (honey(&keys).await, issue(&keys).await);
    let report = async |text: String| {
        let request = Request::post("/keys/leaked");
        let mut request = request.body(Full::new(Bytes::from(text))).unwrap();
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        let endpoint = LeakEndpoint::new(keys.clone());
        let answer = endpoint.oneshot(request).await.unwrap();
        assert!(answer.extensions().get::<Denial>().is_none());
        let seen = format!("{} {:?}", answer.status(), answer.headers());
        (seen, context.open_trail().findings())
    };
    let (unknown, _) = report(made_up(1)).await;
    let (seen, findings) = report(format!("{}\n{}", key.text(), made_up(2))).await;
    assert_eq!(seen, unknown);
    let named = format!("key `{}`, `old backup`", key.record().id);
    assert_eq!(touches(&findings), [&named]);
    let record = keys.inspect(key.record().id).await.unwrap().unwrap();
    assert_eq!(record.revoked, None, "others are to be found out too");
    let (_, findings) = report(good.text().to_owned()).await;
    assert!(touches(&findings).is_empty());
}
