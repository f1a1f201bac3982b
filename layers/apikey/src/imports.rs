use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use bartizan_core::{Events, auth::Revocations};
use bartizan_lookup::{Judgement, Lookups, Network, Refusal, Settings};
use bartizan_token::TokenCache;

use crate::{
    ApiKeyConfigError, ImportConfig, KeyForm, KeyId, KeyRecord,
    imported_form::ImportedForm,
    imported_lookup::{ImportedKeys, ImportedLookup, ImportedQuestion},
    lookup::{GoodKey, StoreLookup},
    slow_hashes::SlowHashes,
    slow_throttle::SlowThrottle,
};

/// The keys of other systems. They are asked about apart from those that were made here: what is slow about them
/// keeps nobody else waiting.
pub(crate) struct Imports {
    forms: Box<[Arc<ImportedForm>]>,
    keys: Arc<ImportedKeys>,
    pub(crate) lookups: Arc<Lookups<ImportedLookup>>,
}

impl Imports {
    pub(crate) fn new(
        forms: Vec<ImportedForm>,
        config: ImportConfig,
        form: &KeyForm,
        records: StoreLookup,
        settings: &Settings,
        events: &Events,
        revocations: &Revocations,
    ) -> Result<Self, ApiKeyConfigError> {
        config.check()?;
        for (place, imported) in forms.iter().enumerate() {
            imported.check(form, forms.get(..place).unwrap_or_default())?;
            if let Some(cost) = imported.decoy_bcrypt() {
                config.check_bcrypt("mostly_bcrypt", cost)?;
            }
        }
        let (running, waiting) = (config.at_a_time(), config.max_waiting);
        let verified = TokenCache::new(settings.capacity)?;
        let verified = verified.ok_or_else(|| ApiKeyConfigError::missing("key_capacity"))?;
        let throttle = SlowThrottle::new(config.per_minute, config.per_key_per_minute);
        let clock = Arc::clone(&records.clock);
        let keys = Arc::new(ImportedKeys {
            records,
            slow: Arc::new(SlowHashes::new(running, waiting)),
            throttle: Mutex::new(throttle),
            verified: Arc::new(verified),
            events: events.clone(),
            patience: settings.timeout * 9 / 10,
            config,
        });
        let lookup = ImportedLookup(Arc::clone(&keys));
        let revocations = Some(revocations.clone());
        let lookups = Lookups::new(lookup, settings, clock, events.clone(), revocations)?;
        Ok(Self {
            forms: forms.into_iter().map(Arc::new).collect(),
            keys,
            lookups: Arc::new(lookups),
        })
    }

    /// The form of such a key.
    pub(crate) fn form_of(&self, text: &str) -> Option<&Arc<ImportedForm>> {
        self.forms.iter().find(|form| form.begins(text))
    }

    pub(crate) fn judge(
        &self,
        form: &Arc<ImportedForm>,
        text: &str,
        from: Option<IpAddr>,
    ) -> Judgement<GoodKey> {
        // Before the text is cut and its id hashed.
        if let Some(verdict) = self.lookups.remembered(text) {
            return Judgement::Done(verdict);
        }
        match question(form, text, from.map(Network::of)) {
            Some(question) => self.lookups.judge(text, || question, from),
            None => Judgement::Done(Err(Refusal::Fault(
                "the key has not the form of an imported one",
            ))),
        }
    }

    /// The id of such a key; `None` if it has none.
    pub(crate) fn id(&self, text: &str) -> Option<KeyId> {
        let question = question(self.form_of(text)?, text, None)?;
        Some(question.text.id)
    }

    /// Whether the text is that of the key with this record; `None` if there is no room to find out.
    pub(crate) async fn proves(&self, text: &str, record: Option<&KeyRecord>) -> Option<bool> {
        // Who shows keys, from wherever, has the part of one network.
        let network = Network::of(Ipv4Addr::UNSPECIFIED.into());
        let question = question(self.form_of(text)?, text, Some(network))?;
        self.keys.proves(&question, record).await.ok()
    }

    pub(crate) fn config(&self) -> &ImportConfig {
        &self.keys.config
    }

    pub(crate) fn slow_hashes(&self) -> u64 {
        self.keys.slow.begun()
    }
}

fn question(
    form: &Arc<ImportedForm>,
    text: &str,
    network: Option<Network>,
) -> Option<ImportedQuestion> {
    Some(ImportedQuestion {
        form: Arc::clone(form),
        text: Arc::new(form.read(text)?),
        network,
    })
}
