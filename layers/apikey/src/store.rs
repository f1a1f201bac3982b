use std::{error::Error, fmt, future::Future, pin::Pin};

use crate::{KeyId, KeyRecord, Revoked};

/// Where records of keys are kept.
///
/// Every store keeps these laws, and one suite of tests tries them on all:
///
/// 1. What a change returned as done is there after a crash, and for every process that asks the same store.
/// 2. [`insert`](Self::insert) never takes the place of a record.
/// 3. [`replace`](Self::replace) happens only if nobody changed the record in between, and never takes a
///    revocation back.
/// 4. [`rotate`](Self::rotate) changes the old record and adds the new one, or neither.
/// 5. [`revoke`](Self::revoke) needs no version: it holds whatever else happens at the same time. The first
///    revocation stays.
/// 6. [`touch`](Self::touch) only moves forward, and changes nothing else: neither the version. No change of the
///    record moves it back.
/// 7. [`remove_ended`](Self::remove_ended) removes no record whose key is good, or will be.
pub trait KeyStore: Send + Sync + 'static {
    /// The record of a key.
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>>;

    /// Adds a new record, of version one.
    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()>;

    /// Puts the record into the place of that with the version before.
    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()>;

    /// [`replace`](Self::replace)s `old` and [`insert`](Self::insert)s `new`, at once.
    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()>;

    /// Revokes a key, and returns its record as it is then; `None` if there is no such key.
    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>>;

    /// At most so many records in the order of their ids, from the first one after `after` on.
    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>>;

    /// Says when keys were used, in seconds since the Unix epoch. Ids that are not there count for nothing.
    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()>;

    /// Removes all records that [ended](KeyRecord::ends_at) before a time, in seconds since the Unix epoch; how
    /// many these were.
    fn remove_ended(&self, before: u64) -> StoreFuture<'_, u64>;
}

/// What a store answers.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store did not do what it was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The record is there already, or another version of it, or none.
    Conflict,
    /// The key was revoked, which is for good.
    Revoked,
    /// There is no room for more.
    Full,
    /// The store can't be asked, or does not understand what it holds.
    Down(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("the record is another one by now"),
            Self::Revoked => f.write_str("the key is revoked, which is for good"),
            Self::Full => f.write_str("the store is full"),
            Self::Down(_) => f.write_str("the store can't be asked"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Down(error) => Some(&**error),
            _ => None,
        }
    }
}
