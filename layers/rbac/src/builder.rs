use crate::{
    Catalog, HoneyTool, Policy, PolicyEngine, Preset, RbacConfigError, Rule,
    capabilities::Capabilities, engine::Engine, honey::Honey, needs::Needs, roles::Roles,
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
    pub(crate) annotated: Vec<Catalog>,
    pub(crate) honey: Vec<HoneyTool>,
    pub(crate) version: Option<String>,
    /// One at most; more do not build.
    pub(crate) engines: Vec<Engine>,
    delegates: bool,
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

    /// Believes these annotations of the server's own tools, so that rules can speak of them with
    /// [`Rule::annotated`]. Said again, those count too. Nothing else of the catalogue counts, and no
    /// annotation that comes over the wire ever does (TA-10).
    pub fn annotated_tools(mut self, catalog: Catalog) -> Self {
        self.annotated.push(catalog);
        self
    }

    /// Adds a decoy, which nobody may call and whoever does is found out; see [the crate's
    /// documentation](crate#honey-tools). At most 32.
    ///
    /// As with a [hidden](Rule::hidden) rule, names of tools that no rule covers are answered as unknown from then on.
    pub fn honey_tool(mut self, tool: HoneyTool) -> Self {
        self.honey.push(tool);
        self
    }

    /// Switches the baseline off: the handshake, `ping`, streams and lists need rules as well.
    pub fn without_baseline(mut self) -> Self {
        self.without_baseline = true;
        self
    }

    /// Asks an engine about all that the rules admit, which is admitted if the engine permits it too.
    ///
    /// It is asked about what only scopes are missing for as well, so that nobody is sent for a scope
    /// that would not help. An anonymous caller that it does not permit is asked to identify. Two builders
    /// are equal if their engine is one and the same.
    pub fn engine(mut self, engine: impl PolicyEngine) -> Self {
        self.engines.push(Engine::new(engine));
        self
    }

    /// Leaves everything to the engine: rules that admit anyone to all there is, in the place of the
    /// baseline. Further rules narrow it. Without an engine this does not build.
    pub fn delegate(mut self) -> Self {
        self.delegates = true;
        let all = [
            (Rule::method("*"), "delegated:methods"),
            (Rule::stream(), "delegated:stream"),
            (Rule::end_session(), "delegated:end_session"),
            (Rule::response(), "delegated:responses"),
        ];
        let rules = all.map(|(rule, name)| rule.anyone().named(name));
        self.rules.extend(rules);
        self.without_baseline()
    }

    /// How records call the policy: 1 to 64 characters of `A-Z a-z 0-9 - _ . : / + =`.
    ///
    /// By default twelve hexadecimal digits of a hash of what it says, in whatever order it was said,
    /// and after a `+` the version of its engine.
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
    /// - a condition that holds never, or speaks of arguments where there are none,
    /// - a rule of annotations where none were given, or a tool that is annotated twice and not alike,
    /// - a honey tool that the policy takes for a tool of the server's, without a name that tools have, or whose definition
    ///   is none of it,
    /// - a version that is none,
    /// - a second engine, or none where all is left to it.
    pub fn build(self) -> Result<Policy, RbacConfigError> {
        let version = version::version_of(&self)?;
        let engine = self.one_engine()?;
        let roles = Roles::new(&self.roles)?;
        let capabilities = Capabilities::new(&self.capabilities, &self.grants, &roles)?;
        let scopes = Scopes::new(&self.scopes)?;
        let needs = |rule: &Rule| Needs::new(rule, &roles, &capabilities, &scopes);
        let honey = Honey::new(&self.honey, &self.rules, &self.annotated, &roles)?;
        let mut rules = self.rules;
        rules.extend(self.honey.iter().map(HoneyTool::rule));
        let rules = Rules::new(&rules, &self.annotated, needs)?;
        Ok(Policy {
            roles,
            capabilities,
            rules,
            shown: format!("policy `{version}`: ").into(),
            version: version.into(),
            engine,
            honey,
            has_baseline: !self.without_baseline,
        })
    }

    fn one_engine(&self) -> Result<Option<Engine>, RbacConfigError> {
        for engine in &self.engines {
            engine.version()?;
        }
        match &*self.engines {
            [] if self.delegates => {
                let problem = "would open everything: all is left to an engine, and there is none";
                Err(RbacConfigError::new("setting", "delegate", problem))
            }
            [] => Ok(None),
            [engine] => Ok(Some(engine.clone())),
            [_, second, ..] => {
                let problem = "is a second one: make one engine of them that asks both";
                Err(RbacConfigError::new("engine", second.version()?, problem))
            }
        }
    }
}

fn entry<'a>(name: &str, list: impl IntoIterator<Item = &'a str>) -> (String, Vec<String>) {
    let list = list.into_iter().map(str::to_owned);
    (name.to_owned(), list.collect())
}
