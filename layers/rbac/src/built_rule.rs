use std::sync::Arc;

use bartizan_core::names::Pattern;

use crate::{Annotation, needs::Needs, rule::Target};

/// A rule as it is judged by.
#[derive(Debug)]
pub(crate) struct BuiltRule {
    /// How records call it.
    pub(crate) shown: Box<str>,
    pub(crate) name: Arc<str>,
    pub(crate) speaks: Speaks,
    /// What it speaks of, where that has names.
    pub(crate) target: Option<Pattern>,
    pub(crate) except: Box<[Pattern]>,
    pub(crate) hidden: bool,
    /// Whether it is a decoy's.
    pub(crate) honey: bool,
    pub(crate) needs: Needs,
}

/// What sort of name a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Tools,
    Prompts,
    Resources,
    Methods,
    Annotated(Annotation),
    /// Of what has no name.
    Other,
}

impl Speaks {
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            Target::Tool(_) => Self::Tools,
            Target::Prompt(_) => Self::Prompts,
            Target::Resource(_) => Self::Resources,
            Target::Method(_) => Self::Methods,
            Target::Annotated(annotation) => Self::Annotated(*annotation),
            Target::Stream | Target::EndSession | Target::Response => Self::Other,
        }
    }
}

impl BuiltRule {
    pub(crate) fn excepts(&self, name: &str) -> bool {
        self.except.iter().any(|pattern| pattern.matches(name))
    }
}

/// For the lint, which has time.
impl BuiltRule {
    pub(crate) fn speaks_of(&self, name: &str) -> bool {
        let target = self.target.as_ref();
        target.is_some_and(|p| p.matches(name)) && !self.excepts(name)
    }

    /// Whether some URI of the template may be one that it speaks of; always true if one is.
    pub(crate) fn may_speak_of(&self, template: &str) -> bool {
        let literal = template.split('{').next().unwrap_or_default();
        // A slash at the end does not count.
        let literal = literal.trim_end_matches('/');
        match &self.target {
            Some(Pattern::Exact(uri)) => uri.starts_with(literal),
            Some(Pattern::Glob(glob)) => {
                glob.prefix().starts_with(literal) || literal.starts_with(glob.prefix())
            }
            None => false,
        }
    }

    /// Whether there may be what both cover; this one is of names.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        if other.speaks == Speaks::Methods {
            let methods = match self.speaks {
                Speaks::Tools => &["tools/call"][..],
                Speaks::Prompts => &["prompts/get", "completion/complete"],
                _ => &[
                    "resources/read",
                    "resources/subscribe",
                    "resources/unsubscribe",
                    "resources/directory/read",
                    "skills/get",
                    "completion/complete",
                ],
            };
            return methods.iter().any(|method| other.speaks_of(method));
        }
        if matches!(other.speaks, Speaks::Annotated(_)) {
            return self.speaks == Speaks::Tools;
        }
        let both = self.target.as_ref().zip(other.target.as_ref());
        self.speaks == other.speaks && both.is_some_and(|(a, b)| a.may_meet(b))
    }

    /// Whether the exceptions take out all of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.except.iter().any(|except| match except {
            Pattern::Glob(glob) => glob.is_all() || self.target.as_ref() == Some(except),
            Pattern::Exact(_) => false,
        })
    }
}
