use std::{error::Error, fmt};

use bartizan_core::printable;

/// Most policies that an answer names.
const MOST_NAMED: usize = 8;
/// Most characters of a policy's name.
const NAME: usize = 120;
/// Most characters of an error.
const ERROR: usize = 400;

/// What an engine says of a [`Question`](crate::Question).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    permits: bool,
    by: Vec<Box<str>>,
    more: usize,
}

impl Answer {
    /// It may be.
    pub fn permit() -> Self {
        Self::new(true)
    }

    /// It may not be.
    pub fn forbid() -> Self {
        Self::new(false)
    }

    fn new(permits: bool) -> Self {
        Self {
            permits,
            by: Vec::new(),
            more: 0,
        }
    }

    /// By which of its policies, for records only, which name the first eight.
    pub fn by<I: IntoIterator<Item: AsRef<str>>>(mut self, policies: I) -> Self {
        for policy in policies {
            if self.by.len() < MOST_NAMED {
                let name = printable(policy.as_ref(), NAME).to_string();
                self.by.push(name.into());
            } else {
                self.more += 1;
            }
        }
        self
    }

    /// Whether it may be.
    pub fn permits(&self) -> bool {
        self.permits
    }

    /// The policies that decided, at most eight.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by.iter().map(AsRef::as_ref)
    }
}

/// Why an engine cannot tell. The operator reads it, the caller does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError(Box<str>);

impl EngineError {
    /// For this reason, without credentials. What is longer than 400 characters is cut.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Self(printable(reason.as_ref(), ERROR).to_string().into())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for EngineError {}

/// What became of a question.
#[derive(Debug)]
pub(crate) struct Said(pub(super) Result<Answer, EngineError>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Permits,
    Forbids,
    Failed,
}

impl Said {
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.0 {
            Ok(answer) if answer.permits => Outcome::Permits,
            Ok(_) => Outcome::Forbids,
            Err(_) => Outcome::Failed,
        }
    }

    pub(crate) fn refuses(&self) -> bool {
        self.outcome() != Outcome::Permits
    }

    /// The policies that decided, as the decision header names them.
    pub(crate) fn names(&self) -> Vec<String> {
        let by = self.0.as_ref().map_or(&[][..], |answer| &answer.by);
        match by {
            [] => vec!["engine".to_owned()],
            by => by.iter().map(|name| format!("engine:{name}")).collect(),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match &self.0 {
            Ok(answer) => answer,
            Err(error) => return write!(f, "engine failed: {error}"),
        };
        f.write_str(if answer.permits {
            "engine permits"
        } else {
            "engine forbids"
        })?;
        for (place, name) in answer.by.iter().enumerate() {
            f.write_str(if place == 0 { " by " } else { ", " })?;
            write!(f, "`{name}`")?;
        }
        if answer.more > 0 {
            write!(f, ", {} more", answer.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_of_an_answer_stays_on_one_line_and_inside_a_bound() {
        let said = Said(Ok(Answer::forbid().by(["a\nb"])));
        assert_eq!(said.to_string(), r"engine forbids by `a\u{a}b`");
        let many = (0..1000).map(|n| format!("{n}{}", "x".repeat(1000)));
        let said = Said(Ok(Answer::permit().by(many)));
        assert!(said.to_string().len() < 1200);
        assert!(said.to_string().ends_with(", 992 more"));
        let said = Said(Err(EngineError::new("\u{202e}".repeat(10_000))));
        assert!(said.to_string().len() < 4000);
        assert_eq!(Said(Ok(Answer::forbid())).to_string(), "engine forbids");
    }
}
