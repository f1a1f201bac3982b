//! What a line says of its place in the chain, as its last member.

use sha2::{Digest, Sha256};

use super::keys::MacKey;

pub(super) type Hash = [u8; 32];
pub(super) type Mac = [u8; 16];

/// What comes before the first line.
pub(super) const GENESIS: Hash = [0; 32];

/// No other use of a hash makes these.
const PURPOSE: &[u8] = b"bartizan audit chain 1\0";

/// What a line claims of itself.
pub(super) struct Link<'l> {
    pub(super) seq: u64,
    pub(super) key: u32,
    pub(super) hash: Hash,
    pub(super) mac: Mac,
    /// Everything before the hash.
    hashed: &'l [u8],
    /// The line without what was added to it, and without its last brace.
    pub(super) body: &'l [u8],
}

const SEQ: &[u8] = b",\"chain\":{\"seq\":";
const KEY: &[u8] = b",\"key\":";
const HASH: &[u8] = b",\"hash\":\"";
const MAC: &[u8] = b"\",\"mac\":\"";
const END: &[u8] = b"\"}}";

/// Appends a line with its link and its end; the hash that the next one follows.
pub(super) fn append(
    out: &mut Vec<u8>,
    line: &[u8],
    previous: &Hash,
    seq: u64,
    key: &MacKey,
) -> Hash {
    let start = out.len();
    out.extend_from_slice(line.strip_suffix(b"}").unwrap_or(line));
    out.extend_from_slice(SEQ);
    number(out, seq);
    out.extend_from_slice(KEY);
    number(out, key.number.into());
    let hash = hash_of(previous, out.get(start..).unwrap_or_default());
    out.extend_from_slice(HASH);
    hex(out, &hash);
    out.extend_from_slice(MAC);
    hex(out, &key.mac(seq, &hash));
    out.extend_from_slice(END);
    out.push(b'\n');
    hash
}

impl<'l> Link<'l> {
    /// Reads a line without its end; `None` if it is not one that was written here, to the letter.
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, mac) = rest.split_at_checked(rest.len().checked_sub(32)?)?;
        let rest = rest.strip_suffix(MAC)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
        let hashed = rest.strip_suffix(HASH)?;
        let (rest, key) = last_number(hashed)?;
        let (rest, seq) = last_number(rest.strip_suffix(KEY)?)?;
        Some(Self {
            seq,
            key: u32::try_from(key).ok()?,
            hash: unhex(hash)?,
            mac: unhex(mac)?,
            hashed,
            body: rest.strip_suffix(SEQ)?,
        })
    }

    /// Whether the line follows that one.
    pub(super) fn follows(&self, previous: &Hash) -> bool {
        hash_of(previous, self.hashed) == self.hash
    }
}

fn hash_of(previous: &Hash, hashed: &[u8]) -> Hash {
    let hash = Sha256::new_with_prefix(PURPOSE);
    hash.chain_update(previous)
        .chain_update(hashed)
        .finalize()
        .into()
}

fn number(out: &mut Vec<u8>, number: u64) {
    // A number into a vector can't fail.
    let _ = serde_json::to_writer(out, &number);
}

fn last_number(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let at = bytes.iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
    let (rest, digits) = bytes.split_at_checked(at)?;
    Some((rest, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Lower case alone, so that there is one text for one value.
pub(super) fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}
