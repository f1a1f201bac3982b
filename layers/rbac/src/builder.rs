use crate::{
    Policy, Preset, RbacConfigError, Rule, capabilities::Capabilities, needs::Needs, roles::Roles,
    rules::Rules, scopes::Scopes, version,
};

/// Builds a [`Policy`]. Nothing is checked before [`build`](Self::build), so order does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PolicyBuilder {
    pub(crate) roles: Vec<(String, Vec<String>)>,
    pub(crate) grants: Vec<(String, Vec<String>)>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) scopes: Vec<(String, Vec<String>)>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) without_baseline: bool,
    pub(crate) version: Option<String>,
}

impl PolicyBuilder {
    /// Adds the roles of a preset, and what they grant. More can be granted to them.
    pub fn preset(self, preset: Preset) -> Self {
        preset.apply(self)
    }

    /// Declares a role, and the roles it includes, `[]` if none: who has it has them too. At most
    /// 256 roles.
    pub fn role<'a>(mut self, name: &str, includes: impl IntoIterator<Item = &'a str>) -> Self {
        self.roles.push(entry(name, includes));
        self
    }

    /// Grants capabilities to a role: `notes:read`, `notes:*` for all known ones that begin with
    /// `notes:`, or `*` for all known ones.
    ///
    /// A capability is known if some role is granted it by exactly this name, or if it was
    /// declared with [`capability`](Self::capability).
    pub fn grant<'a>(
        mut self,
        role: &str,
        capabilities: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.grants.push(entry(role, capabilities));
        self
    }

    /// Declares a capability that roles have through wildcards only.
    pub fn capability(mut self, name: &str) -> Self {
        self.capabilities.push(name.to_owned());
        self
    }

    /// Says that a token with this scope may do what needs these (SC-4).
    pub fn scope_includes<'a>(
        mut self,
        scope: &str,
        includes: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.scopes.push(entry(scope, includes));
        self
    }

    /// Adds a rule. An operation must satisfy every rule that covers it, so the order of rules
    /// does not matter.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Switches the baseline off: the handshake, `ping`, streams and lists need rules as well.
    pub fn without_baseline(mut self) -> Self {
        self.without_baseline = true;
        self
    }

    /// How records call the policy: 1 to 64 characters of `A-Z a-z 0-9 - _ . : / + =`.
    ///
    /// By default twelve hexadecimal digits of a hash of what it says, in whatever order it was said.
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// Checks all that was said, and makes it fast to ask.
    ///
    /// # Errors
    ///
    /// Names the offending value:
    ///
    /// - a role, capability or scope that is empty, misformed or given twice,
    /// - a role that is included, granted to or named by a rule and not declared,
    /// - a role or scope that includes itself, through however many others,
    /// - a capability that a rule names and that is not known or that no role grants,
    /// - a wildcard grant that matches nothing,
    /// - a pattern with syntax that is not supported, or of a URI that is refused anyway,
    /// - an exception that takes nothing out of its rule, or is from a single name,
    /// - a rule that needs nothing, or one of no roles, or that contradicts itself,
    /// - two rules of one name,
    /// - a version that is none.
    pub fn build(self) -> Result<Policy, RbacConfigError> {
        let version = version::version_of(&self)?;
        let roles = Roles::new(&self.roles)?;
        let capabilities = Capabilities::new(&self.capabilities, &self.grants, &roles)?;
        let scopes = Scopes::new(&self.scopes)?;
        let needs = |rule: &Rule| Needs::new(rule, &roles, &capabilities, &scopes);
        let rules = Rules::new(&self.rules, needs)?;
        Ok(Policy {
            roles,
            capabilities,
            rules,
            shown: format!("policy `{version}`: ").into(),
            version: version.into(),
            has_baseline: !self.without_baseline,
        })
    }
}

fn entry<'a>(name: &str, list: impl IntoIterator<Item = &'a str>) -> (String, Vec<String>) {
    let list = list.into_iter().map(str::to_owned);
    (name.to_owned(), list.collect())
}
