//! Text in base64, found without knowing where it begins.

/// Fewest characters that are looked into: no secret is shorter than their nine bytes.
pub(crate) const SHORTEST: usize = 12;

const NONE: u8 = 0xff;

static VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    reason = "known at compile time, where it would fail"
)]
const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < 64 {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
fn value(b: u8) -> u32 {
    VALUES[b as usize].into()
}

/// Whether some part of the word may read as text of ASCII: nine bytes in a row without their highest bit, from whichever
/// of its characters it is read. Of a hash, an id or a path hardly ever.
#[inline]
pub(crate) fn may_be_text(word: &[u8]) -> bool {
    // How many characters fit so far, for each of the four ways to read it: a byte each.
    let mut fitting = 0_u32;
    for (at, b) in word.iter().enumerate() {
        fitting = (fitting + 0x01_01_01_01) & fits(at & 3, *b);
        // Twelve of them.
        if (fitting + 0x74_74_74_74) & 0x80_80_80_80 != 0 {
            return true;
        }
    }
    false
}

/// A mask of the ways to read a word in which this character fits at this place.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "there is one for each place and byte"
)]
fn fits(place: usize, b: u8) -> u32 {
    FITS[place][b as usize]
}

static FITS: [[u32; 256]; 4] = fits_of_all();

#[expect(
    clippy::indexing_slicing,
    reason = "known at compile time, where it would fail"
)]
const fn fits_of_all() -> [[u32; 256]; 4] {
    let mut fits = [[0; 256]; 4];
    let values = values();
    let mut place = 0;
    while place < 4 {
        let mut b = 0;
        while b < 256 {
            let value = values[b];
            let mut way = 0;
            while way < 4 {
                // Which of a group of four it is, read from the character `way` on.
                let is_fit = match (place + 4 - way) % 4 {
                    0 => value & 32 == 0,
                    1 => value & 8 == 0,
                    2 => value & 2 == 0,
                    _ => true,
                };
                if is_fit && value != NONE {
                    fits[place][b] |= 0xff << (8 * way);
                }
                way += 1;
            }
            b += 1;
        }
        place += 1;
    }
    fits
}

/// Every part of the word that reads as text of ASCII, from whichever of its characters it is read.
pub(crate) fn texts(word: &[u8], mut read: impl FnMut(&[u8])) {
    for skipped in 0..4 {
        let word = word.get(skipped..).unwrap_or_default();
        let mut first = 0;
        let (quads, rest) = word.as_chunks::<4>();
        for (index, quad) in quads.iter().enumerate() {
            // The highest bits of the three bytes.
            if bits(quad) & 0x80_80_80 != 0 {
                part(quads.get(first..index).unwrap_or_default(), &[], &mut read);
                first = index + 1;
            }
        }
        part(quads.get(first..).unwrap_or_default(), rest, &mut read);
    }
}

#[inline]
fn bits(quad: &[u8; 4]) -> u32 {
    let [a, b, c, d] = *quad;
    value(a) << 18 | value(b) << 12 | value(c) << 6 | value(d)
}

/// Most characters that are read without an allocation.
const SHORT: usize = 256;

#[inline]
fn part(quads: &[[u8; 4]], rest: &[u8], read: &mut impl FnMut(&[u8])) {
    let chars = quads.len() * 4 + rest.len();
    if chars < SHORTEST {
        return;
    }
    if chars <= SHORT {
        decoded(quads, rest, &mut [0; SHORT / 4 * 3], read);
    } else {
        decoded(quads, rest, &mut vec![0; chars / 4 * 3 + 3], read);
    }
}

#[cold]
fn decoded(quads: &[[u8; 4]], rest: &[u8], room: &mut [u8], read: &mut impl FnMut(&[u8])) {
    let (threes, _) = room.as_chunks_mut::<3>();
    for (quad, three) in quads.iter().zip(threes) {
        let [_, bytes @ ..] = bits(quad).to_be_bytes();
        *three = bytes;
    }
    let mut length = quads.len() * 3;
    // Without its padding the last one is shorter.
    let last = rest.iter().fold(0, |bits, b| bits << 6 | value(*b));
    let bytes = match rest.len() {
        2 => [(last >> 4) as u8, 0],
        3 => [(last >> 10) as u8, (last >> 2) as u8],
        _ => [0; 2],
    };
    if let Some(room) = room.get_mut(length..length + 2) {
        room.copy_from_slice(&bytes);
        length += rest.len().saturating_sub(1);
    }
    let is_text = |b: &u8| matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let decoded = room.get(..length).unwrap_or_default();
    for text in decoded.split(|b| !is_text(b)) {
        if text.len() >= 6 {
            read(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(word: &str) -> Vec<String> {
        let mut read = Vec::new();
        texts(word.as_bytes(), |text| {
            read.push(String::from_utf8(text.to_vec()).unwrap());
        });
        read
    }

    #[test]
    fn text_is_read_wherever_it_begins_and_whatever_the_alphabet() {
        for word in [
            "YW5uQGV4YW1wbGUuY29t",
            "zYW5uQGV4YW1wbGUuY29t",
            "_-YW5uQGV4YW1wbGUuY29t_",
        ] {
            assert!(may_be_text(word.as_bytes()));
            assert!(
                read(word)
                    .iter()
                    .any(|text| text.contains("ann@example.com")),
                "{word}"
            );
        }
        assert!(!may_be_text(b"da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    }

    proptest! {
        #[test]
        fn what_may_be_no_text_has_none_in_it(word in "[A-Za-z0-9+/_-]{0,80}") {
            let is_long = |text: &String| text.len() >= 9;
            prop_assert!(may_be_text(word.as_bytes()) || !read(&word).iter().any(is_long));
        }

        #[test]
        fn a_long_text_is_read(before in "[A-Z]{0,9}", text in "[ -~]{9,300}") {
            use base64::Engine as _;
            let word = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text);
            let word = format!("{before}{word}");
            prop_assert!(may_be_text(word.as_bytes()));
            prop_assert!(read(&word).iter().any(|read| read.ends_with(&text)), "{}", word);
        }
    }
}
