//! A key's life from its issue to its end, with a restart at each step: a law of stores too.

use std::time::Duration;

use bartizan_apikey::ApiKeys;
use bartizan_core::FakeClock;
use http::StatusCode;

use super::{
    places::Place,
    support::{NOW, builder, clock, grant, send, with},
};

const DAY: Duration = Duration::from_secs(86_400);

async fn start(place: &impl Place, clock: &FakeClock) -> ApiKeys {
    builder(place.open().await, clock).build().unwrap()
}

async fn is_good(keys: &ApiKeys, text: &str) -> bool {
    let answer = send(keys, with("x-api-key", text)).await;
    match answer.status() {
        StatusCode::OK => answer.body().starts_with("ci "),
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

pub(crate) async fn a_key_lives_and_what_became_of_it_outlives_restarts(place: &impl Place) {
    let clock = clock();
    let keys = start(place, &clock).await;
    let asked = grant().scopes(["notes.read"]).tenant("acme-eu");
    let asked = asked.networks(["192.0.2.0/24".parse().unwrap(), "::/0".parse().unwrap()]);
    let far = keys.issue(asked.clone()).await.unwrap();
    let old = keys.issue(grant()).await.unwrap();
    let (id, text) = (old.record().id, old.text());
    assert!(is_good(&keys, text).await);
    keys.flush_uses().await.unwrap();
    drop(keys);

    let keys = start(place, &clock).await;
    assert_eq!(
        keys.inspect(far.record().id).await.unwrap().unwrap().grant,
        asked
    );
    assert_eq!(
        keys.inspect(id).await.unwrap().unwrap().last_used,
        Some(NOW)
    );
    let new = keys.rotate(id, 2 * DAY).await.unwrap().unwrap();
    drop(keys);

    let keys = start(place, &clock).await;
    assert!(is_good(&keys, text).await && is_good(&keys, new.text()).await);
    let rotated = keys.inspect(id).await.unwrap().unwrap();
    assert_eq!(rotated.successor, Some(new.record().id));
    assert_eq!(rotated.expires_at, NOW + 2 * 86_400);
    clock.advance(2 * DAY);
    assert!(!is_good(&keys, text).await && is_good(&keys, new.text()).await);
    drop(keys);

    let keys = start(place, &clock).await;
    assert!(!is_good(&keys, text).await && is_good(&keys, new.text()).await);
    let successor = new.record().id;
    keys.revoke(successor, "its owner left")
        .await
        .unwrap()
        .unwrap();
    assert!(!is_good(&keys, new.text()).await);
    drop(keys);

    let keys = start(place, &clock).await;
    assert!(!is_good(&keys, new.text()).await);
    let revoked = keys
        .inspect(successor)
        .await
        .unwrap()
        .unwrap()
        .revoked
        .unwrap();
    assert_eq!(revoked.reason, "its owner left");
    assert_eq!(keys.list(None, 9).await.unwrap().len(), 3);
    clock.advance(30 * DAY);
    assert_eq!(keys.remove_ended(29 * DAY, 9).await.unwrap(), 2);
    assert!(!is_good(&keys, new.text()).await);
}
