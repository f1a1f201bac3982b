use std::fmt;

use bartizan_core::Principal;
use sha2::{Digest, Sha256};

use crate::binding::{Binding, Purpose};

/// What a task is kept under: the hash of its id, so that no store holds what opens a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey([u8; 32]);

/// What its owner is kept under: the hash of issuer, subject, client and sort of principal (TV-16).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerKey([u8; 32]);

impl TaskKey {
    /// The key of a task's id.
    pub fn of(id: &str) -> Self {
        Self(digest([id.as_bytes()]))
    }

    /// The hash: SHA-256, the same on every node.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl OwnerKey {
    /// The key of a principal.
    pub fn of(principal: &Principal) -> Self {
        Self(digest(Binding::of(principal).parts(Purpose::Task)))
    }

    /// The hash: SHA-256, the same on every node.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lengths are hashed too: `ab`, `c` is not `a`, `bc`.
fn digest<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl fmt::Debug for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskKey(..)")
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}
