use std::{fmt, sync::Arc};

use bartizan_core::{
    Media,
    sse::{EventReader, Piece},
};
use bytes::Bytes;
use http::HeaderMap;
use jsonschema::json::Node;
use memchr::memmem;

use super::{Known, LIST_LIMITS, list::member};
use crate::document::{Document, Part};

/// Listens to an answer that passes for the server's word that its list of tools changed, and holds nothing up.
pub(crate) struct News {
    known: Arc<Known>,
    so_far: SoFar,
}

enum SoFar {
    /// Nothing came yet. What is said in JSON is said in one piece.
    Json,
    Events(Box<EventReader>),
    Over,
}

/// Most bytes of such a word, with what is said in the same breath.
const MOST_BYTES: usize = 16 << 10;

impl News {
    /// `None` if the answer has none to tell.
    pub(crate) fn of(known: &Arc<Known>, headers: &HeaderMap) -> Option<Self> {
        let so_far = match Media::of(headers) {
            Media::Json => SoFar::Json,
            Media::EventStream => SoFar::Events(Box::new(EventReader::new(MOST_BYTES))),
            _ => return None,
        };
        Media::is_plain(headers).then(|| Self {
            known: Arc::clone(known),
            so_far,
        })
    }

    pub(crate) fn hear(&mut self, data: &Bytes) {
        match &mut self.so_far {
            SoFar::Over => {}
            SoFar::Json => {
                self.so_far = SoFar::Over;
                if data.len() <= MOST_BYTES && tells_change(data) {
                    self.known.change();
                }
            }
            SoFar::Events(reader) => {
                reader.push(data.clone());
                while let Some(piece) = reader.next() {
                    if let Piece::Event(event) = piece
                        && names_change(event.bytes())
                        && event.data().is_some_and(|data| tells_change(&data))
                    {
                        self.known.change();
                    }
                }
            }
        }
    }
}

/// Most answers are done with here.
fn names_change(text: &[u8]) -> bool {
    memmem::find(text, b"list_changed").is_some()
}

/// Whether a message says so, or one of several; what a tool has to say, and be it the same, is no message.
pub(super) fn tells_change(text: &[u8]) -> bool {
    if !names_change(text) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let Ok(document) = Document::read(text, &LIST_LIMITS) else {
        return false;
    };
    let root = document.root();
    match root.as_array() {
        Some(mut messages) => messages.any(is_change),
        None => is_change(root),
    }
}

fn is_change(message: Part<'_>) -> bool {
    let method = member(message, "method").and_then(|method| method.as_string());
    method.as_deref() == Some("notifications/tools/list_changed")
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").finish_non_exhaustive()
    }
}
