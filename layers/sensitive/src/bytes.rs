//! What a byte is, looked up: the loops that ask are over every byte of a text.

/// Of base64, either alphabet.
pub(crate) const WORD: u8 = 1;
pub(crate) const DIGIT: u8 = 2;
/// What may begin an escape.
pub(crate) const ESCAPE: u8 = 4;
/// ASCII letters and digits.
pub(crate) const ALNUM: u8 = 8;
/// Of keys and of the parts of a JWT: `A-Za-z0-9_-`.
pub(crate) const TOKEN: u8 = 16;
/// Of the local part of an address, as they are in use, and everything beyond ASCII.
pub(crate) const LOCAL: u8 = 32;
/// Of names of fields in text.
pub(crate) const NAME: u8 = 64;
/// Of the credentials in an authorization field: `token68` (RFC 9110, section 11.2).
pub(crate) const TOKEN68: u8 = 128;

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "known at compile time, where it would fail"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        let mut class = 0;
        if b.is_ascii_alphanumeric() {
            class |= WORD | ALNUM | TOKEN | LOCAL | NAME | TOKEN68;
        }
        if b.is_ascii_digit() {
            class |= DIGIT;
        }
        if matches!(b, b'+' | b'/' | b'-' | b'_') {
            class |= WORD | TOKEN68;
        }
        if matches!(b, b'-' | b'_') {
            class |= TOKEN | NAME;
        }
        if matches!(b, b'.' | b'~' | b'=') {
            class |= TOKEN68;
        }
        if b == b'.' {
            class |= NAME;
        }
        if matches!(b, b'\\' | b'%') {
            class |= ESCAPE;
        }
        if matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || b >= 0x80 {
            class |= LOCAL;
        }
        classes[at] = class;
        at += 1;
    }
    classes
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
pub(crate) fn class(b: u8) -> u8 {
    CLASSES[b as usize]
}

#[inline]
pub(crate) fn is(b: u8, of: u8) -> bool {
    class(b) & of != 0
}

/// Whether the byte at this place is of the class; there may be none.
#[inline]
pub(crate) fn is_at(text: &[u8], at: usize, of: u8) -> bool {
    text.get(at).is_some_and(|b| is(*b, of))
}

/// Whether the byte before this place is of the class.
#[inline]
pub(crate) fn is_before(text: &[u8], at: usize, of: u8) -> bool {
    at.checked_sub(1).is_some_and(|at| is_at(text, at, of))
}

/// Where the run of such bytes ends that begins here.
pub(crate) fn run_end(text: &[u8], from: usize, of: u8) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| is(**b, of)).count()
}

/// Where the run of such bytes begins that ends here.
pub(crate) fn run_start(text: &[u8], to: usize, of: u8) -> usize {
    let before = text.get(..to).unwrap_or_default();
    to - before.iter().rev().take_while(|b| is(**b, of)).count()
}

/// What stands in the range, as far as there is text.
pub(crate) fn slice(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to.min(text.len())).unwrap_or_default()
}
