use std::time::Duration;

use bartizan_core::Severity;

use crate::{
    ApiKeyConfigError, ApiKeys, KeyError, KeyGrant, KeyId, KeyRecord, USUAL_LIFE,
    import_config::read_foreign, imports::Imports, patience::in_time,
};

/// Keys that another system made.
impl ApiKeys {
    /// Takes over a key of another system for [`USUAL_LIFE`] from now on.
    ///
    /// # Errors
    ///
    /// Those of [`import_for`](Self::import_for).
    pub async fn import(
        &self,
        beginning: &str,
        hash: &str,
        grant: KeyGrant,
    ) -> Result<KeyRecord, KeyError> {
        self.import_for(beginning, hash, grant, USUAL_LIFE).await
    }

    /// Takes over a key of another system for so long from now on, in whole seconds, at most ten years. Its holder
    /// goes on to present it as it is.
    ///
    /// `beginning` is the key's text up to the end of its public part, as `old_7f3a`; never its secret. `hash` is
    /// what the other system kept of it: Argon2id as a PHC string, or bcrypt (`$2a$`, `$2b$`, `$2y$`).
    ///
    /// # Errors
    ///
    /// If the text is not the beginning of a key of an [`ImportedForm`](crate::ImportedForm), or all of one; if the
    /// hash is neither, takes more than [`ImportConfig`](crate::ImportConfig) permits, or is too weak; if the key is
    /// there already ([`StoreError::Conflict`](crate::StoreError::Conflict)); or as [`issue_for`](Self::issue_for).
    pub async fn import_for(
        &self,
        beginning: &str,
        hash: &str,
        grant: KeyGrant,
        life: Duration,
    ) -> Result<KeyRecord, KeyError> {
        let (imports, id) = self.imported_id(beginning)?;
        let hash = read_foreign(hash)?;
        imports.config().check_hash(&hash)?;
        let mut record = self.make(grant, life)?.into_record();
        record.id = id;
        record.hash = hash;
        // Its secret is not ours to derive keys from.
        record.verifying_key = None;
        in_time(self.0.store.insert(record.clone())).await?;
        let (owner, hash) = (&record.grant.owner, &record.hash);
        let detail = format!("key `{id}` of another system was imported for `{owner}`: {hash:?}");
        self.emit(Severity::Info, "key_imported", detail);
        Ok(record)
    }

    /// The id under which a key of another system is kept, to find its record by: of its text up to the end of its
    /// public part.
    ///
    /// # Errors
    ///
    /// If the text is not the beginning of a key of an [`ImportedForm`](crate::ImportedForm), or all of one.
    pub fn id_of_imported(&self, beginning: &str) -> Result<KeyId, KeyError> {
        self.imported_id(beginning).map(|(_, id)| id)
    }

    /// How many slow hashes this process has begun, those included that verify nothing.
    pub fn slow_hashes(&self) -> u64 {
        let imports = self.0.judge.imports.as_ref();
        imports.map_or(0, |imports| imports.slow_hashes())
    }

    fn imported_id(&self, beginning: &str) -> Result<(&Imports, KeyId), KeyError> {
        let imports = self.0.judge.imports.as_deref();
        let found = imports.and_then(|imports| {
            let form = imports.form_of(beginning)?;
            Some((imports, form.id_of_beginning(beginning)?))
        });
        // The text is not shown: it may be a key.
        let problem = "is not the text of an imported key up to the end of its public part";
        found.ok_or_else(|| ApiKeyConfigError::of("beginning", problem).into())
    }

    /// The record of a key of another system that is shown, if it is one; `None` if the text is of none of their
    /// forms.
    pub(crate) async fn shown_import(
        &self,
        text: &str,
    ) -> Option<Result<Option<KeyRecord>, KeyError>> {
        let imports = self.0.judge.imports.as_deref()?;
        imports.form_of(text)?;
        Some(self.find_import(imports, text).await)
    }

    async fn find_import(
        &self,
        imports: &Imports,
        text: &str,
    ) -> Result<Option<KeyRecord>, KeyError> {
        let id = imports.id(text).ok_or(KeyError::NoKey)?;
        let record = in_time(self.0.store.get(id)).await?;
        let proved = imports.proves(text, record.as_ref()).await;
        let is_it = proved.ok_or(KeyError::Busy)?;
        Ok(record.filter(|_| is_it))
    }
}
