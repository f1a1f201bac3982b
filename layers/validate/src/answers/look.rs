use bartizan_core::{
    Gathered, Media,
    sse::{EventReader, Piece},
};
use bytes::Bytes;
use http::HeaderMap;

use super::Lens;

/// Looks at an answer that passes, and holds nothing up.
#[derive(Debug)]
pub(crate) struct Look {
    lens: Box<Lens>,
    so_far: SoFar,
}

#[derive(Debug)]
enum SoFar {
    Whole(Gathered),
    Events(EventReader),
    /// It is none that can be read, or no more of it matters.
    Blind,
}

pub(super) const TOO_LARGE: &str = "is too large to be judged";
pub(super) const ENCODED: &str = "has a content encoding";
pub(super) const NO_MEDIA: &str = "is neither JSON nor an event stream";
pub(super) const BROKE_OFF: &str = "broke off";

impl Look {
    pub(crate) fn new(mut lens: Box<Lens>, headers: &HeaderMap) -> Self {
        let so_far = match Media::of(headers) {
            _ if !Media::is_plain(headers) => Err(ENCODED),
            // Looked through as one text.
            _ if lens.is_failure() => Ok(SoFar::Whole(Gathered::new())),
            media if lens.is_to_nobody() && media != Media::EventStream => {
                Ok(SoFar::Whole(Gathered::new()))
            }
            Media::Json => Ok(SoFar::Whole(Gathered::new())),
            Media::EventStream => Ok(SoFar::Events(EventReader::new(lens.most()))),
            _ => Err(NO_MEDIA),
        };
        let so_far = so_far.unwrap_or_else(|why| {
            lens.note(why);
            SoFar::Blind
        });
        Self { lens, so_far }
    }

    pub(crate) fn see(&mut self, data: &Bytes) {
        match &mut self.so_far {
            SoFar::Blind => {}
            SoFar::Whole(gathered) => {
                if gathered.len() + data.len() > self.lens.most() {
                    self.lens.note(TOO_LARGE);
                    self.so_far = SoFar::Blind;
                    return;
                }
                gathered.push(data.clone());
            }
            SoFar::Events(reader) => {
                reader.push(data.clone());
                while let Some(piece) = reader.next() {
                    let why = match piece {
                        Piece::Event(event) => {
                            let data = event.data().unwrap_or_default();
                            if data.trim_ascii().is_empty() {
                                continue;
                            }
                            self.lens.judge(&data).err()
                        }
                        Piece::Part(part) => part.is_first.then_some(TOO_LARGE.into()),
                        Piece::Comment(_) | Piece::Feed(_) => None,
                    };
                    if let Some(why) = why {
                        self.lens.note(&why);
                    }
                }
            }
        }
    }

    /// The body is over.
    pub(crate) fn end(&mut self) {
        if let SoFar::Whole(gathered) = &mut self.so_far
            && let Err(why) = self.lens.judge(&gathered.take())
        {
            self.lens.note(&why);
        }
        self.so_far = SoFar::Blind;
    }
}
