use std::{fmt, path::Path, sync::Arc};

use crate::{KeyId, KeyRecord, KeyStore, OpenError, Revoked, StoreError, StoreFuture};

mod connection;
mod file;
mod pool;
mod statements;

use file::Place;
use pool::Pool;
use rusqlite::Connection;

/// Records in a file of SQLite, for the processes of one machine. Clones share it.
///
/// A change that returned is on the disk (write-ahead log, `synchronous=FULL`). Readers wait for no writer, and one
/// writer for another at most five seconds. Work is done on tokio's blocking threads, at most
/// five at a time; reads on a runtime of several threads in place (`block_in_place`).
///
/// SQLite is linked in. Its file must be on a disk of this machine: locks over a network don't hold. Once the file is
/// away, or another one took its place, nothing is read or changed any more: open it again.
#[derive(Clone)]
pub struct SqliteStore(Arc<Connections>);

struct Connections {
    readers: Pool,
    writer: Pool,
    place: Arc<Place>,
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
        let place = Place::of(file.clone()).map_err(OpenError::database)?;
        let readers: Result<Vec<_>, _> = (0..READERS)
            .map(|_| connection::open_reader(&file))
            .collect();
        let readers = readers?;
        place.check().map_err(OpenError::database)?;
        Ok(Self(Arc::new(Connections {
            readers: Pool::brief(readers),
            writer: Pool::new(vec![writer]),
            place: Arc::new(place),
        })))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(&self.0.readers, work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(&self.0.writer, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        pool: &Pool,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.0.place);
        let work = move |connection: &mut Connection| {
            // A change to a file that is gone would be told to nobody, and what others revoke would not be seen.
            place.check()?;
            work(connection)
        };
        pool.run(work).await
    }

    async fn touch_all(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError> {
        for batch in uses.chunks(BATCH) {
            let batch = batch.to_vec();
            let write = move |connection: &mut _| statements::touch(connection, &batch);
            self.write(write).await?;
        }
        Ok(())
    }
}

impl KeyStore for SqliteStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(self.read(move |c| statements::get(c, id)))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |c| statements::insert(c, &record)))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.write(move |c| statements::replace(c, &record)))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        let write = move |c: &mut _| statements::rotate(c, &old, &new);
        Box::pin(self.write(write))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        let write = move |c: &mut _| statements::revoke(c, id, &revoked);
        Box::pin(self.write(write))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        let read = move |c: &mut _| statements::list(c, after, at_most);
        Box::pin(self.read(read))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        Box::pin(self.touch_all(uses))
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        let write = move |c: &mut _| statements::remove_ended(c, before, at_most);
        Box::pin(self.write(write))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
