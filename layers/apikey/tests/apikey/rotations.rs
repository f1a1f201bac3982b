//! Rotations whose answer was lost.

use std::time::Duration;

use bartizan_apikey::{KeyError, KeyRecord};

use super::support::{NOW, clock, issue, keys, verify};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_is_done_again() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let old = issue(&keys).await;
    let id = old.record().id;
    let lost = keys.rotate(id, DAY).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(600));
    let new = keys.rotate_again(id).await.unwrap().unwrap();
    assert_eq!(new.record().grant, old.record().grant);
    assert_eq!(new.record().predecessor, Some(id));
    assert_eq!(life(new.record()), life(lost.record()));
    assert!(verify(&keys, lost.text()).await.is_err());
    assert!(verify(&keys, old.text()).await.is_ok());
    assert!(verify(&keys, new.text()).await.is_ok());
    let kept = keys.inspect(id).await.unwrap().unwrap();
    assert_eq!(kept.successor, Some(new.record().id));
    assert_eq!(kept.expires_at, NOW + 86_400, "the deadline that was told");
    // It is in use now.
    let again = keys.rotate_again(id).await;
    assert!(matches!(again, Err(KeyError::NotRotated)), "{again:?}");
}

fn life(record: &KeyRecord) -> u64 {
    record.expires_at - record.created_at
}

#[tokio::test]
async fn it_is_done_again_as_often_as_it_is_lost_even_halfway() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let id = issue(&keys).await.record().id;
    let lost = keys.rotate(id, DAY).await.unwrap().unwrap();
    // The process ended after the first step.
    keys.revoke(lost.record().id, "its text was lost")
        .await
        .unwrap();
    for _ in 0..3 {
        keys.rotate_again(id).await.unwrap().unwrap();
    }
    let new = keys.rotate_again(id).await.unwrap().unwrap();
    let mut good = Vec::new();
    for record in keys.list(None, 100).await.unwrap() {
        if record.revoked.is_none() {
            good.push(record.id);
        }
    }
    let mut expected = [id, new.record().id];
    expected.sort();
    assert_eq!(good, expected, "the key, and one that takes its place");
}

#[tokio::test]
async fn nothing_is_done_again_that_was_not_done_or_whose_key_somebody_has() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let never = issue(&keys).await.record().id;
    let used = issue(&keys).await.record().id;
    let text = keys.rotate(used, DAY).await.unwrap().unwrap();
    verify(&keys, text.text()).await.unwrap();
    let onwards = issue(&keys).await.record().id;
    let next = keys.rotate(onwards, DAY).await.unwrap().unwrap();
    keys.rotate(next.record().id, DAY).await.unwrap().unwrap();
    let revoked = issue(&keys).await.record().id;
    keys.rotate(revoked, DAY).await.unwrap();
    keys.revoke(revoked, "left").await.unwrap();
    let over = issue(&keys).await.record().id;
    keys.rotate(over, Duration::from_secs(1)).await.unwrap();
    clock.advance(Duration::from_secs(1));
    for id in [never, used, onwards, revoked, over] {
        let again = keys.rotate_again(id).await;
        assert!(matches!(again, Err(KeyError::NotRotated)), "{again:?}");
    }
    assert!(verify(&keys, text.text()).await.is_ok());
    let (others, _) = super::support::keys(&clock);
    let unknown = issue(&others).await.record().id;
    assert!(keys.rotate_again(unknown).await.unwrap().is_none());
}
