use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, Guard};

/// What is in force, and can be exchanged.
///
/// Most never is: as long as this was not, whoever looks leaves no mark, which would take two locked operations of each
/// request. For that the first one is kept to the end.
#[derive(Debug)]
pub(crate) struct Current<T> {
    first: Arc<T>,
    later: OnceLock<ArcSwap<T>>,
}

/// What was in force when somebody looked.
pub(crate) enum InForce<'c, T> {
    First(&'c Arc<T>),
    Later(Guard<Arc<T>>),
}

impl<T> Current<T> {
    pub(crate) fn new(first: T) -> Self {
        Self {
            first: Arc::new(first),
            later: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> InForce<'_, T> {
        match self.later.get() {
            None => InForce::First(&self.first),
            Some(later) => InForce::Later(later.load()),
        }
    }

    pub(crate) fn store(&self, next: T) {
        let later = || ArcSwap::new(Arc::clone(&self.first));
        self.later.get_or_init(later).store(Arc::new(next));
    }
}

#[cfg(feature = "redis")]
impl<T> InForce<'_, T> {
    /// Keeps it for longer.
    pub(crate) fn into_arc(self) -> Arc<T> {
        match self {
            Self::First(first) => Arc::clone(first),
            Self::Later(later) => Guard::into_inner(later),
        }
    }
}

impl<T> Deref for InForce<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Self::First(first) => first,
            Self::Later(later) => later,
        }
    }
}
