use std::time::Duration;

use bartizan_core::Severity;

use crate::{ApiKeys, IssuedKey, KeyError, KeyId, patience::in_time};

impl ApiKeys {
    /// Issues another successor of a key that was rotated and whose new key nobody has: the answer to
    /// [`rotate`](Self::rotate) was lost, and the new key's text with it. That new key is revoked; the old one's deadline
    /// stays. `None` if there is no such key.
    ///
    /// Only while the new key was never used. Uses are written down once a minute, so a use of the last minute in another
    /// process may not be known: that key is revoked all the same.
    ///
    /// # Errors
    ///
    /// If the key is revoked, was never rotated, or has expired; if the new key was used, or rotated itself; or as
    /// [`issue_for`](Self::issue_for). Ask again after an error of the store.
    pub async fn rotate_again(&self, id: KeyId) -> Result<Option<IssuedKey>, KeyError> {
        self.flush_uses().await?;
        let Some(mut old) = self.inspect(id).await? else {
            return Ok(None);
        };
        let Some(lost) = old.successor.filter(|_| old.revoked.is_none()) else {
            return Err(KeyError::NotRotated);
        };
        let lost = self.inspect(lost).await?.ok_or(KeyError::NotRotated)?;
        let is_in_use = lost.last_used.is_some() || lost.successor.is_some();
        if is_in_use || self.now() >= old.expires_at {
            return Err(KeyError::NotRotated);
        }
        // First: of two keys that nobody has, one at most may be good.
        self.revoke(lost.id, "its text was lost").await?;
        let life = Duration::from_secs(lost.expires_at.saturating_sub(lost.created_at));
        let mut issued = self.make(old.grant.clone(), life)?;
        let (new, deadline) = (issued.record.id, old.expires_at);
        issued.record.predecessor = Some(id);
        old.successor = Some(new);
        old.version = old.version.saturating_add(1);
        in_time(self.0.store.rotate(old, issued.record.clone())).await?;
        let detail = format!(
            "key `{new}` takes the place of `{id}` instead of `{}`; it is good until {deadline}",
            lost.id
        );
        self.emit(Severity::Info, "key_rotated", detail);
        Ok(Some(issued))
    }
}
