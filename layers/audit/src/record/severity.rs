use super::{Classes, Outcome};

/// How much a record matters to who watches the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Info,
    /// Allowed, and worth a look: a destructive operation, a change of configuration, a call that failed.
    Notice,
    /// Refused.
    Warning,
    /// Something failed that should not: a guard, the service, the log itself.
    Error,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// Every one, the least first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
    ];

    /// A stable word for records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    pub(super) fn of(outcome: Outcome, result: &str, classes: Classes) -> Self {
        let is_notable = classes.has(Classes::DESTRUCTIVE_OPERATION)
            || classes.has(Classes::CONFIGURATION_CHANGE);
        // Whatever became of it.
        if classes.has(Classes::HONEY_TOUCHED) {
            return Self::Critical;
        }
        match (outcome, result) {
            (Outcome::Failed | Outcome::Panicked, _) | (Outcome::Refused, "error") => Self::Error,
            (Outcome::Refused, _) => Self::Warning,
            (Outcome::Admitted, "success") if !is_notable => Self::Info,
            (Outcome::Aborted | Outcome::Admitted, _) => Self::Notice,
        }
    }
}
