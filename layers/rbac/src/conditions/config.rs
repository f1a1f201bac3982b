use serde::{Deserialize, Serialize};

use super::{Argument, Attribute, Condition, Literal, MemberPath, Number, NumberRange, Test};
use crate::RbacConfigError;

/// One [`Condition`] of a [`RuleConfig`](crate::RuleConfig). It speaks of exactly one thing: an `argument`,
/// of which exactly one test is said, or a `role`, a `capability`, an `issuer`, or `any_of` others.
///
/// ```toml
/// requires = [
///     { argument = "owner", is = "subject" },
///     { any_of = [{ argument = "amount", at_most = 1000 }, { role = "manager" }] },
///     { argument = ["filter", "region"], one_of = ["eu", "us"], or_absent = true },
///     { argument = "files", each = "path", within = "/srv/public" },
/// ]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ConditionConfig {
    /// See [`Condition::argument`]: its name, or a list of it and those of members inside.
    pub argument: Option<MemberPath>,
    /// See [`Argument::each`]: `true` for each element, or the member of each.
    pub each: Option<MemberPath>,
    /// See [`Argument::or_absent`].
    pub or_absent: bool,
    /// See [`Argument::is`].
    pub is: Option<Attribute>,
    /// See [`Argument::one_of`].
    pub one_of: Option<Vec<Literal>>,
    /// See [`Argument::between`].
    pub at_least: Option<Number>,
    /// See [`Argument::between`].
    pub at_most: Option<Number>,
    /// See [`Argument::starts_with`].
    pub starts_with: Option<String>,
    /// See [`Argument::matches`].
    pub matches: Option<String>,
    /// See [`Argument::within`].
    pub within: Option<String>,
    /// See [`Argument::matches_uri`].
    pub matches_uri: Option<String>,
    /// See [`Argument::at_most_items`].
    pub at_most_items: Option<usize>,
    /// See [`Condition::role`].
    pub role: Option<String>,
    /// See [`Condition::capability`].
    pub capability: Option<String>,
    /// See [`Condition::issuer`].
    pub issuer: Option<String>,
    /// See [`Condition::any_of`].
    pub any_of: Option<Vec<Self>>,
}

impl ConditionConfig {
    pub(crate) fn condition(&self) -> Result<Condition, RbacConfigError> {
        let others = [
            self.role.as_deref().map(Condition::role),
            self.capability.as_deref().map(Condition::capability),
            self.issuer.as_deref().map(Condition::issuer),
            self.any_of.as_deref().map(any_of).transpose()?,
        ];
        let mut others = others.into_iter().flatten();
        let name = self.argument.as_ref().map_or("", MemberPath::first);
        let problem = match (&self.argument, others.next(), others.next()) {
            (Some(path), None, None) => return Ok(self.argument_at(path).that(self.test(name)?)),
            (None, Some(other), None) if !self.says_of_argument() => return Ok(other),
            (None, None, None) => "speaks of nothing: say an argument, or a role",
            _ => "speaks of two things: make it two conditions",
        };
        Err(RbacConfigError::new("condition", name, problem))
    }

    fn says_of_argument(&self) -> bool {
        let of_others = Self {
            role: self.role.clone(),
            capability: self.capability.clone(),
            issuer: self.issuer.clone(),
            any_of: self.any_of.clone(),
            ..Self::default()
        };
        *self != of_others
    }

    fn argument_at(&self, path: &MemberPath) -> Argument {
        let mut names = path.names();
        let mut argument = Condition::argument(names.next().unwrap_or_default());
        for name in names {
            argument = argument.member(name);
        }
        if let Some(each) = &self.each {
            argument = argument.each();
            for name in each.names() {
                argument = argument.member(name);
            }
        }
        if self.or_absent {
            argument = argument.or_absent();
        }
        argument
    }

    fn test(&self, argument: &str) -> Result<Test, RbacConfigError> {
        let range = NumberRange {
            least: self.at_least.clone(),
            most: self.at_most.clone(),
        };
        let has_range = self.at_least.is_some() || self.at_most.is_some();
        let tests = [
            self.is.map(Test::Is),
            self.one_of.clone().map(Test::OneOf),
            has_range.then_some(Test::Between(range)),
            self.starts_with.clone().map(Test::StartsWith),
            self.matches.clone().map(Test::Matches),
            self.within.clone().map(Test::Within),
            self.matches_uri.clone().map(Test::MatchesUri),
            self.at_most_items.map(Test::AtMostItems),
        ];
        let mut tests = tests.into_iter().flatten();
        let problem = match (tests.next(), tests.next()) {
            (Some(test), None) => return Ok(test),
            (Some(_), Some(_)) => "is tested twice: make it two conditions",
            (None, _) => "is not tested: say what it is",
        };
        Err(RbacConfigError::new("argument", argument, problem))
    }
}

fn any_of(conditions: &[ConditionConfig]) -> Result<Condition, RbacConfigError> {
    let conditions = conditions.iter().map(ConditionConfig::condition);
    Ok(Condition::any_of(
        conditions.collect::<Result<Vec<_>, _>>()?,
    ))
}
