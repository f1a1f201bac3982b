//! How much a parser makes of a text, before one reads it.
//!
//! The elements of formatting that are open (`<b>`, `<font color=1>`) are opened again in each block that follows, as the HTML
//! standard says: 64 KiB of them become gigabytes. Open ones that are equal count three times at most, so those without
//! attributes are no danger by themselves.

/// The elements that are opened again.
const FORMATTING: [&str; 13] = [
    "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Tags, comments and whatever else begins with `<`.
const MOST_TAGS: usize = 2048;

/// Characters that begin an attribute, of one tag: parsers compare each attribute with all before it.
const MOST_BREAKS: usize = 1024;

/// References to characters: at each a parser begins a new piece of text.
const MOST_REFERENCES: usize = 8192;

/// Elements that may come to be for other reasons than that somebody wrote them.
const MOST_REOPENED: usize = 100_000;

/// Whether a parser makes of the text about as much as there is written.
pub(super) fn is_plain(text: &str) -> bool {
    let mut bare = [0_usize; FORMATTING.len()];
    // An `<a>` closes the one before it.
    let mut reopened = 1_usize;
    let mut tags = 1_usize;
    if text.bytes().filter(|byte| *byte == b'&').count() > MOST_REFERENCES {
        return false;
    }
    for piece in text.split('<').skip(1) {
        if breaks(piece) > MOST_BREAKS {
            return false;
        }
        tags += 1;
        let end = piece.find(|c: char| !c.is_ascii_alphabetic());
        let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
        let formatting = FORMATTING.iter().zip(&mut bare);
        let found = formatting
            .into_iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(name));
        if let Some((_, count)) = found {
            if !rest.starts_with('>') {
                reopened += 1;
            } else if *count < 3 {
                *count += 1;
                reopened += 1;
            }
        }
    }
    tags <= MOST_TAGS && reopened.saturating_mul(tags) <= MOST_REOPENED
}

/// How many attributes a tag may have at most, whose `<` is taken off.
fn breaks(piece: &str) -> usize {
    if !piece.starts_with(|c: char| c == '/' || c.is_ascii_alphabetic()) {
        return 0;
    }
    let end = piece.find('>').unwrap_or(piece.len());
    let (tag, _) = piece.split_at(end);
    // Within quotes it ends nothing.
    let tag = match tag.contains(['"', '\'']) {
        true => piece.rsplit_once('>').map_or(piece, |(tag, _)| tag),
        false => tag,
    };
    let begins = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'/' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'"' | b'\''
        )
    };
    tag.bytes().filter(begins).count()
}
