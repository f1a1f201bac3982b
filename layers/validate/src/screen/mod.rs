//! Text that looks like an attack or a secret.

#[cfg(feature = "serde")]
mod config;
mod detector;
mod scan;

use std::fmt;

#[cfg(feature = "serde")]
pub use self::config::{OnFindConfig, ScreeningConfig};
pub use self::detector::Detector;
pub(crate) use self::scan::Found;
use self::scan::Scanner;

/// Looks for what is like an attack or a secret in the arguments of tools and in what these answer (feature `screening`).
///
/// It is a smoke alarm, no wall: whoever knows the patterns writes around them, and ordinary text may look like an attack. The
/// defence is what makes such text harmless: schemas, and [safe types](crate#safe-types). Figures stand in the
/// [crate's documentation](crate#screening).
///
/// What is found is never shown, neither to the caller nor in the record: only which detector found something.
///
/// ```
/// use bartizan_validate::{Detector, OnFind, Screening, ValidateLayer};
/// let screening = Screening::new()
///     .arguments(Detector::Sql, OnFind::Report)
///     .arguments(Detector::Metadata, OnFind::Refuse)
///     .answers(Detector::Secret, OnFind::Refuse);
/// let layer = ValidateLayer::new()
///     .screening(screening)
///     .tool_screening("run_query", Screening::new());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Screening {
    arguments: [OnFind; Detector::ALL.len()],
    answers: [OnFind; Detector::ALL.len()],
}

/// What follows if a detector finds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnFind {
    /// It is not looked for.
    #[default]
    Ignore,
    /// It is noted for the audit record, as `screened`.
    Report,
    /// Arguments are refused, as those that do not fit; an answer is withheld.
    Refuse,
}

impl Screening {
    /// Looks for nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows if this is found in arguments.
    pub fn arguments(mut self, detector: Detector, then: OnFind) -> Self {
        if let Some(slot) = self.arguments.get_mut(detector as usize) {
            *slot = then;
        }
        self
    }

    /// What follows if this is found in an answer.
    pub fn answers(mut self, detector: Detector, then: OnFind) -> Self {
        if let Some(slot) = self.answers.get_mut(detector as usize) {
            *slot = then;
        }
        self
    }

    pub(crate) fn of_arguments(&self) -> Screen {
        Screen::of(&self.arguments)
    }

    pub(crate) fn of_answers(&self) -> Screen {
        Screen::of(&self.answers)
    }
}

/// What is looked for in one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    reported: Found,
    refused: Found,
}

impl Screen {
    fn of(policy: &[OnFind; Detector::ALL.len()]) -> Self {
        let with = |then: OnFind| {
            let all = Detector::ALL.into_iter().zip(policy);
            Found::of(all.filter(|(_, own)| **own == then).map(|(one, _)| one))
        };
        Self {
            reported: with(OnFind::Report),
            refused: with(OnFind::Refuse),
        }
    }

    /// Whether nothing is looked for.
    pub(crate) fn is_blind(self) -> bool {
        self.reported.is_empty() && self.refused.is_empty()
    }

    /// Whether something may be refused.
    pub(crate) fn refuses(self) -> bool {
        !self.refused.is_empty()
    }

    /// What is in JSON text to report, and what to refuse.
    pub(crate) fn look(self, json: &str) -> (Found, Found) {
        let found = Scanner::shared().json(json, self.reported.or(self.refused));
        (found.and(self.reported), found.and(self.refused))
    }
}

impl fmt::Debug for Screening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (detector, then) in Detector::ALL
            .iter()
            .zip(self.arguments.iter().zip(&self.answers))
        {
            map.entry(detector, &then);
        }
        map.finish()
    }
}
