use std::{fmt, io};

use super::record::shown;

/// Why it ended.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what can't be.
    Usage(String),
    /// The log can't be read.
    Log(io::Error),
    /// Nobody takes the output any more.
    Output(io::Error),
}

impl Failure {
    /// Whether whoever read the output has just seen enough.
    pub(crate) fn is_enough(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Log(_) | Self::Output(_) => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(&shown(text, 500)),
            Self::Log(error) => write!(f, "the log can't be read: {error}"),
            Self::Output(error) => write!(f, "the output can't be written: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}
