//! Writes keys and children by the description of their form, with another library than the crate's.

use aws_lc_rs::{
    digest, hkdf, hmac,
    signature::{Ed25519KeyPair, KeyPair},
};

pub(super) const BRAND: &str = "acme";
pub(super) const ENVIRONMENT: &str = "live";
pub(super) const ID: [u8; 10] = [7; 10];
const SECRET: [u8; 32] = [8; 32];

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Base32, bit by bit.
pub(super) fn letters(bytes: &[u8]) -> String {
    let bit = |place: usize| bytes.get(place / 8).map_or(0, |b| b >> (7 - place % 8) & 1);
    let letter = |at: usize| (0..5).fold(0, |n, place| n << 1 | bit(at * 5 + place));
    let letters = (0..(bytes.len() * 8).div_ceil(5)).map(letter);
    letters
        .map(|n| char::from(ALPHABET[usize::from(n)]))
        .collect()
}

/// CRC-32, bit by bit.
fn checksum(text: &str) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
        }
    }
    (!crc).to_be_bytes()
}

pub(super) fn text(chain: &[u8], seed: &[u8; 32]) -> String {
    let [id, chain, seed] = [&ID[..], chain, seed].map(letters);
    let text = format!("{BRAND}_{ENVIRONMENT}_{id}_{chain}_{seed}");
    let checksum = letters(&checksum(&text));
    text + &checksum
}

fn under(pepper: &[u8], parts: &[&[u8]]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, pepper);
    letters(hmac::sign(&key, &parts.concat()).as_ref())
}

pub(super) fn hash(pepper: &[u8]) -> String {
    let mac = under(pepper, &[b"apikey1", &ID, &SECRET]);
    format!("hmac-sha256$1${mac}")
}

pub(super) fn vouched(pepper: &[u8]) -> String {
    let public = public(&first_seed());
    let mac = under(pepper, &[b"public key of an apikey 1", &ID, &public]);
    format!("ed25519$1${}${mac}", letters(&public))
}

fn root() -> Vec<u8> {
    let word = |word: &str| [&[word.len() as u8], word.as_bytes()].concat();
    [word(BRAND), word(ENVIRONMENT), ID.to_vec()].concat()
}

/// What a key's secret makes.
pub(super) fn first_seed() -> [u8; 32] {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&SECRET);
    let root = root();
    let info: [&[u8]; 2] = [b"bartizan apikey 1 first key of a chain", &root];
    let expanded = extracted.expand(&info, hkdf::HKDF_SHA256);
    let mut seed = [0; 32];
    let filled = expanded.and_then(|expanded| expanded.fill(&mut seed));
    filled.expect("32 bytes");
    seed
}

/// What the text of an honest child ends with; as random as it need be here.
pub(super) fn last_seed(depth: usize) -> [u8; 32] {
    [depth as u8 + 20; 32]
}

fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed")
}

pub(super) fn public(seed: &[u8; 32]) -> [u8; 32] {
    let pair = pair(seed);
    pair.public_key().as_ref().try_into().expect("32 bytes")
}

/// What is signed as the link of this number.
pub(super) fn message(index: usize, previous: &[u8; 32], next: &[u8], body: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        b"bartizan apikey 1 link of a chain",
        &root(),
        &[index as u8],
        previous,
        next,
        body,
    ];
    parts.concat()
}

pub(super) fn digest_of(message: &[u8], signature: &[u8]) -> [u8; 32] {
    let all = [b"bartizan apikey 1 digest of a link", message, signature].concat();
    let digest = digest::digest(&digest::SHA256, &all);
    digest.as_ref().try_into().expect("32 bytes")
}

/// As many links that say nothing, and then one that says this; with the last private key.
pub(super) fn signed(before: usize, body: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let (mut chain, mut previous, mut seed) = (vec![1], [0; 32], first_seed());
    for index in 0..=before {
        let body = if index == before { body } else { &[] };
        let next_seed = last_seed(index);
        let next = public(&next_seed);
        let message = message(index, &previous, &next, body);
        let signature = pair(&seed).sign(&message);
        // A length that does not fit says less than there is.
        chain.extend((body.len() as u16).to_be_bytes());
        chain.extend(body);
        chain.extend(next);
        chain.extend(signature.as_ref());
        previous = digest_of(&message, signature.as_ref());
        seed = next_seed;
    }
    (chain, seed)
}
