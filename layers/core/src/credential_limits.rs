use std::{error::Error, fmt, sync::Arc};

use crate::{
    CallRate,
    names::{Pattern, Shape},
    printable,
};
#[cfg(feature = "call")]
use crate::{call::Subject, names::uri};

/// What a credential is good for, whatever its owner may do: an API key for two tools, a token that was
/// scoped down.
///
/// Limits narrow and never widen. A [`Principal`](crate::Principal) can carry several, one for each link of a
/// chain of credentials, and all of them must admit a call. Cheap to clone; patterns are read once, here.
///
/// | said | what it admits |
/// |---|---|
/// | nothing | everything |
/// | any of tools, prompts, resources | of these kinds only names that a pattern of their own kind matches: a kind that is not mentioned is closed. So is a method that nobody knows, since it may act on anything. What acts on nothing is open: the handshake, `ping`, lists, tasks, notifications |
/// | methods | requests and notifications of these methods, the handshake included, and nothing else that has a method |
///
/// Completions are judged by what they complete, and `subscriptions/listen` by each resource that it names, as
/// `resources/subscribe` of it. Patterns are those of [`names`](crate::names).
///
/// **`bartizan-rbac` enforces them**, and shows no more in lists than they admit; `bartizan-ratelimit` enforces
/// [how often](Self::with_rate). `AuthLayer` refuses the answer to a limited credential, with 500, if no layer inside
/// judged by its limits, or counted by its rate: a stack that forgets them is found out by its first request, though what
/// that request did is done. Nobody does so for a principal that another layer stamps. A layer of your own that
/// enforces them says so with [`SecurityContext::judge_limits`](crate::SecurityContext::judge_limits) and
/// [`judge_rate`](crate::SecurityContext::judge_rate).
///
/// ```
/// use bartizan_core::{CredentialLimits, Principal};
/// let reads = CredentialLimits::new().with_tools(["read_*"])?;
/// let key = Principal::service("https://keys.example.com", "ci").limits(reads).build("apikey");
/// # #[cfg(feature = "call")] {
/// use bartizan_core::call::Subject;
/// assert!(key.limits_admit("tools/call", Some((Subject::Tool, "read_note"))));
/// assert!(key.limits_admit("tools/list", None));
/// assert!(!key.limits_admit("tools/call", Some((Subject::Tool, "delete_note"))));
/// assert!(!key.limits_admit("resources/read", Some((Subject::Resource, "file:///a"))));
/// # }
/// let error = CredentialLimits::new().with_tools(["read_?"]).unwrap_err();
/// assert!(error.to_string().contains("`read_?`"));
/// # Ok::<(), bartizan_core::CredentialLimitsError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CredentialLimits(Arc<Inner>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Inner {
    tools: Limit,
    prompts: Limit,
    resources: Limit,
    methods: Limit,
    rate: Option<CallRate>,
}

/// `None` limits nothing.
type Limit = Option<Box<[Pattern]>>;

impl CredentialLimits {
    /// Most patterns of one kind.
    pub const MOST_PATTERNS: usize = 256;

    /// Limits nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these tools; none if there are no patterns.
    ///
    /// # Errors
    ///
    /// Names a pattern that is none, or the kind if it was said before or has more than
    /// [`MOST_PATTERNS`](Self::MOST_PATTERNS).
    pub fn with_tools<I: IntoIterator<Item: AsRef<str>>>(
        self,
        patterns: I,
    ) -> Result<Self, CredentialLimitsError> {
        self.with("tools", Shape::Flat, |inner| &mut inner.tools, patterns)
    }

    /// Only these prompts; none if there are no patterns.
    ///
    /// # Errors
    ///
    /// Those of [`with_tools`](Self::with_tools).
    pub fn with_prompts<I: IntoIterator<Item: AsRef<str>>>(
        self,
        patterns: I,
    ) -> Result<Self, CredentialLimitsError> {
        self.with("prompts", Shape::Flat, |inner| &mut inner.prompts, patterns)
    }

    /// Only resources of these URIs; none if there are no patterns.
    ///
    /// # Errors
    ///
    /// Those of [`with_tools`](Self::with_tools).
    pub fn with_resources<I: IntoIterator<Item: AsRef<str>>>(
        self,
        patterns: I,
    ) -> Result<Self, CredentialLimitsError> {
        self.with(
            "resources",
            Shape::Uri,
            |inner| &mut inner.resources,
            patterns,
        )
    }

    /// Only these methods; none if there are no patterns. The handshake is no exception: say `initialize` and
    /// `notifications/*` where clients begin with them.
    ///
    /// # Errors
    ///
    /// Those of [`with_tools`](Self::with_tools).
    pub fn with_methods<I: IntoIterator<Item: AsRef<str>>>(
        self,
        patterns: I,
    ) -> Result<Self, CredentialLimitsError> {
        self.with("methods", Shape::Flat, |inner| &mut inner.methods, patterns)
    }

    /// No more calls than this.
    ///
    /// # Errors
    ///
    /// If it was said before: the later one would widen the earlier.
    pub fn with_rate(mut self, rate: CallRate) -> Result<Self, CredentialLimitsError> {
        let inner = Arc::make_mut(&mut self.0);
        if inner.rate.replace(rate).is_some() {
            return Err(CredentialLimitsError::new("calls", "", "are limited twice"));
        }
        Ok(self)
    }

    /// Whether it says anything of what is called, and not only how often.
    pub fn names_calls(&self) -> bool {
        let Inner {
            tools,
            prompts,
            resources,
            methods,
            rate: _,
        } = &*self.0;
        [tools, prompts, resources, methods]
            .into_iter()
            .any(Option::is_some)
    }

    /// How often it may be called with; `None` if that is not limited.
    #[inline]
    pub fn rate(&self) -> Option<CallRate> {
        self.0.rate
    }

    fn with<I: IntoIterator<Item: AsRef<str>>>(
        mut self,
        kind: &'static str,
        shape: Shape,
        of: impl FnOnce(&mut Inner) -> &mut Limit,
        patterns: I,
    ) -> Result<Self, CredentialLimitsError> {
        let limit = of(Arc::make_mut(&mut self.0));
        if limit.is_some() {
            // The later one would widen the earlier.
            return Err(CredentialLimitsError::new(kind, "", "are limited twice"));
        }
        let mut parsed = Vec::new();
        for text in patterns {
            let text = text.as_ref();
            if parsed.len() == Self::MOST_PATTERNS {
                let problem = "is one too many: at most 256 of one kind";
                return Err(CredentialLimitsError::new(kind, text, problem));
            }
            let pattern = Pattern::parse(text, shape);
            parsed
                .push(pattern.map_err(|problem| CredentialLimitsError::new(kind, text, problem))?);
        }
        *limit = Some(parsed.into());
        Ok(self)
    }

    /// Whether it admits a method, empty if there is none, and what that acts on.
    #[cfg(feature = "call")]
    pub fn admits(&self, method: &str, subject: Option<(Subject, &str)>) -> bool {
        let Inner {
            tools,
            prompts,
            resources,
            methods,
            // Who judges a call alone can't know how many there were.
            rate: _,
        } = &*self.0;
        if !method.is_empty() && !is_within(methods.as_deref(), method) {
            return false;
        }
        if tools.is_none() && prompts.is_none() && resources.is_none() {
            return true;
        }
        let names = |limit: &Limit, name| matches!(limit, Some(patterns) if any(patterns, name));
        match subject {
            Some((Subject::Tool, name)) => names(tools, name),
            Some((Subject::Prompt, name)) => names(prompts, name),
            Some((Subject::Resource, name)) => {
                uri::unclear(name).is_none() && names(resources, uri::name_of(name))
            }
            Some((Subject::Task, _)) => true,
            None => methods.is_some() || acts_on_nothing(method),
        }
    }
}

#[cfg(feature = "call")]
fn is_within(limit: Option<&[Pattern]>, name: &str) -> bool {
    limit.is_none_or(|patterns| any(patterns, name))
}

#[cfg(feature = "call")]
fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// Methods of which it is known; what has no method is a stream, the end of a session or a response.
#[cfg(feature = "call")]
fn acts_on_nothing(method: &str) -> bool {
    method.starts_with("notifications/")
        || matches!(
            method,
            "" | "initialize"
                | "server/discover"
                | "ping"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
                | "logging/setLevel"
                | "subscriptions/listen"
                | "tasks/list"
        )
}

impl fmt::Debug for CredentialLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |limit: &Limit| limit.as_ref().map(|patterns| patterns.len());
        f.debug_struct("CredentialLimits")
            .field("tools", &count(&self.0.tools))
            .field("prompts", &count(&self.0.prompts))
            .field("resources", &count(&self.0.resources))
            .field("methods", &count(&self.0.methods))
            .field("rate", &self.0.rate)
            .finish()
    }
}

/// Limits that are none; the message names the offending pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialLimitsError {
    kind: &'static str,
    pattern: String,
    problem: &'static str,
}

impl CredentialLimitsError {
    fn new(kind: &'static str, pattern: &str, problem: &'static str) -> Self {
        Self {
            kind,
            pattern: printable(pattern, 260).to_string(),
            problem,
        }
    }
}

impl fmt::Display for CredentialLimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            pattern,
            problem,
        } = self;
        match pattern.as_str() {
            "" => write!(f, "{kind} {problem}"),
            pattern => write!(f, "pattern `{pattern}` of {kind} {problem}"),
        }
    }
}

impl Error for CredentialLimitsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let many = vec!["a"; CredentialLimits::MOST_PATTERNS + 1];
        for (limits, named) in [
            (
                CredentialLimits::new().with_tools(["a", "b?"]),
                "`b?` of tools",
            ),
            (CredentialLimits::new().with_tools(["a\nb"]), r"`a\u{a}b`"),
            (CredentialLimits::new().with_tools([""]), "empty"),
            (
                CredentialLimits::new().with_prompts(["**"]),
                "`**` of prompts",
            ),
            (CredentialLimits::new().with_methods(["{a}"]), "of methods"),
            (
                CredentialLimits::new().with_resources(["file:///../x"]),
                "of resources",
            ),
            (CredentialLimits::new().with_tools(many), "one too many"),
        ] {
            let error = limits.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let again = CredentialLimits::new()
            .with_tools(["a"])
            .unwrap()
            .with_tools(["*"]);
        assert_eq!(again.unwrap_err().to_string(), "tools are limited twice");
    }

    #[cfg(feature = "call")]
    #[test]
    fn a_kind_that_is_not_mentioned_is_closed_once_another_is() {
        let tools = || CredentialLimits::new().with_tools(["read_*"]).unwrap();
        let methods = |m: &[&str]| CredentialLimits::new().with_methods(m).unwrap();
        let files = || {
            CredentialLimits::new()
                .with_resources(["file:///a/**"])
                .unwrap()
        };
        let (tool, prompt) = (|n| Some((Subject::Tool, n)), |n| Some((Subject::Prompt, n)));
        let (file, task) = (
            |n| Some((Subject::Resource, n)),
            |n| Some((Subject::Task, n)),
        );
        for (limits, method, subject, admitted) in [
            (CredentialLimits::new(), "x/y", tool("x"), true),
            (tools(), "tools/call", tool("read_a"), true),
            (tools(), "tools/call", tool("READ_a"), false),
            (tools(), "tools/call", None, false),
            (tools(), "prompts/get", prompt("read_a"), false),
            (tools(), "completion/complete", prompt("read_a"), false),
            (tools(), "resources/read", file("file:///a"), false),
            (tools(), "tools/list", None, true),
            (tools(), "resources/list", None, true),
            (tools(), "initialize", None, true),
            (tools(), "notifications/initialized", None, true),
            (tools(), "", None, true),
            (tools(), "tasks/get", task("1"), true),
            (tools(), "x/tools", None, false),
            (
                tools().with_methods(["x/*", "tools/call"]).unwrap(),
                "x/tools",
                None,
                true,
            ),
            (
                tools().with_methods(["x/*"]).unwrap(),
                "tools/call",
                tool("read_a"),
                false,
            ),
            (files(), "resources/read", file("file:///a/b/?x=1"), false),
            (files(), "resources/read", file("file:///a/b/"), true),
            (files(), "resources/read", file("file:///a/../b"), false),
            (files(), "resources/read", file("file:///ab"), false),
            (files(), "resources/subscribe", file("file:///a"), true),
            (methods(&["tools/*"]), "tools/call", tool("x"), true),
            (methods(&["tools/*"]), "tools/list", None, true),
            (methods(&["tools/*"]), "initialize", None, false),
            (methods(&["tools/*"]), "", None, true),
            (methods(&[]), "ping", None, false),
            (
                CredentialLimits::new().with_tools::<[&str; 0]>([]).unwrap(),
                "tools/call",
                tool("x"),
                false,
            ),
        ] {
            assert_eq!(
                limits.admits(method, subject),
                admitted,
                "{limits:?} {method} {subject:?}"
            );
        }
    }
}
