use std::{error::Error, fmt, io};

/// Why a file could not be had. The text names no path and can go to the caller.
#[derive(Debug)]
pub struct FileError {
    kind: FileErrorKind,
    source: Option<io::Error>,
}

/// What went wrong, of a [`FileError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// Nothing has that name, or a folder on the way to it is none.
    NotFound,
    /// It is a directory, a link, a device, a pipe or a socket.
    NotAFile,
    /// It, or a folder on the way to it, is a link.
    Link,
    /// It is larger than the caller wants.
    TooLarge,
    /// It is no UTF-8, and text was asked for.
    NotText,
    /// It exists, and something new was to be made.
    Exists,
    /// The operating system says no.
    Denied,
    /// Anything else; the source tells.
    Io,
}

impl FileError {
    pub(super) fn new(kind: FileErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// What went wrong.
    pub fn kind(&self) -> FileErrorKind {
        self.kind
    }
}

impl From<FileErrorKind> for FileError {
    fn from(kind: FileErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileErrorKind::NotFound,
            io::ErrorKind::IsADirectory => FileErrorKind::NotAFile,
            io::ErrorKind::AlreadyExists => FileErrorKind::Exists,
            io::ErrorKind::PermissionDenied => FileErrorKind::Denied,
            _ => FileErrorKind::Io,
        };
        Self {
            kind,
            source: Some(error),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FileErrorKind::NotFound => "there is no such file",
            FileErrorKind::NotAFile => "it is not a regular file",
            FileErrorKind::Link => "a link leads there, and links are not followed",
            FileErrorKind::TooLarge => "the file is too large",
            FileErrorKind::NotText => "the file is not text in UTF-8",
            FileErrorKind::Exists => "it exists already",
            FileErrorKind::Denied => "the file may not be touched",
            FileErrorKind::Io => "the file could not be read or written",
        })
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
