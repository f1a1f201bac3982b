use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde_json::Value;

use crate::AuditConfigError;

/// Opens a file to append to; `setting` names it in the error.
pub(crate) fn open(path: &Path, setting: &'static str) -> Result<File, AuditConfigError> {
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

/// So much of a log's end is read: some lines, whatever they hold.
const END: u64 = 256 << 10;

/// The end of a log, and whether that is all of it.
pub(crate) fn end_of(file: &mut File) -> io::Result<(Vec<u8>, bool)> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(END);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    Read::by_ref(file).take(END).read_to_end(&mut end)?;
    Ok((end, from == 0))
}

/// Numbers that JSON keeps exactly; beyond it is none of ours.
const MOST: u64 = 1 << 53;

/// The number of the last record in a log, if its end has one: not every line is a numbered record.
pub(crate) fn last_sequence(file: &mut File) -> Option<u64> {
    let (end, _) = end_of(file).ok()?;
    let lines = end.rsplit(|byte| *byte == b'\n');
    let mut numbers = lines.filter_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        line.get("sequence")?.as_u64()
    });
    numbers.find(|number| *number < MOST)
}

/// Fails if the file has no name any more: whatever is written there goes with its last handle.
#[cfg(unix)]
pub(crate) fn still_there(file: &File) -> io::Result<()> {
    if std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0 {
        return Ok(());
    }
    let problem = "somebody removed the file: nothing that is written there stays, open it again";
    Err(io::Error::other(problem))
}

/// What is open can't be removed.
#[cfg(not(unix))]
pub(crate) fn still_there(_: &File) -> io::Result<()> {
    Ok(())
}

fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if file.metadata()?.is_file() {
        #[cfg(all(feature = "file", unix))]
        share(&file)?;
        end_last_line(&mut file)?;
    }
    Ok(file)
}

/// Keeps it from being what a [`RotatingFile`](crate::RotatingFile) writes, which has one writer.
#[cfg(all(feature = "file", unix))]
fn share(file: &File) -> io::Result<()> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => Err(io::Error::other("another one writes it")),
        // Where nothing can be locked, no such file can be opened.
        _ => Ok(()),
    }
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
