use bartizan_core::sse::{EventReader, Piece};

/// An arbitrary event stream. The first byte is the length of its frames, the second the bound of an
/// event, in tens of bytes.
///
/// What the reader gives is the stream, however it was cut; its events within the bound are those of a
/// naive reading, line by line, and what each says is the same.
pub fn sse(data: &[u8]) {
    let [size, most, stream @ ..] = data else {
        return;
    };
    let most = usize::from(*most) * 10 + 1;
    let cut = read(stream, usize::from(*size).max(1), most);
    let whole = read(stream, stream.len().max(1), most);
    assert_eq!(cut, whole, "by the cut");
    let said: Vec<_> = cut.into_iter().filter_map(|told| told.said).collect();
    if most > stream.len() {
        assert_eq!(said, messages(stream));
    } else {
        let all = messages(stream);
        let mut all = all.iter();
        assert!(said.iter().all(|said| all.any(|one| one == said)));
    }
}

/// One event or comment, or an event beyond the bound, whatever its parts are.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    bytes: Vec<u8>,
    is_long: bool,
    said: Option<Vec<u8>>,
}

fn read(stream: &[u8], size: usize, most: usize) -> Vec<Told> {
    let mut reader = EventReader::new(most);
    let mut told: Vec<Told> = Vec::new();
    for frame in stream.chunks(size) {
        reader.push(frame.to_vec().into());
        while let Some(piece) = reader.next() {
            let (bytes, is_long, said) = match &piece {
                Piece::Event(event) => {
                    let said = event.data().map(|data| data.into_owned());
                    assert_eq!(lines(event.bytes()).len(), event.lines().count());
                    rewritten(&event.with_data(b"a\r\nb"), told.is_empty());
                    (event.bytes(), false, said)
                }
                Piece::Comment(bytes) => (bytes, false, None),
                Piece::Part(part) if part.is_first => (&part.bytes, true, None),
                Piece::Part(part) => {
                    let last = told.last_mut().expect("it has a beginning");
                    assert!(last.is_long);
                    last.bytes.extend_from_slice(&part.bytes);
                    continue;
                }
                Piece::Feed(bytes) => {
                    let last = told.last_mut().expect("a return came before");
                    last.bytes.extend_from_slice(bytes);
                    continue;
                }
            };
            told.push(Told {
                bytes: bytes.to_vec(),
                is_long,
                said,
            });
        }
    }
    let mut all: Vec<u8> = told.iter().flat_map(|told| told.bytes.clone()).collect();
    all.extend_from_slice(&reader.rest());
    assert_eq!(all, stream, "nothing is lost or made up");
    told
}

/// An event with other data is one event, which says that.
fn rewritten(event: &[u8], is_first: bool) {
    // A mark that does not begin the stream is text.
    let before: &[u8] = if is_first { b"" } else { b"\n" };
    assert_eq!(messages(&[before, event].concat()), [b"a\nb"]);
}

/// The lines of a text that end.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' if bytes.peek() == Some(&&b'\n') => {}
            b'\r' | b'\n' => lines.push(std::mem::take(&mut line)),
            byte => line.push(*byte),
        }
    }
    lines
}

/// What a client reads out of an event stream: the data of each event that has some.
pub(crate) fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut messages, mut data) = (Vec::new(), Vec::<Vec<u8>>::new());
    for line in lines(stream) {
        if line.is_empty() && !data.is_empty() {
            messages.push(std::mem::take(&mut data).join(&b'\n'));
        } else if line == b"data" {
            data.push(Vec::new());
        } else if let Some(value) = line.strip_prefix(b"data:") {
            data.push(value.strip_prefix(b" ").unwrap_or(value).into());
        }
    }
    messages
}
