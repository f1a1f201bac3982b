use std::{net::IpAddr, time::Duration};

use bartizan_core::Severity;
use bartizan_lookup::Refusal;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::{ApiKeys, KeyError, KeyId, lookup::EARLY};

/// When a store that did not take a revocation is asked again.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

impl ApiKeys {
    /// Has a key revoked that somebody shows who is nobody in particular; whether it was good. It is asked about as
    /// if it came with a request, within the same budget, and is refused here when this returns; the store is told
    /// in a task of its own.
    pub(super) async fn report(
        &self,
        key: Zeroizing<String>,
        from: Option<IpAddr>,
    ) -> Result<bool, Refusal> {
        let judge = &self.0.judge;
        let id = match judge.settled(judge.judge(&key, from)).await {
            Ok(good) => Some(good.id()),
            // Only who has its secret is told so.
            Err(Refusal::Fault(EARLY)) => None,
            Err(Refusal::Fault(_)) => return Ok(false),
            Err(down) => return Err(down),
        };
        if let Some(id) = id.filter(|_| self.ends_with(&key)) {
            let origin = from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string());
            let detail = format!("key `{id}` was reported as leaked, from {origin}");
            self.emit(Severity::Warning, "key_leaked", detail);
            self.refuse_from_now_on(id);
        }
        let keys = self.clone();
        // Neither who reports nor how long it takes tells anything.
        tokio::spawn(async move { keys.revoke_shown(&key).await });
        Ok(true)
    }

    /// Whether showing the text ends the key: it is no child.
    fn ends_with(&self, text: &str) -> bool {
        #[cfg(feature = "attenuation")]
        return !matches!(self.0.form.read(text), Err(crate::form::Malformed::Child));
        #[cfg(not(feature = "attenuation"))]
        return !text.is_empty();
    }

    /// The store is told next, and what it fails to do is told.
    fn refuse_from_now_on(&self, id: KeyId) {
        let _ = self.distrust(id);
    }

    async fn revoke_shown(&self, key: &str) {
        let mut pauses = AGAIN.into_iter();
        loop {
            let error = match self.revoke_leaked(key).await {
                Err(error @ (KeyError::Store(_) | KeyError::Busy)) => error,
                _ => return,
            };
            let Some(pause) = pauses.next() else {
                let detail = format!("a key that leaked is revoked in this process only: {error}");
                self.emit(Severity::Error, "leak_not_stored", detail);
                return;
            };
            sleep(pause).await;
        }
    }
}
