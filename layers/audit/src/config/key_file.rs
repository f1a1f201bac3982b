use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bartizan_core::Secret;
use serde::{Deserialize, Serialize};

use crate::AuditConfigError;

/// A key in a file of its bytes, and its number, which is never used again for another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyFile {
    /// The number.
    pub number: u32,
    /// Where it is: a file that only its owner may write, and nobody but the owner and the group may read.
    pub path: PathBuf,
}

impl KeyFile {
    /// A key by its number and its file.
    pub fn new(number: u32, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { number, path }
    }

    pub(super) fn read(&self, setting: &'static str) -> Result<Secret, AuditConfigError> {
        read(&self.path, setting)
    }
}

/// No key has more.
const MOST: u64 = 4096;

/// The bytes of a file that is kept as a secret; `setting` names it in the error.
pub(super) fn read(path: &Path, setting: &'static str) -> Result<Secret, AuditConfigError> {
    let key = opened(path)
        .map_err(|error| format!("can't be read: {error}"))
        .and_then(|(file, metadata)| {
            judge(&metadata)?;
            // As much at once as there may be, so that no copy stays behind in memory.
            let mut key = Vec::with_capacity(usize::try_from(MOST + 1).unwrap_or_default());
            let read = file.take(MOST + 1).read_to_end(&mut key);
            let key = Secret::from(key);
            read.map_err(|error| format!("can't be read: {error}"))?;
            Ok(key)
        });
    key.map_err(|problem| AuditConfigError::new(setting, path.to_string_lossy(), problem))
}

fn opened(path: &Path) -> io::Result<(File, Metadata)> {
    // A pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Of the file that was opened, so that no other one can take its place.
fn judge(metadata: &Metadata) -> Result<(), String> {
    if metadata.len() > MOST {
        return Err("is too long for a key".to_owned());
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
        if mode & 0o007 != 0 {
            return Err(format!("has mode {mode:o}: everybody may use it"));
        }
        if mode & 0o020 != 0 {
            return Err(format!(
                "has mode {mode:o}: others than its owner may write it"
            ));
        }
    }
    Ok(())
}
