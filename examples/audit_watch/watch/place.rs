//! Which file it is, whatever its name, and which came after it.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

/// Tells files apart. Where the system does not, each is taken for the same, and only ever grows or is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Self {
        Self(0, 0)
    }
}

/// The file that was kept after this one, as `RotatingFile` keeps them: `NAME.000001` is older than `NAME.000002`, and `NAME` is the
/// newest, for which `Some(None)` stands. `None` if this one was not kept.
pub(super) fn successor(path: &Path, old: &Identity) -> io::Result<Option<Option<PathBuf>>> {
    // They are beside the file, and not beside a link to it.
    let path = fs::canonicalize(path)?;
    let mut kept = kept(&path)?.into_iter().map(|(_, path)| path);
    let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|m| Identity::of(&m) == *old);
    Ok(kept.find(is_it).map(|_| kept.next()))
}

/// Those that were kept, the oldest first.
fn kept(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut prefix = OsString::from(path.file_name().unwrap_or_default());
    prefix.push(".");
    let prefix = prefix.as_encoded_bytes();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut all = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.as_encoded_bytes().strip_prefix(prefix);
        let number = number.filter(|n| n.len() >= 6 && n.iter().all(u8::is_ascii_digit));
        let number = number.and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
        all.extend(number.map(|number| (number, entry.path())));
    }
    all.sort_unstable();
    Ok(all)
}
