use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{
    Clock, Event, Events, Severity,
    auth::{NotRevoked, Revocations},
};
use zeroize::Zeroizing;

use crate::{
    ApiKeyConfigError, ApiKeyVerifier, ApiKeysBuilder, KeyError, KeyForm, KeyGrant, KeyId,
    KeyRecord, KeyStore, Peppers, Revoked, SecretHash, VerifyingKey, patience::in_time,
    secret::KeySecret, uses::Uses, verifier::Judge,
};
#[cfg(feature = "attenuation")]
use crate::{children::Seed, form::Malformed};

/// The keys of one service: issued, listed, rotated, revoked, and judged.
///
/// Clones share everything. What is revoked here is refused in this process at once; in others that ask the
/// same store within [`key_age_seconds`](crate::ApiKeyConfig::key_age_seconds), and while they can't ask it
/// [`stale_age_seconds`](crate::ApiKeyConfig::stale_age_seconds) later.
#[derive(Clone)]
pub struct ApiKeys(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) form: KeyForm,
    pub(crate) peppers: Peppers,
    pub(crate) store: Arc<dyn KeyStore>,
    pub(crate) issuer: Box<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) revocations: Revocations,
    pub(crate) uses: Arc<Uses>,
    pub(crate) judge: Arc<Judge>,
    /// How long a key that ended may be remembered as good, here, in seconds.
    pub(crate) longest_memory: u64,
}

/// A key that was just made. Its text is shown this once: nothing that is kept tells it again.
pub struct IssuedKey {
    text: Zeroizing<String>,
    pub(crate) record: KeyRecord,
}

/// How long a key is good unless it is said otherwise.
pub const USUAL_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// Why a key is revoked that somebody showed.
pub(crate) const LEAKED: &str = "it was reported as leaked";

/// Most of a life, and of an overlap.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Most records that one question is about.
const MOST_RECORDS: usize = 1000;

impl ApiKeys {
    /// Starts with how keys look, what their secrets are hashed under, and where they are kept.
    pub fn builder(form: KeyForm, peppers: Peppers, store: impl KeyStore) -> ApiKeysBuilder {
        ApiKeysBuilder::new(form, peppers, Arc::new(store))
    }

    /// Issues a key that is good from now on for [`USUAL_LIFE`].
    ///
    /// # Errors
    ///
    /// Those of [`issue_for`](Self::issue_for).
    pub async fn issue(&self, grant: KeyGrant) -> Result<IssuedKey, KeyError> {
        self.issue_for(grant, USUAL_LIFE).await
    }

    /// Issues a key that is good from now on for so long, in whole seconds, at most ten years.
    ///
    /// # Errors
    ///
    /// If the grant is none, the system has no randomness, or the store can't keep it.
    pub async fn issue_for(&self, grant: KeyGrant, life: Duration) -> Result<IssuedKey, KeyError> {
        let issued = self.make(grant, life)?;
        in_time(self.0.store.insert(issued.record.clone())).await?;
        let KeyRecord { id, grant, .. } = &issued.record;
        let detail = format!("key `{id}` was issued to `{}`", grant.owner);
        self.emit(Severity::Info, "key_issued", detail);
        Ok(issued)
    }

    /// The record of a key; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// If the store can't be asked.
    pub async fn inspect(&self, id: KeyId) -> Result<Option<KeyRecord>, KeyError> {
        Ok(in_time(self.0.store.get(id)).await?)
    }

    /// At most so many records, and at most 1000, in the order of their ids, from the first one after `after` on.
    /// An empty page is the end, and no other.
    ///
    /// # Errors
    ///
    /// If the store can't be asked, or the page would begin with a record that can't be read: go on after its id.
    pub async fn list(
        &self,
        after: Option<KeyId>,
        at_most: usize,
    ) -> Result<Vec<KeyRecord>, KeyError> {
        Ok(in_time(self.0.store.list(after, at_most.min(MOST_RECORDS))).await?)
    }

    /// Issues a key with the grant and the life of this one, which is good for so long besides: at most
    /// until its own end. `None` if there is no such key.
    ///
    /// The deadline is the old record's [`expires_at`](KeyRecord::expires_at). The old key is remembered up to
    /// [`key_age_seconds`](crate::ApiKeyConfig::key_age_seconds) longer, and while the store can't be asked
    /// [`stale_age_seconds`](crate::ApiKeyConfig::stale_age_seconds) more; [`revoke`](Self::revoke) a key that
    /// leaked. If the store's answer is lost, the new key's text is too: [`rotate_again`](Self::rotate_again).
    ///
    /// # Errors
    ///
    /// If the key is revoked, was rotated before, has expired, or is a honey key; or as [`issue_for`](Self::issue_for).
    pub async fn rotate(
        &self,
        id: KeyId,
        overlap: Duration,
    ) -> Result<Option<IssuedKey>, KeyError> {
        let Some(mut old) = in_time(self.0.store.get(id)).await? else {
            return Ok(None);
        };
        if old.is_honey() {
            return Err(KeyError::Honey(id));
        }
        let now = self.now();
        if old.revoked.is_some() || old.successor.is_some() || now >= old.expires_at {
            return Err(KeyError::NotRotated);
        }
        let life = Duration::from_secs(old.expires_at.saturating_sub(old.created_at));
        let mut issued = self.make(old.grant.clone(), life)?;
        issued.record.predecessor = Some(id);
        let deadline = now.saturating_add(overlap.min(LONGEST_LIFE).as_secs());
        old.expires_at = old.expires_at.min(deadline);
        old.successor = Some(issued.record.id);
        old.version = old.version.saturating_add(1);
        let deadline = old.expires_at;
        in_time(self.0.store.rotate(old, issued.record.clone())).await?;
        let new = issued.record.id;
        let detail =
            format!("key `{new}` takes the place of `{id}`, which is good until {deadline}");
        self.emit(Severity::Info, "key_rotated", detail);
        Ok(Some(issued))
    }

    /// Revokes a key: in this process from the next request on. `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// If the store can't be asked, or did not answer within ten seconds. The key is refused in this process all the
    /// same, until it restarts.
    pub async fn revoke(&self, id: KeyId, reason: &str) -> Result<Option<KeyRecord>, KeyError> {
        let revoked = Revoked {
            at: self.now(),
            reason: bartizan_core::printable(reason, 200).to_string(),
        };
        // Before the store is asked: it may take its time.
        let forgotten = self.distrust(id);
        let record = in_time(self.0.store.revoke(id, revoked)).await?;
        if record.is_some() {
            let detail = format!("key `{id}` was revoked");
            self.emit(Severity::Warning, "key_revoked", detail);
        }
        forgotten.map_err(KeyError::NotDistrusted)?;
        Ok(record)
    }

    /// Revokes a key that is shown, as whoever finds one that leaked can: to have it is reason enough.
    /// `None` if it is none that is good.
    ///
    /// A child is not enough: who was given a part of a key must not end the whole. It is told as an event, and
    /// as [`KeyError::Child`].
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke), a honey key or a child of one, which are left as they are, and a text that is no key, which costs no question.
    pub async fn revoke_leaked(&self, key: &str) -> Result<Option<KeyRecord>, KeyError> {
        #[cfg(feature = "imported")]
        if let Some(shown) = self.shown_import(key).await {
            return match shown? {
                Some(record) => self.revoke(record.id, LEAKED).await,
                None => Ok(None),
            };
        }
        let presented = self.0.form.read(key);
        #[cfg(feature = "attenuation")]
        if let Err(Malformed::Child) = presented {
            return self.leaked_child(key).await;
        }
        let presented = presented.map_err(|_| KeyError::NoKey)?;
        let Some(record) = in_time(self.0.store.get(presented.id)).await? else {
            return Ok(None);
        };
        let verified = self
            .0
            .peppers
            .verify(presented.id, &presented.secret, &record.hash);
        if verified != Some(true) {
            return Ok(None);
        }
        if record.is_honey() {
            return Err(KeyError::Honey(presented.id));
        }
        self.revoke(presented.id, LEAKED).await
    }

    /// Removes records of keys that ended longer ago than this: at most so many at a time, and at most 1000. How
    /// many went; none if there are no more.
    ///
    /// Those stay that ended within `key_age_seconds` and `stale_age_seconds`: processes may remember them as good,
    /// and must be able to read why they are not. Until then a record tells whose key it was that is refused;
    /// afterwards it is one that there never was.
    ///
    /// # Errors
    ///
    /// If the store can't be asked.
    pub async fn remove_ended(
        &self,
        longer_ago_than: Duration,
        at_most: usize,
    ) -> Result<usize, KeyError> {
        let age = longer_ago_than.as_secs().max(self.0.longest_memory);
        let before = self.now().saturating_sub(age);
        let at_most = at_most.min(MOST_RECORDS);
        let removed = in_time(self.0.store.remove_ended(before, at_most)).await?;
        if removed > 0 {
            let detail = format!("{removed} records of ended keys were removed");
            self.emit(Severity::Info, "keys_removed", detail);
        }
        Ok(removed)
    }

    #[cfg(feature = "attenuation")]
    async fn leaked_child(&self, child: &str) -> Result<Option<KeyRecord>, KeyError> {
        let Inner {
            form,
            peppers,
            store,
            ..
        } = &*self.0;
        let presented = form.read_any(child).map_err(|_| KeyError::NoKey)?;
        let chain = presented.chain.and_then(|chain| chain.read().ok());
        let chain = chain.ok_or(KeyError::NoKey)?;
        let (id, last) = (presented.id, Seed::of_child(presented.secret));
        let record = in_time(store.get(id)).await?;
        let is_honey = record.as_ref().is_some_and(KeyRecord::is_honey);
        let Some((key, hash)) =
            record.and_then(|record| Some((record.verifying_key?, record.hash)))
        else {
            return Ok(None);
        };
        let root = form.root(presented.environment, id);
        let is_ours = peppers.is_vouched(id, &hash, &key) == Some(true);
        let Some(blocks) = is_ours.then(|| chain.verify(root, &key.key, &last)) else {
            return Ok(None);
        };
        let Some(last) = blocks.ok().and_then(|blocks| blocks.last().copied()) else {
            return Ok(None);
        };
        if is_honey {
            return Err(KeyError::Honey(id));
        }
        let detail = format!("child `{last}` of key `{id}` was reported as leaked");
        self.emit(Severity::Warning, "child_leaked", detail);
        Err(KeyError::Child(id))
    }

    /// Judges keys of requests; for an [`ApiKeyLayer`](crate::ApiKeyLayer), or
    /// [`AuthLayer`](bartizan_core::AuthLayer) beside other authenticators.
    pub fn verifier(&self) -> ApiKeyVerifier {
        ApiKeyVerifier::new(Arc::clone(&self.0.judge))
    }

    /// Writes down when keys were used. The verifier does so once a minute while there are requests; do so
    /// before the process ends.
    ///
    /// # Errors
    ///
    /// If the store can't be asked; what was not written is lost.
    pub async fn flush_uses(&self) -> Result<(), KeyError> {
        Ok(self.0.uses.flush().await?)
    }

    pub(crate) fn make(&self, grant: KeyGrant, life: Duration) -> Result<IssuedKey, KeyError> {
        self.make_with(grant, life, Peppers::hash)
    }

    /// With what is kept of its secret.
    pub(crate) fn make_with(
        &self,
        grant: KeyGrant,
        life: Duration,
        hash: impl FnOnce(&Peppers, KeyId, &KeySecret) -> SecretHash,
    ) -> Result<IssuedKey, KeyError> {
        grant.check(&self.0.form)?;
        if life.as_secs() == 0 || life > LONGEST_LIFE {
            let problem = "is not between one second and ten years";
            let error = ApiKeyConfigError::new("life", format!("{life:?}"), problem);
            return Err(error.into());
        }
        let mut id = [0; KeyId::BYTES];
        let mut secret = Zeroizing::new([0; KeySecret::BYTES]);
        let filled = getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut *secret));
        filled.map_err(|_| KeyError::NoRandomness)?;
        let (id, secret) = (KeyId::new(id), KeySecret::new(secret));
        let now = self.now();
        let hash = hash(&self.0.peppers, id, &secret);
        Ok(IssuedKey {
            text: self.0.form.write(&grant.environment, id, &secret),
            record: KeyRecord {
                id,
                verifying_key: self.verifying_key(&grant.environment, id, &secret, &hash),
                hash,
                version: 1,
                grant,
                created_at: now,
                not_before: now,
                expires_at: now.saturating_add(life.as_secs()),
                revoked: None,
                successor: None,
                predecessor: None,
                last_used: None,
            },
        })
    }

    /// What the key's children are verified with, where there are any.
    #[cfg(feature = "attenuation")]
    fn verifying_key(
        &self,
        environment: &str,
        id: KeyId,
        secret: &KeySecret,
        hash: &SecretHash,
    ) -> Option<VerifyingKey> {
        let root = self.0.form.root(environment, id);
        let public = Seed::of_key(root, secret).public_key();
        Some(self.0.peppers.vouch(id, hash, public))
    }

    #[cfg(not(feature = "attenuation"))]
    fn verifying_key(
        &self,
        _: &str,
        _: KeyId,
        _: &KeySecret,
        _: &SecretHash,
    ) -> Option<VerifyingKey> {
        None
    }

    /// For as long as this process runs: the store may not have taken it, and the wall clock may be set.
    pub(crate) fn distrust(&self, id: KeyId) -> Result<(), NotRevoked> {
        let Inner {
            revocations,
            issuer,
            ..
        } = &*self.0;
        revocations.revoke_credential(issuer, &id.to_string(), Duration::MAX)
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.clock.wall().as_secs()
    }

    pub(crate) fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        let event = Event::new("apikey", severity, kind, detail);
        self.0.events.emit(&event);
    }
}

impl IssuedKey {
    /// The key itself. It is overwritten when this goes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn record(&self) -> &KeyRecord {
        &self.record
    }

    #[cfg(feature = "imported")]
    pub(crate) fn into_record(self) -> KeyRecord {
        self.record
    }
}

impl fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedKey")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("form", &self.0.form)
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}
