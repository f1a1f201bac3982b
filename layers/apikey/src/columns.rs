use std::error::Error;

use crate::{KeyGrant, KeyId, KeyRecord, Revoked, StoreError};

/// A record as SQL stores keep it: a column for what a change or a removal asks for, and the grant as JSON.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) id: Vec<u8>,
    pub(crate) hash: String,
    pub(crate) version: i64,
    pub(crate) grant: String,
    pub(crate) created_at: i64,
    pub(crate) not_before: i64,
    pub(crate) expires_at: i64,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) revoked_reason: Option<String>,
    pub(crate) successor: Option<Vec<u8>>,
    pub(crate) predecessor: Option<Vec<u8>>,
    pub(crate) last_used: Option<i64>,
    pub(crate) verifying_key: Option<String>,
}

type Problem = Box<dyn Error + Send + Sync>;

/// The columns in their order, to make statements of constants.
macro_rules! columns {
    () => {
        "id, hash, version, key_grant, created_at, not_before, expires_at, revoked_at, revoked_reason, \
         successor, predecessor, last_used, verifying_key"
    };
}
pub(crate) use columns;

impl Columns {
    pub(crate) fn of(record: &KeyRecord) -> Result<Self, StoreError> {
        Self::written(record).map_err(|problem| StoreError::Unreadable(record.id, problem))
    }

    /// The record of the key that was asked for.
    pub(crate) fn record(self, id: KeyId) -> Result<KeyRecord, StoreError> {
        self.read(id)
            .map_err(|problem| StoreError::Unreadable(id, problem))
    }

    fn written(record: &KeyRecord) -> Result<Self, Problem> {
        let bytes = |id: KeyId| id.as_bytes().to_vec();
        let revoked = record.revoked.as_ref();
        Ok(Self {
            id: bytes(record.id),
            hash: record.hash.to_string(),
            version: record.version.try_into()?,
            grant: serde_json::to_string(&record.grant)?,
            created_at: record.created_at.try_into()?,
            not_before: record.not_before.try_into()?,
            expires_at: record.expires_at.try_into()?,
            revoked_at: revoked.map(|revoked| seconds(revoked.at)),
            revoked_reason: revoked.map(|revoked| revoked.reason.clone()),
            successor: record.successor.map(bytes),
            predecessor: record.predecessor.map(bytes),
            last_used: record.last_used.map(seconds),
            verifying_key: record.verifying_key.map(|key| key.to_string()),
        })
    }

    fn read(self, id: KeyId) -> Result<KeyRecord, Problem> {
        let other = |bytes: Option<Vec<u8>>| bytes.map(|bytes| key_id(&bytes)).transpose();
        let grant: KeyGrant = serde_json::from_str(&self.grant)?;
        let revoked = match (self.revoked_at, self.revoked_reason) {
            (Some(at), Some(reason)) => Some(Revoked {
                at: at.try_into()?,
                reason,
            }),
            (None, None) => None,
            _ => return Err("it is revoked by half".into()),
        };
        Ok(KeyRecord {
            id,
            hash: self.hash.parse()?,
            verifying_key: self.verifying_key.map(|key| key.parse()).transpose()?,
            version: self.version.try_into()?,
            grant,
            created_at: self.created_at.try_into()?,
            not_before: self.not_before.try_into()?,
            expires_at: self.expires_at.try_into()?,
            revoked,
            successor: other(self.successor)?,
            predecessor: other(self.predecessor)?,
            last_used: self.last_used.map(TryInto::try_into).transpose()?,
        })
    }
}

/// A time that must not fail to be written.
pub(crate) fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

pub(crate) fn key_id(bytes: &[u8]) -> Result<KeyId, Problem> {
    let bytes = bytes.try_into();
    Ok(KeyId::new(bytes.map_err(|_| "an id is not of 10 bytes")?))
}
