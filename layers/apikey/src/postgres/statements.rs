//! What is asked of the database, as the laws of `KeyStore` have it. Each change is one statement, and so one
//! transaction.

use deadpool_postgres::Client;
use tokio_postgres::{
    Error, Row, Statement,
    error::SqlState,
    types::{FromSql, ToSql},
};

use crate::{
    KeyId, KeyRecord, Revoked, StoreError,
    columns::{Columns, columns, key_id, seconds},
};

const GET: &str = concat!("SELECT ", columns!(), " FROM api_keys WHERE id = $1");
const INSERT: &str = concat!(
    "INSERT INTO api_keys (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING"
);
macro_rules! replace {
    () => {
        "UPDATE api_keys SET hash = $2, version = $3, key_grant = $4, created_at = $5, not_before = $6, \
         expires_at = $7, revoked_at = $8, revoked_reason = $9, successor = $10, predecessor = $11, \
         last_used = greatest(last_used, $12), verifying_key = $13 \
         WHERE id = $1 AND version = $3::bigint - 1 AND revoked_at IS NULL"
    };
}
const REPLACE: &str = replace!();
/// That the new id is taken undoes all of it.
const ROTATE: &str = concat!(
    "WITH changed AS (",
    replace!(),
    " RETURNING id) INSERT INTO api_keys (",
    columns!(),
    ") SELECT $14::bytea, $15::text, $16::bigint, $17::text, $18::bigint, $19::bigint, $20::bigint, $21::bigint, \
     $22::text, $23::bytea, $24::bytea, $25::bigint, $26::text FROM changed"
);
const IS_REVOKED: &str = "SELECT revoked_at IS NOT NULL FROM api_keys WHERE id = $1";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2, revoked_reason = $3, \
     version = least(version, 9223372036854775806) + 1 WHERE id = $1 AND revoked_at IS NULL";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2"
);
/// Rows are locked in one order, so that two who write uses don't wait for one another.
const TOUCH: &str = "WITH used AS (SELECT id, max(at) AS at FROM unnest($1::bytea[], $2::bigint[]) AS u (id, at) GROUP BY id), \
     locked AS (SELECT k.id FROM api_keys k JOIN used USING (id) ORDER BY k.id FOR NO KEY UPDATE OF k) \
     UPDATE api_keys k SET last_used = greatest(k.last_used, used.at) FROM used JOIN locked USING (id) WHERE k.id = used.id";
const REMOVE_ENDED: &str = "DELETE FROM api_keys WHERE id = ANY (ARRAY( \
     SELECT id FROM api_keys WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Longest list that is asked for at once.
const MOST: usize = 1_000_000;

pub(crate) async fn get(client: &Client, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
    let statement = client.prepare_cached(GET).await?;
    let row = client.query_opt(&statement, &[&id.as_bytes()]).await?;
    row.map(|row| read(id, &row)).transpose()
}

pub(crate) async fn insert(client: &Client, record: &KeyRecord) -> Result<(), StoreError> {
    if record.version != 1 {
        return Err(StoreError::Conflict);
    }
    let columns = Columns::of(record)?;
    let statement = client.prepare_cached(INSERT).await?;
    let inserted = client.execute(&statement, &values(&columns)).await?;
    (inserted == 1).then_some(()).ok_or(StoreError::Conflict)
}

pub(crate) async fn replace(client: &Client, record: &KeyRecord) -> Result<(), StoreError> {
    let columns = Columns::of(record)?;
    let statement = client.prepare_cached(REPLACE).await?;
    match client.execute(&statement, &values(&columns)).await? {
        1 => Ok(()),
        _ => Err(why_not(client, record.id).await?),
    }
}

pub(crate) async fn rotate(
    client: &Client,
    old: &KeyRecord,
    new: &KeyRecord,
) -> Result<(), StoreError> {
    if new.version != 1 {
        return Err(StoreError::Conflict);
    }
    let (from, to) = (Columns::of(old)?, Columns::of(new)?);
    let statement = client.prepare_cached(ROTATE).await?;
    let values = [values(&from), values(&to)].concat();
    match client.execute(&statement, &values).await? {
        1 => Ok(()),
        _ => Err(why_not(client, old.id).await?),
    }
}

pub(crate) async fn revoke(
    client: &Client,
    id: KeyId,
    revoked: &Revoked,
) -> Result<Option<KeyRecord>, StoreError> {
    let statement = client.prepare_cached(REVOKE).await?;
    let at = seconds(revoked.at);
    client
        .execute(&statement, &[&id.as_bytes(), &at, &revoked.reason])
        .await?;
    // What is there now, whoever revoked it.
    get(client, id).await
}

pub(crate) async fn list(
    client: &Client,
    after: Option<KeyId>,
    at_most: usize,
) -> Result<Vec<KeyRecord>, StoreError> {
    let after = after.as_ref().map_or(&[][..], KeyId::as_bytes);
    let at_most = at_most.min(MOST) as i64;
    let statement = client.prepare_cached(LIST).await?;
    let mut page = Vec::new();
    for row in client.query(&statement, &[&after, &at_most]).await? {
        let id = key_id(row.try_get(0)?).map_err(StoreError::Down)?;
        match read(id, &row) {
            Ok(record) => page.push(record),
            Err(error) if page.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(page)
}

pub(crate) async fn touch(client: &Client, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
    let ids: Vec<&[u8]> = uses.iter().map(|(id, _)| id.as_bytes()).collect();
    let times: Vec<i64> = uses.iter().map(|(_, at)| seconds(*at)).collect();
    let statement = client.prepare_cached(TOUCH).await?;
    client.execute(&statement, &[&ids, &times]).await?;
    Ok(())
}

pub(crate) async fn remove_ended(
    client: &Client,
    before: u64,
    at_most: usize,
) -> Result<usize, StoreError> {
    let (before, at_most) = (seconds(before), at_most.min(MOST) as i64);
    let statement = client.prepare_cached(REMOVE_ENDED).await?;
    let removed = client.execute(&statement, &[&before, &at_most]).await?;
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}

/// Why a record was not changed.
async fn why_not(client: &Client, id: KeyId) -> Result<StoreError, StoreError> {
    let statement: Statement = client.prepare_cached(IS_REVOKED).await?;
    let row = client.query_opt(&statement, &[&id.as_bytes()]).await?;
    match row.map(|row| row.try_get(0)).transpose()? {
        Some(true) => Ok(StoreError::Revoked),
        _ => Ok(StoreError::Conflict),
    }
}

fn values(columns: &Columns) -> [&(dyn ToSql + Sync); 13] {
    [
        &columns.id,
        &columns.hash,
        &columns.version,
        &columns.grant,
        &columns.created_at,
        &columns.not_before,
        &columns.expires_at,
        &columns.revoked_at,
        &columns.revoked_reason,
        &columns.successor,
        &columns.predecessor,
        &columns.last_used,
        &columns.verifying_key,
    ]
}

fn read(id: KeyId, row: &Row) -> Result<KeyRecord, StoreError> {
    fn get<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Result<T, Error> {
        row.try_get(place)
    }
    let columns = || -> Result<Columns, Error> {
        Ok(Columns {
            id: get(row, 0)?,
            hash: get(row, 1)?,
            version: get(row, 2)?,
            grant: get(row, 3)?,
            created_at: get(row, 4)?,
            not_before: get(row, 5)?,
            expires_at: get(row, 6)?,
            revoked_at: get(row, 7)?,
            revoked_reason: get(row, 8)?,
            successor: get(row, 9)?,
            predecessor: get(row, 10)?,
            last_used: get(row, 11)?,
            verifying_key: get(row, 12)?,
        })
    };
    let columns = columns().map_err(|error| StoreError::Unreadable(id, error.into()))?;
    columns.record(id)
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Conflict,
            Some(&SqlState::DISK_FULL) => Self::Full,
            _ => Self::Down(error.into()),
        }
    }
}
