use std::{error::Error, fmt};

use bartizan_core::printable;

use super::places::{Format, place_of};
use crate::RbacConfigError;

/// Why a text is no policy: what is wrong, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFileError {
    place: Option<(usize, usize)>,
    message: String,
}

/// Longest message, in characters.
const MESSAGE: usize = 2000;

impl PolicyFileError {
    /// The line, from 1; `None` if what is wrong has no place. Of what a policy means, and not how it
    /// is written, it is the line where the offending name first stands in its rule, or else in the text.
    pub fn line(&self) -> Option<usize> {
        self.place.map(|(line, _)| line)
    }

    /// The column, in characters from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.map(|(_, column)| column)
    }

    pub(super) fn new(message: &str) -> Self {
        Self {
            place: None,
            message: printable(message, MESSAGE).to_string(),
        }
    }

    pub(super) fn at(mut self, text: &str, offset: Option<usize>) -> Self {
        let before = offset.and_then(|offset| text.get(..offset));
        self.place = before.map(|before| {
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let in_line = before.get(line_start..).unwrap_or_default();
            (
                before.matches('\n').count() + 1,
                in_line.chars().count() + 1,
            )
        });
        self
    }

    pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        Self::new(error.message()).at(text, error.span().map(|span| span.start))
    }

    pub(super) fn of_json(error: &serde_json::Error) -> Self {
        let place = (error.line(), error.column());
        let shown = error.to_string();
        let tail = format!(" at line {} column {}", place.0, place.1);
        Self {
            place: (place.0 > 0).then_some(place),
            ..Self::new(shown.strip_suffix(&tail).unwrap_or(&shown))
        }
    }

    pub(super) fn of_meaning(text: &str, format: Format, error: &RbacConfigError) -> Self {
        Self::new(&error.to_string()).at(text, place_of(error, text, format))
    }
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Error for PolicyFileError {}
