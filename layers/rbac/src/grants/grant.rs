use std::time::Duration;

use bartizan_core::{Principal, PrincipalKind};

use super::GrantError;

/// Roles that somebody is to have for a time; given by [`Grants::give`](super::Grants::give).
///
/// ```
/// use std::time::Duration;
/// use bartizan_rbac::Grant;
/// let grant = Grant::to("https://auth.example.com", "ann")
///     .roles(["oncall"])
///     .lasting(Duration::from_secs(3600))
///     .reason("INC-42")
///     .by("the incident desk");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Grant {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) kind: PrincipalKind,
    pub(super) client: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) from: Option<Duration>,
    pub(super) end: Option<End>,
    pub(super) reason: String,
    pub(super) by: Option<Giver>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Since the Unix epoch.
    At(Duration),
    /// Since it begins.
    After(Duration),
}

/// Who gives a grant, or takes one back: a principal, or a text where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giver {
    pub(super) shown: String,
    /// Issuer and subject, where it is a principal.
    pub(super) account: Option<(String, String)>,
}

/// Most bytes of an issuer, subject, client or tenant.
const NAME: usize = 1024;
/// Most bytes of a reason, and of who gives where that is a text.
const TEXT: usize = 256;
const MOST_ROLES: usize = 16;

impl Grant {
    /// To a person, by the subject at its issuer, through whatever client.
    pub fn to(issuer: &str, subject: &str) -> Self {
        Self::of(PrincipalKind::User, issuer, subject)
    }

    /// To a program that acts for itself, by the subject at its issuer.
    pub fn to_service(issuer: &str, subject: &str) -> Self {
        Self::of(PrincipalKind::Service, issuer, subject)
    }

    fn of(kind: PrincipalKind, issuer: &str, subject: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            kind,
            client: None,
            tenant: None,
            roles: Vec::new(),
            from: None,
            end: None,
            reason: String::new(),
            by: None,
        }
    }

    /// Only through this OAuth client.
    pub fn client(mut self, id: &str) -> Self {
        self.client = Some(id.to_owned());
        self
    }

    /// Only where the principal belongs to this tenant.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// The roles, 1 to 16. With each come those that it includes, by the policy that judges.
    pub fn roles<I: IntoIterator<Item: AsRef<str>>>(mut self, roles: I) -> Self {
        let roles = roles.into_iter().map(|role| role.as_ref().to_owned());
        self.roles = roles.collect();
        self
    }

    /// From when on, since the Unix epoch; from now on by default. At most 30 days from now.
    pub fn from(mut self, at: Duration) -> Self {
        self.from = Some(at);
        self
    }

    /// Until when, since the Unix epoch. At that moment it is over.
    pub fn until(mut self, at: Duration) -> Self {
        self.end = Some(End::At(at));
        self
    }

    /// For so long from when it begins, in place of [`until`](Self::until).
    pub fn lasting(mut self, time: Duration) -> Self {
        self.end = Some(End::After(time));
        self
    }

    /// Why, for the record: an incident's number. At most 256 bytes.
    pub fn reason(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// Who gives it. A principal must be another party than the one that it is to, whatever its kind and
    /// client; what a text says is not checked.
    pub fn by(mut self, giver: impl Into<Giver>) -> Self {
        self.by = Some(giver.into());
        self
    }

    /// Checks all but times and room; gives who gives it.
    pub(super) fn check(&self) -> Result<Giver, GrantError> {
        if self.issuer.is_empty() || self.subject.is_empty() {
            return Err(GrantError::ToNobody);
        }
        let names = [
            ("issuer", Some(&self.issuer)),
            ("subject", Some(&self.subject)),
            ("client", self.client.as_ref()),
            ("tenant", self.tenant.as_ref()),
        ];
        let is_long = |name: Option<&String>| name.is_some_and(|name| name.len() > NAME);
        if let Some((which, _)) = names.into_iter().find(|(_, name)| is_long(*name)) {
            return Err(GrantError::TooLong(which));
        }
        if self.reason.len() > TEXT {
            return Err(GrantError::TooLong("reason"));
        }
        self.check_roles()?;
        let Some(by) = self.by.clone().filter(|by| !by.shown.is_empty()) else {
            return Err(GrantError::NobodyGives);
        };
        match &by.account {
            Some((issuer, subject)) if *issuer == self.issuer && *subject == self.subject => {
                Err(GrantError::ToThemselves)
            }
            None if by.shown.len() > TEXT => Err(GrantError::TooLong("giver")),
            _ => Ok(by),
        }
    }

    fn check_roles(&self) -> Result<(), GrantError> {
        if self.roles.is_empty() || self.roles.len() > MOST_ROLES {
            let first = self.roles.first().cloned();
            return Err(GrantError::Role(first.unwrap_or_default()));
        }
        let mut roles = self.roles.iter().enumerate();
        let is_bad = |(place, role): &(usize, &String)| {
            let earlier = self.roles.iter().take(*place);
            crate::roles::check_name(role).is_err() || earlier.into_iter().any(|r| r == *role)
        };
        match roles.find(is_bad) {
            Some((_, bad)) => Err(GrantError::Role(bad.clone())),
            None => Ok(()),
        }
    }
}

impl From<&Principal> for Giver {
    /// Nobody, if anonymous.
    fn from(principal: &Principal) -> Self {
        if principal.is_anonymous() {
            return Self::from("");
        }
        let (issuer, subject) = (principal.issuer(), principal.subject());
        Self {
            shown: format!("{subject} of {issuer}"),
            account: Some((issuer.to_owned(), subject.to_owned())),
        }
    }
}

impl From<&str> for Giver {
    fn from(text: &str) -> Self {
        Self {
            shown: text.to_owned(),
            account: None,
        }
    }
}

impl From<String> for Giver {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}
