//! The reader against a slow model that is obviously right, however streams are cut.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What a client hears of a stream (HTML 9.2.6), and with which fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Heard {
    data: Vec<u8>,
    kind: Vec<u8>,
    last_id: Vec<u8>,
}

/// The lines of a text that end, each without its end, byte by byte; what does not end is none.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && text[at - 1] == b'\r' => {}
            b'\r' | b'\n' => lines.push(std::mem::take(&mut line)),
            other => line.push(*other),
        }
    }
    lines
}

/// The specification's steps, one by one.
fn heard(stream: &[u8]) -> (Vec<Heard>, Vec<u8>) {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut all, mut event, mut retry) = (Vec::new(), Heard::default(), Vec::new());
    let mut says = Vec::new();
    for line in lines(stream) {
        if line.is_empty() {
            // At once by the specification; a reader of whole events hears of it at the end of one.
            retry.clone_from(&says);
            let heard = event.clone();
            (event.data, event.kind) = Default::default();
            if let Some(data) = heard.data.strip_suffix(b"\n") {
                let data = data.to_vec();
                all.push(Heard { data, ..heard });
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(0) => continue,
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => event.data.extend([value, b"\n"].concat()),
            b"event" => event.kind = value.to_vec(),
            b"id" if !value.contains(&0) => event.last_id = value.to_vec(),
            b"retry" if value.iter().all(u8::is_ascii_digit) => says = value.to_vec(),
            _ => {}
        }
    }
    (all, retry)
}

/// The same, by what the reader makes of it.
fn heard_by_reader(pieces: &[Piece]) -> (Vec<Heard>, Vec<u8>) {
    let (mut all, mut last_id, mut retry) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        let Piece::Event(event) = piece else { continue };
        let mut kind = Vec::new();
        for field in event.fields() {
            match field.name {
                b"event" => kind = field.value.to_vec(),
                b"id" if !field.value.contains(&0) => last_id = field.value.to_vec(),
                b"retry" if field.value.iter().all(u8::is_ascii_digit) => {
                    retry = field.value.to_vec();
                }
                _ => {}
            }
        }
        all.extend(event.data().map(|data| Heard {
            data: data.into_owned(),
            kind,
            last_id: last_id.clone(),
        }));
    }
    (all, retry)
}

fn read(frames: &[&[u8]], most: usize) -> (Vec<Piece>, Bytes) {
    let mut reader = EventReader::new(most);
    let mut pieces = Vec::new();
    for frame in frames {
        reader.push(Bytes::copy_from_slice(frame));
        while let Some(piece) = reader.next() {
            pieces.push(piece);
        }
    }
    let rest = reader.rest();
    assert!(reader.is_empty());
    (pieces, rest)
}

fn bytes(piece: &Piece) -> &[u8] {
    match piece {
        Piece::Event(event) => event.bytes(),
        Piece::Comment(bytes) | Piece::Feed(bytes) => bytes,
        Piece::Part(part) => &part.bytes,
    }
}

/// The pieces without what depends on the cut: late feeds, and where long events were cut.
fn uncut(pieces: &[Piece]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for piece in pieces {
        let kind = match piece {
            Piece::Event(_) => "event",
            Piece::Comment(_) => "comment",
            Piece::Part(part) if part.is_first => "long",
            Piece::Part(_) | Piece::Feed(_) => {
                all.last_mut().unwrap().1.extend_from_slice(bytes(piece));
                continue;
            }
        };
        all.push((kind, bytes(piece).to_vec()));
    }
    all
}

fn cut<'t>(text: &'t [u8], sizes: &[usize]) -> Vec<&'t [u8]> {
    let (mut frames, mut rest) = (Vec::new(), text);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (frame, after) = rest.split_at((*size).min(rest.len()));
        frames.push(frame);
        rest = after;
    }
    frames
}

/// Streams of all that means something in them, mixed with what does not.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => "(\n|\r|\r\n)".prop_map(String::into_bytes),
        4 => "(data|event|id|retry)(:| |: )?[a-c0-9]{0,4}".prop_map(String::into_bytes),
        1 => ":[a-c]{0,5}".prop_map(String::into_bytes),
        1 => Just(BOM.to_vec()),
        1 => prop_oneof![Just(b"\xef\xbb".to_vec()), Just(b"\0".to_vec()), Just(b"Data: x".to_vec())],
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..12_usize, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_reader_hears_what_the_model_hears_however_the_stream_is_cut(
        stream in stream(), sizes in sizes(),
    ) {
        let (pieces, _) = read(&cut(&stream, &sizes), usize::MAX);
        prop_assert_eq!(heard_by_reader(&pieces), heard(&stream));
    }

    #[test]
    fn nothing_is_lost_or_made_up_and_the_cut_decides_nothing(
        stream in stream(), sizes in sizes(), most in 1..40_usize,
    ) {
        let (pieces, rest) = read(&cut(&stream, &sizes), most);
        let mut all: Vec<u8> = pieces.iter().flat_map(bytes).copied().collect();
        all.extend_from_slice(&rest);
        prop_assert_eq!(&all, &stream);
        let (once, at_end) = read(&[&stream], most);
        let (mut once, mut pieces) = (uncut(&once), uncut(&pieces));
        // What has not ended: in one frame or in several, a long one was given in part.
        let open = |pieces: &mut Vec<(_, Vec<u8>)>, rest: &[u8]| {
            pieces.push(("rest", rest.to_vec()));
        };
        open(&mut once, &at_end);
        open(&mut pieces, &rest);
        prop_assert_eq!(once, pieces);
    }

    #[test]
    fn the_bound_alone_decides_what_is_an_event(stream in stream(), most in 1..40_usize) {
        let (all, _) = read(&[&stream], usize::MAX);
        let (within, _) = read(&[&stream], most);
        let length = |bytes: &[u8]| bytes.strip_suffix(b"\r\n").map_or(bytes.len(), |b| b.len() + 1);
        // A comment beyond the bound is held for the beginning of an event: up to there they agree.
        for (piece, bounded) in all.iter().zip(&within) {
            let fits = length(bytes(piece)) <= most;
            prop_assert_eq!(fits, piece == bounded);
            if !fits {
                let is_long = matches!(bounded, Piece::Part(part) if part.is_first);
                prop_assert!(is_long);
            }
            if matches!(piece, Piece::Comment(_)) && !fits {
                break;
            }
        }
    }

    #[test]
    fn other_data_changes_what_is_heard_and_nothing_else(
        stream in stream(), data in "[a-c]{0,3}((\n|\r|\r\n)[a-c]{0,3}){0,3}",
    ) {
        let (pieces, _) = read(&[&stream], usize::MAX);
        let told = lines(format!("{data}\r").as_bytes()).join(&b'\n');
        for (index, piece) in pieces.iter().enumerate() {
            let Piece::Event(event) = piece else { continue };
            let written = event.with_data(data.as_bytes());
            let mut again = EventReader::new(usize::MAX);
            if index > 0 {
                again.push("\n".into());
                again.next();
            }
            again.push(written);
            let Some(Piece::Event(again)) = again.next() else { panic!("it has ended") };
            prop_assert_eq!(again.data().unwrap(), &told[..]);
            let others = |event: &Event| -> Vec<Vec<u8>> {
                let lines = event.lines().map(|line| line.text().to_vec());
                lines.filter(|line| Field::of(line).is_none_or(|f| f.name != b"data")).collect()
            };
            prop_assert_eq!(others(&again), others(event));
        }
    }

    #[test]
    fn what_is_cut_in_two_is_found(
        text in "[ab]{0,24}", sizes in sizes(), sought in "[ab]{1,4}",
    ) {
        let has = |text: &[u8]| text.windows(sought.len()).any(|part| part == sought.as_bytes());
        let mut seam = Seam::new(sought.len());
        let mut so_far = 0;
        for piece in cut(text.as_bytes(), &sizes) {
            let before = has(&text.as_bytes()[..so_far]);
            so_far += piece.len();
            let found = seam.any(piece, has);
            prop_assert!(found || before || !has(&text.as_bytes()[..so_far]));
            prop_assert!(!found || has(&text.as_bytes()[..so_far]));
        }
    }
}

fn events(text: &str) -> Vec<String> {
    let (pieces, _) = read(&[text.as_bytes()], usize::MAX);
    let data = |piece: &Piece| match piece {
        Piece::Event(event) => event
            .data()
            .map(|data| String::from_utf8_lossy(&data).into_owned()),
        _ => None,
    };
    pieces.iter().filter_map(data).collect()
}

#[test]
fn events_end_with_an_empty_line_whatever_ends_lines() {
    for text in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\rdata: b\r\r",
        "data: a\r\n\r\ndata: b\r\n\n",
    ] {
        assert_eq!(events(text), ["a", "b"], "{text:?}");
    }
    assert!(events("data: a\n").is_empty(), "it does not end");
    assert!(events("data: a\r\n").is_empty(), "it does not end");
}

#[test]
fn one_mark_at_the_very_start_is_no_text_and_any_other_is() {
    assert_eq!(events("\u{feff}data: a\n\n"), ["a"]);
    assert_eq!(events("\u{feff}\n\u{feff}data: a\n\n"), [""; 0]);
    assert_eq!(events("\u{feff}\u{feff}data: a\n\n"), [""; 0]);
    assert_eq!(
        events("data: a\n\u{feff}\ndata: b\n\n"),
        ["a\nb"],
        "a mark ends no event"
    );
}

#[test]
fn a_field_without_a_colon_has_no_value_and_names_are_exact() {
    assert_eq!(events("data\ndata\n\n"), ["\n"]);
    assert_eq!(events("data:  a\n\n"), [" a"], "one space is taken");
    assert_eq!(events("Data: a\ndata : b\n data: c\ndatas: d\n\n"), [""; 0]);
    assert_eq!(Field::of(b": x"), None);
    assert_eq!(Field::of(b""), None);
}

#[test]
fn an_event_at_the_bound_is_one_and_beyond_it_none_also_where_its_last_feed_comes_late() {
    for (event, length) in [("data: abc\n\n", 11), ("data: abc\r\n\r\n", 12)] {
        for frames in [
            &[event.as_bytes()][..],
            &event.as_bytes().chunks(1).collect::<Vec<_>>(),
        ] {
            let (pieces, rest) = read(frames, length);
            assert!(matches!(pieces[0], Piece::Event(_)) && rest.is_empty());
            let (pieces, _) = read(frames, length - 1);
            assert!(matches!(&pieces[0], Piece::Part(part) if part.is_first));
        }
    }
}

#[test]
fn a_long_event_goes_on_in_parts_and_the_next_is_whole_again() {
    let text = b"data: xxxxxxxxxx\n\ndata: y\n\n";
    for size in [1, 4, 100] {
        let (pieces, _) = read(&cut(text, &[size]), 10);
        assert!(
            matches!(&pieces[0], Piece::Part(part) if part.is_first),
            "{size}"
        );
        let ends = pieces
            .iter()
            .filter(|p| matches!(p, Piece::Part(part) if part.is_last));
        assert_eq!(ends.count(), 1);
        let Some(Piece::Event(last)) = pieces.last() else {
            panic!("{size}: {pieces:?}")
        };
        assert_eq!(last.bytes(), &b"data: y\n\n"[..]);
    }
}

#[test]
fn a_comment_between_events_is_not_held_and_one_inside_is_part_of_its_event() {
    let mut reader = EventReader::new(100);
    reader.push(": alive\r".into());
    assert_eq!(reader.next(), Some(Piece::Comment(": alive\r".into())));
    reader.push("\ndata: a\n: inside\n".into());
    assert_eq!(reader.next(), Some(Piece::Feed("\n".into())));
    assert_eq!(reader.next(), None);
    reader.push("\n".into());
    let Some(Piece::Event(event)) = reader.next() else {
        panic!("it has ended")
    };
    assert_eq!(event.into_bytes(), "data: a\n: inside\n\n");
}

#[test]
fn what_debug_shows_is_no_content() {
    let mut reader = EventReader::new(8);
    reader.push("data: secret\n\ndata: sec".into());
    let shown = format!("{:?} {:?} {reader:?}", reader.next(), Seam::new(4));
    assert!(!shown.contains("sec") && !shown.contains("115"), "{shown}");
}

#[test]
fn a_whole_event_of_one_frame_is_not_copied() {
    let frame = Bytes::from("data: a\n\ndata: b\n\n".to_owned());
    let mut reader = EventReader::new(100);
    reader.push(frame.clone());
    for at in [0, 9] {
        let Some(Piece::Event(event)) = reader.next() else {
            panic!("it has ended")
        };
        assert_eq!(event.bytes().as_ptr(), frame[at..].as_ptr());
        let data = event.data().unwrap();
        assert!(matches!(data, std::borrow::Cow::Borrowed(_)));
    }
}
