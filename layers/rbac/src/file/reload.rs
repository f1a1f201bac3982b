use std::{path::Path, sync::Arc};

use bartizan_core::{FileProblem, Severity, WholeFile};

use super::{MOST_BYTES, PolicyFileError};
use crate::{Policy, PolicyHandle, RbacConfig, config::policies_of, handle::Swapped};

impl PolicyHandle {
    /// Judges by the policy of this TOML text from now on, and returns the one before. The engine of that
    /// stays, since no file says one.
    ///
    /// The policy in shadow is swapped with it: where the text says none, none is asked any more, unless
    /// [`RbacLayer::shadow`](crate::RbacLayer::shadow) named one.
    ///
    /// # Errors
    ///
    /// Those of [`RbacConfig::from_toml`]. Also if `call_limits`, `lists`, `unknown` or `decision_header` are others than
    /// those of the configuration that the layer was made of: these are the layer's, and no swap changes them. After
    /// an error the policy before stays, whole, and an event `policy_refused` says why.
    pub fn reload_toml(&self, text: &str) -> Result<Arc<Policy>, PolicyFileError> {
        self.reload(|handle| handle.exchange(RbacConfig::from_toml(text), text))
    }

    /// Judges by the policy of this JSON text from now on, and returns the one before.
    ///
    /// # Errors
    ///
    /// As [`reload_toml`](Self::reload_toml).
    pub fn reload_json(&self, text: &str) -> Result<Arc<Policy>, PolicyFileError> {
        self.reload(|handle| handle.exchange(RbacConfig::from_json(text), text))
    }

    /// Judges by the policy of this file from now on, TOML or JSON by its extension, and returns the one
    /// before. Waits for the disk, and for reloads of other threads, so that none brings back what an
    /// earlier one read.
    ///
    /// Write the new text to a file beside it and rename that: a file that is written in place is there in
    /// part meanwhile, and part of a TOML policy can be one too.
    ///
    /// # Errors
    ///
    /// As [`reload_toml`](Self::reload_toml), or if the file is not named `.toml` or `.json`, cannot be
    /// read, is no regular file, is larger than 8 MiB or not UTF-8, or changes while it is read.
    pub fn reload_file(&self, path: impl AsRef<Path>) -> Result<Arc<Policy>, PolicyFileError> {
        let path = path.as_ref();
        let read = || WholeFile::read(path, MOST_BYTES);
        self.reload(|handle| handle.exchange_read(path, read()))
    }

    /// The same of what was read already.
    pub(super) fn reload_read(
        &self,
        path: &Path,
        read: Result<WholeFile, FileProblem>,
    ) -> Result<Arc<Policy>, PolicyFileError> {
        self.reload(|handle| handle.exchange_read(path, read))
    }

    fn exchange_read(
        &self,
        path: &Path,
        read: Result<WholeFile, FileProblem>,
    ) -> Result<Swapped, PolicyFileError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match (extension, read) {
            (Some("toml"), Ok(WholeFile { text, .. })) => {
                self.exchange(RbacConfig::from_toml(&text), &text)
            }
            (Some("json"), Ok(WholeFile { text, .. })) => {
                self.exchange(RbacConfig::from_json(&text), &text)
            }
            (_, Err(problem)) => Err(of_file(path, &problem.to_string())),
            (_, Ok(_)) => Err(of_file(path, "is named neither .toml nor .json")),
        }
    }

    fn exchange(
        &self,
        config: Result<RbacConfig, PolicyFileError>,
        text: &str,
    ) -> Result<Swapped, PolicyFileError> {
        let config = config?;
        self.check_settings(&config)
            .map_err(|name| of_layer(name, text))?;
        self.put_keeping(|engine| {
            let policies = policies_of(&config, engine);
            policies.map_err(|error| PolicyFileError::new(&error.to_string()))
        })
    }

    /// One reload at a time. Whoever hears of it may begin another.
    fn reload(
        &self,
        exchange: impl FnOnce(&Self) -> Result<Swapped, PolicyFileError>,
    ) -> Result<Arc<Policy>, PolicyFileError> {
        let reloaded = {
            let _alone = self.alone();
            exchange(self)
        };
        match reloaded {
            Ok(swapped) => Ok(self.tell(swapped)),
            Err(error) => {
                let stays = self.policy();
                let detail = format!("policy `{}` stays: {error}", stays.version());
                self.emit(Severity::Warning, "policy_refused", detail);
                Err(error)
            }
        }
    }
}

fn of_file(path: &Path, problem: &str) -> PolicyFileError {
    PolicyFileError::new(&format!("file `{}` {problem}", path.display()))
}

fn of_layer(name: &str, text: &str) -> PolicyFileError {
    let message = format!("setting `{name}` is the layer's, which a swap does not change");
    PolicyFileError::new(&message).at(text, text.find(name))
}
