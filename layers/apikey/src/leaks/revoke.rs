use std::{net::IpAddr, time::Duration};

use bartizan_core::{Principal, SecurityContext, Severity, auth::Distrust};
use bartizan_lookup::Refusal;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::{
    ApiKeys, KeyError, KeyId, StoreError,
    honey::HONEY,
    keys::LEAKED,
    lookup::{EARLY, GoodKey},
};

/// When a store that did not take a revocation is asked again.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

impl ApiKeys {
    /// Has a key revoked that somebody shows who is nobody in particular; whether it was good. It is asked about as
    /// if it came with a request, within the same budget, and is refused here when this returns; the store is told
    /// in a task of its own: once for each key, as often as it is reported.
    pub(super) async fn report(
        &self,
        key: Zeroizing<String>,
        context: &SecurityContext,
    ) -> Result<bool, Refusal> {
        let (judge, from) = (&self.0.judge, context.client_address());
        let id = match judge.settled(judge.judge(&key, from)).await {
            Ok(good) if good.lineage().is_some() => {
                self.tell_of_child(&good, from);
                return Ok(true);
            }
            Ok(good) => Some(good.id()),
            // Only who has its secret is told so.
            Err(Refusal::Fault(EARLY)) => self.early(&key),
            // Whoever reports it has it. It stays, so that others are found out too.
            Err(Refusal::Fault(HONEY)) => {
                judge.honey.touched(judge.id_in(&key), context);
                return Ok(false);
            }
            Err(Refusal::Fault(_)) => return Ok(false),
            Err(down) => return Err(down),
        };
        let Some(id) = id else {
            return Ok(false);
        };
        let detail = format!("key `{id}` was reported as leaked, from {}", origin(from));
        self.emit(Severity::Warning, "key_leaked", detail);
        self.refuse_from_now_on(id);
        let keys = self.clone();
        // Neither who reports nor how long it takes tells anything. That it is the key was shown: it is not asked again.
        tokio::spawn(async move { keys.revoke_reported(id).await });
        Ok(true)
    }

    /// A child ends nothing. It goes on being good, so it is told of only as often as it is looked up.
    fn tell_of_child(&self, child: &GoodKey, from: Option<IpAddr>) {
        if let Some(lineage) = child.lineage().filter(|_| child.is_first_report()) {
            let detail = format!(
                "{lineage}: it was reported as leaked, from {}",
                origin(from)
            );
            self.emit(Severity::Warning, "child_leaked", detail);
        }
    }

    /// The id of a key whose time has not come; `None` if it was reported before, or is a child.
    fn early(&self, text: &str) -> Option<KeyId> {
        #[cfg(feature = "imported")]
        let imported = self.0.judge.imports.as_deref();
        #[cfg(feature = "imported")]
        let imported = imported.and_then(|imports| imports.id(text));
        #[cfg(not(feature = "imported"))]
        let imported = None;
        let made_here = || Some(self.0.form.read(text).ok()?.id);
        let id = imported.or_else(made_here)?;
        let key = Principal::service(&self.0.issuer, "").credential_id(&id.to_string());
        let judged = self.0.revocations.judge(&key.build("apikey"));
        let is_new = !matches!(judged, Err(Distrust::Revoked(_)));
        is_new.then_some(id)
    }

    /// The store is told next, and what it fails to do is told.
    fn refuse_from_now_on(&self, id: KeyId) {
        let _ = self.distrust(id);
    }

    async fn revoke_reported(&self, id: KeyId) {
        let mut pauses = AGAIN.into_iter();
        loop {
            let error = match self.revoke(id, LEAKED).await {
                // It holds for a record that can't be read, too.
                Err(KeyError::Store(StoreError::Unreadable(..))) => return,
                Err(error @ KeyError::Store(_)) => error,
                _ => return,
            };
            let Some(pause) = pauses.next() else {
                let detail =
                    format!("key `{id}` leaked, and is revoked in this process only: {error}");
                self.emit(Severity::Error, "leak_not_stored", detail);
                return;
            };
            sleep(pause).await;
        }
    }
}

fn origin(from: Option<IpAddr>) -> String {
    from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string())
}
