use std::time::Duration;

use bartizan_apikey::{Attenuation, AttenuationError, HeldKey, KeyError, KeyStore, Peppers};
use bartizan_core::Secret;

use super::{
    super::support::{NOW, builder, clock, form, grant, issue, keys, verify},
    child, held,
};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_child_is_derived_without_the_server_and_is_the_same_party() {
    let (keys, store) = keys(&clock());
    let key = issue(&keys).await;
    let reads = store.reads();
    let grandchild = child(&key).attenuate(Attenuation::new()).unwrap();
    assert_eq!(store.reads(), reads);
    assert_eq!(grandchild.depth(), 2);
    let verify = async |text: &str| keys.verifier().verify(text, None).await.unwrap();
    let (parent, child) = (verify(key.text()).await, verify(grandchild.text()).await);
    assert!(parent.is_same_party(&child));
    assert_eq!(parent.credential_id(), child.credential_id());
    assert_eq!(parent.expires_at(), child.expires_at());
    assert_eq!(parent.account(), child.account());
}

#[tokio::test]
async fn a_revoked_key_takes_its_children_with_it_at_once() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let child = child(&key);
    let grandchild = child.attenuate(Attenuation::new()).unwrap();
    for text in [child.text(), grandchild.text()] {
        assert_eq!(verify(&keys, text).await, Ok(()));
    }
    keys.revoke(key.record().id, "left").await.unwrap();
    for text in [child.text(), grandchild.text(), super::child(&key).text()] {
        assert!(verify(&keys, text).await.is_err());
    }
}

#[tokio::test]
async fn a_child_ends_with_the_first_of_its_line() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = keys.issue_for(grant(), DAY).await.unwrap();
    let child = |seconds| {
        let end = Attenuation::new().expires_at(NOW + seconds);
        held(&key).attenuate(end).unwrap()
    };
    let (longer, shorter) = (child(9 * 86_400), child(60));
    let stretched = Attenuation::new().expires_at(NOW + 3600);
    let stretched = shorter.attenuate(stretched).unwrap();
    let all = [&longer, &shorter, &stretched];
    for child in all {
        assert_eq!(verify(&keys, child.text()).await, Ok(()));
    }
    clock.advance(Duration::from_secs(60));
    assert_eq!(verify(&keys, longer.text()).await, Ok(()));
    for child in [&shorter, &stretched] {
        let refused = verify(&keys, child.text()).await;
        assert_eq!(refused.unwrap_err(), "the child has expired");
    }
    clock.advance(DAY);
    let refused = verify(&keys, longer.text()).await;
    assert_eq!(refused.unwrap_err(), "the key has expired");
}

#[tokio::test]
async fn a_rotated_key_takes_its_children_along_when_its_overlap_ends() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let old = issue(&keys).await;
    let child = child(&old);
    let new = keys.rotate(old.record().id, DAY).await.unwrap().unwrap();
    assert_ne!(old.record().verifying_key, new.record().verifying_key);
    assert_eq!(verify(&keys, child.text()).await, Ok(()));
    assert_eq!(verify(&keys, super::child(&new).text()).await, Ok(()));
    clock.advance(DAY);
    assert!(verify(&keys, child.text()).await.is_err());
    assert_eq!(verify(&keys, super::child(&new).text()).await, Ok(()));
}

#[tokio::test]
async fn a_key_whose_record_has_no_public_key_has_no_children() {
    let (keys, store) = keys(&clock());
    let key = issue(&keys).await;
    let mut record = key.record().clone();
    record.verifying_key = None;
    record.version += 1;
    store.replace(record).await.unwrap();
    assert_eq!(verify(&keys, key.text()).await, Ok(()));
    let refused = verify(&keys, child(&key).text()).await;
    assert_eq!(refused.unwrap_err(), "the key has no children");
}

#[tokio::test]
async fn whoever_writes_into_the_store_makes_no_child_of_anothers_key() {
    let (keys, store) = keys(&clock());
    let (mine, theirs) = (issue(&keys).await, issue(&keys).await);
    // Theirs takes children of mine, were it only for what is written there.
    let mut record = theirs.record().clone();
    record.verifying_key = mine.record().verifying_key;
    record.version += 1;
    store.replace(record).await.unwrap();
    for child in [child(&mine), child(&theirs)] {
        let verdict = verify(&keys, child.text()).await;
        assert_eq!(verdict.is_ok(), child.id() == mine.record().id);
    }
    let refused = verify(&keys, child(&theirs).text()).await;
    let reason = "the public key is not one that was issued here";
    assert_eq!(refused.unwrap_err(), reason);
}

#[tokio::test]
async fn a_public_key_of_an_older_pepper_is_kept_anew_when_a_child_is_used() {
    let (clock, store) = (clock(), bartizan_apikey::MemoryStore::new());
    let key = issue(&builder(store.clone(), &clock).build().unwrap()).await;
    let both = Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let both = both.and_older(1, Secret::from(vec![1; 32])).unwrap();
    let keys = bartizan_apikey::ApiKeys::builder(form(), both, store.clone());
    let keys = keys.clock(clock.clone()).build().unwrap();
    assert_eq!(verify(&keys, child(&key).text()).await, Ok(()));
    tokio::task::yield_now().await;
    let record = store.get(key.record().id).await.unwrap().unwrap();
    let kept = record.verifying_key.unwrap().to_string();
    assert!(kept.starts_with("ed25519$2$"), "{kept}");
    assert_eq!(record.hash, key.record().hash, "the secret was not at hand");
    assert_eq!(verify(&keys, key.text()).await, Ok(()));
    assert_eq!(verify(&keys, child(&key).text()).await, Ok(()));
}

#[tokio::test]
async fn a_key_whose_pepper_went_takes_its_children_with_it() {
    let (clock, store) = (clock(), bartizan_apikey::MemoryStore::new());
    let key = issue(&builder(store.clone(), &clock).build().unwrap()).await;
    let new = || Peppers::new(2, Secret::from(vec![2; 32])).unwrap();
    let both = new().and_older(1, Secret::from(vec![1; 32])).unwrap();
    for (peppers, is_good) in [(both, true), (new(), false)] {
        let keys = bartizan_apikey::ApiKeys::builder(form(), peppers, store.clone());
        let keys = keys.clock(clock.clone()).build().unwrap();
        assert_eq!(verify(&keys, child(&key).text()).await.is_ok(), is_good);
        tokio::task::yield_now().await;
        if !is_good {
            assert!(verify(&keys, key.text()).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_chain_has_at_most_four_links_and_ends_where_it_says_so() {
    let (keys, _) = keys(&clock());
    let mut child = held(&issue(&keys).await);
    for depth in 1..=4 {
        child = child.attenuate(Attenuation::new()).unwrap();
        assert_eq!((child.depth(), child.blocks().len()), (depth, depth));
        // As whoever it is handed to reads it.
        child = HeldKey::parse(&form(), child.text()).unwrap();
    }
    assert_eq!(verify(&keys, child.text()).await, Ok(()));
    let fifth = child.attenuate(Attenuation::new());
    assert!(matches!(fifth, Err(AttenuationError::TooDeep)));
    let last = held(&issue(&keys).await);
    let last = last.attenuate(Attenuation::new().no_children()).unwrap();
    assert_eq!(verify(&keys, last.text()).await, Ok(()));
    let more = last.attenuate(Attenuation::new());
    assert!(matches!(more, Err(AttenuationError::NoChildren)));
}

#[tokio::test]
async fn what_no_child_can_be_is_refused_by_name_where_it_is_made() {
    let (keys, _) = keys(&clock());
    let key = held(&issue(&keys).await);
    let new = Attenuation::new;
    for (attenuation, named) in [
        (new().label(""), "label"),
        (new().label("a\nb"), r"label `a\u{a}b`"),
        (new().label("a`b"), "label `a`b`"),
        (new().label(&"x".repeat(41)), "label"),
        (new().only_tools(["read_?"]), "`read_?` of tools"),
        (new().only_roles([""]), "roles"),
        (new().only_scopes(["a\tb"]), "scopes"),
        (
            new().only_tools(vec!["x".repeat(99); 40]),
            "4096 characters",
        ),
        (
            new().only_tools(vec!["x".repeat(999); 70]),
            "4096 characters",
        ),
    ] {
        let error = key.attenuate(attenuation).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    for text in ["", "acme_live_x", "acne_live_x"] {
        let none = HeldKey::parse(&form(), text);
        assert!(matches!(none, Err(AttenuationError::NoKey)));
    }
}

#[tokio::test]
async fn a_child_that_leaked_does_not_end_its_key() {
    let (keys, _) = keys(&clock());
    let (key, others) = (issue(&keys).await, super::super::support::keys(&clock()).0);
    let child = child(&key);
    let told = keys.revoke_leaked(child.text()).await;
    assert!(matches!(told, Err(KeyError::Child(id)) if id == key.record().id));
    assert_eq!(verify(&keys, child.text()).await, Ok(()));
    let unknown = super::child(&issue(&others).await);
    assert!(matches!(keys.revoke_leaked(unknown.text()).await, Ok(None)));
}

#[tokio::test]
async fn tv_21_no_private_key_is_shown() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let child = child(&key);
    let secret = &child.text()[child.text().len() - 59..];
    let shown = format!("{child:?} {:?} {key:?}", child.blocks());
    assert!(!shown.contains(&secret[..20]), "{shown}");
    assert!(
        !key.record()
            .verifying_key
            .unwrap()
            .to_string()
            .contains(&secret[..20])
    );
}
