use std::{future::Future, time::Duration};

use crate::StoreError;

/// How long a change of a record may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a store answers in time. Whether it did what it was asked for is not known afterwards.
pub(crate) async fn in_time<T>(
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if !bartizan_lookup::has_timer() {
        return answer.await;
    }
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.unwrap_or_else(|_| Err(StoreError::Down("it did not answer in time".into())))
}
