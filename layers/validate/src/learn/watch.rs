use std::{fmt, sync::Arc};

use bartizan_core::{
    Gathered, Media,
    sse::{EventReader, Piece},
};
use bytes::Bytes;
use http::HeaderMap;

use super::{Known, list::Page};

/// Looks at a list that passes, and holds nothing up: what it has that is not known makes the next call ask.
pub(crate) struct Watch {
    known: Arc<Known>,
    so_far: SoFar,
}

enum SoFar {
    Json(Gathered),
    Events(EventReader),
    /// It is none that can be read.
    Blind,
}

impl Watch {
    pub(crate) fn new(known: Arc<Known>, headers: &HeaderMap) -> Self {
        let so_far = match Media::of(headers) {
            _ if !Media::is_plain(headers) => SoFar::Blind,
            Media::Json => SoFar::Json(Gathered::new()),
            Media::EventStream => SoFar::Events(EventReader::new(known.how.bytes)),
            _ => SoFar::Blind,
        };
        Self { known, so_far }
    }

    pub(crate) fn see(&mut self, data: &Bytes) {
        match &mut self.so_far {
            SoFar::Blind => {}
            SoFar::Json(gathered) => {
                if gathered.len() + data.len() > self.known.how.bytes {
                    self.so_far = SoFar::Blind;
                    return;
                }
                gathered.push(data.clone());
            }
            SoFar::Events(reader) => {
                reader.push(data.clone());
                while let Some(piece) = reader.next() {
                    if let Piece::Event(event) = piece
                        && let Some(data) = event.data()
                    {
                        compare(&self.known, &data);
                    }
                }
            }
        }
    }

    /// The body is over.
    pub(crate) fn end(&mut self) {
        if let SoFar::Json(gathered) = &mut self.so_far {
            compare(&self.known, &gathered.take());
        }
        self.so_far = SoFar::Blind;
    }
}

/// What is no list tells nothing.
fn compare(known: &Known, text: &[u8]) {
    if let Ok(Some(page)) = Page::read(text, None) {
        known.compare_list(&page);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
