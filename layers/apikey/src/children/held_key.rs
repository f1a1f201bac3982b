use std::fmt;

use zeroize::Zeroizing;

use super::{
    Attenuation, AttenuationError, BlockId, Chain, MOST_BLOCKS, Seed,
    block::{Block, Root},
};
use crate::{KeyForm, KeyId};

/// A key, or a child of one, in the hands of who uses it: it makes narrower children, and asks nobody for that.
///
/// A child is good for what the key is good for, less what every link of its chain takes away; whoever has it can't
/// tell the key from it, and can't take a link off. It ends with the key, with the first link that ends, and when the
/// key is revoked.
///
/// ```
/// use bartizan_apikey::{Attenuation, HeldKey, KeyForm};
/// # let text = "acme_live_aaaqeayeaudaocaj_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqyewwtva";
/// let form = KeyForm::new("acme", ["live", "test"])?;
/// let key = HeldKey::parse(&form, text)?;
/// let child = key.attenuate(Attenuation::new().only_tools(["read_*"]))?;
/// let grandchild = child.attenuate(Attenuation::new().only_tools(["*_note"]).no_children())?;
/// assert_eq!(grandchild.depth(), 2);
///
/// // No: that child may have none.
/// assert!(grandchild.attenuate(Attenuation::new()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HeldKey {
    form: KeyForm,
    environment: Box<str>,
    id: KeyId,
    chain: Chain,
    /// What signs the next link.
    seed: Seed,
    text: Zeroizing<String>,
}

impl HeldKey {
    /// Reads a key, or a child of one. Whether it is good is the server's to know.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn parse(form: &KeyForm, text: &str) -> Result<Self, AttenuationError> {
        let presented = form.read_any(text).map_err(|_| AttenuationError::NoKey)?;
        let root = form.root(presented.environment, presented.id);
        let (chain, seed) = match presented.chain {
            None => (Chain::default(), Seed::of_key(root, &presented.secret)),
            Some(chain) => {
                let chain = chain.read().map_err(|_| AttenuationError::NoKey)?;
                (chain, Seed::of_child(presented.secret))
            }
        };
        Ok(Self {
            environment: presented.environment.into(),
            id: presented.id,
            chain,
            seed,
            text: Zeroizing::new(text.to_owned()),
            form: form.clone(),
        })
    }

    /// A child that is narrowed so. It says nothing of how it came to be good for less.
    ///
    /// # Errors
    ///
    /// If a setting can't be; if this is a child of the fourth degree, or one that may have no children; if the
    /// child's text would be too long, or the system has no randomness.
    pub fn attenuate(&self, attenuation: Attenuation) -> Result<Self, AttenuationError> {
        attenuation.check()?;
        if self.chain.has_no_children() {
            return Err(AttenuationError::NoChildren);
        }
        if self.depth() >= MOST_BLOCKS {
            return Err(AttenuationError::TooDeep);
        }
        let seed = Seed::random().ok_or(AttenuationError::NoRandomness)?;
        let root = self.root();
        let sign = |message: &[u8]| self.seed.sign(message);
        let block = Block::make(attenuation, seed.public_key(), self.chain.end(root), sign);
        let mut chain = self.chain.clone();
        chain.blocks.push(block.ok_or(AttenuationError::TooLong)?);
        let bytes = chain.write().ok_or(AttenuationError::TooLong)?;
        let text = self
            .form
            .write_child(&self.environment, self.id, &bytes, seed.secret())
            .ok_or(AttenuationError::TooLong)?;
        Ok(Self {
            form: self.form.clone(),
            environment: self.environment.clone(),
            id: self.id,
            chain,
            seed,
            text,
        })
    }

    /// What is presented to a server. It is overwritten when this goes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id of the key that it is, or descends from.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// How many links it is away from the key: 0 for the key itself, at most 4.
    pub fn depth(&self) -> usize {
        self.chain.blocks.len()
    }

    /// What its links are called in the server's records, from the key on.
    pub fn blocks(&self) -> Vec<BlockId> {
        self.chain.ids(self.root())
    }

    fn root(&self) -> Root<'_> {
        self.form.root(&self.environment, self.id)
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey")
            .field("id", &self.id)
            .field("depth", &self.depth())
            .finish_non_exhaustive()
    }
}
