use std::{error::Error, fmt};

use bartizan_core::printable;

/// What of a policy comes to nothing; see [`Policy::lint`](crate::Policy::lint).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LintFinding {
    /// The rule matches nothing that the server offers: a name was misspelt, or is gone.
    MatchesNothing {
        /// The rule's name.
        rule: String,
    },
    /// The rule's exceptions take out all that it speaks of.
    AllExcepted {
        /// The rule's name.
        rule: String,
    },
    /// The rule may cover what others hide and is not hidden itself: what it refuses is told, and where it lets names
    /// pass that do not exist, the server has to answer for them just as the layer does.
    BesideHidden {
        /// The rule's name.
        rule: String,
    },
    /// A honey tool with a definition of its own is a tool of the server's, which nobody may use.
    HoneyIsTool {
        /// Its name.
        name: String,
    },
    /// No rule covers it, so nobody may use it.
    Uncovered {
        /// `tool`, `prompt`, `resource` or `resource template`.
        kind: &'static str,
        /// Its name, or URI.
        name: String,
    },
    /// It is refused whatever the rules say.
    NeverUsable {
        /// `tool`, `prompt`, `resource` or `resource template`.
        kind: &'static str,
        /// Its name, or URI.
        name: String,
        /// Why.
        problem: &'static str,
    },
}

const SHOWN: usize = 300;

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchesNothing { rule } => {
                let rule = printable(rule, SHOWN);
                write!(f, "rule `{rule}` matches nothing that the server offers")
            }
            Self::AllExcepted { rule } => {
                let rule = printable(rule, SHOWN);
                write!(f, "rule `{rule}` excepts all that it speaks of")
            }
            Self::BesideHidden { rule } => {
                let rule = printable(rule, SHOWN);
                write!(
                    f,
                    "rule `{rule}` covers what others hide, and is not hidden"
                )
            }
            Self::HoneyIsTool { name } => {
                let name = printable(name, SHOWN);
                write!(
                    f,
                    "honey tool `{name}` is a tool of the server's, and nobody may use it"
                )
            }
            Self::Uncovered { kind, name } => {
                let name = printable(name, SHOWN);
                write!(f, "no rule covers {kind} `{name}`, so nobody may use it")
            }
            Self::NeverUsable {
                kind,
                name,
                problem,
            } => {
                let name = printable(name, SHOWN);
                write!(f, "{kind} `{name}` {problem}, so nobody may use it")
            }
        }
    }
}

/// Why a text is no answer with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LintError(pub(super) &'static str);

impl fmt::Display for LintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list {}", self.0)
    }
}

impl Error for LintError {}
