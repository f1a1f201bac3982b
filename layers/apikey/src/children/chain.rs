use bartizan_token::Fault;

use super::{
    Attenuation, BlockId, Seed,
    block::{Block, Place, Root},
    wire::Reader,
};
use crate::VerifyingKey;

/// The links of a child, as they were read: nothing of them is verified until [`verify`](Self::verify) says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    pub(super) blocks: Vec<Block>,
}

pub(crate) type PublicKey = [u8; VerifyingKey::BYTES];

/// Most links of a chain.
pub(crate) const MOST_BLOCKS: usize = 4;

/// What a chain's bytes begin with. Another number is another way to read them.
const VERSION: u8 = 1;

impl Chain {
    /// Reads one to four links, and no byte more. What has more than four is told apart.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        const MALFORMED: Fault = "the child's chain can't be read";
        let mut reader = Reader::new(bytes);
        if reader.byte() != Some(VERSION) {
            return Err("the child's chain is of another version");
        }
        let mut blocks = Vec::new();
        while !reader.is_empty() {
            if blocks.len() == MOST_BLOCKS {
                return Err("the child's chain has more than four links");
            }
            blocks.push(Block::read(&mut reader).ok_or(MALFORMED)?);
        }
        if blocks.is_empty() {
            return Err(MALFORMED);
        }
        let mut parents = blocks.iter().rev().skip(1);
        if parents.any(|block| block.attenuation.is_last) {
            return Err("the child descends from one that may have no children");
        }
        Ok(Self { blocks })
    }

    /// `None` if a link is too long.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![VERSION];
        for block in &self.blocks {
            block.write(&mut bytes)?;
        }
        Some(bytes)
    }

    /// What the links are called, if they hang from this key and from one another, and whoever shows them has the
    /// last private key.
    ///
    /// It stops at the first that is wrong: a stranger costs one check of a signature, and only who was given a
    /// chain can make it cost more.
    pub(crate) fn verify(
        &self,
        root: Root<'_>,
        key: &PublicKey,
        last: &Seed,
    ) -> Result<Vec<BlockId>, Fault> {
        let mut ids = Vec::with_capacity(self.blocks.len());
        let (mut place, mut key) = (Place::first(root), key);
        for block in &self.blocks {
            if !block.is_signed_by(key, place) {
                return Err("the child's chain is broken");
            }
            let digest = block.digest(place);
            ids.push(BlockId::of(&digest));
            place = place.after(digest);
            key = &block.next;
        }
        // A public key, so it needs no constant time.
        if ids.is_empty() || last.public_key() != *key {
            return Err("the child's secret is not that of its chain");
        }
        Ok(ids)
    }

    /// Takes as long as [`verify`](Self::verify) does with what a stranger made up, for a key that there is not.
    pub(crate) fn verify_nothing(&self, root: Root<'_>) {
        if let Some(block) = self.blocks.first() {
            let verdict = block.is_signed_by(&DECOY, Place::first(root));
            std::hint::black_box(verdict);
        }
    }

    pub(super) fn attenuations(&self) -> impl Iterator<Item = &Attenuation> {
        self.blocks.iter().map(|block| &block.attenuation)
    }

    /// About how many bytes what it narrows takes, patterns that were read included.
    pub(super) fn bytes(&self) -> usize {
        let bodies = self.blocks.iter().map(Block::bytes);
        // A pattern of few letters takes some eight times as much once it is read, compiled, and said again for the record.
        bodies.sum::<usize>().saturating_mul(8)
    }

    /// Whether a link says that it has ended.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        let mut ends = self.attenuations().filter_map(|block| block.expires_at);
        ends.any(|end| now >= end)
    }

    /// What the links are called. Nothing is verified.
    pub(super) fn ids(&self, root: Root<'_>) -> Vec<BlockId> {
        let mut place = Place::first(root);
        let mut ids = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let digest = block.digest(place);
            ids.push(BlockId::of(&digest));
            place = place.after(digest);
        }
        ids
    }

    pub(super) fn has_no_children(&self) -> bool {
        let last = self.blocks.last();
        last.is_some_and(|block| block.attenuation.is_last)
    }

    /// What the next link is made for. Nothing is verified.
    pub(super) fn end<'a>(&self, root: Root<'a>) -> Place<'a> {
        let step = |place: Place<'a>, block: &Block| place.after(block.digest(place));
        self.blocks.iter().fold(Place::first(root), step)
    }
}

/// The generator of the group: a public key to which nobody uses a private one.
const DECOY: PublicKey = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    bytes
};
