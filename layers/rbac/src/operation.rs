use std::fmt;

use bartizan_core::{
    Call, CallKind, Principal,
    call::{Revision, Subject},
    names::{NAME_BYTES, uri},
};

use crate::watched;

/// What somebody wants to do: a [`Call`], reduced to what rules speak of.
///
/// Made by hand it asks a policy without a request:
///
/// ```
/// use bartizan_core::Principal;
/// use bartizan_rbac::{Operation, Policy, Rule};
/// let policy = Policy::enterprise().rule(Rule::tool("delete_*").role("admin")).build()?;
/// let ann = Principal::user("https://auth.example.com", "ann").roles(["admin"]).build("jwt");
/// assert!(policy.decide(Some(&ann), &Operation::tool("delete_note")).is_admitted());
/// assert!(!policy.decide(Some(&ann), &Operation::tool("format_disk")).is_admitted());
/// # Ok::<(), bartizan_rbac::RbacConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<'a> {
    kind: CallKind,
    method: &'a str,
    subject: Option<(Subject, &'a str)>,
    /// Whether the subject is a URI template, whose variables stand in braces.
    is_template: bool,
    given: Given<'a>,
    /// Nobody recorded them: no condition on them is known to hold.
    are_arguments_unknown: bool,
    revision: Option<Revision>,
    watched: Result<Vec<String>, &'static str>,
}

/// What a tool or prompt is given.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arguments<'a> {
    /// Nothing.
    Absent,
    /// A JSON object, as text.
    Json(&'a str),
    /// Nobody calls it yet: a list is shown.
    Any,
}

/// Where arguments are: most policies ask for none.
#[derive(Clone, Copy)]
enum Given<'a> {
    Said(Arguments<'a>),
    By(&'a Call),
}

/// Asks for values of a template's variables, which it names in braces.
const COMPLETE: &str = "completion/complete";

impl<'a> Operation<'a> {
    /// `tools/call` of a tool.
    pub fn tool(name: &'a str) -> Self {
        Self::of("tools/call", Some((Subject::Tool, name)))
    }

    /// `resources/read` of a resource.
    pub fn resource(uri: &'a str) -> Self {
        Self::of("resources/read", Some((Subject::Resource, uri)))
    }

    /// `resources/read` of what a URI template may expand to, as far as the template's own text says:
    /// rules see it as they see that of a completion, variables in their braces.
    pub fn resource_template(uri_template: &'a str) -> Self {
        Self {
            is_template: true,
            ..Self::resource(uri_template)
        }
    }

    /// `prompts/get` of a prompt.
    pub fn prompt(name: &'a str) -> Self {
        Self::of("prompts/get", Some((Subject::Prompt, name)))
    }

    /// A request of a method that acts on nothing named.
    pub fn method(method: &'a str) -> Self {
        Self::of(method, None)
    }

    /// With these arguments, a JSON object as text. What is no JSON satisfies no condition.
    pub fn arguments(mut self, json: &'a str) -> Self {
        self.given = Given::Said(Arguments::Json(json));
        self
    }

    /// With whatever arguments: the question of a list, whether some call may be.
    pub(crate) fn with_any_arguments(mut self) -> Self {
        self.given = Given::Said(Arguments::Any);
        self.are_arguments_unknown = false;
        self
    }

    fn of(method: &'a str, subject: Option<(Subject, &'a str)>) -> Self {
        Self {
            kind: CallKind::Request,
            method,
            subject,
            is_template: false,
            given: Given::Said(Arguments::Absent),
            are_arguments_unknown: false,
            revision: None,
            watched: Ok(Vec::new()),
        }
    }

    /// What a record says was asked, without arguments and what it listens to.
    #[cfg(feature = "files")]
    pub(crate) fn recorded(
        kind: CallKind,
        method: &'a str,
        subject: Option<(Subject, &'a str)>,
    ) -> Self {
        Self {
            kind,
            is_template: method == COMPLETE,
            are_arguments_unknown: true,
            ..Self::of(method, subject)
        }
    }

    /// What `resources/subscribe` of a resource would be.
    pub(crate) fn subscribe(uri: &'a str) -> Self {
        Self::of("resources/subscribe", Some((Subject::Resource, uri)))
    }

    pub(crate) fn kind(&self) -> CallKind {
        self.kind
    }

    pub(crate) fn method_name(&self) -> &'a str {
        self.method
    }

    pub(crate) fn subject(&self) -> Option<(Subject, &'a str)> {
        self.subject
    }

    /// Whether nothing is known of what it is given.
    pub(crate) fn are_arguments_unknown(&self) -> bool {
        self.are_arguments_unknown
    }

    /// What conditions on arguments judge; `None` if the method gives nothing that they speak of. A
    /// completion names some arguments of a later `prompts/get`, and not all.
    pub(crate) fn given(&self) -> Option<Arguments<'a>> {
        matches!(self.method, "tools/call" | "prompts/get").then(|| self.given.arguments())
    }

    pub(crate) fn is_template(&self) -> bool {
        self.is_template
    }

    pub(crate) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The resources that it listens to besides: for each, `resources/subscribe` is judged too.
    pub(crate) fn watched(&self) -> impl Iterator<Item = Operation<'_>> {
        let watched = self.watched.iter().flatten();
        watched.map(|uri| Operation::subscribe(uri))
    }

    /// Whether it, or something that it listens to, could be read in a second way.
    pub(crate) fn is_unclear(&self) -> bool {
        self.unclear().is_some() || self.watched().any(|watched| watched.unclear().is_some())
    }

    /// How many operations are judged as one.
    pub(crate) fn count(&self) -> usize {
        1 + self.watched.as_ref().map_or(0, Vec::len)
    }

    /// The same, what it listens to included.
    pub(crate) fn is_all_within_limits(&self, principal: &Principal) -> bool {
        principal.limits().is_empty()
            || (self.is_within_limits(principal)
                && self
                    .watched()
                    .all(|watched| watched.is_within_limits(principal)))
    }

    /// Whether it listens to resources.
    pub(crate) fn watches(&self) -> bool {
        self.watched
            .as_ref()
            .is_ok_and(|watched| !watched.is_empty())
    }

    /// Whether what the credential is good for covers it; what it listens to besides is not looked at.
    #[inline]
    pub(crate) fn is_within_limits(&self, principal: &Principal) -> bool {
        principal.limits_admit(self.method, self.subject)
    }

    /// What could be read in a second way, so that rules would judge something else than the
    /// server does; `None` if nothing.
    pub(crate) fn unclear(&self) -> Option<&'static str> {
        if let Err(problem) = &self.watched {
            return Some(problem);
        }
        match self.subject {
            Some((Subject::Resource, uri)) if !self.is_template && uri.contains(['{', '}']) => {
                Some("has braces, which no URI has")
            }
            Some((Subject::Resource, uri)) => uri::unclear(uri),
            Some((_, name)) if name.len() > NAME_BYTES => Some("is longer than 4096 bytes"),
            _ => None,
        }
    }
}

impl<'a> From<&'a Call> for Operation<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            kind: call.kind(),
            method: call.method(),
            subject: call.subject().zip(call.name()),
            is_template: call.method() == COMPLETE,
            given: Given::By(call),
            are_arguments_unknown: false,
            revision: call.revision(),
            watched: watched::of(call),
        }
    }
}

impl<'a> Given<'a> {
    fn arguments(self) -> Arguments<'a> {
        match self {
            Self::Said(arguments) => arguments,
            Self::By(call) => call.arguments().map_or(Arguments::Absent, Arguments::Json),
        }
    }
}

impl PartialEq for Given<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.arguments() == other.arguments()
    }
}

impl Eq for Given<'_> {}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arguments().fmt(f)
    }
}

impl fmt::Debug for Arguments<'_> {
    /// Arguments stay out of logs (AL-2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Json(_) => "Json(..)",
            Self::Any => "Any",
        })
    }
}
