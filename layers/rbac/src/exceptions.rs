use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use crate::{Approvals, Grants, RbacConfigError};

/// What is decided by besides a handle's policy, whichever policy that is; one of each, set once.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    grants: OnceLock<Grants>,
    approvals: OnceLock<Approvals>,
    /// Whether it was told that there are no approvals where a policy needs them.
    is_told: AtomicBool,
}

impl Exceptions {
    pub(crate) fn grants(&self) -> Option<&Grants> {
        self.grants.get()
    }

    pub(crate) fn approvals(&self) -> Option<&Approvals> {
        self.approvals.get()
    }

    /// # Errors
    ///
    /// If there are others.
    pub(crate) fn set_grants(&self, grants: &Grants) -> Result<(), RbacConfigError> {
        let held = self.grants.get_or_init(|| grants.clone());
        once(held.is_same(grants), "grants")
    }

    /// # Errors
    ///
    /// If there are others.
    pub(crate) fn set_approvals(&self, approvals: &Approvals) -> Result<(), RbacConfigError> {
        let held = self.approvals.get_or_init(|| approvals.clone());
        once(held.is_same(approvals), "approvals")
    }

    /// Whether it is to be told now, once, that approvals are missing.
    pub(crate) fn is_to_be_told(&self) -> bool {
        !self.is_told.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.grants.get().is_none() && self.approvals.get().is_none()
    }
}

fn once(is_same: bool, setting: &str) -> Result<(), RbacConfigError> {
    if is_same {
        return Ok(());
    }
    let problem = "are there already: layers of one handle judge by the same";
    Err(RbacConfigError::new("setting", setting, problem))
}
