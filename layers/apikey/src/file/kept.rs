use std::{collections::BTreeMap, error::Error, fmt};

use serde_json::{Value, json};

use crate::{KeyId, KeyRecord, Revoked, StoreError, records::Records};

/// What a file holds: records, and those that can't be read, which are kept as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) records: Records,
    pub(super) unreadable: BTreeMap<KeyId, Unreadable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// An object of JSON, on one line.
    pub(super) text: String,
    pub(super) problem: Problem,
}

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem(pub(super) String);

impl Kept {
    /// Whether a key is there, readable or not.
    pub(super) fn has(&self, id: KeyId) -> bool {
        self.records.get(id).is_some() || self.unreadable.contains_key(&id)
    }

    pub(super) fn get(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.check_readable(id)?;
        Ok(self.records.get(id).cloned())
    }

    /// It ends before a record that can't be read.
    pub(super) fn page(
        &self,
        after: Option<KeyId>,
        at_most: usize,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let mut page = self.records.page(after, at_most);
        let is_later = |id: &KeyId| after.is_none_or(|after| *id > after);
        let Some(unreadable) = self.unreadable.keys().copied().find(is_later) else {
            return Ok(page);
        };
        let end = page.partition_point(|record| record.id < unreadable);
        page.truncate(end);
        if page.is_empty() && at_most > 0 {
            self.check_readable(unreadable)?;
        }
        Ok(page)
    }

    pub(super) fn insert(&mut self, record: KeyRecord) -> Result<(), StoreError> {
        self.check_new(&record)?;
        self.records.insert(record, usize::MAX)
    }

    pub(super) fn replace(&mut self, record: KeyRecord) -> Result<(), StoreError> {
        self.check_readable(record.id)?;
        self.records.replace(record)
    }

    pub(super) fn rotate(&mut self, old: KeyRecord, new: KeyRecord) -> Result<(), StoreError> {
        self.check_readable(old.id)?;
        self.check_new(&new)?;
        self.records.rotate(old, new, usize::MAX)
    }

    /// One that can't be read is revoked for whoever can read it.
    pub(super) fn revoke(&mut self, id: KeyId, revoked: Revoked) -> Option<KeyRecord> {
        match self.unreadable.get_mut(&id) {
            Some(unreadable) => {
                unreadable.revoke(id, &revoked);
                None
            }
            None => self.records.revoke(id, revoked),
        }
    }

    pub(super) fn check_readable(&self, id: KeyId) -> Result<(), StoreError> {
        match self.unreadable.get(&id) {
            Some(Unreadable { problem, .. }) => {
                Err(StoreError::Unreadable(id, Box::new(problem.clone())))
            }
            None => Ok(()),
        }
    }

    fn check_new(&self, record: &KeyRecord) -> Result<(), StoreError> {
        let is_taken = self.unreadable.contains_key(&record.id);
        (!is_taken).then_some(()).ok_or(StoreError::Conflict)
    }
}

impl Unreadable {
    fn revoke(&mut self, id: KeyId, revoked: &Revoked) {
        let Revoked { at, reason } = revoked;
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&self.text) else {
            // JSON only to those who skip it: too deep, or half a letter. What it says is kept as a text.
            let revoked = json!({ "at": at, "reason": reason });
            let whole = json!({ "id": id, "revoked": revoked, "unreadable": self.text });
            self.text = whole.to_string();
            return;
        };
        let before = fields.get("revoked").unwrap_or(&Value::Null);
        if !matches!(before, Value::Null | Value::Bool(false)) {
            return;
        }
        fields.insert("revoked".to_owned(), json!({ "at": at, "reason": reason }));
        if let Some(version) = fields.get("version").and_then(Value::as_u64) {
            fields.insert("version".to_owned(), version.saturating_add(1).into());
        }
        self.text = Value::Object(fields).to_string();
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(text: &str) -> Unreadable {
        Unreadable {
            text: text.to_owned(),
            problem: Problem("of a later version".to_owned()),
        }
    }

    #[test]
    fn what_can_t_be_read_is_revoked_once_and_keeps_the_rest() {
        let revoked = |reason: &str| Revoked {
            at: 7,
            reason: reason.to_owned(),
        };
        let mut record = unreadable(r#"{"later":1,"revoked":null,"version":3}"#);
        let id: KeyId = "aaaqeayeaudaocaj".parse().unwrap();
        record.revoke(id, &revoked("first"));
        record.revoke(id, &revoked("second"));
        let expected = r#"{"later":1,"revoked":{"at":7,"reason":"first"},"version":4}"#;
        assert_eq!(record.text, expected);
        let mut less = unreadable("{}");
        less.revoke(id, &revoked("first"));
        assert_eq!(less.text, r#"{"revoked":{"at":7,"reason":"first"}}"#);
        let mut no = unreadable(r#"{"revoked":false}"#);
        no.revoke(id, &revoked("first"));
        assert_eq!(no.text, less.text);
        let mut deep = unreadable(&format!("{{\"x\":{}{}}}", "[".repeat(500), "]".repeat(500)));
        let before = deep.text.clone();
        deep.revoke(id, &revoked("first"));
        deep.revoke(id, &revoked("second"));
        let after: Value = serde_json::from_str(&deep.text).unwrap();
        assert_eq!(after["id"], id.to_string());
        assert_eq!(after["revoked"]["reason"], "first");
        assert_eq!(after["unreadable"], before);
    }
}
