use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions},
};

use super::{FileError, FileErrorKind, Listing};
use crate::safe::SafePath;

/// A directory, opened once, and whatever is below it. What is opened through it is never outside.
///
/// The check and the opening are one: each folder is opened in the one before it, and no link is followed, so
/// there is no moment in which somebody exchanges what was checked. Only regular files are read, up to a size that the caller states: a pipe
/// does not block, a device is not touched. It is `cap-std`, with less permitted. See
/// [the guide](crate::guide::paths) for what goes wrong otherwise.
///
/// ```
/// # use std::fs;
/// use bartizan_validate::safe::{SafePath, files::{FileErrorKind, ScopedDir}};
///
/// # let root = tempfile::tempdir().unwrap();
/// # let base = root.path().join("data");
/// # fs::create_dir(&base).unwrap();
/// # fs::write(base.join("motd"), "hello").unwrap();
/// let data = ScopedDir::open(&base)?; // at the start
///
/// let path = SafePath::new("motd").unwrap(); // an argument of the tool
/// assert_eq!(data.read_text(&path, 64 * 1024)?, "hello");
///
/// assert!(SafePath::new("../database/keys").is_err());
/// # #[cfg(unix)] {
/// std::os::unix::fs::symlink("/etc/passwd", base.join("link"))?;
/// let refused = data.read_text(&SafePath::new("link").unwrap(), 64 * 1024).unwrap_err();
/// assert_eq!(refused.kind(), FileErrorKind::Link);
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// Its methods block: call them in `tokio::task::spawn_blocking`, for which it is cheap to clone.
///
/// What it does not tell apart: a hard link is the file itself, and what is mounted below is below. Whoever may make
/// those in the directory decides what is read there.
#[derive(Debug, Clone)]
pub struct ScopedDir {
    dir: Arc<Dir>,
}

impl ScopedDir {
    /// The directory at `path`, which the operator chooses. Links on the way to it are followed.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(Self { dir: Arc::new(dir) })
    }

    /// A folder below it, as a directory of its own.
    ///
    /// # Errors
    ///
    /// If there is none, or a link leads there.
    pub fn folder(&self, path: &SafePath) -> Result<Self, FileError> {
        let dir = self.descend(path.parts())?;
        Ok(Self { dir })
    }

    /// Opens a regular file for reading. [`read`](Self::read) also bounds how much.
    ///
    /// # Errors
    ///
    /// If it is none, or a link leads there.
    pub fn open_file(&self, path: &SafePath) -> Result<std::fs::File, FileError> {
        let (folder, name) = self.folder_of(path)?;
        // To open a device may do something, so what is none is not opened. What is exchanged meanwhile
        // is found out afterwards, and a pipe does not wait for its other end.
        let kind = folder.symlink_metadata(name)?.file_type();
        if kind.is_symlink() {
            return Err(FileErrorKind::Link.into());
        }
        if !kind.is_file() {
            return Err(FileErrorKind::NotAFile.into());
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = folder.open_with(name, options);
        let file = file.map_err(|error| why(&folder, name, error))?;
        if !file.metadata()?.is_file() {
            return Err(FileErrorKind::NotAFile.into());
        }
        Ok(file.into_std())
    }

    /// The bytes of a regular file, of which there are at most `max`.
    ///
    /// # Errors
    ///
    /// If it is no regular file, has more, or a link leads there.
    pub fn read(&self, path: &SafePath, max: usize) -> Result<Vec<u8>, FileError> {
        let file = self.open_file(path)?;
        let most = u64::try_from(max).unwrap_or(u64::MAX);
        if file.metadata()?.len() > most {
            return Err(FileErrorKind::TooLarge.into());
        }
        // It may grow while it is read.
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            return Err(FileErrorKind::TooLarge.into());
        }
        Ok(bytes)
    }

    /// The text of a regular file, of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), or if it is no UTF-8.
    pub fn read_text(&self, path: &SafePath, max: usize) -> Result<String, FileError> {
        let bytes = self.read(path, max)?;
        String::from_utf8(bytes).map_err(|_| FileErrorKind::NotText.into())
    }

    /// Makes a file that was not there, for nobody but this user to read (on Unix).
    ///
    /// # Errors
    ///
    /// If something has that name, a link that leads nowhere included, or it cannot be written; then
    /// nothing is left behind.
    pub fn create(&self, path: &SafePath, bytes: &[u8]) -> Result<(), FileError> {
        let (folder, name) = self.folder_of(path)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .follow(FollowSymlinks::No);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file: File = folder.open_with(name, &options)?;
        if let Err(error) = file.write_all(bytes) {
            let _ = folder.remove_file(name);
            return Err(error.into());
        }
        Ok(())
    }

    /// Makes a folder that was not there.
    ///
    /// # Errors
    ///
    /// If something has that name, or the folder around it is missing.
    pub fn create_folder(&self, path: &SafePath) -> Result<(), FileError> {
        let (folder, name) = self.folder_of(path)?;
        Ok(folder.create_dir(name)?)
    }

    /// Removes a file, or a link itself.
    ///
    /// # Errors
    ///
    /// If there is none, or it is a folder.
    pub fn remove_file(&self, path: &SafePath) -> Result<(), FileError> {
        let (folder, name) = self.folder_of(path)?;
        Ok(folder.remove_file(name)?)
    }

    /// What the directory itself holds. No more than `max` names are looked at.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn list(&self, max: usize) -> Result<Listing, FileError> {
        Listing::of(&self.dir, max)
    }

    fn folder_of<'p>(&self, path: &'p SafePath) -> Result<(Arc<Dir>, &'p str), FileError> {
        let (folder, name) = path.split_last();
        let folder = self.descend(folder.into_iter().flat_map(|folder| folder.split('/')))?;
        Ok((folder, name))
    }

    fn descend<'p>(&self, parts: impl Iterator<Item = &'p str>) -> Result<Arc<Dir>, FileError> {
        let mut dir = Arc::clone(&self.dir);
        for part in parts {
            let folder = dir.open_dir_nofollow(part);
            dir = Arc::new(folder.map_err(|error| why(&dir, part, error))?);
        }
        Ok(dir)
    }
}

/// Systems have several codes for a link that was not followed.
fn why(dir: &Dir, name: &str, error: io::Error) -> FileError {
    match dir.symlink_metadata(name) {
        Ok(found) if found.is_symlink() => FileErrorKind::Link.into(),
        _ => error.into(),
    }
}
