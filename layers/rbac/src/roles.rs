use std::collections::HashMap;

use bartizan_core::{Principal, printable};
use foldhash::quality::RandomState;

use crate::{RbacConfigError, hierarchy::Hierarchy};

/// A set of roles, by their places in the policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RoleSet([u64; WORDS]);

const WORDS: usize = 4;
const MOST_ROLES: usize = WORDS * 64;

impl RoleSet {
    pub(crate) fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub(crate) fn union(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }

    fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 64);
        word.is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The roles of a policy: for each name its place, and what it includes.
#[derive(Debug, Default)]
pub(crate) struct Roles(HashMap<Box<str>, Role, RandomState>);

#[derive(Debug)]
struct Role {
    place: usize,
    closure: RoleSet,
}

impl Roles {
    /// # Errors
    ///
    /// If a name is empty, repeated, unknown or no name, or if a role includes itself.
    pub(crate) fn new(declared: &[(String, Vec<String>)]) -> Result<Self, RbacConfigError> {
        let error = |value: &str, problem| Err(RbacConfigError::new("role", value, problem));
        let mut hierarchy = Hierarchy::default();
        for (name, _) in declared {
            check_name(name)?;
            if !hierarchy.add(name) {
                return error(name, "is declared twice");
            }
        }
        if let Some((name, _)) = declared.get(MOST_ROLES) {
            return error(name, "is one too many: a policy has at most 256 roles");
        }
        for (name, includes) in declared {
            for included in includes {
                if !hierarchy.contains(included) {
                    return error(included, "is included and not declared");
                }
                if !hierarchy.include(name, included) {
                    return error(included, "is included twice by one role");
                }
            }
        }
        let closures = hierarchy.closures("role")?;
        let roles = hierarchy.names().iter().zip(closures).enumerate();
        let roles = roles.map(|(place, (name, included))| {
            let mut closure = RoleSet::default();
            for place in included {
                closure.insert(place);
            }
            (Box::from(*name), Role { place, closure })
        });
        Ok(Self(roles.collect()))
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.0.get(name).map(|role| role.place)
    }

    /// The set of exactly this role; empty if nobody declared it.
    pub(crate) fn only(&self, name: &str) -> RoleSet {
        let mut set = RoleSet::default();
        if let Some(place) = self.place(name) {
            set.insert(place);
        }
        set
    }

    /// The role and all that it includes; empty if nobody declared it.
    pub(crate) fn closure(&self, name: &str) -> RoleSet {
        self.0
            .get(name)
            .map_or_else(RoleSet::default, |role| role.closure)
    }

    /// All roles of a principal, included ones too, and whether it has others that the policy does not know. These
    /// count for nothing, and an anonymous principal has no role.
    pub(crate) fn of(&self, principal: &Principal) -> (RoleSet, bool) {
        let mut set = RoleSet::default();
        let mut has_unknown = false;
        for name in principal.roles() {
            match self.0.get(name) {
                Some(role) => set.union(&role.closure),
                None => has_unknown = true,
            }
        }
        if principal.is_anonymous() {
            set = RoleSet::default();
        }
        (set, has_unknown)
    }

    /// The names of the set's roles, in no order.
    pub(crate) fn names_of(&self, set: RoleSet) -> impl Iterator<Item = &str> {
        let mine = self.0.iter().filter(move |(_, role)| set.has(role.place));
        mine.map(|(name, _)| &**name)
    }

    /// The principal's role names that the policy does not know, for a record: some of them.
    pub(crate) fn unknown_of(&self, principal: &Principal) -> Option<String> {
        self.unknown_among(principal.roles())
    }

    /// Those of these names that the policy does not know, for a record: some of them.
    pub(crate) fn unknown_among<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let mut unknown = names.filter(|name| !self.0.contains_key(*name));
        let mut text = String::new();
        for name in unknown.by_ref().take(3) {
            let separator = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{separator}`{}`", printable(name, 40)));
        }
        if unknown.next().is_some() {
            text.push_str(" and more");
        }
        (!text.is_empty()).then_some(text)
    }

    #[cfg(feature = "files")]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// # Errors
///
/// If it is no role's name.
pub(crate) fn check_name(name: &str) -> Result<(), RbacConfigError> {
    let error = |problem| Err(RbacConfigError::new("role", name, problem));
    if name.is_empty() || name.trim() != name {
        return error("is empty or has space around it");
    }
    if name.len() > 128 || name.chars().any(char::is_control) {
        return error("is longer than 128 bytes or has a control character");
    }
    if name.contains('*') {
        return error("has a wildcard, which role names do not have");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(roles: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let declared = roles
            .iter()
            .map(|(name, inc)| ((*name).to_owned(), own(inc)));
        declared.collect()
    }

    #[test]
    fn seed_z5_role_tables_with_a_mistake_do_not_build() {
        for (roles, named) in [
            (&[("", &[][..])][..], "``"),
            (&[(" admin", &[])], "` admin`"),
            (&[("ad\nmin", &[])], r"`ad\u{a}min`"),
            (&[("*", &[])], "`*`"),
            (&[("a", &[]), ("a", &[])], "`a` is declared twice"),
            (&[("a", &["viewr"])], "`viewr`"),
            (&[("a", &["b", "b"]), ("b", &[])], "`b` is included twice"),
            (&[("a", &["b"]), ("b", &["a"])], "includes itself"),
            (&[("a", &["a"])], "`a` includes itself"),
        ] {
            let error = Roles::new(&declared(roles)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn two_hundred_and_fifty_six_roles_are_all_told_apart_and_one_more_is_refused() {
        let mut roles: Vec<_> = (0..256).map(|n| (format!("r{n}"), Vec::new())).collect();
        let built = Roles::new(&roles).unwrap();
        for (a, _) in &roles {
            let (mine, _) = built.of(&Principal::user("i", "s").roles([a]).build("t"));
            let meets = roles.iter().filter(|(b, _)| mine.meets(&built.only(b)));
            assert_eq!(meets.count(), 1, "{a}");
        }
        roles.push(("last".to_owned(), Vec::new()));
        let error = Roles::new(&roles).unwrap_err().to_string();
        assert!(error.contains("`last`") && error.contains("256"), "{error}");
    }

    #[test]
    fn unknown_roles_are_named_on_one_line_and_not_all_of_them() {
        let roles = Roles::new(&declared(&[("viewer", &[])])).unwrap();
        let many: Vec<_> = (0..100).map(|n| format!("x\n{n}")).collect();
        let ann = Principal::user("i", "ann").roles(many).build("t");
        assert_eq!(roles.of(&ann), (RoleSet::default(), true));
        let text = roles.unknown_of(&ann).unwrap();
        assert_eq!(text, r"`x\u{a}0`, `x\u{a}1`, `x\u{a}2` and more");
        let bob = Principal::user("i", "bob").roles(["viewer"]).build("t");
        assert_eq!(roles.unknown_of(&bob), None);
        assert_eq!(roles.of(&bob), (roles.only("viewer"), false));
        let both = Principal::user("i", "eve").roles(["viewer", "x"]);
        assert_eq!(roles.of(&both.build("t")), (roles.only("viewer"), true));
    }
}
