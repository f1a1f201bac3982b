use std::collections::HashMap;

use crate::RbacConfigError;

/// Names, each with the names that it includes: roles, and scopes (SC-4).
///
/// What includes itself is an error, so it is a directed acyclic graph.
#[derive(Debug, Default)]
pub(crate) struct Hierarchy<'a> {
    names: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
    includes: Vec<Vec<usize>>,
}

impl<'a> Hierarchy<'a> {
    /// Adds a name; tells whether it is new.
    pub(crate) fn add(&mut self, name: &'a str) -> bool {
        if self.places.contains_key(name) {
            return false;
        }
        self.places.insert(name, self.names.len());
        self.names.push(name);
        self.includes.push(Vec::new());
        true
    }

    /// Makes one name include another; tells whether both exist and this was not said before.
    pub(crate) fn include(&mut self, name: &str, included: &str) -> bool {
        let (Some(&from), Some(&to)) = (self.places.get(name), self.places.get(included)) else {
            return false;
        };
        match self.includes.get_mut(from) {
            Some(includes) if !includes.contains(&to) => {
                includes.push(to);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    pub(crate) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// For each name, its own place and those of all that it includes, directly or not.
    ///
    /// # Errors
    ///
    /// If a name includes itself.
    pub(crate) fn closures(
        &self,
        setting: &'static str,
    ) -> Result<Vec<Vec<usize>>, RbacConfigError> {
        (0..self.names.len())
            .map(|place| self.closure(setting, place))
            .collect()
    }

    fn closure(&self, setting: &'static str, start: usize) -> Result<Vec<usize>, RbacConfigError> {
        let mut seen = vec![false; self.names.len()];
        let mut reached = Vec::new();
        let mut open = vec![start];
        while let Some(place) = open.pop() {
            reached.push(place);
            for &included in self.includes.get(place).into_iter().flatten() {
                if included == start {
                    let name = self.names.get(start).copied().unwrap_or_default();
                    return Err(RbacConfigError::new(setting, name, "includes itself"));
                }
                if let Some(seen) = seen.get_mut(included).filter(|seen| !**seen) {
                    *seen = true;
                    open.push(included);
                }
            }
        }
        Ok(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(pairs: &[(&'static str, &'static str)]) -> Hierarchy<'static> {
        let mut hierarchy = Hierarchy::default();
        for (name, included) in pairs {
            hierarchy.add(name);
            hierarchy.add(included);
            hierarchy.include(name, included);
        }
        hierarchy
    }

    #[test]
    fn a_diamond_is_no_cycle_and_counts_once() {
        let diamond = hierarchy(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]);
        let mut top = diamond.closures("role").unwrap().remove(0);
        top.sort_unstable();
        assert_eq!(top, [0, 1, 2, 3]);
    }

    #[test]
    fn a_cycle_of_any_length_names_a_member() {
        for cycle in [
            vec![("a", "a")],
            vec![("a", "b"), ("b", "a")],
            vec![("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")],
        ] {
            let error = hierarchy(&cycle).closures("role").unwrap_err();
            assert!(error.to_string().contains("includes itself"), "{error}");
        }
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let names: Vec<_> = (0..2000).map(|n| n.to_string()).collect();
        let mut chain = Hierarchy::default();
        for name in &names {
            chain.add(name);
        }
        for pair in names.windows(2) {
            assert!(chain.include(&pair[0], &pair[1]));
        }
        assert_eq!(chain.closures("role").unwrap()[0].len(), 2000);
    }
}
