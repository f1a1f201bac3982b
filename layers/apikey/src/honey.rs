//! Keys that are none: who shows one is found out.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bartizan_core::{SecurityContext, Severity, honey};
use bartizan_token::Fault;

use crate::{
    ApiKeys, IssuedKey, KeyError, KeyGrant, KeyId, KeyRecord, Peppers, keys::LONGEST_LIFE,
    patience::in_time,
};

/// Told of a honey key, or a child of one, whose secret was right. No answer tells.
pub(crate) const HONEY: Fault = "the key is a honey key";

/// Most names that are remembered; of other keys the id is told.
const MOST: usize = 1024;

/// What honey keys are called that were shown, for records.
#[derive(Debug, Default)]
pub(crate) struct HoneyNames(Mutex<BTreeMap<KeyId, Box<str>>>);

impl HoneyNames {
    pub(crate) fn learn(&self, record: &KeyRecord) {
        let mut names = self.names();
        if names.len() < MOST || names.contains_key(&record.id) {
            names.insert(record.id, record.grant.name.as_str().into());
        }
    }

    fn shown(&self, id: KeyId) -> String {
        match self.names().get(&id) {
            Some(name) => format!("key `{id}`, `{name}`"),
            None => format!("key `{id}`"),
        }
    }

    /// Says that a honey key was shown.
    pub(crate) fn touched(&self, id: Option<KeyId>, context: &SecurityContext) {
        let shown = id.map_or_else(|| "a key".to_owned(), |id| self.shown(id));
        honey!("apikey", context, "honey_key", shown);
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<KeyId, Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApiKeys {
    /// Issues a key that is never good, to be left where only a thief looks: in a file, an old configuration, a
    /// database. Its text looks like any other. Whoever shows it, or a child of it, is answered as with a key that
    /// there is not; the request's audit record is `critical`, of the class `honey_touched`, and names the key by its
    /// id and `label`.
    ///
    /// It can't be rotated, and is told of as long as its record is there, at most ten years; to end that,
    /// [`revoke`](Self::revoke) it. `environment` is one of the form's.
    ///
    /// # Errors
    ///
    /// If the label or the environment can't be; or as [`issue_for`](Self::issue_for).
    pub async fn issue_honey(&self, label: &str, environment: &str) -> Result<IssuedKey, KeyError> {
        let grant = KeyGrant::service(label, environment);
        let issued = self.make_with(grant, LONGEST_LIFE, Peppers::hash_honey)?;
        in_time(self.0.store.insert(issued.record.clone())).await?;
        let detail = format!("honey key `{}` was issued as `{label}`", issued.record.id);
        self.emit(Severity::Info, "key_issued", detail);
        Ok(issued)
    }
}
