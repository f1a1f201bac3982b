use std::fmt::Write as _;

use super::{BlockId, Chain};
use crate::KeyId;

/// Whose child it is, link by link, for records. Labels are the holders' words, and told as such.
pub(super) fn of(id: KeyId, chain: &Chain, blocks: &[BlockId]) -> String {
    let mut text = format!("child of key `{id}`, depth {}", blocks.len());
    for (block, attenuation) in blocks.iter().zip(chain.attenuations()) {
        // A `String` takes every write.
        let _ = write!(text, ", `{block}`");
        if let Some(label) = &attenuation.label {
            let _ = write!(text, " called `{label}` by its holder");
        }
    }
    text
}
