//! What is asked of the database, as the laws of `KeyStore` have it. Each is one transaction.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, TransactionBehavior, params};

use crate::{
    KeyId, KeyRecord, Revoked, StoreError,
    columns::{Columns, columns, seconds},
};

const GET: &str = concat!("SELECT ", columns!(), " FROM api_keys WHERE id = ?1");
const INSERT: &str = concat!(
    "INSERT INTO api_keys (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO NOTHING"
);
const REPLACE: &str = "UPDATE api_keys SET hash = ?2, version = ?3, key_grant = ?4, created_at = ?5, not_before = ?6, \
     expires_at = ?7, revoked_at = ?8, revoked_reason = ?9, successor = ?10, predecessor = ?11, \
     last_used = max(coalesce(last_used, ?12), coalesce(?12, last_used)), verifying_key = ?13 \
     WHERE id = ?1 AND version = ?3 - 1 AND revoked_at IS NULL";
const IS_REVOKED: &str = "SELECT revoked_at IS NOT NULL FROM api_keys WHERE id = ?1";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = ?2, revoked_reason = ?3, \
     version = min(version, 9223372036854775806) + 1 WHERE id = ?1 AND revoked_at IS NULL";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE id > ?1 ORDER BY id LIMIT ?2"
);
const TOUCH: &str =
    "UPDATE api_keys SET last_used = ?2 WHERE id = ?1 AND (last_used IS NULL OR last_used < ?2)";
const REMOVE_ENDED: &str = "DELETE FROM api_keys WHERE id IN \
     (SELECT id FROM api_keys WHERE expires_at < ?1 OR revoked_at < ?1 LIMIT ?2)";

pub(crate) fn get(connection: &Connection, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
    let mut statement = connection.prepare_cached(GET)?;
    let found = statement.query_row([id.as_bytes()], |row| Ok(read(id, row)));
    found.optional()?.transpose()
}

pub(crate) fn insert(connection: &Connection, record: &KeyRecord) -> Result<(), StoreError> {
    if record.version != 1 {
        return Err(StoreError::Conflict);
    }
    let inserted = write(connection, INSERT, record)?;
    (inserted == 1).then_some(()).ok_or(StoreError::Conflict)
}

pub(crate) fn replace(connection: &mut Connection, record: &KeyRecord) -> Result<(), StoreError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    put(&change, record)?;
    Ok(change.commit()?)
}

pub(crate) fn rotate(
    connection: &mut Connection,
    old: &KeyRecord,
    new: &KeyRecord,
) -> Result<(), StoreError> {
    // It is undone where either is refused.
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    put(&change, old)?;
    insert(&change, new)?;
    Ok(change.commit()?)
}

pub(crate) fn revoke(
    connection: &mut Connection,
    id: KeyId,
    revoked: &Revoked,
) -> Result<Option<KeyRecord>, StoreError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let at = seconds(revoked.at);
    change
        .prepare_cached(REVOKE)?
        .execute(params![id.as_bytes(), at, revoked.reason])?;
    let record = get(&change, id);
    // Also of a record that can't be read.
    change.commit()?;
    record
}

pub(crate) fn list(
    connection: &Connection,
    after: Option<KeyId>,
    at_most: usize,
) -> Result<Vec<KeyRecord>, StoreError> {
    let after = after.as_ref().map_or(&[][..], KeyId::as_bytes);
    let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query(params![after, at_most])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        match read(KeyId::new(row.get(0)?), row) {
            Ok(record) => page.push(record),
            Err(error) if page.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(page)
}

pub(crate) fn touch(connection: &mut Connection, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut statement = change.prepare_cached(TOUCH)?;
        for (id, at) in uses {
            statement.execute(params![id.as_bytes(), seconds(*at)])?;
        }
    }
    Ok(change.commit()?)
}

pub(crate) fn remove_ended(
    connection: &Connection,
    before: u64,
    at_most: usize,
) -> Result<usize, StoreError> {
    let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(REMOVE_ENDED)?;
    Ok(statement.execute(params![seconds(before), at_most])?)
}

fn put(connection: &Connection, record: &KeyRecord) -> Result<(), StoreError> {
    if write(connection, REPLACE, record)? == 1 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(IS_REVOKED)?;
    let is_revoked = statement.query_row([record.id.as_bytes()], |row| row.get(0));
    match is_revoked.optional()? {
        Some(true) => Err(StoreError::Revoked),
        _ => Err(StoreError::Conflict),
    }
}

fn write(connection: &Connection, sql: &str, record: &KeyRecord) -> Result<usize, StoreError> {
    let columns = Columns::of(record)?;
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.execute(params![
        columns.id,
        columns.hash,
        columns.version,
        columns.grant,
        columns.created_at,
        columns.not_before,
        columns.expires_at,
        columns.revoked_at,
        columns.revoked_reason,
        columns.successor,
        columns.predecessor,
        columns.last_used,
        columns.verifying_key,
    ])?)
}

fn read(id: KeyId, row: &Row<'_>) -> Result<KeyRecord, StoreError> {
    let columns = || -> rusqlite::Result<Columns> {
        Ok(Columns {
            id: row.get(0)?,
            hash: row.get(1)?,
            version: row.get(2)?,
            grant: row.get(3)?,
            created_at: row.get(4)?,
            not_before: row.get(5)?,
            expires_at: row.get(6)?,
            revoked_at: row.get(7)?,
            revoked_reason: row.get(8)?,
            successor: row.get(9)?,
            predecessor: row.get(10)?,
            last_used: row.get(11)?,
            verifying_key: row.get(12)?,
        })
    };
    let columns = columns().map_err(|error| StoreError::Unreadable(id, error.into()))?;
    columns.record(id)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Down(error.into()),
        }
    }
}
