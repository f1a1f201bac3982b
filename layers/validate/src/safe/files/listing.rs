use cap_std::fs::Dir;

use super::FileError;
use crate::safe::SafePath;

/// What a directory holds, of what can be opened by a [`SafePath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    entries: Vec<Entry>,
    is_complete: bool,
}

/// A file or folder in a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    name: SafePath,
    kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

impl Listing {
    /// Looks at no more than `max` names.
    pub(super) fn of(dir: &Dir, max: usize) -> Result<Self, FileError> {
        let mut found = dir.entries()?;
        let mut entries = Vec::new();
        for entry in found.by_ref().take(max) {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| SafePath::new(name).ok()) else {
                continue;
            };
            let kind = entry.file_type()?;
            if kind.is_file() || kind.is_dir() {
                let kind = match kind.is_dir() {
                    true => EntryKind::Folder,
                    false => EntryKind::File,
                };
                entries.push(Entry { name, kind });
            }
        }
        entries.sort();
        let is_complete = found.next().is_none();
        Ok(Self {
            entries,
            is_complete,
        })
    }

    /// Files and folders, by name. Links, devices, and names that are no [`SafePath`] are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the directory has no more names than were looked at.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl Entry {
    /// Its name in its folder: a path of one part.
    pub fn name(&self) -> &SafePath {
        &self.name
    }

    /// File or folder.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }
}
