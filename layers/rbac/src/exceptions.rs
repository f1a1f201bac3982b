use std::sync::OnceLock;

use crate::{RbacConfigError, grants::Grants};

/// What is decided by besides a handle's policy, whichever policy that is; one of each, set once.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    grants: OnceLock<Grants>,
}

impl Exceptions {
    pub(crate) fn grants(&self) -> Option<&Grants> {
        self.grants.get()
    }

    /// # Errors
    ///
    /// If there are others.
    pub(crate) fn set_grants(&self, grants: Grants) -> Result<(), RbacConfigError> {
        let held = self.grants.get_or_init(|| grants.clone());
        if held.is_same(&grants) {
            return Ok(());
        }
        let problem = "are there already: layers of one handle judge by the same";
        Err(RbacConfigError::new("setting", "grants", problem))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.grants.get().is_none()
    }
}
