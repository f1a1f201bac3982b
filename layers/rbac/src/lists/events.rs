use std::fmt;

use bartizan_core::{
    Gathered,
    sse::{Event, EventReader, Part, Piece, Seam},
};
use bytes::Bytes;

use super::{
    json::Broken,
    lens::Lens,
    names::{LONGEST, names_list},
};

/// Reads an event stream, and writes it again event by event, as one principal sees it.
///
/// An event is held until its end; comments between events are not. What stands after the last
/// event's end is no event, and goes nowhere.
///
/// In the answer to a request that is for no list, an event that names none passes unread, and one
/// that is too large to be held passes as long as it names none.
pub(super) struct Events {
    lens: Lens,
    reader: EventReader,
    /// In an event that is too large to be held a name may be cut in two.
    seam: Seam,
    /// Whether part of one was written that has not ended.
    is_passing: bool,
}

pub(super) const TOO_LARGE: Broken = Broken("is too large to be filtered");

impl Events {
    pub(super) fn new(lens: Lens) -> Self {
        Self {
            reader: EventReader::new(lens.rules().most_bytes),
            lens,
            seam: Seam::new(LONGEST),
            is_passing: false,
        }
    }

    /// Whether part of an event was written that has not ended.
    pub(super) fn is_passing(&self) -> bool {
        self.is_passing
    }

    pub(super) fn lens(&self) -> &Lens {
        &self.lens
    }

    /// Takes more of the stream, and writes what of it is complete. After an error, what was written
    /// is still good, and nothing may follow.
    pub(super) fn take(&mut self, frame: Bytes, out: &mut Gathered) -> Result<(), Broken> {
        self.reader.push(frame);
        while let Some(piece) = self.reader.next() {
            out.push(match piece {
                Piece::Event(event) => self.see(event)?,
                Piece::Part(part) => self.pass(part)?,
                Piece::Comment(bytes) | Piece::Feed(bytes) => bytes,
            });
        }
        Ok(())
    }

    /// An event as the principal sees it.
    fn see(&self, event: Event) -> Result<Bytes, Broken> {
        // No name goes over the end of a line.
        if self.lens.is_of_other() && !names_list(event.bytes()) {
            return Ok(event.into_bytes());
        }
        let data = event.data().unwrap_or_default();
        if data.trim_ascii().is_empty() {
            return Ok(event.into_bytes());
        }
        Ok(match self.lens.see(&data)?.instead {
            Some(message) => event.with_data(&message),
            None => event.into_bytes(),
        })
    }

    /// More of an event that is too large to be held.
    fn pass(&mut self, part: Part) -> Result<Bytes, Broken> {
        if part.is_first {
            self.seam.clear();
        }
        if !self.lens.is_of_other() || self.seam.any(&part.bytes, names_list) {
            return Err(TOO_LARGE);
        }
        self.is_passing = !part.is_last;
        Ok(part.bytes)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
