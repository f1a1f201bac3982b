//! Stores that fail halfway, and neighbours that take too much.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bartizan_apikey::{
    ApiKeys, KeyError, KeyId, KeyRecord, KeyStore, MemoryStore, Peppers, Revoked, StoreError,
    StoreFuture,
};
use bartizan_core::{
    AuthLayer, Authenticator, Clock, Denial, DenialKind, Secret, SecurityContext,
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
    fn revoke(&self, _: KeyId, _: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(std::future::pending())
    }
    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.0.list(after, at_most)
    }
    fn touch(&self, _: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        Box::pin(std::future::pending())
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

/// The flaw: whoever revokes, or stops the process, waited as long as the store pleased.
#[tokio::test(start_paused = true)]
async fn who_changes_something_waits_for_a_store_only_so_long() {
    let keys = builder(Stuck(MemoryStore::new()), &clock())
        .build()
        .unwrap();
    let key = issue(&keys).await;
    verify(&keys, key.text()).await.unwrap();
    let began = tokio::time::Instant::now();
    let revoked = keys.revoke(key.record().id, "left").await;
    let is_down = matches!(revoked, Err(KeyError::Store(StoreError::Down(_))));
    assert!(is_down, "{revoked:?}");
    assert!(keys.flush_uses().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(verify(&keys, key.text()).await.is_err(), "revoked here");
}

#[test]
fn keys_are_issued_and_revoked_without_a_runtime_too() {
    let keys = builder(MemoryStore::new(), &clock()).build().unwrap();
    let id = poll_once(issue(&keys)).record().id;
    assert!(poll_once(keys.revoke(id, "left")).unwrap().is_some());
    poll_once(keys.flush_uses()).unwrap();
}

fn poll_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The flaw: the wall clock, stepped past all that can live and back, forgot what the store did not take.
#[tokio::test]
async fn a_step_of_the_wall_clock_forgets_no_revocation() {
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (key, other) = (issue(&keys).await, issue(&keys).await);
    verify(&keys, key.text()).await.unwrap();
    store.is_down(true);
    keys.revoke(key.record().id, "left").await.unwrap_err();
    let now = clock.wall();
    clock.advance(Duration::from_secs(3600));
    clock.step_wall_to(now + 20 * YEAR);
    keys.revoke(other.record().id, "left").await.unwrap_err();
    clock.step_wall_to(now);
    store.is_down(false);
    assert!(verify(&keys, key.text()).await.is_err());
}
