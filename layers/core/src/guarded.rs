use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs code of somebody else, a sink, a policy or a subscriber, whatever it does: `None` if it panicked. Also while a
/// panic unwinds already, where a second one that got out would abort the process.
///
/// What it left half done is its own affair, or is not used again.
pub fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|payload| {
            // Its destructor may panic again.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(second);
            }
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            panic_any("once more");
        }
    }

    #[test]
    fn neither_a_panic_nor_what_it_carries_gets_out() {
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| panic_any("once")), None::<()>);
        assert_eq!(guarded(|| panic_any(Again)), None::<()>);
    }
}
