use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::place::directory_of;

/// Who may write it, or put another file into its place, administers keys; who may read it knows owners and roles.
///
/// # Errors
///
/// If others may, of `file ...`.
pub(super) fn check_access(path: &Path, metadata: &Metadata) -> Result<(), String> {
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("has mode {mode:o}, not 600: others may use it"));
    }
    let is_exposed = || {
        let folder = fs::metadata(directory_of(&fs::canonicalize(path)?))?;
        Ok::<_, io::Error>(folder.mode() & 0o002 != 0 || is_link_exposed(path)?)
    };
    match is_exposed() {
        Ok(false) => Ok(()),
        Ok(true) => Err("is in a folder that everybody may put files into".to_owned()),
        Err(error) => Err(format!("cannot be judged: {error}")),
    }
}

/// Whether anybody could have another file looked at, by a link that leads there.
fn is_link_exposed(path: &Path) -> io::Result<bool> {
    let mut path = path.to_owned();
    // The system follows no more.
    for _ in 0..40 {
        let link = fs::symlink_metadata(&path)?;
        if !link.is_symlink() {
            return Ok(false);
        }
        let folder = fs::metadata(directory_of(&path))?;
        let is_sticky = folder.mode() & 0o1000 != 0;
        let is_kept = is_sticky && (link.uid() == 0 || link.uid() == folder.uid());
        if folder.mode() & 0o002 != 0 && !is_kept {
            return Ok(true);
        }
        path = directory_of(&path).join(fs::read_link(&path)?);
    }
    Ok(true)
}
