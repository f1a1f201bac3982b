//! Where stores keep records, so that one suite tries them all.

use bartizan_apikey::{KeyStore, MemoryStore};

/// Where the stores of one kind keep records: each store that is opened here has the same. It goes with the value.
pub(crate) trait Place {
    type Store: KeyStore + Clone;

    async fn open(&self) -> Self::Store;
}

/// Keeps them as long as the place is there.
pub(crate) struct InMemory(MemoryStore);

impl InMemory {
    pub(crate) async fn new() -> Option<Self> {
        Some(Self(MemoryStore::new()))
    }
}

impl Place for InMemory {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        self.0.clone()
    }
}

#[cfg(all(unix, feature = "file"))]
pub(crate) use file::InText;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::InFile;

#[cfg(all(unix, any(feature = "file", feature = "sqlite")))]
mod folder {
    use std::{
        fs::{DirBuilder, remove_dir_all},
        os::unix::fs::DirBuilderExt as _,
        path::PathBuf,
        sync::atomic::{AtomicU32, Ordering},
    };

    /// A new folder that is nobody else's. It goes with the value.
    pub(crate) struct Folder(pub(crate) PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("bartizan-keys-{}-{count}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            DirBuilder::new().mode(0o700).create(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = remove_dir_all(&self.0);
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::path::{Path, PathBuf};

    use bartizan_apikey::SqliteStore;

    use super::{Place, folder::Folder};

    /// A file of SQLite in a folder of its own.
    pub(crate) struct InFile(Folder);

    impl InFile {
        pub(crate) async fn new() -> Option<Self> {
            Some(Self(Folder::new()))
        }

        pub(crate) fn folder(&self) -> &Path {
            &self.0.0
        }

        pub(crate) fn path(&self) -> PathBuf {
            self.folder().join("keys.db")
        }
    }

    impl Place for InFile {
        type Store = SqliteStore;

        async fn open(&self) -> SqliteStore {
            SqliteStore::open(self.path()).unwrap()
        }
    }
}

#[cfg(all(unix, feature = "file"))]
mod file {
    use std::path::{Path, PathBuf};

    use bartizan_apikey::FileStore;
    use bartizan_core::Events;

    use super::{Place, folder::Folder};

    /// A file of JSON in a folder of its own.
    pub(crate) struct InText(Folder);

    impl InText {
        pub(crate) async fn new() -> Option<Self> {
            Some(Self::of_none())
        }

        pub(crate) fn of_none() -> Self {
            let place = Self(Folder::new());
            FileStore::create(place.path(), Events::default()).unwrap();
            place
        }

        pub(crate) fn folder(&self) -> &Path {
            &self.0.0
        }

        pub(crate) fn path(&self) -> PathBuf {
            self.folder().join("keys.json")
        }
    }

    impl Place for InText {
        type Store = FileStore;

        async fn open(&self) -> FileStore {
            FileStore::open(self.path(), Events::default()).unwrap()
        }
    }
}

#[cfg(feature = "postgres")]
pub(crate) use postgres::InDatabase;

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use bartizan_apikey::PostgresStore;
    use bartizan_kit::PostgresServer;
    use tokio_postgres::{Client, NoTls};

    use super::Place;

    /// A schema of a PostgreSQL that tests share.
    pub(crate) struct InDatabase {
        server: Arc<PostgresServer>,
        schema: String,
    }

    impl InDatabase {
        pub(crate) async fn new() -> Option<Self> {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let place = Self {
                server: PostgresServer::shared()?,
                schema: format!("keys_{count}"),
            };
            let make = format!("CREATE SCHEMA {}", place.schema);
            let client = connect(&place.url()).await;
            client.batch_execute(&make).await.unwrap();
            Some(place)
        }

        pub(crate) fn url(&self) -> String {
            self.server.url()
        }

        pub(crate) fn schema(&self) -> &str {
            &self.schema
        }

        /// Does something behind the store's back.
        pub(crate) async fn change(&self, sql: &str) {
            let sql = format!("SET search_path = {}; {sql}", self.schema);
            let client = connect(&self.url()).await;
            client.batch_execute(&sql).await.unwrap();
        }
    }

    async fn connect(url: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    impl Place for InDatabase {
        type Store = PostgresStore;

        async fn open(&self) -> PostgresStore {
            let store = PostgresStore::builder(&self.url()).schema(&self.schema);
            store.open().await.unwrap()
        }
    }
}
