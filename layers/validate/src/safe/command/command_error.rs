use std::{error::Error, fmt, io};

/// Why a program did not run to its end. The text names no argument and can go to the caller.
#[derive(Debug)]
pub struct CommandError {
    kind: CommandErrorKind,
    source: Option<io::Error>,
}

/// What went wrong, of a [`CommandError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandErrorKind {
    /// It could not be started.
    Start,
    /// It took longer than it may, and was ended.
    TimeLimit,
    /// It wrote more than it may, and was ended.
    OutputLimit,
    /// It, or its output, was lost; the source tells.
    Io,
}

impl CommandError {
    pub(super) fn new(kind: CommandErrorKind, source: io::Error) -> Self {
        Self {
            kind,
            source: Some(source),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> CommandErrorKind {
        self.kind
    }
}

impl From<CommandErrorKind> for CommandError {
    fn from(kind: CommandErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<io::Error> for CommandError {
    fn from(source: io::Error) -> Self {
        Self::new(CommandErrorKind::Io, source)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CommandErrorKind::Start => "the program could not be started",
            CommandErrorKind::TimeLimit => "the program took too long",
            CommandErrorKind::OutputLimit => "the program wrote too much",
            CommandErrorKind::Io => "the program was lost",
        })
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
