use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
    task::block_in_place,
    time::timeout,
};

use crate::StoreError;

/// Connections, each of which one thread has at a time.
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    is_brief: bool,
}

/// How long somebody waits, for a connection and for the disk together.
const PATIENCE: Duration = Duration::from_secs(10);

impl Pool {
    /// For work that waits for other processes, too.
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        Self {
            is_brief: false,
            permits: Arc::new(Semaphore::new(connections.len())),
            free: Arc::new(Mutex::new(connections)),
        }
    }

    /// For work that takes some microseconds as a rule: going to another thread and back takes longer than that.
    pub(crate) fn brief(connections: Vec<Connection>) -> Self {
        Self {
            is_brief: true,
            ..Self::new(connections)
        }
    }

    /// Does the work where a thread may wait for the disk. Work that has begun is ended, also if nobody waits for
    /// it any more; its connection is not lent meanwhile.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = Handle::try_current().map_err(down)?;
        let free = Arc::clone(&self.free);
        let permits = Arc::clone(&self.permits);
        let is_in_place = self.is_brief && runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
        let done = async {
            let permit = permits.acquire_owned().await.map_err(down)?;
            let work = move || {
                let mut lent = Lent::take(free)?;
                let done = work(lent.connection()?);
                drop((lent, permit));
                done
            };
            // In a task of its own, where tokio permits it whatever stands around the caller.
            let task = match is_in_place {
                true => runtime.spawn(async { block_in_place(work) }),
                false => runtime.spawn_blocking(work),
            };
            task.await.map_err(down)?
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

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::time::sleep;

    use super::*;

    #[test]
    fn work_that_waits_in_place_keeps_nobody_else_from_running() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let connections = vec![Connection::open_in_memory().unwrap()];
        let pool = Arc::new(Pool::brief(connections));
        runtime.block_on(async {
            let waits = tokio::spawn(async move {
                pool.run(|_| {
                    thread::sleep(Duration::from_secs(2));
                    Ok(())
                })
                .await
            });
            sleep(Duration::from_millis(100)).await;
            tokio::spawn(async {}).await.unwrap();
            assert!(!waits.is_finished(), "it kept the others waiting");
            waits.await.unwrap().unwrap();
        });
    }
}
