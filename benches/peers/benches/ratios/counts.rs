use std::{collections::BTreeMap, process::Command};

/// Allocations and bytes per request, by case and side.
pub(crate) struct Counts(BTreeMap<String, BTreeMap<String, [f64; 2]>>);

impl Counts {
    /// Asks the program that counts.
    pub(crate) fn take() -> Self {
        let counting = Command::new(env!("CARGO_BIN_EXE_allocations"))
            .output()
            .unwrap();
        assert!(counting.status.success(), "{counting:?}");
        Self(serde_json::from_slice(&counting.stdout).unwrap())
    }

    pub(crate) fn of(&self, case: &str, side: &str) -> [f64; 2] {
        self.0[case][side]
    }
}
