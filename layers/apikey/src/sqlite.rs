use std::{fmt, path::Path, sync::Arc};

use crate::{KeyId, KeyRecord, KeyStore, OpenError, Revoked, StoreError, StoreFuture};

mod connection;
mod file;
mod pool;
mod statements;

use pool::Pool;

/// Records in a file of SQLite, for the processes of one machine. Clones share it.
///
/// A change that returned is on the disk (write-ahead log, `synchronous=FULL`). Readers wait for no writer, and one
/// writer for another at most five seconds. Work is done on tokio's blocking threads, at most five at a time.
///
/// SQLite is linked in. Its file must be on a disk of this machine: locks over a network don't hold.
#[derive(Clone)]
pub struct SqliteStore(Arc<Connections>);

struct Connections {
    readers: Pool,
    writer: Pool,
}

/// How many read at a time.
const READERS: usize = 4;

/// A batch is written at once, while others wait.
const BATCH: usize = 1000;

impl SqliteStore {
    /// Opens the file, and makes it first unless it is there, with mode 600. Its tables are brought to the latest
    /// version. Waits for the disk, and up to some seconds for other processes: do so before you serve.
    ///
    /// # Errors
    ///
    /// If others on this machine may read the file, or anybody may put files into its folder; if it is somebody
    /// else's database, or one of a later version; if it can't be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let file = file::prepare(path.as_ref())?;
        let writer = connection::open_writer(&file)?;
        let readers: Result<Vec<_>, _> = (0..READERS)
            .map(|_| connection::open_reader(&file))
            .collect();
        Ok(Self(Arc::new(Connections {
            readers: Pool::new(readers?),
            writer: Pool::new(vec![writer]),
        })))
    }

    async fn touch_all(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError> {
        for batch in uses.chunks(BATCH) {
            let batch = batch.to_vec();
            let write = move |connection: &mut _| statements::touch(connection, &batch);
            self.0.writer.run(write).await?;
        }
        Ok(())
    }
}

impl KeyStore for SqliteStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(self.0.readers.run(move |c| statements::get(c, id)))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.0.writer.run(move |c| statements::insert(c, &record)))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.0.writer.run(move |c| statements::replace(c, &record)))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        let write = move |c: &mut _| statements::rotate(c, &old, &new);
        Box::pin(self.0.writer.run(write))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        let write = move |c: &mut _| statements::revoke(c, id, &revoked);
        Box::pin(self.0.writer.run(write))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        let read = move |c: &mut _| statements::list(c, after, at_most);
        Box::pin(self.0.readers.run(read))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        Box::pin(self.touch_all(uses))
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        let write = move |c: &mut _| statements::remove_ended(c, before, at_most);
        Box::pin(self.0.writer.run(write))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
