use std::time::Duration;

use bartizan_audit::{Classes, Outcome, Severity};

use super::{By, Rule, Rules};
use crate::AlertsConfigError;

const MINUTE: Duration = Duration::from_secs(60);
const MINUTES: Duration = Duration::from_secs(300);

/// Changes that give somebody more, or make the guards others.
const CHANGES: [&str; 8] = [
    "grant_given",
    "key_imported",
    "keys_removed",
    "limits_swapped",
    "list_changed",
    "policy_swapped",
    "roles_granted",
    "tool_changed",
];

impl Rules {
    /// Rules that fit most servers; but for their windows they are those of [`Rule::new`]:
    ///
    /// | name | raised for | severity |
    /// |---|---|---|
    /// | `honey-touched` | the first touch of a decoy, by address and credential | critical |
    /// | `anomaly` | whatever a detector found of severity `warning` or above, by detector, user and address | the record's |
    /// | `escalation` | 3 attempts in 5 minutes to do what is beyond one's rights, by user | error |
    /// | `denials` | 20 refusals by the policy in 5 minutes, by user | warning |
    /// | `failed-authentication` | 20 failures in 5 minutes, by address | warning |
    /// | `failed-authentication-everywhere` | 500 failures in 5 minutes | error |
    /// | `policy-violations` | 50 foreign origins, hosts or addresses in 5 minutes, by address | warning |
    /// | `key-leaked` | a key that was found where everybody reads it | critical |
    /// | `change` | grants, imported keys, other policies, limits, lists and tools, by what happened | warning |
    /// | `audit-gap` | requests without a record, and what a crash left of a line | error |
    /// | `guard-failure` | 5 requests in a minute that a guard could not judge | error |
    /// | `panic` | a panic of a guard or of the service, by tool | error |
    /// | `system` | what went wrong outside of requests, of severity `error`, by what happened | error |
    pub fn recommended() -> Self {
        // What is said here is within all bounds, which a test sees.
        Self::try_recommended().unwrap_or_default()
    }

    fn try_recommended() -> Result<Self, AlertsConfigError> {
        let all = [
            Rule::new("honey-touched")?
                .class(Classes::HONEY_TOUCHED)?
                .by(By::Address)
                .by(By::Credential)
                .severity(Severity::Critical),
            Rule::new("anomaly")?
                .event("anomaly")?
                .at_least(Severity::Warning)
                .by(By::Detector)
                .by(By::User)
                .by(By::Address),
            Rule::new("escalation")?
                .class(Classes::PRIVILEGE_ESCALATION_ATTEMPT)?
                .by(By::User)
                .threshold(3, MINUTES)?
                .severity(Severity::Error),
            Rule::new("denials")?
                .class(Classes::AUTHORIZATION_DENIED)?
                .by(By::User)
                .threshold(20, MINUTES)?
                .severity(Severity::Warning),
            Rule::new("failed-authentication")?
                .class(Classes::AUTHENTICATION_FAILURE)?
                .by(By::Address)
                .threshold(20, MINUTES)?
                .severity(Severity::Warning),
            Rule::new("failed-authentication-everywhere")?
                .class(Classes::AUTHENTICATION_FAILURE)?
                .threshold(500, MINUTES)?
                .severity(Severity::Error),
            Rule::new("policy-violations")?
                .class(Classes::POLICY_VIOLATION)?
                .by(By::Address)
                .threshold(50, MINUTES)?
                .severity(Severity::Warning),
            Rule::new("key-leaked")?
                .action("key_leaked")?
                .event("configuration_change")?
                .severity(Severity::Critical),
            changes()?,
            Rule::new("audit-gap")?
                .event("audit_gap")?
                .severity(Severity::Error),
            Rule::new("guard-failure")?
                .event("guard_failure")?
                .threshold(5, MINUTE)?
                .severity(Severity::Error),
            Rule::new("panic")?
                .outcome(Outcome::Panicked)
                .by(By::Tool)
                .severity(Severity::Error),
            Rule::new("system")?
                .event("system_event")?
                .at_least(Severity::Error)
                .by(By::Action)
                .severity(Severity::Error),
        ];
        all.into_iter().try_fold(Self::new(), Self::rule)
    }
}

fn changes() -> Result<Rule, AlertsConfigError> {
    let rule = Rule::new("change")?
        .event("configuration_change")?
        .event("system_event")?
        .by(By::Action)
        .severity(Severity::Warning);
    let mut changes = CHANGES.iter();
    changes.try_fold(rule, |rule, change| rule.action(change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recommended_is_within_all_bounds() {
        let rules = Rules::try_recommended().unwrap();
        assert!(rules.names().count() >= 12);
        assert_eq!(Rules::recommended().names().count(), rules.names().count());
    }
}
