use bartizan_sensitive::{Kind, Kinds, Pseudonyms, Redactor};
use serde::{Deserialize, Serialize};

use super::KeyFile;
use crate::AuditConfigError;

/// [`Pseudonyms`] as a file holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PseudonymsConfig {
    /// The key, at least 32 bytes.
    pub key: KeyFile,
    /// Kinds of values that have a pseudonym, as `metadata.masked` calls them; none: all.
    #[serde(default)]
    pub kinds: Vec<String>,
}

impl PseudonymsConfig {
    /// Of every kind, under this key.
    pub fn new(key: KeyFile) -> Self {
        let kinds = Vec::new();
        Self { key, kinds }
    }

    pub(super) fn over(&self, redactor: Redactor) -> Result<Redactor, AuditConfigError> {
        let key = self.key.read("pseudonyms' key")?;
        let kinds = self.kinds.iter().map(|name| {
            let problem = "is no kind of sensitive value";
            Kind::from_name(name)
                .ok_or_else(|| AuditConfigError::new("pseudonyms' kind", name, problem))
        });
        let kinds: Vec<_> = kinds.collect::<Result<_, _>>()?;
        let kinds = if kinds.is_empty() {
            Kinds::all()
        } else {
            Kinds::of(kinds)
        };
        Ok(redactor.pseudonyms(Pseudonyms::new(self.key.number, &key)?, &kinds))
    }
}
