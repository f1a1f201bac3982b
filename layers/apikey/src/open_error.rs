use std::{error::Error, fmt};

/// Why a store was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Others on this machine could read or change what is kept: which file or folder, and what lets them.
    Exposed(String),
    /// The database is there, and is something else.
    Foreign,
    /// A later version of this crate has changed the tables: their version, and the latest that is known here.
    Newer(i64, i64),
    /// The tables are of an earlier version, and were to be left as they are: their version, and the one that is
    /// needed.
    Older(i64, i64),
    /// A setting can't be: which, and why.
    Setting(String),
    /// The database did not do it.
    Database(Box<dyn Error + Send + Sync>),
}

impl OpenError {
    pub(crate) fn database(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Database(error.into())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed(what) => f.write_str(what),
            Self::Foreign => f.write_str("the database is not one of API keys"),
            Self::Newer(found, known) => write!(
                f,
                "the database's tables are of version {found}, and the latest known here is {known}"
            ),
            Self::Older(found, needed) => write!(
                f,
                "the database's tables are of version {found}, and {needed} is needed"
            ),
            Self::Setting(what) => f.write_str(what),
            Self::Database(_) => f.write_str("the database can't be opened"),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database(error) => Some(&**error),
            _ => None,
        }
    }
}
