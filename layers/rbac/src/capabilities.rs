use std::collections::{HashMap, HashSet};

use bartizan_core::names::capability::{family, grants as grants_it, is_name};

use crate::{
    RbacConfigError,
    asker::Asker,
    roles::{RoleSet, Roles},
};

/// The capabilities that a policy knows, each with the roles that grant it.
///
/// A name is known if it was declared or is granted by exactly this name. A wildcard grants what
/// is known and makes nothing known: otherwise a typo would be granted by `*`.
#[derive(Debug, Default)]
pub(crate) struct Capabilities(HashMap<Box<str>, RoleSet>);

/// One that a rule needs.
#[derive(Debug)]
pub(crate) struct Capability {
    pub(crate) name: Box<str>,
    granted_by: RoleSet,
}

impl Capabilities {
    /// # Errors
    ///
    /// If a name is none, a grant is repeated or goes to an unknown role, or a wildcard matches
    /// nothing.
    pub(crate) fn new(
        declared: &[String],
        grants: &[(String, Vec<String>)],
        roles: &Roles,
    ) -> Result<Self, RbacConfigError> {
        let mut known = HashMap::new();
        for name in declared {
            check_name(name)?;
            if known
                .insert(Box::from(&**name), RoleSet::default())
                .is_some()
            {
                let problem = "is declared twice";
                return Err(RbacConfigError::new("capability", name, problem));
            }
        }
        if let Some((role, _)) = grants.iter().find(|(role, _)| roles.place(role).is_none()) {
            let problem = "is granted something and not declared";
            return Err(RbacConfigError::new("role", role, problem));
        }
        let mut seen = HashSet::new();
        for (role, capability) in pairs(grants) {
            if !seen.insert((role, capability)) {
                let problem = format!("is granted twice to role `{role}`");
                return Err(RbacConfigError::new("capability", capability, problem));
            }
            if family(capability).is_none() {
                check_name(capability)?;
                known.entry(Box::from(capability)).or_default();
            }
        }
        for (role, capability) in pairs(grants) {
            let mut granted = false;
            for (name, set) in &mut known {
                if grants_it(capability, name) {
                    set.union(&roles.only(role));
                    granted = true;
                }
            }
            if !granted && capability != "*" {
                let problem = "matches no known capability: declare those it stands for";
                return Err(RbacConfigError::new("capability", capability, problem));
            }
        }
        Ok(Self(known))
    }

    /// Who has what a rule needs.
    ///
    /// # Errors
    ///
    /// If it is not known, or no role grants it.
    pub(crate) fn needed(&self, name: &str) -> Result<Capability, RbacConfigError> {
        let error = |problem| RbacConfigError::new("capability", name, problem);
        let granted_by = self.granted_by(name);
        let granted_by = *granted_by
            .ok_or_else(|| error("is neither declared nor granted by exactly this name"))?;
        if granted_by.is_empty() {
            return Err(error("is granted by no role"));
        }
        Ok(Capability {
            name: name.into(),
            granted_by,
        })
    }

    /// Whether one who asks has the capability. One that is not known is nobody's.
    pub(crate) fn are_held(&self, capability: &str, asker: &Asker<'_>) -> bool {
        let granted_by = self.granted_by(capability);
        granted_by.is_some_and(|by| by.meets(&asker.roles) || is_granted(asker, capability))
    }

    /// The roles that grant the capability; `None` if it is not known.
    fn granted_by(&self, capability: &str) -> Option<&RoleSet> {
        self.0.get(capability)
    }
}

impl Capability {
    /// Whether one of the roles of who asks grants it, or the credential itself.
    #[inline]
    pub(crate) fn is_held_by(&self, asker: &Asker<'_>) -> bool {
        self.granted_by.meets(&asker.roles) || is_granted(asker, &self.name)
    }
}

/// Whether the credential grants what the policy knows.
#[inline]
fn is_granted(asker: &Asker<'_>, known: &str) -> bool {
    let mut grants = asker.principal.capabilities();
    grants.any(|grant| grants_it(grant, known))
}

fn pairs(grants: &[(String, Vec<String>)]) -> impl Iterator<Item = (&str, &str)> {
    grants
        .iter()
        .flat_map(|(role, list)| list.iter().map(|one| (&**role, &**one)))
}

fn check_name(name: &str) -> Result<(), RbacConfigError> {
    if is_name(name) {
        return Ok(());
    }
    let problem = "is not words of ASCII with colons between them, or has a wildcard that is not \
                   `*` or a last `:*` of a grant";
    Err(RbacConfigError::new("capability", name, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(declared: &[&str], grants: &[(&str, &[&str])]) -> Result<Capabilities, String> {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let roles = Roles::new(&[("admin".into(), vec![]), ("viewer".into(), vec![])]).unwrap();
        let grants: Vec<_> = grants.iter().map(|(r, c)| ((*r).into(), own(c))).collect();
        Capabilities::new(&own(declared), &grants, &roles).map_err(|e| e.to_string())
    }

    #[test]
    fn a_wildcard_grants_what_is_known_and_makes_nothing_known() {
        let built = build(
            &["notes:delete", "notesx:read"],
            &[
                ("admin", &["notes:*"]),
                ("viewer", &["notes:read", "a:b:c"]),
            ],
        )
        .unwrap();
        let admin = Roles::new(&[("admin".into(), vec![])])
            .unwrap()
            .only("admin");
        for (name, granted) in [
            ("notes:delete", Some(true)),
            ("notes:read", Some(true)),
            ("notesx:read", Some(false)),
            ("a:b:c", Some(false)),
            ("notes:raed", None),
            ("notes:*", None),
            ("*", None),
        ] {
            let found = built.granted_by(name).map(|set| set.meets(&admin));
            assert_eq!(found, granted, "{name}");
        }
    }

    #[test]
    fn seed_z5_capabilities_with_a_mistake_do_not_build() {
        for (declared, grants, named) in [
            (&["a:b", "a:b"][..], &[][..], "`a:b` is declared twice"),
            (&["a:*"], &[], "`a:*`"),
            (&[""], &[], "``"),
            (&["a::b"], &[], "`a::b`"),
            (&["a b"], &[], "`a b`"),
            (&[], &[("admn", &["a:b"][..])], "`admn`"),
            (&[], &[("admn", &[])], "`admn`"),
            (&[], &[("admin", &["a:b", "a:b"])], "`a:b` is granted twice"),
            (&["notes:read"], &[("admin", &["note:*"])], "`note:*`"),
            (&["notes:read"], &[("admin", &["notes*"])], "`notes*`"),
            (&["notes:read"], &[("admin", &["n*:read"])], "`n*:read`"),
            (&["notes:read"], &[("admin", &["**"])], "`**`"),
        ] {
            let error = build(declared, grants).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(build(&[], &[("admin", &["*"])]).is_ok());
    }
}
