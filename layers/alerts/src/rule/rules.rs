use super::Rule;
use crate::AlertsConfigError;

/// Rules, each with a name of its own.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

/// What the counts of all groups of a rule may take together; each takes 40 bytes.
const MOST_COUNTED: u64 = 1 << 17;

impl Rules {
    /// How many there may be.
    pub const MOST: usize = 256;

    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more rule.
    ///
    /// # Errors
    ///
    /// If it fits every record, has the name of another one, would count more than 131072 records in all its groups, or
    /// is the 257th.
    pub fn rule(mut self, rule: Rule) -> Result<Self, AlertsConfigError> {
        let refused = |problem| Err(AlertsConfigError::new("rule", &*rule.name, problem));
        if self.0.len() >= Self::MOST {
            return refused("is one more than 256");
        }
        if self.0.iter().any(|other| other.name == rule.name) {
            return refused("is there twice");
        }
        if rule.when.is_everything() {
            return refused("says nothing of what it is for");
        }
        let groups = if rule.by.is_empty() { 1 } else { rule.groups };
        if u64::from(rule.count) * u64::from(groups) > MOST_COUNTED {
            return refused("counts more than 131072 records in all its groups");
        }
        self.0.push(rule);
        Ok(self)
    }

    /// Without the rule of this name.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn without(mut self, name: &str) -> Result<Self, AlertsConfigError> {
        let before = self.0.len();
        self.0.retain(|rule| &*rule.name != name);
        if self.0.len() == before {
            let problem = "is not among the rules";
            return Err(AlertsConfigError::new("rule", name, problem));
        }
        Ok(self)
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|rule| &*rule.name)
    }

    pub(crate) fn into_rules(self) -> Vec<Rule> {
        self.0
    }
}
