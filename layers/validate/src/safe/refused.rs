use std::{error::Error, fmt};

/// Why a value is refused: what it should have been, and the rule that it breaks. Never the value.
///
/// ```
/// # use bartizan_validate::safe::SafePath;
/// let refused = SafePath::new("../etc/passwd").unwrap_err();
/// assert_eq!(refused.to_string(), "the path has a part that is `.` or `..`");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    what: &'static str,
    rule: &'static str,
}

impl Refused {
    pub(crate) const fn new(what: &'static str, rule: &'static str) -> Self {
        Self { what, rule }
    }

    /// What the value should have been: `path`, `URL`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// What is wrong with it, as the end of a sentence: `is absolute`.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.what, self.rule)
    }
}

impl Error for Refused {}
