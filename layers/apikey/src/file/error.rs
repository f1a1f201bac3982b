use std::{error::Error, fmt, path::Path};

use bartizan_core::printable;

use crate::StoreError;

/// Why a file holds no keys, or can't be changed: the file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFileError {
    file: String,
    problem: String,
}

impl KeyFileError {
    pub(super) fn new(path: &Path, problem: impl fmt::Display) -> Self {
        Self {
            file: printable(&path.display().to_string(), 500).to_string(),
            problem: printable(&problem.to_string(), 500).to_string(),
        }
    }
}

impl From<KeyFileError> for StoreError {
    fn from(error: KeyFileError) -> Self {
        Self::Down(Box::new(error))
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file `{}` {}", self.file, self.problem)
    }
}

impl Error for KeyFileError {}
