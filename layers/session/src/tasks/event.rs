use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

/// Cuts an event stream into whole events, of a bounded length.
#[derive(Debug)]
pub(crate) struct Events {
    held: BytesMut,
    /// How much of it is known to hold no end of an event.
    seen: usize,
    /// Whether what was seen last ended a line, and with a carriage return.
    is_line_empty: bool,
    is_after_return: bool,
    /// In an event that is too long, of which a part went on already.
    is_inside: bool,
    limit: usize,
}

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole event, with the empty line behind it.
    Event(Bytes),
    /// The first part of an event beyond the limit.
    Long(Bytes),
    /// More of it.
    More(Bytes),
}

impl Events {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            held: BytesMut::new(),
            seen: 0,
            is_line_empty: true,
            is_after_return: false,
            is_inside: false,
            limit,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        if self.held.is_empty() {
            // Mostly nobody else holds it, and it need not be copied.
            self.held = data.try_into_mut().unwrap_or_else(|data| (&*data).into());
        } else {
            self.held.extend_from_slice(&data);
        }
    }

    /// The next piece, if one is whole.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        let end = self.end();
        if let Some(end) = end {
            self.seen = 0;
            let event = self.held.split_to(end).freeze();
            return Some(match std::mem::take(&mut self.is_inside) {
                true => Piece::More(event),
                false if event.len() > self.limit => Piece::Long(event),
                false => Piece::Event(event),
            });
        }
        if self.held.is_empty() || !self.is_inside && self.held.len() <= self.limit {
            return None;
        }
        self.seen = 0;
        let part = self.held.split().freeze();
        Some(match std::mem::replace(&mut self.is_inside, true) {
            true => Piece::More(part),
            false => Piece::Long(part),
        })
    }

    /// What is left when the stream ends: an event that never does.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.seen = 0;
        self.held.split().freeze()
    }

    /// Looks on for the end of an event, an empty line.
    fn end(&mut self) -> Option<usize> {
        while let Some(rest) = self.held.get(self.seen..).filter(|rest| !rest.is_empty()) {
            // A carriage return and the line feed behind it are one end.
            if std::mem::take(&mut self.is_after_return) && rest.first() == Some(&b'\n') {
                self.seen += 1;
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.is_line_empty = false;
                self.seen = self.held.len();
                return None;
            };
            self.is_after_return = rest.get(length) == Some(&b'\r');
            self.seen += length + 1;
            let is_empty = length == 0 && self.is_line_empty;
            self.is_line_empty = true;
            if is_empty {
                return Some(self.seen);
            }
        }
        None
    }
}

/// What an event says: its lines of data, joined.
pub(crate) fn data(event: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut lines = 0;
    for line in event.split(|b| matches!(b, b'\n' | b'\r')) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let Some(mut text) = line.strip_prefix(b"data:") else {
            continue;
        };
        if text.first() == Some(&b' ') {
            text.advance(1);
        }
        if lines > 0 {
            data.push(b'\n');
        }
        data.extend_from_slice(text);
        lines += 1;
    }
    data
}

/// An event that says something else in the place of another, under the same id.
pub(crate) fn saying(message: &[u8], instead_of: &[u8]) -> Bytes {
    let mut event = BytesMut::new();
    for line in instead_of.split(|b| matches!(b, b'\n' | b'\r')) {
        if line.starts_with(b"id:") {
            event.extend_from_slice(line);
            event.extend_from_slice(b"\n");
        }
    }
    event.extend_from_slice(b"data: ");
    // JSON has line breaks between its tokens only.
    event.extend(message.iter().filter(|b| !matches!(b, b'\n' | b'\r')));
    event.extend_from_slice(b"\n\n");
    event.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(stream: &[u8], size: usize, limit: usize) -> Vec<Piece> {
        let mut events = Events::new(limit);
        let mut pieces = Vec::new();
        for chunk in stream.chunks(size.max(1)) {
            events.push(Bytes::copy_from_slice(chunk));
            while let Some(piece) = events.next() {
                pieces.push(piece);
            }
        }
        let rest = events.rest();
        if !rest.is_empty() {
            pieces.push(Piece::More(rest));
        }
        pieces
    }

    fn bytes(piece: &Piece) -> &[u8] {
        match piece {
            Piece::Event(bytes) | Piece::Long(bytes) | Piece::More(bytes) => bytes,
        }
    }

    #[test]
    fn events_end_with_an_empty_line_whatever_ends_lines() {
        for text in ["data: a\n\ndata: b\n\n", "data: a\r\rdata: b\r\r"] {
            let pieces = cut(text.as_bytes(), 1, 100);
            let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
            assert_eq!(pieces[0], Piece::Event(half));
            assert_eq!(pieces.len(), 2);
        }
        let pieces = cut(b"data: a\r\n\r\ndata: b\r\n\r\n", 100, 100);
        assert_eq!(data(bytes(&pieces[0])), b"a");
        assert_eq!(data(bytes(&pieces[1])), b"b");
    }

    #[test]
    fn a_long_event_goes_on_in_pieces_and_the_next_is_whole_again() {
        let text = b"data: xxxxxxxxxx\n\ndata: y\n\n";
        for size in [1, 4, 100] {
            let pieces = cut(text, size, 10);
            assert!(matches!(pieces[0], Piece::Long(_)), "{size}: {pieces:?}");
            let last = pieces.last().unwrap();
            assert_eq!(*last, Piece::Event(Bytes::from_static(b"data: y\n\n")));
        }
    }

    #[test]
    fn lines_of_data_are_joined_and_said_anew_under_the_same_id() {
        let event = b"id: 7\nevent: m\ndata: {\ndata:}\n\n";
        assert_eq!(data(event), b"{\n}");
        assert_eq!(saying(b"{\n}", event), "id: 7\ndata: {}\n\n");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_cut_makes_other_events(
            text in "(data: ?[a-c]{0,3}|id: 1|:|\n|\r|\r\n){0,20}",
            size in 1..9usize,
            limit in 1..40usize,
        ) {
            let pieces = cut(text.as_bytes(), size, limit);
            let whole: Vec<u8> = pieces.iter().flat_map(|p| bytes(p).to_vec()).collect();
            prop_assert_eq!(whole, text.as_bytes());
            let said = |size| -> Vec<Vec<u8>> {
                let pieces = cut(text.as_bytes(), size, usize::MAX);
                pieces.iter().map(|p| data(bytes(p))).filter(|d| !d.is_empty()).collect()
            };
            prop_assert_eq!(said(size), said(usize::MAX));
        }
    }
}
