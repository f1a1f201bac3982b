use bartizan_apikey::{KeyRecord, Standing};
use serde_json::Value;

use crate::api_key::{KEY, NOW, block_on, id, keys};

/// The fields of a record, by where they stand; each is there, and no other.
const FIELDS: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "id",
            "hash",
            "verifying_key",
            "version",
            "grant",
            "created_at",
            "not_before",
            "expires_at",
            "revoked",
            "successor",
            "predecessor",
            "last_used",
        ],
    ),
    (
        "/grant",
        &[
            "name",
            "owner",
            "owner_kind",
            "tenant",
            "environment",
            "roles",
            "scopes",
            "capabilities",
            "limits",
            "networks",
        ],
    ),
    (
        "/grant/limits",
        &["tools", "prompts", "resources", "methods", "rate"],
    ),
];

/// Arbitrary bytes as the record of a key, as a store or a file of records holds it.
///
/// What is read says all there is to say, once, and is written as what it was read from. A key is good by it only
/// if by a naive reading it is not revoked, its time is now, and it holds nothing that would break a record or a table.
pub fn key_record(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<KeyRecord>(data) else {
        return;
    };
    let json: Value = serde_json::from_slice(data).expect("it was read before");
    for (place, fields) in FIELDS {
        let object = json.pointer(place).and_then(Value::as_object);
        // Structs are read from lists too, which have no names; what a list lacks is an error as well.
        let Some(object) = object else { continue };
        let names: Vec<_> = object.keys().map(String::as_str).collect();
        let mut expected = fields.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected, "{place}");
    }
    let written = serde_json::to_value(&record).expect("it is written");
    let again: KeyRecord = serde_json::from_value(written.clone()).expect("and read again");
    assert_eq!(again, record);
    if json.is_object() {
        assert_eq!(json["revoked"].is_null(), record.revoked.is_none());
        let revoked = record.standing(NOW) == Standing::Revoked;
        assert_eq!(revoked, !json["revoked"].is_null());
    }
    let is_ours = record.id == id();
    let verdict = block_on(keys(record).verifier().verify(KEY, None));
    if let Ok(who) = verdict {
        assert!(is_ours, "by another id");
        assert!(written["revoked"].is_null(), "revoked");
        let time = |name: &str| written[name].as_u64().expect("a number");
        assert!(
            (time("not_before")..time("expires_at")).contains(&NOW),
            "not now"
        );
        let grant = &written["grant"];
        assert_eq!(grant["environment"], "live");
        assert_eq!(grant["networks"], serde_json::json!([]), "from nowhere");
        let names = [&grant["name"], &grant["owner"], &grant["tenant"]].into_iter();
        let lists =
            ["roles", "scopes", "capabilities"].map(|name| grant[name].as_array().expect("a list"));
        assert!(lists.iter().all(|list| list.len() <= 64));
        for text in names
            .chain(lists.into_iter().flatten())
            .filter_map(Value::as_str)
        {
            let is_plain =
                !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
            assert!(is_plain, "{text:?}");
        }
        assert_eq!(who.subject(), grant["owner"].as_str().expect("a text"));
        let limits = grant["limits"].as_object().expect("an object");
        let is_limited = limits.values().any(|limit| !limit.is_null());
        assert_eq!(who.limits().is_empty(), !is_limited);
        if let Some(rate) = who.rate() {
            let said = &limits["rate"];
            assert_eq!(
                (&said["per_minute"], &said["burst"]),
                (&rate.per_minute().into(), &rate.burst().into())
            );
        } else {
            assert!(limits["rate"].is_null());
        }
    }
}
