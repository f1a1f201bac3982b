use bartizan_core::call::Subject;

use super::record::{Decided, is_cut};
use crate::{Decision, Operation, Policy};

/// Why a record does not tell what another policy would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Untold {
    /// A resource's URI is recorded without its query, fragment or user information, or only in part.
    Resource,
    /// The name of a tool, prompt, task or method is recorded in part.
    Name,
    /// Some of the roles are not recorded, and it hangs on them.
    Roles,
    /// Roles that were granted for a time, and capabilities of the credential's own, are not recorded, and it hangs on
    /// them.
    Grants,
    /// Some of the scopes are not recorded, and it hangs on them.
    Scopes,
    /// A rule needs something of arguments, which are not recorded.
    Arguments,
    /// The policy asks an engine, which may look at what is not recorded.
    Engine,
    /// Who asked is recorded in part: the issuer, subject, client or tenant.
    Principal,
    /// It listens to resources, which are not recorded.
    Listened,
    /// A word of the record is none that is known here, or is missing.
    Word,
}

impl Untold {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource_cut",
            Self::Name => "name_cut",
            Self::Roles => "roles_cut",
            Self::Grants => "roles_granted",
            Self::Scopes => "scopes_cut",
            Self::Arguments => "arguments",
            Self::Engine => "engine",
            Self::Principal => "principal_cut",
            Self::Listened => "listened_resources",
            Self::Word => "word_unknown",
        }
    }
}

/// What the policy says, as far as the record tells: what it says of the least that may have been asked
/// by who had the least, if it says the same of the most.
///
/// More roles, scopes and conditions that hold never take a permission away, and whoever listens to more
/// needs more.
pub(super) fn decide(
    policy: &Policy,
    decided: &Decided,
    operation: &Operation<'_>,
) -> Result<Decision, Untold> {
    if decided.is_unclear {
        return Ok(Decision::Forbidden);
    }
    if let Some((subject, name)) = &decided.subject
        && is_cut(name)
    {
        return Err(match subject {
            Subject::Resource => Untold::Resource,
            _ => Untold::Name,
        });
    }
    if is_cut(&decided.method) {
        return Err(Untold::Name);
    }
    let who = &decided.who;
    if who.is_cut() {
        return Err(Untold::Principal);
    }
    let most_asked = operation.clone().with_any_arguments();
    let roles = match who.roles.are_cut || decided.is_granted {
        true => policy.roles.names().collect(),
        false => Vec::new(),
    };
    let scopes = match who.scopes.are_cut {
        true => policy.scopes_of(operation),
        false => Vec::new(),
    };
    let says = |operation: &Operation<'_>, roles: &[&str], scopes: &[&str]| {
        let principal = who.principal(roles, scopes, decided.is_limited);
        policy.decide_by_rules(principal.as_ref(), operation)
    };
    let most = says(&most_asked, &roles, &scopes);
    if decided.operations != 1 {
        return match most {
            Decision::Forbidden => Ok(most),
            _ => Err(Untold::Listened),
        };
    }
    if says(operation, &[], &[]) == most {
        return match policy.may_ask_engine(most) {
            true => Err(Untold::Engine),
            false => Ok(most),
        };
    }
    // The first of them that makes a difference alone.
    Err(if says(operation, &roles, &scopes) != most {
        Untold::Arguments
    } else if says(&most_asked, &roles, &[]) != most {
        Untold::Scopes
    } else if who.roles.are_cut {
        Untold::Roles
    } else {
        Untold::Grants
    })
}
