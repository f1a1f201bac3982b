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

#[cfg(feature = "sqlite")]
pub(crate) use sqlite::InFile;

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::{
        fs::{DirBuilder, remove_dir_all},
        os::unix::fs::DirBuilderExt as _,
        path::{Path, PathBuf},
        sync::atomic::{AtomicU32, Ordering},
    };

    use bartizan_apikey::SqliteStore;

    use super::Place;

    /// A file of SQLite in a folder of its own.
    pub(crate) struct InFile(PathBuf);

    impl InFile {
        pub(crate) async fn new() -> Option<Self> {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("bartizan-keys-{}-{count}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            DirBuilder::new().mode(0o700).create(&folder).unwrap();
            Some(Self(folder))
        }

        pub(crate) fn folder(&self) -> &Path {
            &self.0
        }

        pub(crate) fn path(&self) -> PathBuf {
            self.0.join("keys.db")
        }
    }

    impl Place for InFile {
        type Store = SqliteStore;

        async fn open(&self) -> SqliteStore {
            SqliteStore::open(self.path()).unwrap()
        }
    }

    impl Drop for InFile {
        fn drop(&mut self) {
            let _ = remove_dir_all(&self.0);
        }
    }
}
