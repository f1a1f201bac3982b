use std::{fs::File, io::Read, path::Path, sync::Arc};

use bartizan_core::Severity;

use super::PolicyFileError;
use crate::{Policy, PolicyHandle, RbacConfig};

/// Largest file.
const MOST_BYTES: u64 = 8 << 20;

impl PolicyHandle {
    /// Judges by the policy of this TOML text from now on, and returns the one before.
    ///
    /// # Errors
    ///
    /// Those of [`RbacConfig::from_toml`]. Also if `call_limits` or `lists` are others than those of the
    /// configuration that the layer was made of: these are the layer's, and no swap changes them. After
    /// an error the policy before stays, whole, and an event `policy_refused` says why.
    pub fn reload_toml(&self, text: &str) -> Result<Arc<Policy>, PolicyFileError> {
        self.reload(RbacConfig::from_toml(text), text)
    }

    /// Judges by the policy of this JSON text from now on, and returns the one before.
    ///
    /// # Errors
    ///
    /// As [`reload_toml`](Self::reload_toml).
    pub fn reload_json(&self, text: &str) -> Result<Arc<Policy>, PolicyFileError> {
        self.reload(RbacConfig::from_json(text), text)
    }

    /// Judges by the policy of this file from now on, TOML or JSON by its extension, and returns the one
    /// before. Waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`reload_toml`](Self::reload_toml), or if the file is not named `.toml` or `.json`, cannot be
    /// read, is larger than 8 MiB or not UTF-8.
    pub fn reload_file(&self, path: impl AsRef<Path>) -> Result<Arc<Policy>, PolicyFileError> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match (extension, read(path)) {
            (Some("toml"), Ok(text)) => self.reload_toml(&text),
            (Some("json"), Ok(text)) => self.reload_json(&text),
            (_, Err(problem)) => self.reload(Err(of_file(path, &problem)), ""),
            (_, Ok(_)) => self.reload(Err(of_file(path, "is named neither .toml nor .json")), ""),
        }
    }

    fn reload(
        &self,
        config: Result<RbacConfig, PolicyFileError>,
        text: &str,
    ) -> Result<Arc<Policy>, PolicyFileError> {
        let policy = config.and_then(|config| {
            self.check_settings(&config)
                .map_err(|name| of_layer(name, text))?;
            Policy::try_from(config).map_err(|error| PolicyFileError::new(&error.to_string()))
        });
        match policy {
            Ok(policy) => Ok(self.swap(policy)),
            Err(error) => {
                let stays = self.policy();
                let detail = format!("policy `{}` stays: {error}", stays.version());
                self.emit(Severity::Warning, "policy_refused", detail);
                Err(error)
            }
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut text = String::new();
    // One byte more tells that there is more.
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > MOST_BYTES {
        return Err("is larger than 8 MiB".to_owned());
    }
    Ok(text)
}

fn of_file(path: &Path, problem: &str) -> PolicyFileError {
    PolicyFileError::new(&format!("file `{}` {problem}", path.display()))
}

fn of_layer(name: &str, text: &str) -> PolicyFileError {
    let message = format!("setting `{name}` is the layer's, which a swap does not change");
    PolicyFileError::new(&message).at(text, text.find(name))
}
