use crate::PolicyBuilder;

/// Ready-made roles. A preset brings roles and what they grant, never a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Preset {
    /// Five roles of an engineering organisation.
    ///
    /// | role | includes | grants itself |
    /// |---|---|---|
    /// | `admin` | all others | `*`: all known capabilities, yours too |
    /// | `developer` | `viewer` | `assignments:create`, `assignments:update`, `pipelines:trigger` |
    /// | `analyst` | `viewer` | `reports:read` |
    /// | `viewer` | | `assignments:read` |
    /// | `service` | | `assignments:read`, `pipelines:trigger` |
    ///
    /// Known besides: `assignments:delete` and `releases:deploy`, which only `admin` has.
    Enterprise,
}

impl Preset {
    pub(crate) fn apply(self, builder: PolicyBuilder) -> PolicyBuilder {
        match self {
            Self::Enterprise => builder
                .role("admin", ["developer", "analyst", "service"])
                .role("developer", ["viewer"])
                .role("analyst", ["viewer"])
                .role("viewer", [])
                .role("service", [])
                .capability("assignments:delete")
                .capability("releases:deploy")
                .grant("admin", ["*"])
                .grant(
                    "developer",
                    [
                        "assignments:create",
                        "assignments:update",
                        "pipelines:trigger",
                    ],
                )
                .grant("analyst", ["reports:read"])
                .grant("viewer", ["assignments:read"])
                .grant("service", ["assignments:read", "pipelines:trigger"]),
        }
    }
}
