use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, Guard};

/// What is in force, and can be exchanged while others look.
///
/// Most never is: as long as this was not, whoever looks leaves no mark, which would take two locked operations of each
/// request. For that the first one is kept to the end. An exchange waits for nobody, and nobody for it.
///
/// ```
/// use bartizan_core::Current;
/// let limit = Current::new(1);
/// let before = limit.load();
/// limit.store(2);
/// assert_eq!((*before, *limit.load()), (1, 2));
/// ```
pub struct Current<T> {
    first: Arc<T>,
    later: OnceLock<ArcSwap<T>>,
}

impl<T> Current<T> {
    /// The first one.
    pub fn new(first: T) -> Self {
        Self {
            first: Arc::new(first),
            later: OnceLock::new(),
        }
    }

    /// What is in force now.
    #[inline]
    pub fn load(&self) -> InForce<'_, T> {
        InForce(match self.later.get() {
            None => Kept::First(&self.first),
            Some(later) => Kept::Later(later.load()),
        })
    }

    /// Puts another one in force.
    pub fn store(&self, next: T) {
        self.later().store(Arc::new(next));
    }

    /// Puts in force what is made of the one that was, which is returned. It is made anew if that was exchanged
    /// meanwhile.
    pub fn update(&self, mut make: impl FnMut(&T) -> T) -> Arc<T> {
        self.later().rcu(|before| make(before))
    }

    /// Puts another one in force if this one still is.
    #[must_use = "if it was exchanged, `next` is not in force"]
    pub fn replace(&self, this: &Arc<T>, next: T) -> bool {
        let before = self.later().compare_and_swap(this, Arc::new(next));
        Arc::ptr_eq(&before, this)
    }

    fn later(&self) -> &ArcSwap<T> {
        let first = || ArcSwap::new(Arc::clone(&self.first));
        self.later.get_or_init(first)
    }
}

impl<T: fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&*self.load()).finish()
    }
}

/// What [was in force](Current::load) when somebody looked, for as long as this is there.
pub struct InForce<'c, T>(Kept<'c, T>);

enum Kept<'c, T> {
    First(&'c Arc<T>),
    Later(Guard<Arc<T>>),
}

impl<T> InForce<'_, T> {
    /// Keeps it for longer.
    #[inline]
    pub fn into_arc(self) -> Arc<T> {
        match self.0 {
            Kept::First(first) => Arc::clone(first),
            Kept::Later(later) => Guard::into_inner(later),
        }
    }
}

impl<T> Deref for InForce<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Kept::First(first) => first,
            Kept::Later(later) => later,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for InForce<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InForce").field(&**self).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn whoever_looked_keeps_what_was_in_force_then() {
        let current = Current::new(1);
        let (first, kept) = (current.load(), current.load().into_arc());
        current.store(2);
        let second = current.load();
        current.store(3);
        assert_eq!((*first, *kept, *second, *current.load()), (1, 1, 2, 3));
    }

    #[test]
    fn what_is_replaced_is_what_was_looked_at_and_nothing_else() {
        let current = Current::new("a");
        let seen = current.load().into_arc();
        assert!(current.replace(&seen, "b"));
        assert!(!current.replace(&seen, "c"), "it is not in force any more");
        assert_eq!(*current.load(), "b");
    }

    #[test]
    fn no_update_is_lost_however_many_come_at_once() {
        let current = Current::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| drop(current.update(|before| before + 1))));
            }
        });
        assert_eq!(*current.load(), 400);
        assert_eq!(*current.update(|before| before + 1), 400);
    }
}
