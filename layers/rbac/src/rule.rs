use crate::{Annotation, Condition};

/// What an operation needs: whom, and with what.
///
/// A rule speaks of tools, prompts or methods by name, or of resources by URI. In names `*` stands
/// for any run of characters. In URIs it does not cross a slash, and `**` alone between slashes
/// stands for any number of segments, none included: `file:///public/**` speaks of
/// `file:///public` and all below it. Everything else is compared exactly, case included (TA-5).
///
/// A rule needs any one of its roles, and all of its capabilities, scopes and conditions. What is
/// wrong with a rule is found by [`PolicyBuilder::build`](crate::PolicyBuilder::build).
///
/// ```
/// use bartizan_rbac::Rule;
/// let rule = Rule::tool("delete_*").except("delete_draft").role("admin").scope("notes.write");
/// assert_eq!(rule.name(), "tool:delete_*");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Rule {
    pub(crate) target: Target,
    pub(crate) except: Vec<String>,
    pub(crate) named: Option<String>,
    /// `None` if the rule does not speak of roles.
    pub(crate) any_role: Option<Vec<String>>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) requires: Vec<Condition>,
    pub(crate) identified: bool,
    pub(crate) anyone: bool,
    pub(crate) deny: bool,
    /// By whom, if it needs approval.
    pub(crate) approval: Option<Approver>,
    pub(crate) hidden: bool,
    /// Whether it is a decoy's.
    pub(crate) honey: bool,
}

/// What a rule says of who may approve; what it does not say is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Approver {
    pub(crate) role: Option<String>,
    pub(crate) capability: Option<String>,
}

/// What a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Tool(String),
    Resource(String),
    Prompt(String),
    Method(String),
    Annotated(Annotation),
    Stream,
    EndSession,
    Response,
}

impl Rule {
    /// Tools, by name: `tools/call`.
    pub fn tool(pattern: &str) -> Self {
        Self::new(Target::Tool(pattern.to_owned()))
    }

    /// Resources, by URI, whatever the method: read, subscribe, unsubscribe, listen, complete, and
    /// `resources/directory/read` and `skills/get`.
    ///
    /// The query of a URI and a slash at its end do not count: rules speak of what stands before.
    ///
    /// `{subject}`, `{service}`, `{client}` and `{tenant}`, alone between slashes and before any `**`,
    /// cover what `*` there would, and need that the URI has there what the caller is:
    /// `notes://{tenant}/users/{subject}/**`. Encoded characters are decoded, and compared exactly. What
    /// has a `;`, or a dot or space at its end, or a `:` where the host is, never matches. Neither does a
    /// template with a variable there or before.
    pub fn resource(pattern: &str) -> Self {
        Self::new(Target::Resource(pattern.to_owned()))
    }

    /// Prompts, by name, whatever the method: get, complete.
    pub fn prompt(pattern: &str) -> Self {
        Self::new(Target::Prompt(pattern.to_owned()))
    }

    /// Methods of requests and notifications: `logging/setLevel`, `tasks/*`.
    ///
    /// Such a rule covers the method whatever it acts on: one for `tools/call` opens every tool
    /// that no other rule speaks of.
    pub fn method(pattern: &str) -> Self {
        Self::new(Target::Method(pattern.to_owned()))
    }

    /// Tools that are so annotated, in what [`PolicyBuilder::annotated_tools`] was given and nowhere else
    /// (TA-10): `tools/call`. A tool of which that says nothing writes, destroys, is not idempotent, and
    /// reaches the open world.
    ///
    /// [`PolicyBuilder::annotated_tools`]: crate::PolicyBuilder::annotated_tools
    pub fn annotated(annotation: Annotation) -> Self {
        Self::new(Target::Annotated(annotation))
    }

    /// The event stream that HTTP `GET` opens. It has no method.
    pub fn stream() -> Self {
        Self::new(Target::Stream)
    }

    /// The end of a session by HTTP `DELETE`. It has no method.
    pub fn end_session() -> Self {
        Self::new(Target::EndSession)
    }

    /// Posted responses to requests of the server. They have no method.
    pub fn response() -> Self {
        Self::new(Target::Response)
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            except: Vec::new(),
            named: None,
            any_role: None,
            capabilities: Vec::new(),
            scopes: Vec::new(),
            requires: Vec::new(),
            identified: false,
            anyone: false,
            deny: false,
            approval: None,
            hidden: false,
            honey: false,
        }
    }

    /// Does not speak of names that this pattern matches. They need another rule.
    ///
    /// The exceptions of a method rule are methods, not what they act on.
    pub fn except(mut self, pattern: &str) -> Self {
        self.except.push(pattern.to_owned());
        self
    }

    /// How records call the rule. By default what it speaks of: `tool:delete_*`.
    pub fn named(mut self, name: &str) -> Self {
        self.named = Some(name.to_owned());
        self
    }

    /// Needs this role, or another one of the rule's.
    pub fn role(self, role: &str) -> Self {
        self.any_role([role])
    }

    /// Needs any one of these roles, or another one of the rule's. One of none does not build.
    pub fn any_role<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        let any_role = self.any_role.get_or_insert_default();
        any_role.extend(roles.into_iter().map(str::to_owned));
        self
    }

    /// Needs this capability, besides others.
    pub fn capability(mut self, capability: &str) -> Self {
        self.capabilities.push(capability.to_owned());
        self
    }

    /// Needs this scope, besides others.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scopes.push(scope.to_owned());
        self
    }

    /// Needs this condition to hold, besides others: of the arguments of a tool or prompt, or of who asks.
    /// It needs somebody, unless the rule is for [`anyone`](Self::anyone) too.
    ///
    /// Where it does not hold the call is refused with 403 and no challenge (SC-5). In lists, what is not
    /// called yet may be: conditions on arguments count as satisfied. A completion of a prompt tells not
    /// what the prompt will be given, so such a condition refuses it. Of methods, only a rule for
    /// exactly `tools/call` or `prompts/get` can have one.
    pub fn requires(mut self, condition: Condition) -> Self {
        self.requires.push(condition);
        self
    }

    /// Needs somebody, with whatever roles and scopes.
    pub fn identified(mut self) -> Self {
        self.identified = true;
        self
    }

    /// Needs nobody: an anonymous caller will do, if the authentication layer lets one pass.
    pub fn anyone(mut self) -> Self {
        self.anyone = true;
        self
    }

    /// Needs the approval of another principal, for each call anew; see [`Approvals`](crate::Approvals).
    ///
    /// Unless [`approver_role`](Self::approver_role) or [`approver_capability`](Self::approver_capability) says
    /// whose, that of one who could have made the same call.
    pub fn approval(mut self) -> Self {
        self.approval.get_or_insert_default();
        self
    }

    /// Needs the approval of somebody who has this role, whether or not they could make the call.
    pub fn approver_role(mut self, role: &str) -> Self {
        self.approval.get_or_insert_default().role = Some(role.to_owned());
        self
    }

    /// Needs the approval of somebody who has this capability, besides the role if that is said.
    pub fn approver_capability(mut self, capability: &str) -> Self {
        self.approval.get_or_insert_default().capability = Some(capability.to_owned());
        self
    }

    /// Is never satisfied.
    pub fn deny(mut self) -> Self {
        self.deny = true;
        self
    }

    /// Keeps secret whether there is what the rule speaks of, from those whom it refuses, even if only scopes are
    /// missing: they are answered as one is who names a tool, prompt or resource that does not exist (TA-12).
    ///
    /// With such a rule for tools, whatever no rule covers of tools is answered so too; the same holds for prompts
    /// and resources. See [`UnknownAnswer`](crate::UnknownAnswer) for the answer.
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// How records call the rule.
    pub fn name(&self) -> String {
        let (kind, pattern) = match &self.target {
            _ if self.named.is_some() => return self.named.clone().unwrap_or_default(),
            Target::Tool(pattern) => ("tool:", &**pattern),
            Target::Resource(pattern) => ("resource:", &**pattern),
            Target::Prompt(pattern) => ("prompt:", &**pattern),
            Target::Method(pattern) => ("method:", &**pattern),
            Target::Annotated(annotation) => ("annotated:", annotation.name()),
            Target::Stream => ("stream", ""),
            Target::EndSession => ("end_session", ""),
            Target::Response => ("response", ""),
        };
        format!("{kind}{pattern}")
    }
}
