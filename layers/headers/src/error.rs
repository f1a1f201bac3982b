use std::{error::Error, fmt};

use bartizan_core::printable;

/// A header rule that is invalid, contradictory or unsafe; its text names the header and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadersConfigError {
    header: String,
    value: Option<String>,
    problem: &'static str,
}

impl HeadersConfigError {
    pub(crate) fn name(header: &str, problem: &'static str) -> Self {
        Self {
            header: header.to_owned(),
            value: None,
            problem,
        }
    }

    pub(crate) fn value(header: &str, value: &str, problem: &'static str) -> Self {
        Self {
            value: Some(value.to_owned()),
            ..Self::name(header, problem)
        }
    }

    /// The header's name as it was given.
    pub fn header(&self) -> &str {
        &self.header
    }
}

impl fmt::Display for HeadersConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header `{}`", printable(&self.header, 80))?;
        if let Some(value) = &self.value {
            write!(f, " with value `{}`", printable(value, 160))?;
        }
        write!(f, " {}", self.problem)
    }
}

impl Error for HeadersConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_header_and_value_on_one_line() {
        let error = HeadersConfigError::value("x-a", "b\nc", "is bad").to_string();
        assert_eq!(error, r"header `x-a` with value `b\u{a}c` is bad");
        let error = HeadersConfigError::name("x\r", "is bad").to_string();
        assert_eq!(error, r"header `x\u{d}` is bad");
    }
}
