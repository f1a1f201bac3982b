use std::{fmt, sync::Arc};

use bartizan_core::{Challenge, Clock, Events, SystemClock, auth::Revocations};
use bartizan_lookup::Lookups;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

#[cfg(feature = "attenuation")]
use crate::children::Nursery;
use crate::{
    ApiKeyConfig, ApiKeyConfigError, ApiKeys, KeyForm, KeyStore, Peppers, honey::HoneyNames,
    keys::Inner, lookup::StoreLookup, uses::Uses, verifier::Judge, warnings::Warnings,
};

/// Builds [`ApiKeys`]. Made by [`ApiKeys::builder`].
#[must_use]
pub struct ApiKeysBuilder {
    form: KeyForm,
    peppers: Peppers,
    store: Arc<dyn KeyStore>,
    issuer: Option<String>,
    headers: Vec<HeaderName>,
    config: ApiKeyConfig,
    clock: Arc<dyn Clock>,
    events: Events,
    revocations: Option<Revocations>,
    #[cfg(feature = "imported")]
    imported: Vec<crate::ImportedForm>,
    #[cfg(feature = "imported")]
    imports: crate::ImportConfig,
}

impl ApiKeysBuilder {
    pub(crate) fn new(form: KeyForm, peppers: Peppers, store: Arc<dyn KeyStore>) -> Self {
        Self {
            form,
            peppers,
            store,
            issuer: None,
            headers: vec![HeaderName::from_static("x-api-key")],
            config: ApiKeyConfig::default(),
            clock: Arc::new(SystemClock::new()),
            events: Events::default(),
            revocations: None,
            #[cfg(feature = "imported")]
            imported: Vec::new(),
            #[cfg(feature = "imported")]
            imports: crate::ImportConfig::default(),
        }
    }

    /// Who vouches for owners: the principals' issuer, a name of yours that no issuer of tokens has. By default
    /// `apikey:` and the brand.
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// The header fields that carry a key besides `Authorization`; `X-API-Key` by default.
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers = names.into_iter().collect();
        self
    }

    /// How keys are looked up and remembered.
    pub fn config(mut self, config: ApiKeyConfig) -> Self {
        self.config = config;
        self
    }

    /// Where the time comes from; by default from the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where it is reported what becomes of keys, and of the store.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// A list of revocations that is looked into for each request, and that what is revoked here is put into;
    /// one that `bartizan-redis` feeds tells what other nodes revoked through it. By default one of its own.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Takes keys of another system too that look so. Several systems have a form each.
    #[cfg(feature = "imported")]
    pub fn imported(mut self, form: crate::ImportedForm) -> Self {
        self.imported.push(form);
        self
    }

    /// What slow hashes of keys of other systems may take.
    #[cfg(feature = "imported")]
    pub fn imports(mut self, config: crate::ImportConfig) -> Self {
        self.imports = config;
        self
    }

    /// Builds it. The store is not asked yet.
    ///
    /// # Errors
    ///
    /// If a setting is out of range or contradicts another one; the error names which.
    pub fn build(self) -> Result<ApiKeys, ApiKeyConfigError> {
        let settings = self.config.lookups()?;
        check_headers(&self.headers)?;
        let issuer = match self.issuer {
            Some(issuer) if issuer.is_empty() => {
                return Err(ApiKeyConfigError::of("issuer", "is empty"));
            }
            Some(issuer) => issuer,
            None => format!("apikey:{}", self.form.brand()),
        };
        let issuer: Box<str> = issuer.into();
        let revocations = self.revocations.unwrap_or_else(|| {
            Revocations::with_clock(Revocations::DEFAULT_CAPACITY, Arc::clone(&self.clock))
        });
        let honey = Arc::new(HoneyNames::default());
        let lookup = StoreLookup {
            honey: Arc::clone(&honey),
            store: Arc::clone(&self.store),
            peppers: self.peppers.clone(),
            issuer: issuer.clone(),
            clock: Arc::clone(&self.clock),
            form: self.form.clone(),
            warnings: Arc::new(Warnings::new(
                self.config.warn_before_seconds,
                self.events.clone(),
            )),
            #[cfg(feature = "attenuation")]
            nursery: Arc::new(Nursery::new(self.form.clone(), self.events.clone())?),
        };
        #[cfg(feature = "imported")]
        let imports = match self.imported.is_empty() {
            true => None,
            false => Some(Arc::new(crate::imports::Imports::new(
                self.imported,
                self.imports,
                &self.form,
                lookup.clone(),
                &settings,
                &self.events,
                &revocations,
            )?)),
        };
        let (clock, events) = (Arc::clone(&self.clock), self.events.clone());
        let lookups = Lookups::new(lookup, &settings, clock, events, Some(revocations.clone()))?;
        let now = self.clock.wall().as_secs();
        let uses = Arc::new(Uses::new(Arc::clone(&self.store), now));
        let judge = Judge {
            form: self.form.clone(),
            lookups: Arc::new(lookups),
            uses: Arc::clone(&uses),
            clock: Arc::clone(&self.clock),
            headers: self.headers,
            challenges: challenges(&self.form)?,
            honey,
            #[cfg(feature = "imported")]
            imports,
        };
        Ok(ApiKeys(Arc::new(Inner {
            form: self.form,
            peppers: self.peppers,
            store: self.store,
            issuer,
            clock: self.clock,
            events: self.events,
            revocations,
            uses,
            judge: Arc::new(judge),
            longest_memory: self.config.longest_memory(),
        })))
    }
}

/// Keys are taken as bearer tokens too, so the first line is true.
fn challenges(form: &KeyForm) -> Result<[HeaderValue; 2], ApiKeyConfigError> {
    let line = |scheme| {
        let challenge = Challenge::new(scheme).param("realm", form.brand());
        let line = challenge.and_then(|challenge| challenge.header_value());
        line.map_err(|error| ApiKeyConfigError::new("challenge", error.to_string(), "can't be"))
    };
    Ok([line("Bearer")?, line("ApiKey")?])
}

fn check_headers(headers: &[HeaderName]) -> Result<(), ApiKeyConfigError> {
    for (place, name) in headers.iter().enumerate() {
        let problem = if name == AUTHORIZATION {
            "is read anyway"
        } else if headers.iter().take(place).any(|before| before == name) {
            "is there twice"
        } else {
            continue;
        };
        return Err(ApiKeyConfigError::new("header", name.as_str(), problem));
    }
    Ok(())
}

impl fmt::Debug for ApiKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeysBuilder")
            .field("form", &self.form)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
