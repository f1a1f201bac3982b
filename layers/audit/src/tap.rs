use std::fmt;

use bartizan_core::{
    Media,
    sse::{EventReader, Piece},
};
use bartizan_sensitive::{Masked, Redactor};
use bytes::Bytes;
use http::HeaderMap;

/// The beginning of an answer's body, copied as it passes. It delays nothing, and holds no more than its bound.
pub(crate) struct Tap {
    is_events: bool,
    copied: Vec<u8>,
    is_cut: bool,
}

/// Most bytes of an answer that are copied.
const MOST: usize = 16 * 1024;

impl Tap {
    /// `None` of what can't be read: an encoded body, or another media type.
    pub(crate) fn begin(headers: &HeaderMap) -> Option<Self> {
        let is_events = match Media::of(headers) {
            _ if !Media::is_plain(headers) => return None,
            Media::Json => false,
            Media::EventStream => true,
            _ => return None,
        };
        Some(Self {
            is_events,
            copied: Vec::new(),
            is_cut: false,
        })
    }

    pub(crate) fn feed(&mut self, frame: &[u8]) {
        let room = MOST - self.copied.len();
        let taken = frame.get(..room).unwrap_or(frame);
        self.copied.extend_from_slice(taken);
        self.is_cut |= taken.len() < frame.len();
    }

    /// The body was not whole.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
    }

    /// What was copied, redacted: a message, or a list of those that are whole in an event stream.
    pub(crate) fn shown(self, redactor: &Redactor) -> Option<(String, Masked)> {
        if self.copied.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(256);
        let masked = if self.is_events {
            let messages = messages(self.copied.into());
            redactor.redact_list(messages.iter().map(|message| &**message), &mut out)
        } else if self.is_cut {
            redactor.redact_beginning(&self.copied, &mut out)
        } else {
            redactor.redact(&self.copied, &mut out)
        };
        Some((String::from_utf8(out).ok()?, masked))
    }
}

/// The data of the events that are whole.
fn messages(stream: Bytes) -> Vec<Vec<u8>> {
    let mut reader = EventReader::new(MOST);
    reader.push(stream);
    let mut messages = Vec::new();
    while let Some(piece) = reader.next() {
        if let Piece::Event(event) = piece
            && let Some(data) = event.data()
            && !data.is_empty()
        {
            messages.push(data.into_owned());
        }
    }
    messages
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}
