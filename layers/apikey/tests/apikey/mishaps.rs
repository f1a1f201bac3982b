//! Stores that fail halfway, and neighbours that take too much.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_apikey::{
    ApiKeys, KeyError, KeyId, KeyRecord, KeyStore, MemoryStore, Peppers, Revoked, StoreFuture,
};
use bartizan_core::{
    AuthLayer, Authenticator, Denial, DenialKind, Secret, SecurityContext,
    auth::{CredentialPlace, Credentials, Verification},
};
use http::HeaderValue;

use super::support::{builder, clock, form, grant, issue, keys, verify, with};

#[tokio::test]
async fn a_revocation_that_the_store_did_not_take_holds_here_until_a_restart() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = issue(&keys).await;
    store.is_down(true);
    let failed = keys.revoke(key.record().id, "left").await;
    assert!(matches!(failed, Err(KeyError::Store(_))));
    store.is_down(false);
    clock.advance(Duration::from_secs(3600));
    assert!(verify(&keys, key.text()).await.is_err());
}

/// A store that can be read, and never ends a write.
#[derive(Clone)]
struct Stuck(MemoryStore);

impl KeyStore for Stuck {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        self.0.get(id)
    }
    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.0.insert(record)
    }
    fn replace(&self, _: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        self.0.rotate(old, new)
    }
    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        self.0.revoke(id, revoked)
    }
    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.0.list(after, at_most)
    }
    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.0.touch(uses)
    }
    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        self.0.remove_ended(before, at_most)
    }
}

#[tokio::test]
async fn a_store_that_ends_no_write_refuses_no_key_of_an_older_pepper() {
    let (clock, store) = (clock(), Stuck(MemoryStore::new()));
    let keys = builder(store.clone(), &clock).build().unwrap();
    let key = issue(&keys).await;
    let both = Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let both = both.and_older(1, Secret::from(vec![1; 32])).unwrap();
    let keys = ApiKeys::builder(form(), both, store)
        .clock(clock.clone())
        .build()
        .unwrap();
    assert_eq!(verify(&keys, key.text()).await, Ok(()));
}

/// Takes every bearer token, as verifiers of tokens do.
struct AnyBearer(Arc<Mutex<Vec<String>>>, [HeaderValue; 1]);

impl Authenticator for AnyBearer {
    fn name(&self) -> &'static str {
        "tokens"
    }
    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let is_bearer = credentials.authorization()?.is_scheme("Bearer");
        is_bearer.then_some(CredentialPlace::Authorization)
    }
    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let text = credentials.authorization().unwrap().value().to_owned();
        self.0.lock().unwrap().push(text);
        Verification::Refused(Denial::new(DenialKind::CredentialsInvalid, "no token"))
    }
    fn challenges(&self) -> &[HeaderValue] {
        &self.1
    }
}

#[tokio::test]
async fn a_key_under_bearer_is_shown_to_no_verifier_of_tokens_behind() {
    let (keys, _) = keys(&clock());
    let key = keys.issue(grant()).await.unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let tokens = AnyBearer(Arc::clone(&shown), [HeaderValue::from_static("Bearer")]);
    // As the README has it: the first that recognizes a credential judges it.
    let layer = AuthLayer::new(keys.verifier()).or(tokens);
    let inner = tower::service_fn(
        |_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<
                bytes::Bytes,
            >::default()))
        },
    );
    let service = tower::Layer::layer(&layer, inner);
    let request = with("authorization", format!("Bearer {}", key.text()));
    let answer = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(shown.lock().unwrap().len(), 0, "shown to the others");
    assert_eq!(answer.status(), 200);
}
