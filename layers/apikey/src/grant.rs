use std::fmt::Display;

use bartizan_core::names::capability;
use ipnet::IpNet;

use crate::{ApiKeyConfigError, KeyForm, KeyGrant, KeyLimits, KeyRate, OwnerKind};

/// Most roles, scopes, capabilities or networks of a key.
const MOST: usize = 64;
/// Most characters of a name.
const LONGEST: usize = 200;

impl KeyGrant {
    /// A key of a program, without roles and scopes.
    pub fn service(owner: &str, environment: &str) -> Self {
        Self::of(OwnerKind::Service, owner, environment)
    }

    /// A key of a person, without roles and scopes.
    pub fn user(owner: &str, environment: &str) -> Self {
        Self::of(OwnerKind::User, owner, environment)
    }

    fn of(owner_kind: OwnerKind, owner: &str, environment: &str) -> Self {
        Self {
            name: owner.to_owned(),
            owner: owner.to_owned(),
            owner_kind,
            tenant: None,
            environment: environment.to_owned(),
            roles: Vec::new(),
            scopes: Vec::new(),
            capabilities: Vec::new(),
            limits: KeyLimits::default(),
            networks: Vec::new(),
        }
    }

    /// What people call it; by default the owner's name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let name = name.to_owned();
        Self { name, ..self }
    }

    /// The tenant it belongs to.
    #[must_use]
    pub fn tenant(self, tenant: &str) -> Self {
        let tenant = Some(tenant.to_owned());
        Self { tenant, ..self }
    }

    /// The principal's roles.
    #[must_use]
    pub fn roles<I: IntoIterator<Item: AsRef<str>>>(self, roles: I) -> Self {
        let roles = texts(roles);
        Self { roles, ..self }
    }

    /// The principal's scopes.
    #[must_use]
    pub fn scopes<I: IntoIterator<Item: AsRef<str>>>(self, scopes: I) -> Self {
        let scopes = texts(scopes);
        Self { scopes, ..self }
    }

    /// What it grants besides the roles; see [`KeyGrant::capabilities`](field@KeyGrant::capabilities).
    #[must_use]
    pub fn capabilities<I: IntoIterator<Item: AsRef<str>>>(self, grants: I) -> Self {
        let capabilities = texts(grants);
        Self {
            capabilities,
            ..self
        }
    }

    /// The only tools it is good for; see [`KeyLimits::tools`].
    #[must_use]
    pub fn only_tools<I: IntoIterator<Item: AsRef<str>>>(mut self, patterns: I) -> Self {
        self.limits.tools = Some(texts(patterns));
        self
    }

    /// How often it may be used: so many calls in a minute, and so many at once.
    #[must_use]
    pub fn rate(mut self, per_minute: u32, burst: u32) -> Self {
        self.limits.rate = Some(KeyRate { per_minute, burst });
        self
    }

    /// What it is good for.
    #[must_use]
    pub fn limits(self, limits: KeyLimits) -> Self {
        Self { limits, ..self }
    }

    /// The only networks it is good from.
    #[must_use]
    pub fn networks(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        let networks = networks.into_iter().collect();
        Self { networks, ..self }
    }

    /// What stands in it becomes a principal, records and tables: nothing of it may break one.
    pub(crate) fn check(&self, form: &KeyForm) -> Result<(), ApiKeyConfigError> {
        let error = |setting, value: &dyn Display, problem| {
            Err(ApiKeyConfigError::new(setting, value.to_string(), problem))
        };
        if !form.environments().any(|known| known == self.environment) {
            return error("environment", &self.environment, "is none of the form's");
        }
        let tenant = self.tenant.as_deref();
        let named = [
            ("name", Some(&*self.name)),
            ("owner", Some(&self.owner)),
            ("tenant", tenant),
        ];
        for (setting, text) in named {
            if let Some(text) = text.filter(|text| !is_name(text)) {
                return error(
                    setting,
                    &text,
                    "is empty, too long, or has control characters",
                );
            }
        }
        for (setting, list) in [("roles", &self.roles), ("scopes", &self.scopes)] {
            if let Some(text) = list.iter().find(|text| !is_name(text)) {
                return error(
                    setting,
                    text,
                    "is empty, too long, or has control characters",
                );
            }
            if let Some(text) = list.get(MOST) {
                return error(setting, text, "is one too many: at most 64");
            }
        }
        if let Some(scope) = self
            .scopes
            .iter()
            .find(|scope| scope.contains([' ', '"', '\\']))
        {
            return error("scopes", scope, "is no scope (RFC 6749 §3.3)");
        }
        let grants = &self.capabilities;
        if let Some(grant) = grants.iter().find(|grant| !capability::is_grant(grant)) {
            return error("capabilities", grant, "is no capability and no wildcard");
        }
        if let Some(grant) = grants.get(MOST) {
            return error("capabilities", grant, "is one too many: at most 64");
        }
        if let Some(network) = self.networks.get(MOST) {
            return error("networks", network, "is one too many: at most 64");
        }
        match self.limits.compile() {
            Ok(_) => Ok(()),
            Err(problem) => error("limits", &problem, "can't be"),
        }
    }
}

pub(crate) fn texts<I: IntoIterator<Item: AsRef<str>>>(list: I) -> Vec<String> {
    list.into_iter()
        .map(|text| text.as_ref().to_owned())
        .collect()
}

pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}
