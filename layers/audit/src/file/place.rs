//! Where the file is: its lock, its name when it is kept, and how another one takes its place.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

pub(super) struct Opened {
    /// Without links.
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) is_regular: bool,
    pub(super) since: SystemTime,
    pub(super) is_kept: bool,
}

const TRIES: usize = 5;

pub(super) fn open(path: &Path) -> io::Result<Opened> {
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        // A pipe without a reader is not waited for.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let file = options.custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        let path = fs::canonicalize(path)?;
        let is_regular = metadata.is_file();
        let mut is_kept = false;
        if is_regular {
            lock(&file)?;
            // Whoever had the lock may have put another one into its place meanwhile.
            if !is_same(&fs::metadata(&path)?, &metadata) {
                continue;
            }
            is_kept = is_kept_already(&path, &metadata)?;
            sync_directory(&path)?;
        }
        return Ok(Opened {
            path,
            file,
            is_regular,
            since: metadata.created().unwrap_or_else(|_| SystemTime::now()),
            is_kept,
        });
    }
    Err(io::Error::other("somebody replaces it again and again"))
}

/// Keeps the file under a name of its own, and puts an empty one into its place; whether that is on the disk is
/// said apart, since it is done. At no time is there none, or one without a lock.
pub(super) fn succeed(path: &Path, file: &File) -> io::Result<(File, io::Result<()>)> {
    let metadata = file.metadata()?;
    if !is_same(&fs::metadata(path)?, &metadata) {
        return Err(io::Error::other("somebody replaced it"));
    }
    // Opened first: afterwards there may be no handle left for it.
    let directory = File::open(directory_of(path))?;
    let next = named(path, ".new");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).mode(0o600);
    let successor = options.open(&next)?;
    lock(&successor)?;
    if !is_kept_already(path, &metadata)? {
        keep(path)?;
    }
    fs::rename(&next, path)?;
    Ok((successor, directory.sync_all()))
}

/// A second name, the next in the row. Unlike a rename this replaces nothing.
fn keep(path: &Path) -> io::Result<()> {
    for _ in 0..TRIES {
        let number = kept(path)?.last().map_or(0, |(number, _)| *number);
        match fs::hard_link(
            path,
            named(path, &format!(".{:06}", number.saturating_add(1))),
        ) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            linked => return linked,
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Those that were kept, the oldest first.
pub(super) fn kept(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let prefix = named(Path::new(path.file_name().unwrap_or_default()), ".");
    let prefix = prefix.as_os_str().as_encoded_bytes();
    let mut all = Vec::new();
    for entry in fs::read_dir(directory_of(path))? {
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

fn is_kept_already(path: &Path, metadata: &Metadata) -> io::Result<bool> {
    if metadata.nlink() < 2 {
        return Ok(false);
    }
    let is_it = |path: &Path| fs::metadata(path).is_ok_and(|other| is_same(&other, metadata));
    Ok(kept(path)?.iter().any(|(_, kept)| is_it(kept)))
}

fn lock(file: &File) -> io::Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(io::Error::other("another one writes it")),
        Err(error) => Err(error.into()),
    }
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
