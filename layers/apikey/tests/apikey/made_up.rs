use data_encoding::Specification;

/// A key of nobody, its checksum right.
pub(crate) fn made_up(n: u64) -> String {
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    let letters = letters.encoding().unwrap();
    let mut bytes = [0; 42];
    for (place, byte) in bytes.iter_mut().enumerate() {
        let mixed = (n + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(place as u32);
        *byte = (mixed >> 24) as u8 ^ place as u8;
    }
    let (id, secret) = bytes.split_at(10);
    let mut text = "acme_live_".to_owned();
    letters.encode_append(id, &mut text);
    text.push('_');
    letters.encode_append(secret, &mut text);
    let checksum = crc32fast::hash(text.as_bytes());
    letters.encode_append(&checksum.to_be_bytes(), &mut text);
    text
}
