use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::OpenError;

/// How long a writer waits for that of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each one ends with its own number as the file's `user_version`.
const MIGRATIONS: [&str; 1] = [include_str!("1_keys.sql")];

const APPLICATION_ID: i64 = 0x6272_747a;

pub(crate) fn open(file: &Path) -> Result<Connection, OpenError> {
    connect(file).map_err(OpenError::database)
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // What is done is on the disk: in WAL mode less than FULL loses the last changes with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// The connection that writes; the tables are there then.
pub(crate) fn open_writer(file: &Path) -> Result<Connection, OpenError> {
    let mut connection = open(file)?;
    migrate(&mut connection)?;
    use_log(&connection).map_err(OpenError::database)?;
    Ok(connection)
}

pub(crate) fn open_reader(file: &Path) -> Result<Connection, OpenError> {
    let connection = open(file)?;
    let set = connection.pragma_update(None, "query_only", true);
    set.map_err(OpenError::database)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let known = MIGRATIONS.len() as i64;
    let migration = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let migration = migration.map_err(OpenError::database)?;
    let number = |sql: &str| -> Result<i64, OpenError> {
        let number = migration.query_row(sql, (), |row| row.get(0));
        number.map_err(OpenError::database)
    };
    let version = number("PRAGMA user_version")?;
    let is_ours = match version {
        0 => number("SELECT count(*) FROM sqlite_schema")? == 0,
        _ => number("PRAGMA application_id")? == APPLICATION_ID,
    };
    if !is_ours || version < 0 {
        return Err(OpenError::Foreign);
    }
    if version > known {
        return Err(OpenError::Newer(version, known));
    }
    let done = usize::try_from(version).unwrap_or_default();
    for step in MIGRATIONS.iter().skip(done) {
        migration.execute_batch(step).map_err(OpenError::database)?;
    }
    migration.commit().map_err(OpenError::database)
}

/// Write-ahead logging, so that readers wait for no writer. The file keeps it.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let set = |connection: &Connection| {
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
    };
    const STEP: Duration = Duration::from_millis(20);
    // SQLite does not wait by itself here, for another process that opens the file too.
    let mut left = PATIENCE.as_millis() / STEP.as_millis();
    loop {
        match set(connection) {
            Err(error)
                if left > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                left -= 1;
                std::thread::sleep(STEP);
            }
            mode => return mode.map(|_| ()),
        }
    }
}
