//! Where the last one who wrote the log had come to.

use super::{
    checkpoint,
    keys::{ChainKeys, vouch},
    link::{GENESIS, Hash, Link},
};
use crate::{file::RotatingFile, sinks::end_of};

/// The number and hash of the last line, which must be one of ours.
pub(super) fn last(file: &RotatingFile, keys: &ChainKeys) -> Result<(u64, Hash), String> {
    let unread = |error| format!("can't be read: {error}");
    let Some(mut file) = file.last_with_content().map_err(unread)? else {
        return Ok((0, GENESIS));
    };
    // Two lines fit.
    let (end, is_whole) = end_of(&mut file).map_err(unread)?;
    let end = end.strip_suffix(b"\n").unwrap_or(&end);
    let mut lines = end.rsplit(|byte| *byte == b'\n');
    let last = lines.next().and_then(Link::of);
    let last = last.ok_or("does not end with a line of a chain: let another file begin")?;
    let before = match lines.next() {
        Some(line) => Link::of(line).map(|link| (link.seq, link.hash)),
        // The first line of a file says itself what it follows.
        None if is_whole => {
            let opening = checkpoint::read(&last).ok().flatten();
            opening.map(|opening| (opening.head.seq, opening.head.hash))
        }
        None => None,
    };
    let follows = |(seq, hash): (u64, Hash)| last.seq == seq + 1 && last.follows(&hash);
    if before.is_some_and(follows) && vouch(&keys.macs, &last) {
        Ok((last.seq, last.hash))
    } else {
        Err("ends with a line that these keys did not make, or that was altered".to_owned())
    }
}
