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
