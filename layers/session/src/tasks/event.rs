use bartizan_core::sse::Event;
use bytes::Bytes;

/// What an event says; nothing if no reader would hear of it.
pub(crate) fn data(event: &Event) -> std::borrow::Cow<'_, [u8]> {
    event.data().unwrap_or_default()
}

/// An event that says something else in the place of another, under the same id.
pub(crate) fn saying(message: &[u8], instead_of: Option<&Event>) -> Bytes {
    let mut event = Vec::new();
    for line in instead_of.into_iter().flat_map(Event::lines) {
        if line.field().is_some_and(|field| field.name == b"id") {
            event.extend_from_slice(line.text());
            event.push(b'\n');
        }
    }
    event.extend_from_slice(b"data: ");
    // JSON has line breaks between its tokens only.
    event.extend(message.iter().filter(|b| !matches!(b, b'\n' | b'\r')));
    event.extend_from_slice(b"\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use bartizan_core::sse::{EventReader, Piece};

    use super::*;

    #[test]
    fn lines_of_data_are_joined_and_said_anew_under_the_same_id() {
        let mut events = EventReader::new(100);
        events.push("\u{feff}id: 7\r\nevent: m\r\ndata: {\r\ndata:}\r\n\r\n".into());
        let Some(Piece::Event(event)) = events.next() else {
            panic!("it has ended");
        };
        assert_eq!(&*data(&event), b"{\n}");
        assert_eq!(saying(b"{\n}", Some(&event)), "id: 7\ndata: {}\n\n");
        assert_eq!(saying(b"{}", None), "data: {}\n\n");
    }
}
