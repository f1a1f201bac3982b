use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use crate::AuditConfigError;

/// Opens a file to append to; `setting` names it in the error.
pub(super) fn open(path: &Path, setting: &'static str) -> Result<File, AuditConfigError> {
    opened(path).map_err(|error| {
        let problem = format!("can't be opened: {error}");
        AuditConfigError::new(setting, path.to_string_lossy(), problem)
    })
}

/// The same file once more, if it is one that a disk keeps.
pub(super) fn syncable(file: &File) -> Option<File> {
    let is_file = file.metadata().is_ok_and(|data| data.is_file());
    is_file.then(|| file.try_clone().ok()).flatten()
}

fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if file.metadata()?.is_file() {
        end_last_line(&mut file)?;
    }
    Ok(file)
}

fn end_last_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}
