use crate::{
    Operation, RbacConfigError, Rule,
    approvals::NeededApprover,
    asker::Asker,
    capabilities::{Capabilities, Capability},
    conditions::{Conditions, Names},
    roles::{RoleSet, Roles},
    scopes::{NeededScope, Scopes},
};

/// What a rule needs, its names looked up.
#[derive(Debug)]
pub(crate) struct Needs {
    pub(crate) access: Access,
    pub(crate) any_role: Option<AnyRole>,
    pub(crate) capabilities: Box<[Capability]>,
    pub(crate) scopes: Box<[NeededScope]>,
    pub(crate) conditions: Conditions,
    /// By whom, if it needs approval.
    pub(crate) approval: Option<NeededApprover>,
}

/// Whom a rule lets pass at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Anyone,
    Identified,
    Nobody,
}

/// A set of roles any of which satisfies, and how a record calls it.
#[derive(Debug)]
pub(crate) struct AnyRole {
    pub(crate) name: Box<str>,
    satisfied_by: RoleSet,
}

/// What is missing, of one rule or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// No credential would help.
    pub(crate) closed: bool,
    /// Nobody is calling, and somebody is needed.
    pub(crate) somebody: bool,
    /// A role or a capability.
    pub(crate) authority: bool,
    /// A condition does not hold.
    pub(crate) condition: bool,
    /// A scope.
    pub(crate) scope: bool,
    /// The approval of another principal.
    pub(crate) approval: bool,
}

impl Needs {
    /// # Errors
    ///
    /// If the rule needs nothing, contradicts itself, or names what the policy does not know.
    pub(crate) fn new(
        rule: &Rule,
        roles: &Roles,
        capabilities: &Capabilities,
        scopes: &Scopes<'_>,
    ) -> Result<Self, RbacConfigError> {
        let granted = |name: &String| capabilities.needed(name);
        let names = Names {
            roles,
            capabilities,
        };
        let conditions = Conditions::new(rule, names)?;
        Ok(Self {
            approval: NeededApprover::new(rule, roles, &granted)?,
            access: access(rule, &conditions)?,
            any_role: any_role(rule, roles)?,
            capabilities: once(&rule.capabilities, "capability")?
                .iter()
                .map(granted)
                .collect::<Result<_, _>>()?,
            scopes: once(&rule.scopes, "scope")?
                .iter()
                .map(|scope| scopes.needed(scope))
                .collect::<Result<_, _>>()?,
            conditions,
        })
    }

    /// What is missing for an operation.
    pub(crate) fn gaps(&self, asker: &Asker<'_>, operation: &Operation<'_>) -> Gaps {
        let principal = asker.principal;
        let mut gaps = Gaps::default();
        match self.access {
            Access::Anyone => {}
            Access::Nobody => gaps.closed = true,
            Access::Identified if principal.is_anonymous() => gaps.somebody = true,
            Access::Identified => {
                let mut needed = self.capabilities.iter();
                let has_role = self
                    .any_role
                    .as_ref()
                    .is_none_or(|any| any.is_met_by(asker));
                gaps.authority = !has_role || !needed.all(|needed| needed.is_held_by(asker));
                let covered = |scope: &NeededScope| scope.is_among(principal.scopes());
                gaps.scope = !self.scopes.iter().all(covered);
                gaps.approval = self.approval.is_some();
            }
        }
        let is_open = !gaps.closed && !gaps.somebody && !gaps.authority;
        if is_open && !self.conditions.is_empty() {
            for unmet in self.conditions.unmet(asker, operation) {
                let would_help = principal.is_anonymous() && unmet.is_of_somebody;
                gaps.somebody |= would_help;
                gaps.condition |= !would_help;
            }
        }
        gaps
    }
}

impl AnyRole {
    #[inline]
    pub(crate) fn is_met_by(&self, asker: &Asker<'_>) -> bool {
        self.satisfied_by.meets(&asker.roles)
    }
}

impl Gaps {
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Whether more is missing than an approval, which only those may ask for who have all else.
    pub(crate) fn refuse(&self) -> bool {
        let approval = Self {
            approval: self.approval,
            ..Self::default()
        };
        *self != approval
    }

    pub(crate) fn union(&mut self, other: Self) {
        self.closed |= other.closed;
        self.somebody |= other.somebody;
        self.authority |= other.authority;
        self.condition |= other.condition;
        self.scope |= other.scope;
        self.approval |= other.approval;
    }
}

fn access(rule: &Rule, conditions: &Conditions) -> Result<Access, RbacConfigError> {
    let needs_somebody = rule.any_role.is_some()
        || !rule.capabilities.is_empty()
        || !rule.scopes.is_empty()
        || rule.approval.is_some()
        || rule.identified
        || conditions.need_somebody();
    let needs_more = needs_somebody || !conditions.is_empty();
    let error = |problem| Err(RbacConfigError::new("rule", &rule.name(), problem));
    match (rule.deny, rule.anyone, needs_more) {
        (true, false, false) => Ok(Access::Nobody),
        (false, true, _) if !needs_somebody => Ok(Access::Anyone),
        (false, false, true) => Ok(Access::Identified),
        (false, false, false) => {
            error("needs nothing: say a role, capability or scope, or identified, anyone or deny")
        }
        (true, ..) => error("denies, so it cannot need or permit something else"),
        (false, true, _) => error("is for anyone, so it cannot need something else"),
    }
}

fn any_role(rule: &Rule, roles: &Roles) -> Result<Option<AnyRole>, RbacConfigError> {
    let Some(any_role) = &rule.any_role else {
        return Ok(None);
    };
    let mut satisfied_by = RoleSet::default();
    for role in once(any_role, "role")? {
        let Some(place) = roles.place(role) else {
            return Err(RbacConfigError::new("role", role, "is not declared"));
        };
        satisfied_by.insert(place);
    }
    if satisfied_by.is_empty() {
        let problem = "needs one of no roles";
        return Err(RbacConfigError::new("rule", &rule.name(), problem));
    }
    let name = any_role.join("` or `").into();
    Ok(Some(AnyRole { name, satisfied_by }))
}

fn once<'a>(names: &'a [String], setting: &'static str) -> Result<&'a [String], RbacConfigError> {
    let repeated = (1..names.len()).find(|&i| {
        let (before, after) = names.split_at(i);
        after.first().is_some_and(|name| before.contains(name))
    });
    match repeated.and_then(|i| names.get(i)) {
        Some(name) => Err(RbacConfigError::new(setting, name, "is needed twice")),
        None => Ok(names),
    }
}
