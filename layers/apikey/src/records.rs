use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound,
};

use crate::{KeyId, KeyRecord, Revoked, StoreError};

/// Records in the order of their ids, and what the laws of [`KeyStore`](crate::KeyStore) make of a change: all of
/// it, or an error and nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Records(BTreeMap<KeyId, KeyRecord>);

impl Records {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, id: KeyId) -> Option<&KeyRecord> {
        self.0.get(&id)
    }

    #[cfg(all(unix, feature = "file"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.0.values()
    }

    #[cfg(all(unix, feature = "file"))]
    pub(crate) fn add(&mut self, record: KeyRecord) {
        self.0.insert(record.id, record);
    }

    pub(crate) fn page(&self, after: Option<KeyId>, at_most: usize) -> Vec<KeyRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = self.0.range((from, Bound::Unbounded)).take(at_most);
        page.map(|(_, record)| record.clone()).collect()
    }

    pub(crate) fn insert(&mut self, record: KeyRecord, capacity: usize) -> Result<(), StoreError> {
        self.check_new(&record, capacity)?;
        self.0.insert(record.id, record);
        Ok(())
    }

    pub(crate) fn replace(&mut self, record: KeyRecord) -> Result<(), StoreError> {
        self.check_next(&record)?;
        self.put(record);
        Ok(())
    }

    pub(crate) fn rotate(
        &mut self,
        old: KeyRecord,
        new: KeyRecord,
        capacity: usize,
    ) -> Result<(), StoreError> {
        self.check_next(&old)?;
        self.check_new(&new, capacity)?;
        self.put(old);
        self.put(new);
        Ok(())
    }

    pub(crate) fn revoke(&mut self, id: KeyId, revoked: Revoked) -> Option<KeyRecord> {
        let Entry::Occupied(mut entry) = self.0.entry(id) else {
            return None;
        };
        let record = entry.get_mut();
        if record.revoked.is_none() {
            record.version = record.version.saturating_add(1);
            record.revoked = Some(revoked);
        }
        Some(record.clone())
    }

    pub(crate) fn touch(&mut self, uses: Vec<(KeyId, u64)>) {
        for (id, at) in uses {
            if let Some(record) = self.0.get_mut(&id) {
                record.last_used = record.last_used.max(Some(at));
            }
        }
    }

    pub(crate) fn remove_ended(&mut self, before: u64, at_most: usize) -> usize {
        let ended = self.0.values().filter(|record| record.ends_at() < before);
        let ended: Vec<_> = ended.map(|record| record.id).take(at_most).collect();
        for id in &ended {
            self.0.remove(id);
        }
        ended.len()
    }

    /// When it was used is the store's to know.
    fn put(&mut self, mut record: KeyRecord) {
        let before = self.get(record.id).and_then(|before| before.last_used);
        record.last_used = before.max(record.last_used);
        self.0.insert(record.id, record);
    }

    fn check_new(&self, record: &KeyRecord, capacity: usize) -> Result<(), StoreError> {
        if record.version != 1 || self.0.contains_key(&record.id) {
            return Err(StoreError::Conflict);
        }
        if self.0.len() >= capacity {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    fn check_next(&self, record: &KeyRecord) -> Result<(), StoreError> {
        let before = self.get(record.id).ok_or(StoreError::Conflict)?;
        if before.revoked.is_some() {
            return Err(StoreError::Revoked);
        }
        let is_next = before.version.checked_add(1) == Some(record.version);
        is_next.then_some(()).ok_or(StoreError::Conflict)
    }
}
