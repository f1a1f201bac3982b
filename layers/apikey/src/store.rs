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
/// 7. [`remove_ended`](Self::remove_ended) removes what ended before that time, and nothing else. What went does
///    not come back by a change of somebody who read it before.
/// 8. One record that can't be read is [`StoreError::Unreadable`], and keeps nobody from the others: they are
///    found, listed and changed as ever. It can be revoked, though the answer is that error.
///
/// Every wait of a store has an end: who asks may have none of its own.
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

    /// At most so many records in the order of their ids, from the first one after `after` on; an empty page is
    /// the end. A page ends before a record that can't be read, and one that would begin with it is
    /// [`StoreError::Unreadable`], which tells the id to go on after.
    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>>;

    /// Says when keys were used, in seconds since the Unix epoch. Ids that are not there count for nothing.
    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()>;

    /// Removes at most so many records that [ended](KeyRecord::ends_at) before a time, in seconds since the Unix
    /// epoch; how many went.
    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize>;
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
    /// The record of this key is there, and can't be read; or can't be written as it is. That says nothing of
    /// others.
    Unreadable(KeyId, Box<dyn Error + Send + Sync>),
    /// The store can't be asked.
    Down(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("the record is another one by now"),
            Self::Revoked => f.write_str("the key is revoked, which is for good"),
            Self::Full => f.write_str("the store is full"),
            Self::Unreadable(id, _) => write!(f, "the record of key `{id}` can't be read"),
            Self::Down(_) => f.write_str("the store can't be asked"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) | Self::Down(error) => Some(&**error),
            _ => None,
        }
    }
}
