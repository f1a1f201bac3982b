use std::{
    fs::{self, OpenOptions},
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{OpenError, StoreError};

/// The file that is open: another one may take its place, and nobody who has it open would see that.
pub(crate) struct Place {
    path: PathBuf,
    number: Number,
}

#[cfg(unix)]
type Number = (u64, u64);
/// Elsewhere a file that is open stays where it is.
#[cfg(not(unix))]
type Number = ();

impl Place {
    pub(crate) fn of(path: PathBuf) -> Result<Self, Error> {
        let number = number(&path)?;
        Ok(Self { path, number })
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match number(&self.path) {
            Ok(number) if number == self.number => Ok(()),
            Ok(_) => Err(StoreError::Down("another file took its place".into())),
            Err(error) => Err(StoreError::Down(error.into())),
        }
    }
}

/// What SQLite puts beside its file, with the same mode.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Makes the file unless it is there; its path, free of links. Neither may others on this machine read or write it, nor
/// put another one into its place.
pub(crate) fn prepare(path: &Path) -> Result<PathBuf, OpenError> {
    let name = path
        .file_name()
        .ok_or_else(|| OpenError::Setting(format!("`{}` names no file", path.display())))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(OpenError::database)?;
    check_folder(&folder)?;
    let file = folder.join(name);
    create(&file).map_err(OpenError::database)?;
    for suffix in BESIDE {
        let mut beside = file.clone().into_os_string();
        beside.push(suffix);
        check_file(Path::new(&beside))?;
    }
    Ok(file)
}

fn create(file: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn number(path: &Path) -> Result<Number, Error> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number(_: &Path) -> Result<Number, Error> {
    Ok(())
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), OpenError> {
    let mode = mode_of(folder).map_err(OpenError::database)?;
    // A log of changes that lay there before would be believed: a sticky bit does not help.
    if mode & 0o002 == 0 {
        return Ok(());
    }
    let folder = folder.display();
    Err(OpenError::Exposed(format!(
        "anybody can put files into `{folder}`, beside the keys"
    )))
}

#[cfg(unix)]
fn check_file(file: &Path) -> Result<(), OpenError> {
    let mode = match mode_of(file) {
        Ok(mode) => mode & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::database(error)),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let file = file.display();
    Err(OpenError::Exposed(format!(
        "the mode of `{file}` is {mode:o}, not 600: others may read keys' owners and hashes"
    )))
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Result<u32, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::symlink_metadata(path)?.permissions().mode())
}

/// Elsewhere it is the folder's access list that decides.
#[cfg(not(unix))]
fn check_folder(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_file(_: &Path) -> Result<(), OpenError> {
    Ok(())
}
