use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

use crate::StoreError;

/// Connections, each of which one thread has at a time.
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

/// How long somebody waits, for a connection and for the disk together.
const PATIENCE: Duration = Duration::from_secs(10);

impl Pool {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.len())),
            free: Arc::new(Mutex::new(connections)),
        }
    }

    /// Does the work on a thread that may wait for the disk. Work that has begun is ended, also if nobody waits for
    /// it any more; its connection is not lent meanwhile.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = Handle::try_current().map_err(down)?;
        let free = Arc::clone(&self.free);
        let permits = Arc::clone(&self.permits);
        let done = async {
            let permit = permits.acquire_owned().await.map_err(down)?;
            let work = runtime.spawn_blocking(move || {
                let mut lent = Lent::take(free)?;
                let done = work(lent.connection()?);
                drop((lent, permit));
                done
            });
            work.await.map_err(down)?
        };
        timeout(PATIENCE, done).await.map_err(down)?
    }
}

/// A connection that goes back however its work ends.
struct Lent {
    connection: Option<Connection>,
    free: Arc<Mutex<Vec<Connection>>>,
}

impl Lent {
    fn take(free: Arc<Mutex<Vec<Connection>>>) -> Result<Self, StoreError> {
        let connection = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Self { connection, free })
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let none = || StoreError::Down("no connection is left".into());
        self.connection.as_mut().ok_or_else(none)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.connection.take());
    }
}

fn down(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Down(error.into())
}
