use std::fmt;

use bartizan_core::{
    CallKind, Principal,
    call::{Revision, Subject},
    names::uri,
};

use crate::{Arguments, Operation, asker::Asker, roles::Roles};

/// What a [`PolicyEngine`](crate::PolicyEngine) is asked: may this principal do this?
///
/// What could be read in two ways was refused before: a resource's URI is in its one spelling, and
/// arguments are JSON without repeated members.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    asker: &'a Asker<'a>,
    roles: &'a Roles,
    operation: &'a Operation<'a>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        asker: &'a Asker<'a>,
        roles: &'a Roles,
        operation: &'a Operation<'a>,
    ) -> Self {
        Self {
            asker,
            roles,
            operation,
        }
    }

    /// Who asks; perhaps nobody in particular.
    pub fn principal(&self) -> &'a Principal {
        self.asker.principal
    }

    /// Its roles that the policy declares, granted ones too, with all that they include, in no order. Those
    /// of the credential, unknown ones too, are the principal's. Who is nobody in particular has none.
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        self.roles.names_of(self.asker.roles)
    }

    /// The shape of what is asked for.
    pub fn kind(&self) -> CallKind {
        self.operation.kind()
    }

    /// The method, as `tools/call`; empty for anything but requests and notifications.
    ///
    /// For each resource that `subscriptions/listen` names it is `resources/subscribe`, and for the elements
    /// of a list what a client would do with them: `tools/call`, `prompts/get`, `resources/read`.
    pub fn method(&self) -> &'a str {
        self.operation.method_name()
    }

    /// What sort of thing it acts on.
    pub fn subject(&self) -> Option<Subject> {
        self.operation.subject().map(|(subject, _)| subject)
    }

    /// What it acts on, as rules see it: the name of a tool or prompt, the id of a task, the URI of a
    /// resource without its query and without a slash at its end, since these open nothing else.
    pub fn name(&self) -> Option<&'a str> {
        match self.operation.subject()? {
            (Subject::Resource, uri) => Some(uri::name_of(uri)),
            (_, name) => Some(name),
        }
    }

    /// The query of a resource's URI.
    pub fn query(&self) -> Option<&'a str> {
        match self.operation.subject()? {
            (Subject::Resource, uri) => uri.split_once('?').map(|(_, query)| query),
            _ => None,
        }
    }

    /// Whether the resource may be a URI template, whose variables stand in braces: in a list of templates,
    /// and in a completion.
    pub fn is_template(&self) -> bool {
        self.operation.is_template()
    }

    /// What a tool or prompt is given.
    pub fn arguments(&self) -> Arguments<'a> {
        self.operation.given().unwrap_or(Arguments::Absent)
    }

    /// The protocol revision that the request declares. A list that is filtered declares none.
    pub fn revision(&self) -> Option<Revision> {
        self.operation.revision()
    }
}

impl fmt::Debug for Question<'_> {
    /// Shows no arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("principal", self.principal())
            .field("kind", &self.kind())
            .field("method", &self.method())
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}
