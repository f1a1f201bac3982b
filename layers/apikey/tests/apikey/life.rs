use std::time::Duration;

use bartizan_apikey::{ApiKeys, KeyError, KeyGrant, MemoryStore, Peppers};
use bartizan_core::Secret;

use super::support::{NOW, builder, clock, form, grant, issue, keys, peppers, verify};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_key_is_good_from_its_issue_until_its_end() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = keys.issue_for(grant(), DAY).await.unwrap();
    assert_eq!(key.record().expires_at, NOW + 86_400);
    assert!(verify(&keys, key.text()).await.is_ok());
    clock.advance(DAY - Duration::from_secs(1));
    assert!(verify(&keys, key.text()).await.is_ok());
    clock.advance(Duration::from_secs(1));
    let refused = verify(&keys, key.text()).await;
    assert_eq!(refused.unwrap_err(), "the key has expired");
}

#[tokio::test]
async fn seed_a14_a_rotated_key_is_good_beside_its_successor_until_a_reported_deadline() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let old = issue(&keys).await;
    let id = old.record().id;
    let new = keys.rotate(id, 2 * DAY).await.unwrap().unwrap();
    assert_eq!(new.record().predecessor, Some(id));
    assert_eq!(new.record().grant, old.record().grant);
    let kept = keys.inspect(id).await.unwrap().unwrap();
    assert_eq!(kept.successor, Some(new.record().id));
    assert_eq!(kept.expires_at, NOW + 2 * 86_400);
    assert!(verify(&keys, old.text()).await.is_ok());
    assert!(verify(&keys, new.text()).await.is_ok());
    clock.advance(2 * DAY);
    assert!(verify(&keys, old.text()).await.is_err());
    assert!(verify(&keys, new.text()).await.is_ok());
}

#[tokio::test]
async fn a_key_is_rotated_once_and_not_back_from_the_dead() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let rotated = issue(&keys).await;
    keys.rotate(rotated.record().id, DAY).await.unwrap();
    let revoked = issue(&keys).await;
    keys.revoke(revoked.record().id, "left").await.unwrap();
    let expired = keys.issue_for(grant(), DAY).await.unwrap();
    clock.advance(DAY);
    for key in [rotated, revoked, expired] {
        let again = keys.rotate(key.record().id, DAY).await;
        assert!(matches!(again, Err(KeyError::NotRotated)), "{again:?}");
    }
}

#[tokio::test]
async fn an_overlap_never_lengthens_a_life() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = keys.issue_for(grant(), DAY).await.unwrap();
    let id = key.record().id;
    keys.rotate(id, 400 * DAY).await.unwrap();
    let kept = keys.inspect(id).await.unwrap().unwrap();
    assert_eq!(kept.expires_at, NOW + 86_400);
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on_though_it_was_remembered() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = issue(&keys).await;
    assert!(verify(&keys, key.text()).await.is_ok());
    let reads = store.reads();
    let record = keys
        .revoke(key.record().id, "its owner left")
        .await
        .unwrap();
    assert_eq!(record.unwrap().revoked.unwrap().reason, "its owner left");
    assert!(verify(&keys, key.text()).await.is_err());
    assert_eq!(store.reads(), reads, "nothing was asked");
    // Long after everything that was remembered.
    clock.advance(DAY);
    let refused = verify(&keys, key.text()).await;
    assert_eq!(refused.unwrap_err(), "the key is revoked");
}

#[tokio::test]
async fn another_process_refuses_a_revoked_key_after_the_stated_bound() {
    let clock = clock();
    let store = MemoryStore::new();
    let [here, there] = [&store, &store].map(|s| builder(s.clone(), &clock).build().unwrap());
    let key = issue(&here).await;
    assert!(verify(&there, key.text()).await.is_ok());
    here.revoke(key.record().id, "left").await.unwrap();
    clock.advance(Duration::from_secs(30));
    assert!(verify(&there, key.text()).await.is_err());
}

#[tokio::test]
async fn a_revocation_that_the_store_did_not_take_holds_here_and_is_an_error() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = issue(&keys).await;
    assert!(verify(&keys, key.text()).await.is_ok());
    store.is_down(true);
    let failed = keys.revoke(key.record().id, "left").await;
    assert!(matches!(failed, Err(KeyError::Store(_))));
    assert!(verify(&keys, key.text()).await.is_err());
}

#[tokio::test]
async fn a_leaked_key_is_revoked_by_being_shown_and_nothing_else_is() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (key, other) = (issue(&keys).await, issue(&keys).await);
    let reads = store.reads();
    let no_key = keys.revoke_leaked("acme_live_x").await;
    assert!(matches!(no_key, Err(KeyError::NoKey)));
    assert_eq!(store.reads(), reads);
    // Another service's keys, of the same form.
    let (others, _) = super::support::keys(&clock);
    let theirs = issue(&others).await;
    assert_eq!(keys.revoke_leaked(theirs.text()).await.unwrap(), None);
    let revoked = keys.revoke_leaked(key.text()).await.unwrap().unwrap();
    assert_eq!(revoked.id, key.record().id);
    assert!(verify(&keys, key.text()).await.is_err());
    assert!(verify(&keys, other.text()).await.is_ok());
}

#[tokio::test]
async fn a_key_of_an_older_pepper_is_hashed_anew_when_it_is_used() {
    let (clock, store) = (clock(), MemoryStore::new());
    let keys = builder(store.clone(), &clock).build().unwrap();
    let key = issue(&keys).await;
    let newer = || Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let both = newer().and_older(1, Secret::from(vec![1; 32])).unwrap();
    let with = |peppers| ApiKeys::builder(form(), peppers, store.clone()).clock(clock.clone());
    let alone = with(newer()).build().unwrap();
    let refused = verify(&alone, key.text()).await.unwrap_err();
    assert_eq!(
        refused,
        "the key was hashed under a pepper that is not here"
    );
    assert!(
        verify(&with(both).build().unwrap(), key.text())
            .await
            .is_ok()
    );
    let alone = with(newer()).build().unwrap();
    assert!(verify(&alone, key.text()).await.is_ok());
    let old = with(peppers()).build().unwrap();
    assert!(verify(&old, key.text()).await.is_err());
}

#[tokio::test]
async fn when_a_key_was_used_is_written_down() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = issue(&keys).await;
    let last_used = async || {
        keys.flush_uses().await.unwrap();
        let record = keys.inspect(key.record().id).await.unwrap();
        record.unwrap().last_used
    };
    assert_eq!(last_used().await, None);
    verify(&keys, key.text()).await.unwrap();
    clock.advance(Duration::from_secs(10));
    verify(&keys, key.text()).await.unwrap();
    assert_eq!(last_used().await, Some(NOW));
    clock.advance(Duration::from_secs(60));
    verify(&keys, key.text()).await.unwrap();
    assert_eq!(last_used().await, Some(NOW + 70));
}

/// The flaw: a wall clock that was ahead for a moment, and set right, kept uses from being written until it was as late.
#[tokio::test]
async fn uses_are_written_after_the_wall_clock_was_far_ahead() {
    let clock = clock();
    let store = MemoryStore::new();
    let keys = builder(store.clone(), &clock).build().unwrap();
    let key = issue(&keys).await;
    let other = keys.issue_for(grant(), 3650 * DAY).await.unwrap();
    let now = Duration::from_secs(NOW);
    clock.step_wall_to(now + 300 * DAY);
    verify(&keys, other.text()).await.unwrap();
    settle().await;
    clock.step_wall_to(now + Duration::from_secs(120));
    verify(&keys, key.text()).await.unwrap();
    settle().await;
    let record = keys.inspect(key.record().id).await.unwrap().unwrap();
    assert_eq!(record.last_used, Some(NOW + 120));
}

/// Lets those go on who work in the background.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_grant_that_can_t_be_is_refused_by_name() {
    let (keys, _) = keys(&clock());
    let many = (0..65).map(|n| n.to_string());
    for (grant, named) in [
        (KeyGrant::service("ci", "prod"), "environment `prod`"),
        (KeyGrant::service("", "live"), "name"),
        (grant().tenant("a\nb"), "tenant"),
        (grant().named(&"x".repeat(201)), "name"),
        (grant().roles([""]), "roles"),
        (grant().roles(many), "roles `64`"),
        (grant().scopes(["a b"]), "scopes `a b`"),
        (grant().only_tools(["read_?"]), "read_?"),
        (
            grant().capabilities(["no*es:read"]),
            "capabilities `no*es:read`",
        ),
        (grant().capabilities([""]), "capabilities"),
        (grant().capabilities(vec!["a:b"; 65]), "capabilities `a:b`"),
        (grant().rate(0, 1), "calls per minute `0`"),
        (grant().rate(1, 1_000_001), "burst `1000001`"),
        (
            grant().networks(vec!["192.0.2.0/24".parse().unwrap(); 65]),
            "networks",
        ),
    ] {
        let error = keys.issue(grant).await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    for life in [Duration::ZERO, 5000 * DAY] {
        let error = keys.issue_for(grant(), life).await.unwrap_err();
        assert!(error.to_string().contains("life"), "{error}");
    }
}

#[tokio::test]
async fn records_of_keys_that_may_be_remembered_as_good_are_not_removed() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let [revoked, good] = [issue(&keys).await, issue(&keys).await];
    keys.revoke(revoked.record().id, "left").await.unwrap();
    // 30 s, and 300 s without the store.
    clock.advance(Duration::from_secs(330));
    assert_eq!(keys.remove_ended(Duration::ZERO, 9).await.unwrap(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(keys.remove_ended(Duration::ZERO, 0).await.unwrap(), 0);
    assert_eq!(keys.remove_ended(Duration::ZERO, 9).await.unwrap(), 1);
    assert!(verify(&keys, revoked.text()).await.is_err());
    assert!(verify(&keys, good.text()).await.is_ok());
}

#[tokio::test]
async fn a_list_comes_page_by_page_in_one_order() {
    let (keys, _) = keys(&clock());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(issue(&keys).await.record().id);
    }
    ids.sort();
    let mut found = Vec::new();
    loop {
        let page = keys.list(found.last().copied(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|record| record.id));
    }
    assert_eq!(found, ids);
}

#[tokio::test]
async fn records_of_keys_that_ended_go_when_they_are_told_to() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let short = keys.issue_for(grant(), DAY).await.unwrap();
    let (revoked, good) = (issue(&keys).await, issue(&keys).await);
    keys.revoke(revoked.record().id, "left").await.unwrap();
    clock.advance(31 * DAY);
    assert_eq!(keys.remove_ended(31 * DAY, 9).await.unwrap(), 0);
    assert_eq!(keys.remove_ended(30 * DAY, 9).await.unwrap(), 1);
    assert_eq!(keys.remove_ended(29 * DAY, 9).await.unwrap(), 1);
    let left = keys.list(None, 9).await.unwrap();
    assert_eq!(left, [good.record().clone()]);
    for gone in [short, revoked] {
        assert!(verify(&keys, gone.text()).await.is_err());
    }
}
