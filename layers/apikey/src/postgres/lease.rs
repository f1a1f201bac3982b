use deadpool_postgres::{Client, Object};

use crate::StoreError;

/// A connection that goes back only if all that was asked was answered. Otherwise it is closed: whoever got it next
/// would wait for the answers of somebody who has left.
pub(crate) struct Lease(Option<Client>);

impl Lease {
    pub(crate) fn new(client: Client) -> Self {
        Self(Some(client))
    }

    pub(crate) fn client(&self) -> Result<&Client, StoreError> {
        let none = || StoreError::Down("the connection is gone".into());
        self.0.as_ref().ok_or_else(none)
    }

    /// Gives it back. That the server told an error is an answer too.
    pub(crate) fn end<T>(mut self, answer: T) -> T {
        self.0 = None;
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}
