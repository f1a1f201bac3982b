//! Texts that were written down once: what was a child stays one, and what was none.

use bartizan_apikey::{ApiKeys, KeyRecord, KeyStore, MemoryStore};
use regex::Regex;
use serde::Deserialize;

use super::{
    super::support::{builder, clock, form, issue, verify},
    child,
};

const VECTORS: &str = include_str!("../../../../../tests/vectors/children.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    /// The record of the one key, under the suite's pepper.
    record: KeyRecord,
    children: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    text: String,
    /// What it is refused for.
    reason: Option<String>,
}

async fn keys(record: KeyRecord) -> ApiKeys {
    let store = MemoryStore::new();
    store.insert(record).await.unwrap();
    builder(store, &clock()).build().unwrap()
}

#[tokio::test]
async fn a_child_of_version_one_is_read_as_ever() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let keys = keys(vectors.record).await;
    for Vector { name, text, reason } in vectors.children {
        let verdict = verify(&keys, &text).await;
        assert_eq!(verdict.err(), reason, "{name}");
    }
}

#[tokio::test]
async fn children_are_found_whole_by_the_scanners_pattern_and_by_that_of_keys_alone() {
    let (keys, _) = super::super::support::keys(&clock());
    let key = issue(&keys).await;
    let grandchild = child(&key).attenuate(bartizan_apikey::Attenuation::new());
    let pattern = Regex::new(&form().scanner_pattern()).unwrap();
    let before = Regex::new("acme_(live|test)_[a-z2-7]{16}_[a-z2-7]{59}").unwrap();
    for text in [key.text(), child(&key).text(), grandchild.unwrap().text()] {
        let line = format!("KEY=\"{text}\" # {text}!");
        let found: Vec<_> = pattern
            .find_iter(&line)
            .map(|found| found.as_str())
            .collect();
        assert_eq!(found, [text, text]);
        assert_eq!(before.find_iter(&line).count(), 2);
    }
}
