use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bartizan_core::{Event, Events, Severity};
use tokio::{runtime::Handle, sync::Semaphore};

use super::{
    KeyFileError, MOST_BYTES, content,
    kept::Kept,
    place::{self, Locked},
    seen::{News, Seen},
    unfinished::remove_unfinished,
};
use crate::{KeyId, KeyRecord, KeyStore, Revoked, StoreError, StoreFuture, patience::in_time};

/// Records in one file, which several processes of one machine read and change: `{"version":1,"keys":[…]}`, with
/// a record on each line, whose fields are those of [`KeyRecord`].
///
/// **Read.** Each question looks at the file first, and reads it if it is another one, or another size or time:
/// what another process changed is seen by the next question. It is read whole, up to 64 MiB; what is no regular
/// file is not opened. A file that is not understood, or is away, leaves the records before in force, nothing is
/// written, and an event `key_file_refused` tells of it, once for each change.
///
/// A record that can't be read alone is its key's trouble: it stays as it is, and an event
/// `key_file_unreadable` names it.
///
/// **Written.** Under a lock that all processes take who write through this, to a file beside it that is synced and
/// then renamed, so that a crash leaves the old text or the new one. Whoever edits it otherwise should rename too,
/// while nobody else writes. It has mode 600, and goes on to belong to its owner.
///
/// **Who may.** A file that others than its owner may read or write is refused, and one in a folder that everybody
/// may put files into: at the beginning with an error, later as one that is not understood.
///
/// It is made for some ten thousands of keys, since each change writes all of them. Not for a file system that lacks
/// `flock`. Its methods work inside a tokio runtime, on its blocking threads, at most five at a time; who waits longer than
/// ten seconds is told that it is down.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

/// How many read at a time.
const READERS: usize = 4;

struct Inner {
    /// Whose turn it is: who waits for the lock keeps nobody from reading.
    readers: Arc<Semaphore>,
    writer: Arc<Semaphore>,
    path: PathBuf,
    events: Events,
    seen: Mutex<Seen>,
}

impl FileStore {
    /// The file, which must be there. Blocks while it is read.
    ///
    /// # Errors
    ///
    /// If it can't be read, is not understood, or may be written by everybody.
    pub fn open(path: impl Into<PathBuf>, events: Events) -> Result<Self, KeyFileError> {
        let path = path.into();
        let (seen, news) =
            Seen::first(&path).map_err(|problem| KeyFileError::new(&path, problem))?;
        // What is left behind harms nobody, so neither does a failure.
        let _ = remove_unfinished(&path);
        let inner = Inner {
            readers: Arc::new(Semaphore::new(READERS)),
            writer: Arc::new(Semaphore::new(1)),
            path,
            events,
            seen: Mutex::new(seen),
        };
        inner.tell(news);
        Ok(Self(Arc::new(inner)))
    }

    /// A new file without keys, in a directory that is there.
    ///
    /// # Errors
    ///
    /// If it is there already, can't be made, or as [`open`](Self::open).
    pub fn create(path: impl Into<PathBuf>, events: Events) -> Result<Self, KeyFileError> {
        let path = path.into();
        let text = content::write(&Kept::default());
        let made = text.map_err(|error| error.to_string());
        let made = made.and_then(|text| place::create(&path, &text));
        made.map_err(|problem| KeyFileError::new(&path, problem))?;
        Self::open(path, events)
    }

    /// Where it is, as it was given.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.run(&self.0.readers, work)
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.run(&self.0.writer, work)
    }

    /// Works on a thread that may wait. Work that has begun is ended, also if nobody waits for it any more.
    fn run<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (inner, turns) = (Arc::clone(&self.0), Arc::clone(turns));
        Box::pin(in_time(async move {
            let runtime = Handle::try_current().map_err(down)?;
            let turn = turns.acquire_owned().await.map_err(down)?;
            let work = runtime.spawn_blocking(move || {
                let done = work(&inner);
                drop(turn);
                done
            });
            work.await.map_err(down)?
        }))
    }

    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.write(|inner| inner.change(change))
    }
}

impl Inner {
    /// What stands in the file, or last stood there and was understood; and why it is the latter.
    fn look(&self) -> (Arc<Kept>, Option<KeyFileError>) {
        let mut seen = self.seen();
        let news = seen.look(&self.path);
        let problem = seen.problem();
        let problem = problem.map(|problem| KeyFileError::new(&self.path, problem));
        let kept = seen.kept();
        drop(seen);
        self.tell(news);
        (kept, problem)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = |problem| KeyFileError::new(&self.path, problem);
        let locked = Locked::take(&self.path).map_err(failed)?;
        let (kept, problem) = self.look();
        if let Some(problem) = problem {
            return Err(problem.into());
        }
        let mut next = (*kept).clone();
        let done = change(&mut next)?;
        if next == *kept {
            return Ok(done);
        }
        let text = content::write(&next).map_err(down)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(StoreError::Full);
        }
        let file = locked.replace(&text).map_err(failed)?;
        self.seen().written(next, file);
        Ok(done)
    }

    fn tell(&self, news: Vec<News>) {
        for news in news {
            let (severity, kind, problem) = match news {
                News::Refused(problem) => {
                    let problem = format!("{problem}; the keys before stay");
                    (Severity::Error, "key_file_refused", problem)
                }
                News::Back => (Severity::Info, "key_file_back", "is good again".to_owned()),
                News::Unreadable(problem) => (Severity::Warning, "key_file_unreadable", problem),
            };
            let detail = KeyFileError::new(&self.path, problem).to_string();
            self.events
                .emit(&Event::new("apikey", severity, kind, detail));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What panics leaves it as it was before or after.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyStore for FileStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        self.read(move |inner| inner.look().0.get(id))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.change(|kept| kept.insert(record))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.change(|kept| kept.replace(record))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        self.change(|kept| kept.rotate(old, new))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        self.write(move |inner| {
            inner.change(|kept| {
                let record = kept.revoke(id, revoked);
                Ok(kept.check_readable(id).map(|()| record))
            })?
        })
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.read(move |inner| inner.look().0.page(after, at_most))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.change(|kept| {
            kept.records.touch(uses);
            Ok(())
        })
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        self.change(move |kept| Ok(kept.records.remove_ended(before, at_most)))
    }
}

fn down(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Down(Box::new(error))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}
