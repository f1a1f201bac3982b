use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, fchown},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;

use super::place::{directory_of, open};

/// A file that is as old and was to take the place of another one never will.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What is not yet the file ends so.
const UNFINISHED: &str = ".new";

/// A file that is not in its place yet. It goes if it does not get there.
pub(super) struct Unfinished {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Unfinished {
    /// The owner of the one before can read it, and nobody else.
    pub(super) fn write(place: &Path, text: &str, before: Option<&Metadata>) -> io::Result<Self> {
        let path = name_beside(place)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = open(&mut options, &path)?;
        let mut next = Self { path, file };
        if let Some(before) = before {
            next.belong_as(before)?;
        }
        next.file.write_all(text.as_bytes())?;
        next.file.sync_all()?;
        Ok(next)
    }

    /// Its owner may not be who writes: an administrator, say.
    fn belong_as(&self, before: &Metadata) -> io::Result<()> {
        if self.file.metadata()?.uid() == before.uid() {
            return Ok(());
        }
        fchown(&self.file, Some(before.uid()), None)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it is in its place there is none of this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what processes left behind that were killed while they wrote.
pub(super) fn remove_unfinished(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let beginning = beginning_beside(&path)?;
    for entry in fs::read_dir(directory_of(&path))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_bytes();
        if !name.starts_with(beginning.as_bytes()) || !name.ends_with(UNFINISHED.as_bytes()) {
            continue;
        }
        let age = entry.metadata()?.modified()?.elapsed();
        if age.is_ok_and(|age| age > FORGOTTEN) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A name in the same directory that nobody has or foresees.
fn name_beside(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = beginning_beside(path)?;
    name.push(HEXLOWER.encode(&random));
    name.push(UNFINISHED);
    Ok(path.with_file_name(name))
}

fn beginning_beside(path: &Path) -> io::Result<OsString> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "it has no name");
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(no_name)?);
    name.push(".");
    Ok(name)
}
