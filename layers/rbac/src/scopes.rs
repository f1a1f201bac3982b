use crate::{RbacConfigError, hierarchy::Hierarchy};

/// Scopes that include others, as the policy says it (SC-4).
#[derive(Debug, Default)]
pub(crate) struct Scopes<'a> {
    hierarchy: Hierarchy<'a>,
    closures: Vec<Vec<usize>>,
}

/// A scope that a rule needs, with every scope that covers it: itself, and those that include it.
#[derive(Debug)]
pub(crate) struct NeededScope {
    pub(crate) name: Box<str>,
    covered_by: Box<[Box<str>]>,
}

const MOST_SCOPES: usize = 4096;

impl<'a> Scopes<'a> {
    /// # Errors
    ///
    /// If a name is no scope, an inclusion is repeated, or a scope includes itself.
    pub(crate) fn new(declared: &'a [(String, Vec<String>)]) -> Result<Self, RbacConfigError> {
        let error = |value: &str, problem| Err(RbacConfigError::new("scope", value, problem));
        let mut hierarchy = Hierarchy::default();
        for (name, includes) in declared {
            check_scope(name)?;
            hierarchy.add(name);
            for included in includes {
                check_scope(included)?;
                hierarchy.add(included);
                if !hierarchy.include(name, included) {
                    return error(included, "is included twice by one scope");
                }
            }
            if hierarchy.names().len() > MOST_SCOPES {
                return error(name, "is one too many: at most 4096 scopes include others");
            }
        }
        let closures = hierarchy.closures("scope")?;
        Ok(Self {
            hierarchy,
            closures,
        })
    }

    /// # Errors
    ///
    /// If it is no scope.
    pub(crate) fn needed(&self, name: &str) -> Result<NeededScope, RbacConfigError> {
        check_scope(name)?;
        let names = self.hierarchy.names();
        let wider = names.iter().zip(&self.closures).filter(|(other, closure)| {
            let mut reached = closure.iter().filter_map(|place| names.get(*place));
            **other != name && reached.any(|reached| *reached == name)
        });
        let wider = wider.map(|(other, _)| Box::from(*other));
        Ok(NeededScope {
            name: name.into(),
            covered_by: std::iter::once(Box::from(name)).chain(wider).collect(),
        })
    }
}

impl NeededScope {
    /// Whether one of these scopes covers it. Scopes are compared exactly (RFC 6749 §3.3).
    pub(crate) fn is_among<'p>(&self, mut scopes: impl Iterator<Item = &'p str>) -> bool {
        scopes.any(|scope| self.covered_by.iter().any(|covers| **covers == *scope))
    }
}

/// A `scope-token` of RFC 6749 §3.3, so that each can stand in a challenge.
fn check_scope(scope: &str) -> Result<(), RbacConfigError> {
    let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if scope.is_empty() || scope.len() > 256 || !scope.bytes().all(legal) {
        let problem = "is not one scope token of RFC 6749, of at most 256 bytes";
        return Err(RbacConfigError::new("scope", scope, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(scopes: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let declared = scopes
            .iter()
            .map(|(name, inc)| ((*name).to_owned(), own(inc)));
        declared.collect()
    }

    #[test]
    fn sc_4_a_wider_scope_covers_what_it_includes_and_not_the_other_way_round() {
        let declared = declared(&[("admin", &["write"]), ("write", &["read"])]);
        let scopes = Scopes::new(&declared).unwrap();
        for (needed, granted, covered) in [
            ("read", "admin", true),
            ("read", "read", true),
            ("write", "read", false),
            ("admin", "write", false),
            ("other", "other", true),
            ("other", "admin", false),
            ("read", "READ", false),
        ] {
            let needed = scopes.needed(needed).unwrap();
            let found = needed.is_among(std::iter::once(granted));
            assert_eq!(found, covered, "{needed:?} by {granted}");
        }
    }

    #[test]
    fn a_hierarchy_with_a_mistake_does_not_build() {
        for (scopes, named) in [
            (&[("a b", &["c"][..])][..], "`a b`"),
            (&[("a", &["c\"d"])], "`c\"d`"),
            (&[("a", &[""])], "``"),
            (&[("a", &["b", "b"])], "`b` is included twice"),
            (&[("a", &["b"]), ("b", &["a"])], "includes itself"),
        ] {
            let error = Scopes::new(&declared(scopes)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
