//! Lines that sign what came before them.

use super::{head::Head, link::Link};

pub(super) struct Checkpoint {
    pub(super) head: Head,
    /// It is the first line of its file.
    pub(super) opens: bool,
}

const OPENS: &str = "{\"event_type\":\"audit_checkpoint\",\"opens\":true,\"checkpoint\":";
const WITHIN: &str = "{\"event_type\":\"audit_checkpoint\",\"opens\":false,\"checkpoint\":";

/// As `Ok(None)` a line that is none; as `Err` one that only looks so.
pub(super) fn read(link: &Link<'_>) -> Result<Option<Checkpoint>, ()> {
    let (head, opens) = match link.body.strip_prefix(OPENS.as_bytes()) {
        Some(head) => (head, true),
        None => match link.body.strip_prefix(WITHIN.as_bytes()) {
            Some(head) => (head, false),
            None => return Ok(None),
        },
    };
    let head = std::str::from_utf8(head).map_err(|_| ())?;
    let head = head.parse().map_err(|_| ())?;
    Ok(Some(Checkpoint { head, opens }))
}

pub(super) fn line(head: &Head, opens: bool) -> String {
    let start = if opens { OPENS } else { WITHIN };
    format!("{start}{head}}}")
}
