use bartizan_core::{Event, Events, Severity};
use bartizan_token::TokenCache;

use super::Root;
use crate::{ApiKeyConfigError, KeyForm, KeyId};

/// What children are judged with, besides what their keys are.
pub(crate) struct Nursery {
    form: KeyForm,
    events: Events,
    announced: TokenCache<()>,
}

/// Of so many children it is remembered that they were told of.
const ANNOUNCED: usize = 4096;

impl Nursery {
    pub(crate) fn new(form: KeyForm, events: Events) -> Result<Self, ApiKeyConfigError> {
        let announced = TokenCache::new(ANNOUNCED)?;
        Ok(Self {
            form,
            events,
            announced: announced.ok_or(ApiKeyConfigError::missing("children"))?,
        })
    }

    pub(super) fn root<'a>(&'a self, environment: &'a str, id: KeyId) -> Root<'a> {
        self.form.root(environment, id)
    }

    /// Tells the operator of a child that is good, the first time that it is seen, give or take.
    pub(super) fn announce(&self, lineage: &str) {
        let fingerprint = self.announced.fingerprint(lineage);
        if self.announced.find(fingerprint).is_none() {
            self.announced.remember(fingerprint, 0, ());
            let event = Event::new("apikey", Severity::Info, "child_seen", lineage.to_owned());
            self.events.emit(&event);
        }
    }
}
