//! What stands in the file: JSON, of which no part is JSON too, with a record on each line.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::kept::{Kept, Problem, Unreadable};
use crate::{KeyId, KeyRecord};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    version: u32,
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// What a record has at least.
#[derive(Deserialize)]
struct Named {
    id: KeyId,
}

const VERSION: u32 = 1;

/// # Errors
///
/// Why the file holds no keys, of `file ...`.
pub(super) fn read(text: &str) -> Result<Kept, String> {
    let none = |error: serde_json::Error| format!("holds no keys: {error}");
    let document: Document<'_> = serde_json::from_str(text).map_err(none)?;
    if document.version != VERSION {
        return Err(format!("is of version {}, not 1", document.version));
    }
    let mut kept = Kept::default();
    for text in document.keys {
        let text = text.get();
        let record = serde_json::from_str::<KeyRecord>(text);
        let id = match &record {
            Ok(record) => record.id,
            Err(_) => serde_json::from_str::<Named>(text).map_err(none)?.id,
        };
        if kept.has(id) {
            return Err(format!("has key `{id}` twice"));
        }
        match record {
            Ok(record) => kept.records.add(record),
            Err(error) => {
                let unreadable = Unreadable {
                    text: text.replace(['\n', '\r'], " "),
                    problem: Problem(error.to_string()),
                };
                kept.unreadable.insert(id, unreadable);
            }
        }
    }
    Ok(kept)
}

pub(super) fn write(kept: &Kept) -> Result<String, serde_json::Error> {
    let mut text = format!("{{\"version\":{VERSION},\"keys\":[");
    let mut separator = "\n";
    for record in kept.records.iter() {
        text.push_str(separator);
        text.push_str(&serde_json::to_string(record)?);
        separator = ",\n";
    }
    for record in kept.unreadable.values() {
        text.push_str(separator);
        text.push_str(&record.text);
        separator = ",\n";
    }
    text.push_str("\n]}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use bartizan_core::Secret;

    use super::*;
    use crate::{ApiKeys, KeyForm, KeyGrant, MemoryStore, Peppers};

    /// A record as it is written.
    fn record() -> String {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let form = KeyForm::new("acme", ["live"]).unwrap();
        let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
        let keys = ApiKeys::builder(form, peppers, MemoryStore::new());
        let keys = keys.build().unwrap();
        let key = runtime.block_on(keys.issue(KeyGrant::service("ci", "live")));
        serde_json::to_string(key.unwrap().record()).unwrap()
    }

    fn with(keys: &str) -> String {
        format!(r#"{{"version":1,"keys":[{keys}]}}"#)
    }

    fn with_field(record: &str, field: &str) -> String {
        record.replacen('{', &format!("{{{field},"), 1)
    }

    #[test]
    fn what_was_written_is_read_and_no_part_of_it_is() {
        let kept = read(&with(&record())).unwrap();
        assert_eq!(kept.records.len(), 1, "{kept:?}");
        let text = write(&kept).unwrap();
        assert_eq!(read(&text), Ok(kept));
        let (whole, end) = (text.trim_end().len(), text.len());
        for cut in 0..whole {
            assert!(read(&text[..cut]).is_err(), "{cut}");
        }
        assert!(read(&text[..end]).is_ok());
        let none = write(&Kept::default()).unwrap();
        assert_eq!(read(&none), Ok(Kept::default()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let record = record();
        let id = &record[..r#"{"id":"0123456789abcdef""#.len()];
        let another = with_field(&record, r#""good":true"#);
        for (text, problem) in [
            (String::new(), "EOF"),
            (with(&record).replacen("1", "2", 1), "version 2"),
            (with(&record).replace("keys", "key"), "unknown field `key`"),
            (with(&format!("{record},{record}")), "twice"),
            (with(&format!("{record},{another}")), "twice"),
            (with(&with_field(&record, &id[1..])), "duplicate"),
            (with(&record.replace(id, r#"{"id":"0""#)), "16 characters"),
            (with("7"), "invalid type"),
            (with(&record) + "{}", "trailing"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_record_that_can_t_be_read_is_kept_as_it_is() {
        let record = record();
        for unreadable in [
            with_field(&record, r#""good":true"#),
            with_field(&record, r#""version":2"#),
            record.replace("hmac-", "hmac"),
            record.replace(r#""revoked":null,"#, ""),
        ] {
            let kept = read(&with(&unreadable)).unwrap();
            assert_eq!(kept.records.len(), 0, "{unreadable}");
            let text = write(&kept).unwrap();
            assert!(text.contains(&unreadable));
            assert_eq!(read(&text), Ok(kept));
        }
    }
}
