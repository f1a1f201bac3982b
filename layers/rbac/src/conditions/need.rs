use super::{Condition, Kind, check::leaf, leaf::Leaf, segment::Segment};
use crate::{
    Operation, RbacConfigError,
    asker::Asker,
    capabilities::{Capabilities, Capability},
    roles::{RoleSet, Roles},
};

/// What the names in conditions mean.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) roles: &'a Roles,
    pub(crate) capabilities: &'a Capabilities,
}

/// A condition with its names looked up.
#[derive(Debug)]
pub(super) enum Need {
    /// The bit of a leaf.
    Leaf(u64),
    Roles(RoleSet),
    Capability(Capability),
    Issuer(Box<str>),
    Segment(Segment),
    AnyOf(Box<[Self]>),
}

impl Need {
    /// # Errors
    ///
    /// If it holds never or always, or names what the policy does not know.
    pub(super) fn new(
        condition: &Condition,
        names: Names<'_>,
        leaves: &mut Vec<Leaf>,
    ) -> Result<Self, RbacConfigError> {
        Ok(match &condition.0 {
            Kind::Argument(argument, test) => {
                // Of those beyond the most, which are an error, none has a bit.
                let bit = 1_u64.checked_shl(leaves.len() as u32);
                leaves.push(leaf(argument, test)?);
                Self::Leaf(bit.unwrap_or_default())
            }
            Kind::Role(role) => {
                if names.roles.place(role).is_none() {
                    return Err(RbacConfigError::new("role", role, "is not declared"));
                }
                Self::Roles(names.roles.only(role))
            }
            Kind::Capability(capability) => {
                Self::Capability(names.capabilities.needed(capability)?)
            }
            Kind::Issuer(issuer) if issuer.is_empty() => {
                let problem = "is empty, which no issuer is";
                return Err(RbacConfigError::new("issuer", issuer, problem));
            }
            Kind::Issuer(issuer) => Self::Issuer(issuer.as_str().into()),
            Kind::AnyOf(any) => {
                let shown = condition.to_string();
                let error = |problem| Err(RbacConfigError::new("condition", &shown, problem));
                if any.is_empty() {
                    return error("is any of none, which never holds");
                }
                if any.iter().any(|one| matches!(one.0, Kind::AnyOf(_))) {
                    return error("is any of what is any itself: name all in one");
                }
                let needs = any.iter().map(|one| Self::new(one, names, leaves));
                Self::AnyOf(needs.collect::<Result<_, _>>()?)
            }
        })
    }

    pub(super) fn is_met(&self, held: u64, asker: &Asker<'_>, operation: &Operation<'_>) -> bool {
        match self {
            Self::Leaf(bit) => held & bit != 0,
            Self::Roles(roles) => roles.meets(&asker.roles),
            Self::Capability(capability) => capability.is_held_by(asker),
            Self::Issuer(issuer) => {
                !asker.principal.is_anonymous() && *asker.principal.issuer() == **issuer
            }
            Self::Segment(segment) => segment.is_met(asker.principal, operation),
            Self::AnyOf(any) => any.iter().any(|one| one.is_met(held, asker, operation)),
        }
    }

    pub(super) fn needs_somebody(&self, leaves: &[Leaf]) -> bool {
        match self {
            Self::Leaf(bit) => leaf_of(*bit, leaves).is_some_and(Leaf::needs_somebody),
            Self::Roles(_) | Self::Capability(_) | Self::Issuer(_) | Self::Segment(_) => true,
            Self::AnyOf(any) => any.iter().all(|one| one.needs_somebody(leaves)),
        }
    }

    pub(super) fn is_of_somebody(&self, leaves: &[Leaf]) -> bool {
        match self {
            Self::Leaf(bit) => leaf_of(*bit, leaves).is_some_and(Leaf::is_of_somebody),
            Self::Roles(_) | Self::Capability(_) | Self::Issuer(_) | Self::Segment(_) => true,
            Self::AnyOf(any) => any.iter().any(|one| one.is_of_somebody(leaves)),
        }
    }
}

fn leaf_of(bit: u64, leaves: &[Leaf]) -> Option<&Leaf> {
    leaves.get(bit.trailing_zeros() as usize)
}
