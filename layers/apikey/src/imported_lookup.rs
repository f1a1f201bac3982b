use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_core::{Event, Events, Severity};
use bartizan_lookup::{Blame, Interest, Looking, Lookup, Network, Spent, Trouble};
use bartizan_token::{Fault, Fingerprint, TokenCache};
use tokio::time::Instant;

use crate::{
    Argon2idHash, BcryptHash, ImportConfig, KeyRecord, SecretHash, Upgrade,
    imported_form::{ImportedForm, ImportedText},
    lookup::{GoodKey, StoreLookup, replaced, trouble},
    patience::PATIENCE,
    slow_hashes::{NotRun, SlowHashes, hash_argon2id, is_hash_of},
    slow_throttle::SlowThrottle,
};

/// Knows what keys of another system stand for.
///
/// A key that is good costs a slow hash when it is seen first, and once its hash is upgraded none. Every refusal costs
/// one read and one slow hash, whatever the reason: where there is no slow hash to run, one is run for nothing. All
/// of them are taken from the same throttle before.
pub(crate) struct ImportedKeys {
    pub(crate) records: StoreLookup,
    pub(crate) config: ImportConfig,
    pub(crate) slow: Arc<SlowHashes>,
    pub(crate) throttle: Mutex<SlowThrottle>,
    pub(crate) verified: Arc<TokenCache<Arc<Verified>>>,
    pub(crate) events: Events,
    /// How long a look has for its slow hash: less than the look has, so that it tells itself what is wrong.
    pub(crate) patience: Duration,
}

/// Asks [`ImportedKeys`].
pub(crate) struct ImportedLookup(pub(crate) Arc<ImportedKeys>);

/// A key of another system that was presented.
#[derive(Clone)]
pub(crate) struct ImportedQuestion {
    pub(crate) form: Arc<ImportedForm>,
    pub(crate) text: Arc<ImportedText>,
    pub(crate) network: Option<Network>,
}

/// A slow hash against which a text was verified, and until when that is believed by the monotonic clock.
pub(crate) struct Verified {
    hash: SecretHash,
    until: Duration,
}

const NO_SUCH: Fault = "there is no such key";

/// What a slow hash is run for.
enum Task {
    /// To verify the key.
    Verify(SecretHash),
    /// For nothing: the key is refused for this reason.
    Decoy(Fault),
}

impl ImportedKeys {
    async fn ask(
        &self,
        question: &ImportedQuestion,
        interest: &Interest,
    ) -> Result<Result<GoodKey, Fault>, Trouble> {
        let until = Instant::now() + self.patience;
        let record = self.records.store.get(question.text.id).await;
        let record = record.map_err(|error| trouble(&error))?;
        let Some(record) = record else {
            let fault = self.refuse(question, NO_SUCH, until, interest).await?;
            return Ok(Err(fault));
        };
        let Some(task) = self.task(question, &record) else {
            return Ok(match self.conclude(question, &record) {
                Ok(good) => Ok(good),
                Err(fault) => Err(self.refuse(question, fault, until, interest).await?),
            });
        };
        let environment = &record.grant.environment;
        let stands = self.records.check_standing(&record, environment);
        let is_refused = matches!(task, Task::Decoy(_)) || stands.is_err();
        let ran = self.run(question, task, until, Some(interest)).await;
        let ran = ran.map_err(|trouble| match is_refused {
            true => trouble.blamed_on(Blame::Outdated),
            false => trouble,
        });
        if let Err(fault) = ran? {
            return Ok(Err(fault));
        }
        let found = self.conclude(question, &record);
        if found.is_ok() {
            self.give_back(question);
        }
        Ok(found)
    }

    /// The fault, after the slow hash that it costs.
    async fn refuse(
        &self,
        question: &ImportedQuestion,
        fault: Fault,
        until: Instant,
        interest: &Interest,
    ) -> Result<Fault, Trouble> {
        let task = Task::Decoy(fault);
        let refused = self.run(question, task, until, Some(interest)).await;
        // That there is no room for it must not keep anybody in by what was known before.
        let refused = refused.map_err(|trouble| trouble.blamed_on(Blame::Outdated))?;
        Ok(refused.err().unwrap_or(fault))
    }

    /// Whether the text is that of a key there is, whatever became of it.
    pub(crate) async fn proves(
        &self,
        question: &ImportedQuestion,
        record: Option<&KeyRecord>,
    ) -> Result<bool, Trouble> {
        let until = Instant::now() + self.patience;
        let task = match record {
            None => Task::Decoy(NO_SUCH),
            Some(record) => match self.task(question, record) {
                None => return Ok(true),
                Some(task) => task,
            },
        };
        // Whoever asks waits for the answer.
        Ok(self.run(question, task, until, None).await?.is_ok())
    }

    /// What is to be run for a record; nothing if it is known without that the secret is right.
    fn task(&self, question: &ImportedQuestion, record: &KeyRecord) -> Option<Task> {
        let text = &question.text;
        let peppers = &self.records.peppers;
        if let SecretHash::Hmac { .. } = record.hash {
            return match peppers.verify_imported(text.id, text.secret(), &record.hash) {
                Some(true) => None,
                Some(false) => Some(Task::Decoy("the key's secret is wrong")),
                None => Some(Task::Decoy(
                    "the key was hashed under a pepper that is not here",
                )),
            };
        }
        let known = self.verified.find(self.fingerprint(question));
        if known.is_some_and(|known| known.hash == record.hash && self.monotonic() < known.until) {
            return None;
        }
        Some(if self.config.check_hash(&record.hash).is_err() {
            Task::Decoy("the key's hash takes more than is permitted, or is too weak")
        } else if matches!(record.hash, SecretHash::Bcrypt(_))
            && text.hashed().len() > BcryptHash::LONGEST_SECRET
        {
            Task::Decoy("the key's secret is longer than bcrypt takes")
        } else {
            Task::Verify(record.hash.clone())
        })
    }

    /// Runs one slow hash, if the throttle has one left.
    async fn run(
        &self,
        question: &ImportedQuestion,
        task: Task,
        until: Instant,
        interest: Option<&Interest>,
    ) -> Result<Result<(), Fault>, Trouble> {
        let (id, network) = (question.text.id, question.network);
        let taken = self.throttle().take(self.monotonic(), id, network);
        taken.map_err(|spent| self.spent(spent))?;
        let (hash, fault) = match task {
            Task::Verify(hash) => (hash, None),
            Task::Decoy(fault) => (self.decoy(&question.form), Some(fault)),
        };
        let work = {
            let (text, verified) = (Arc::clone(&question.text), Arc::clone(&self.verified));
            let fingerprint = self.fingerprint(question);
            let until = self.verified_until();
            let is_decoy = fault.is_some();
            move || {
                if is_decoy {
                    return is_hash_of(&hash, cut(text.hashed())).map(|_| false);
                }
                let is_right = is_hash_of(&hash, text.hashed())?;
                // Here, so that one who was told to come back later finds it done.
                if is_right {
                    let bytes = size_of::<Verified>();
                    verified.remember(fingerprint, bytes, Arc::new(Verified { hash, until }));
                }
                Some(is_right)
            }
        };
        let no_memory = "there was no memory for the slow hash";
        let reason = match self.slow.run(until, interest, work).await {
            Ok(Some(true)) => return Ok(Ok(())),
            Ok(Some(false)) => return Ok(Err(fault.unwrap_or("the key's secret is wrong"))),
            Ok(None) => no_memory,
            Err(not_run) => {
                if not_run != NotRun::Unfinished {
                    self.give_back(question);
                }
                not_run.reason()
            }
        };
        Err(Trouble::new(reason).blamed_on(Blame::Room))
    }

    fn give_back(&self, question: &ImportedQuestion) {
        let (id, network) = (question.text.id, question.network);
        self.throttle().give_back(id, network);
    }

    /// What a key whose secret is right stands for, and has its hash upgraded if it is good.
    fn conclude(&self, question: &ImportedQuestion, record: &KeyRecord) -> Result<GoodKey, Fault> {
        let good = self.records.stand(record)?;
        self.upgrade(question, record);
        Ok(good)
    }

    /// The secret is at hand now. Nobody waits for it: if it fails, or somebody else changed the record,
    /// there is a next time.
    fn upgrade(&self, question: &ImportedQuestion, record: &KeyRecord) {
        let text = Arc::clone(&question.text);
        let is_hmac = matches!(record.hash, SecretHash::Hmac { .. });
        let cost = self.config.argon2id;
        let is_slow_work = match question.form.upgrade() {
            _ if is_hmac && self.records.peppers.is_current(&record.hash) => return,
            _ if is_hmac => false,
            Upgrade::ToHmac => false,
            Upgrade::ToArgon2id => match &record.hash {
                SecretHash::Argon2id(hash) if hash.cost == cost => return,
                _ => true,
            },
            Upgrade::Never => return,
        };
        let mut record = record.clone();
        record.version = record.version.saturating_add(1);
        if !is_slow_work {
            let peppers = &self.records.peppers;
            record.hash = peppers.hash_imported(text.id, text.secret());
            return self.records.write(record);
        }
        let (slow, records) = (Arc::clone(&self.slow), self.records.clone());
        let (fingerprint, verified) = (self.fingerprint(question), Arc::clone(&self.verified));
        let verified_until = self.verified_until();
        // Looks run in tasks, on a runtime with a timer.
        tokio::spawn(async move {
            let until = Instant::now() + PATIENCE;
            let work = move || hash_argon2id(cost, text.hashed());
            if let Ok(Some(hash)) = slow.run(until, None, work).await {
                record.hash = hash.clone();
                // It is the hash of this secret, so its owner needs no slow hash to be let in (RL-5).
                if replaced(&*records.store, record).await {
                    let (bytes, until) = (size_of::<Verified>(), verified_until);
                    verified.remember(fingerprint, bytes, Arc::new(Verified { hash, until }));
                }
            }
        });
    }

    /// What takes as long as most hashes of the form. What it is the hash of is not known to anybody.
    fn decoy(&self, form: &ImportedForm) -> SecretHash {
        match form.decoy_bcrypt() {
            Some(cost) => SecretHash::Bcrypt(BcryptHash {
                cost,
                salt: [0; BcryptHash::SALT],
                output: [0; BcryptHash::OUTPUT],
            }),
            None => SecretHash::Argon2id(Argon2idHash {
                cost: self.config.argon2id,
                salt: [0; 16].into(),
                output: [0; 32].into(),
            }),
        }
    }

    fn spent(&self, spent: Spent) -> Trouble {
        let (reason, after) = match spent {
            Spent::ByAll { after, is_news } => {
                if is_news {
                    let detail =
                        "more imported keys were wrong than slow hashes may be run in a minute";
                    let event = Event::new(
                        "apikey",
                        Severity::Warning,
                        "slow_hashes_limited",
                        detail.to_owned(),
                    );
                    self.events.emit(&event);
                }
                ("too many slow hashes", after)
            }
            Spent::ByOne { after } => (
                "too many slow hashes from one network or for one key",
                after,
            ),
        };
        let trouble = Trouble::new(reason).with_wish(Some(after), false);
        trouble.blamed_on(Blame::Room)
    }

    fn fingerprint(&self, question: &ImportedQuestion) -> Fingerprint {
        self.verified.fingerprint(question.text.text())
    }

    /// Until when it is believed that a secret verified now.
    fn verified_until(&self) -> Duration {
        let age = Duration::from_secs(self.config.verified_age_seconds);
        self.monotonic().saturating_add(age)
    }

    fn monotonic(&self) -> Duration {
        self.records.clock.monotonic()
    }

    fn throttle(&self) -> MutexGuard<'_, SlowThrottle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup for ImportedLookup {
    type Question = ImportedQuestion;
    type Found = GoodKey;

    fn look_up<'a>(
        &'a self,
        question: &'a ImportedQuestion,
        interest: &'a Interest,
    ) -> Looking<'a, GoodKey> {
        Box::pin(self.0.ask(question, interest))
    }
}

/// As much of a secret as each slow hash takes.
fn cut(secret: &[u8]) -> &[u8] {
    secret.get(..BcryptHash::LONGEST_SECRET).unwrap_or(secret)
}
