use deadpool_postgres::{Client, Transaction};
use tokio_postgres::Error;

use crate::OpenError;

const MIGRATIONS: [&str; 1] = [include_str!("1_keys.sql")];

/// Whose turn it is to change the tables; "bartizan", as a number.
const LOCK: i64 = 0x6261_7274_697a_616e;

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS api_keys_version \
     (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL)";
const SET_VERSION: &str = "INSERT INTO api_keys_version (version) VALUES ($1) \
     ON CONFLICT (one) DO UPDATE SET version = excluded.version";

/// Whether everybody may put tables into the schema before we do, or read ours: the role `public` is all of them.
const EXPOSED: &str = "SELECT has_schema_privilege('public', oid, 'CREATE'), \
     (SELECT coalesce(bool_or(has_table_privilege('public', t.kept, t.whole) \
         OR has_any_column_privilege('public', t.kept, t.part)), false) FROM (VALUES \
         (to_regclass('api_keys'), 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER', 'SELECT, INSERT, UPDATE'), \
         (to_regclass('api_keys_version'), 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER', 'INSERT, UPDATE')) \
         AS t (kept, whole, part)) \
     FROM pg_namespace WHERE nspname = current_schema()";

/// Brings the tables to the latest version, or says that they are of another one.
pub(crate) async fn prepare(client: &mut Client, may_change: bool) -> Result<(), OpenError> {
    check_exposure(client).await?;
    let known = MIGRATIONS.len() as i64;
    let change = client.transaction().await.map_err(OpenError::database)?;
    let mut found = version(&change).await.map_err(OpenError::database)?;
    if found < known && may_change {
        found = migrate(change, known).await?;
    }
    match found {
        _ if found == known => Ok(()),
        _ if found < known => Err(OpenError::Older(found, known)),
        _ => Err(OpenError::Newer(found, known)),
    }
}

async fn check_exposure(client: &Client) -> Result<(), OpenError> {
    let row = client.query_opt(EXPOSED, &[]).await;
    let row = row.map_err(OpenError::database)?;
    let row = row.ok_or_else(|| OpenError::Setting("there is no such schema".to_owned()))?;
    let what = match (row.get(0), row.get(1)) {
        (true, _) => "every user of the database may put tables into the schema of the keys",
        (_, true) => "every user of the database may read or change the keys",
        _ => return Ok(()),
    };
    Err(OpenError::Exposed(what.to_owned()))
}

async fn version(change: &Transaction<'_>) -> Result<i64, Error> {
    let exists = "SELECT to_regclass('api_keys_version') IS NOT NULL";
    if !change.query_one(exists, &[]).await?.get::<_, bool>(0) {
        return Ok(0);
    }
    let version = "SELECT version FROM api_keys_version";
    let version = change.query_opt(version, &[]).await?;
    Ok(version.map_or(0, |row| row.get(0)))
}

/// All steps or none; one process at a time.
async fn migrate(change: Transaction<'_>, known: i64) -> Result<i64, OpenError> {
    let migrated = async {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        change.execute(lock, &[&LOCK]).await?;
        change.batch_execute(VERSIONS).await?;
        let found = version(&change).await?;
        let done = usize::try_from(found).unwrap_or(usize::MAX);
        for step in MIGRATIONS.iter().skip(done) {
            change.batch_execute(step).await?;
        }
        let reached = found.max(known);
        change.execute(SET_VERSION, &[&reached]).await?;
        change.commit().await?;
        Ok::<_, Error>(reached)
    };
    migrated.await.map_err(OpenError::database)
}
