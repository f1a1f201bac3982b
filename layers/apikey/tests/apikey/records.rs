//! Records that somebody else wrote, or a store lost a part of.

use bartizan_apikey::KeyRecord;
use serde_json::Value;

use super::support::{clock, grant, keys};

async fn written() -> Value {
    let (keys, _) = keys(&clock());
    let grant = grant().tenant("acme-eu").only_tools(["read_*"]).rate(60, 5);
    let key = keys.issue(grant).await.unwrap();
    let written = serde_json::to_value(key.record()).unwrap();
    let read: KeyRecord = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(read, *key.record());
    written
}

/// The flaw: a record without `revoked` read as one that is not revoked.
#[tokio::test]
async fn a_record_that_lost_a_field_is_none() {
    let record = written().await;
    let mut tried = 0;
    for part in ["", "/grant", "/grant/limits", "/grant/limits/rate"] {
        let fields = record.pointer(part).unwrap().as_object().unwrap();
        for field in fields.keys() {
            let mut less = record.clone();
            let object = less.pointer_mut(part).unwrap().as_object_mut().unwrap();
            object.remove(field);
            let read = serde_json::from_value::<KeyRecord>(less);
            assert!(read.is_err(), "without `{part}/{field}`");
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
}

#[tokio::test]
async fn a_record_with_a_field_that_nobody_knows_is_none() {
    let record = written().await;
    for part in ["", "/grant", "/grant/limits", "/grant/limits/rate"] {
        let mut more = record.clone();
        let object = more.pointer_mut(part).unwrap().as_object_mut().unwrap();
        object.insert("revokd".into(), Value::Null);
        assert!(serde_json::from_value::<KeyRecord>(more).is_err());
    }
}
