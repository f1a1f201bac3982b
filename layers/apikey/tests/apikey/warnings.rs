//! That a key ends soon is told its holder on each answer, and its operator once a day.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, MemoryStore};
use bartizan_core::{Event, Events, FakeClock, Severity};

use super::support::{builder, clock, grant, issue, verify};

const DAY: Duration = Duration::from_secs(86_400);

type Told = Arc<Mutex<Vec<String>>>;

fn keys(clock: &FakeClock) -> (ApiKeys, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let events = Events::to(move |event: &Event| {
        if event.kind == "key_ends_soon" {
            assert_eq!(event.severity, Severity::Warning);
            kept.lock().unwrap().push(event.detail.to_string());
        }
    });
    let keys = builder(MemoryStore::new(), clock).events(events);
    (keys.build().unwrap(), told)
}

#[tokio::test]
async fn a_key_that_is_used_and_ends_soon_is_an_event_once_a_day() {
    let clock = clock();
    let (keys, told) = keys(&clock);
    let key = issue(&keys).await;
    verify(&keys, key.text()).await.unwrap();
    assert!(told.lock().unwrap().is_empty());
    clock.advance(77 * DAY);
    for hour in 0..36 {
        verify(&keys, key.text()).await.unwrap();
        clock.advance(Duration::from_secs(3600));
        let days = if hour < 16 { 1 } else { 2 };
        assert_eq!(told.lock().unwrap().len(), days, "{hour}");
    }
    let id = key.record().id;
    let expected = format!("key `{id}` of `ci` ends at 2027-04-15T08:00:00Z");
    assert!(told.lock().unwrap().iter().all(|told| *told == expected));
}

#[tokio::test]
async fn a_rotated_key_that_is_still_used_names_its_successor() {
    let clock = clock();
    let (keys, told) = keys(&clock);
    let key = issue(&keys).await;
    let new = keys.rotate(key.record().id, DAY).await.unwrap().unwrap();
    verify(&keys, key.text()).await.unwrap();
    verify(&keys, new.text()).await.unwrap();
    let told = told.lock().unwrap();
    let successor = format!("; `{}` takes its place", new.record().id);
    assert!(told.len() == 1 && told[0].ends_with(&successor), "{told:?}");
}

#[tokio::test]
async fn nobody_is_warned_of_a_key_that_is_none_or_is_not_used() {
    let clock = clock();
    let (keys, told) = keys(&clock);
    let revoked = keys.issue_for(grant(), DAY).await.unwrap();
    keys.revoke(revoked.record().id, "left").await.unwrap();
    keys.issue_for(grant(), DAY).await.unwrap();
    verify(&keys, revoked.text()).await.unwrap_err();
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_wants_no_warning_has_none() {
    let clock = clock();
    let told = Told::default();
    let kept = Arc::clone(&told);
    let events = Events::to(move |event: &Event| kept.lock().unwrap().push(event.kind.into()));
    let mut config = ApiKeyConfig::default();
    config.warn_before_seconds = 0;
    let keys = builder(MemoryStore::new(), &clock).config(config);
    let keys = keys.events(events).build().unwrap();
    let key = keys.issue_for(grant(), DAY).await.unwrap();
    verify(&keys, key.text()).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["key_issued"]);
}
