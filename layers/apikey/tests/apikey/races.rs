//! Laws about what happens at the same time, through two stores over the same records, and after these were closed.

use std::sync::Arc;

use bartizan_apikey::{KeyStore, StoreError};
use tokio::{spawn, sync::Barrier};

use super::{
    laws::{next, record, revoked},
    places::Place,
};

const ROUNDS: usize = 20;

/// Begins two things at once, in two tasks.
async fn race<A: Send + 'static, B: Send + 'static>(
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let start = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&start);
    let one = spawn(async move {
        start.wait().await;
        one.await
    });
    let other = spawn(async move {
        theirs.wait().await;
        other.await
    });
    (one.await.unwrap(), other.await.unwrap())
}

pub(crate) async fn of_two_who_insert_one_id_one_does(place: &impl Place) {
    let (here, there) = (place.open().await, place.open().await);
    for _ in 0..ROUNDS {
        let mine = record().await;
        let mut theirs = mine.clone();
        theirs.expires_at += 1;
        let (here, there) = (here.clone(), there.clone());
        let (ours, their) = (mine.clone(), theirs.clone());
        let read = here.clone();
        let done = race(async move { here.insert(ours).await }, async move {
            there.insert(their).await
        });
        let kept = match done.await {
            (Ok(()), Err(StoreError::Conflict)) => mine,
            (Err(StoreError::Conflict), Ok(())) => theirs,
            both => panic!("{both:?}"),
        };
        assert_eq!(read.get(kept.id).await.unwrap(), Some(kept));
    }
}

pub(crate) async fn of_two_who_rotate_a_key_one_does(place: &impl Place) {
    let (here, there) = (place.open().await, place.open().await);
    for _ in 0..ROUNDS {
        let (old, one, other) = (record().await, record().await, record().await);
        here.insert(old.clone()).await.unwrap();
        let onto = |new: &bartizan_apikey::KeyRecord| {
            let mut changed = next(&old);
            changed.successor = Some(new.id);
            (changed, new.clone())
        };
        let ((to_one, new_one), (to_other, new_other)) = (onto(&one), onto(&other));
        let (a, b) = (here.clone(), there.clone());
        let done = race(async move { a.rotate(to_one, new_one).await }, async move {
            b.rotate(to_other, new_other).await
        });
        let (winner, loser) = match done.await {
            (Ok(()), Err(StoreError::Conflict)) => (one, other),
            (Err(StoreError::Conflict), Ok(())) => (other, one),
            both => panic!("{both:?}"),
        };
        let kept = there.get(old.id).await.unwrap().unwrap();
        assert_eq!(kept.successor, Some(winner.id));
        assert_eq!(there.get(winner.id).await.unwrap(), Some(winner));
        assert_eq!(there.get(loser.id).await.unwrap(), None);
    }
}

pub(crate) async fn a_revocation_holds_whatever_happens_at_the_same_time(place: &impl Place) {
    let (here, there) = (place.open().await, place.open().await);
    for round in 0..2 * ROUNDS {
        let (old, new) = (record().await, record().await);
        here.insert(old.clone()).await.unwrap();
        let (a, b) = (here.clone(), there.clone());
        let (id, mut changed, successor) = (old.id, next(&old), new.clone());
        changed.successor = Some(new.id);
        let change = async move {
            match round % 2 {
                0 => a.rotate(changed, successor).await,
                _ => a.replace(changed).await,
            }
        };
        let (changed, revoked) = race(change, async move {
            b.touch(vec![(id, 7)]).await.unwrap();
            b.revoke(id, revoked("left")).await
        })
        .await;
        assert!(revoked.unwrap().unwrap().revoked.is_some());
        let kept = here.get(id).await.unwrap().unwrap();
        assert!(kept.revoked.is_some());
        assert_eq!(kept.last_used, Some(7));
        let is_new = here.get(new.id).await.unwrap().is_some();
        match changed {
            Ok(()) => assert_eq!((kept.successor, kept.version), (Some(new.id), 3)),
            Err(StoreError::Revoked | StoreError::Conflict) => {
                assert_eq!((kept.successor, kept.version), (None, 2));
            }
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(is_new, round % 2 == 0 && kept.successor.is_some());
    }
}

pub(crate) async fn what_was_done_is_there_after_it_was_closed(place: &impl Place) {
    let (good, old, new, dead) = (
        record().await,
        record().await,
        record().await,
        record().await,
    );
    let store = place.open().await;
    for record in [&good, &old, &dead] {
        store.insert(record.clone()).await.unwrap();
    }
    store.rotate(next(&old), new.clone()).await.unwrap();
    let dead = store.revoke(dead.id, revoked("left")).await.unwrap();
    store.touch(vec![(good.id, 7)]).await.unwrap();
    drop(store);
    let store = place.open().await;
    let mut all = [good, next(&old), new, dead.unwrap()];
    all[0].last_used = Some(7);
    all.sort_by_key(|record| record.id);
    assert_eq!(store.list(None, 9).await.unwrap(), all);
}
