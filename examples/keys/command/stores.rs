//! Where keys are kept.

use bartizan::{
    Events,
    apikey::{
        ApiKeys, FileStore, KeyForm, KeyStore, MemoryStore, Peppers, PostgresStore, SqliteStore,
    },
};

use super::{Failure, Options};

enum Place<'a> {
    Memory,
    File(&'a str),
    Sqlite(&'a str),
    Postgres(&'a str),
}

fn place(options: &Options) -> Result<Place<'_>, Failure> {
    let Some(store) = options.store.as_deref() else {
        let problem = "no store: neither --store nor KEYS_STORE";
        return Err(Failure::Usage(problem.to_owned()));
    };
    let place = match store.split_once(':') {
        None if store == "memory" => Place::Memory,
        Some(("file", path)) => Place::File(path),
        Some(("sqlite", path)) => Place::Sqlite(path),
        Some(("postgres" | "postgresql", _)) => Place::Postgres(store),
        // A socket of this machine.
        None if store.contains("host=/") => Place::Postgres(store),
        // A password may be in it.
        _ => {
            let problem = "the store is none of memory, file:PATH, sqlite:PATH and postgres://…";
            return Err(Failure::Usage(problem.to_owned()));
        }
    };
    match (&place, &options.schema) {
        (Place::Memory | Place::File(_) | Place::Sqlite(_), Some(_)) => {
            Err(Failure::Usage("only PostgreSQL has a --schema".to_owned()))
        }
        _ => Ok(place),
    }
}

/// Makes what is not made when it is opened.
pub(super) async fn init(options: &Options) -> Result<String, Failure> {
    match place(options)? {
        Place::File(path) if std::path::Path::new(path).exists() => {
            FileStore::open(path, Events::default()).map_err(|error| Failure::place(&error))?;
            Ok(format!("the keys in `{path}` stay\n"))
        }
        Place::File(path) => {
            FileStore::create(path, Events::default()).map_err(|error| Failure::place(&error))?;
            Ok(format!("no keys are in `{path}` yet\n"))
        }
        Place::Memory => Ok(String::new()),
        Place::Sqlite(path) => {
            SqliteStore::open(path).map_err(|error| Failure::place(&error))?;
            Ok(format!("the tables in `{path}` are the latest\n"))
        }
        Place::Postgres(url) => {
            postgres(options, url).await?;
            Ok("the database's tables are the latest\n".to_owned())
        }
    }
}

pub(super) async fn open(options: &Options, peppers: Peppers) -> Result<ApiKeys, Failure> {
    match place(options)? {
        Place::Memory => keys(options, peppers, MemoryStore::new()),
        Place::File(path) => {
            let store = FileStore::open(path, Events::default());
            keys(
                options,
                peppers,
                store.map_err(|error| Failure::place(&error))?,
            )
        }
        Place::Sqlite(path) => {
            let store = SqliteStore::open(path);
            keys(
                options,
                peppers,
                store.map_err(|error| Failure::place(&error))?,
            )
        }
        Place::Postgres(url) => keys(options, peppers, postgres(options, url).await?),
    }
}

async fn postgres(options: &Options, url: &str) -> Result<PostgresStore, Failure> {
    let mut store = PostgresStore::builder(url);
    if let Some(schema) = &options.schema {
        store = store.schema(schema);
    }
    store.open().await.map_err(|error| Failure::place(&error))
}

fn keys(options: &Options, peppers: Peppers, store: impl KeyStore) -> Result<ApiKeys, Failure> {
    let environments = options.environments.iter().map(String::as_str);
    let form = KeyForm::new(&options.brand, environments);
    let form = form.map_err(|error| Failure::Usage(error.to_string()))?;
    let keys = ApiKeys::builder(form, peppers, store).build();
    keys.map_err(|error| Failure::Usage(error.to_string()))
}
