use std::{fmt, time::Duration};

use deadpool_postgres::Pool;
use tokio::time::timeout;

use crate::{KeyId, KeyRecord, KeyStore, Revoked, StoreError, StoreFuture};

mod builder;
mod lease;
mod statements;
mod tables;

pub use builder::PostgresBuilder;
use lease::Lease;

/// Records in a PostgreSQL database, for all who reach it. Clones share their connections.
///
/// A change that returned is on the server's disk; each is one statement, and so happens as a whole or not at all.
/// Over TCP it speaks TLS, and believes the server's certificate only. It talks to servers that can be written to, and
/// to no pooler in between that lends a connection for less than a session.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    timeout: Duration,
}

/// How many uses are written at once.
const BATCH: usize = 1000;

impl PostgresStore {
    /// Starts with where the database is: `postgres://keys@db.example.com/acme`, or `host=/run/postgresql user=keys
    /// dbname=acme` for a socket of this machine.
    pub fn builder(url: &str) -> PostgresBuilder {
        PostgresBuilder::new(url)
    }

    /// Whatever it is, it ends within the time that there is for all of it.
    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.timeout, work).await.map_err(down)?
    }

    async fn lease(&self) -> Result<Lease, StoreError> {
        Ok(Lease::new(self.pool.get().await.map_err(down)?))
    }

    async fn touch_all(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError> {
        for batch in uses.chunks(BATCH) {
            self.within(async {
                let lease = self.lease().await?;
                let done = statements::touch(lease.client()?, batch).await;
                lease.end(done)
            })
            .await?;
        }
        Ok(())
    }
}

fn down(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Down(error.into())
}

impl KeyStore for PostgresStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::get(lease.client()?, id).await;
            lease.end(done)
        }))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::insert(lease.client()?, &record).await;
            lease.end(done)
        }))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::replace(lease.client()?, &record).await;
            lease.end(done)
        }))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::rotate(lease.client()?, &old, &new).await;
            lease.end(done)
        }))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::revoke(lease.client()?, id, &revoked).await;
            lease.end(done)
        }))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::list(lease.client()?, after, at_most).await;
            lease.end(done)
        }))
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        Box::pin(self.within(async move {
            let lease = self.lease().await?;
            let done = statements::remove_ended(lease.client()?, before, at_most).await;
            lease.end(done)
        }))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        Box::pin(self.touch_all(uses))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
