use std::time::Duration;

use bartizan_core::{Clock as _, SystemClock, names::capability};
use ipnet::IpNet;

use crate::{ApiKeyConfigError, KeyLimits, KeyRate, grant};

/// What a child of a key is narrowed to. What is not said stays as it is.
///
/// Nothing of it can widen, whatever it says: a server lets pass what the key and every link of the chain admit,
/// until the first of them ends.
///
/// ```
/// use std::time::Duration;
/// use bartizan_apikey::Attenuation;
/// let for_the_build = Attenuation::new()
///     .label("nightly build")
///     .only_tools(["read_*"])
///     .expires_in(Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Attenuation {
    pub(super) label: Option<String>,
    pub(super) expires_at: Option<u64>,
    pub(super) limits: KeyLimits,
    pub(super) roles: Option<Vec<String>>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) networks: Option<Vec<IpNet>>,
    pub(super) is_last: bool,
}

/// Most characters of a label.
const LONGEST_LABEL: usize = 40;

impl Attenuation {
    /// Narrows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the child is called in the server's records, as its holder's word: 1 to 40 characters of visible ASCII
    /// and spaces, but neither backticks nor backslashes.
    pub fn label(self, label: &str) -> Self {
        let label = Some(label.to_owned());
        Self { label, ..self }
    }

    /// Until when it is good, in seconds since the Unix epoch: at that second it is not.
    pub fn expires_at(self, seconds: u64) -> Self {
        let expires_at = Some(seconds);
        Self { expires_at, ..self }
    }

    /// For how long from now on it is good, by this machine's clock, in whole seconds.
    pub fn expires_in(self, life: Duration) -> Self {
        let now = SystemClock::new().wall();
        self.expires_at(now.saturating_add(life).as_secs())
    }

    /// The only tools it is good for; see [`KeyLimits::tools`]. Prompts and resources are closed with it, unless
    /// they are said too.
    pub fn only_tools<I: IntoIterator<Item: AsRef<str>>>(mut self, patterns: I) -> Self {
        self.limits.tools = Some(grant::texts(patterns));
        self
    }

    /// The only prompts it is good for; see [`KeyLimits::prompts`].
    pub fn only_prompts<I: IntoIterator<Item: AsRef<str>>>(mut self, patterns: I) -> Self {
        self.limits.prompts = Some(grant::texts(patterns));
        self
    }

    /// The only resources it is good for; see [`KeyLimits::resources`].
    pub fn only_resources<I: IntoIterator<Item: AsRef<str>>>(mut self, patterns: I) -> Self {
        self.limits.resources = Some(grant::texts(patterns));
        self
    }

    /// The only methods it is good for; see [`KeyLimits::methods`].
    pub fn only_methods<I: IntoIterator<Item: AsRef<str>>>(mut self, patterns: I) -> Self {
        self.limits.methods = Some(grant::texts(patterns));
        self
    }

    /// Of the key's roles those that are left. Others are not given by it.
    pub fn only_roles<I: IntoIterator<Item: AsRef<str>>>(self, roles: I) -> Self {
        let roles = Some(grant::texts(roles));
        Self { roles, ..self }
    }

    /// Of the key's scopes those that are left. Others are not given by it.
    pub fn only_scopes<I: IntoIterator<Item: AsRef<str>>>(self, scopes: I) -> Self {
        let scopes = Some(grant::texts(scopes));
        Self { scopes, ..self }
    }

    /// Of the capabilities that the key itself grants those that are left, by name or as `notes:*`. What its roles
    /// grant stays: narrow these too.
    pub fn only_capabilities<I: IntoIterator<Item: AsRef<str>>>(self, grants: I) -> Self {
        let capabilities = Some(grant::texts(grants));
        Self {
            capabilities,
            ..self
        }
    }

    /// How often it may be used at most: so many calls in a minute, and so many at once. All children of a key that
    /// say the same have that together, and take from what the key has.
    pub fn rate(mut self, per_minute: u32, burst: u32) -> Self {
        self.limits.rate = Some(KeyRate { per_minute, burst });
        self
    }

    /// The only networks it is good from: from none if there are none.
    pub fn only_networks(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        let networks = networks.into_iter().map(|network| network.trunc());
        let networks = Some(networks.collect());
        Self { networks, ..self }
    }

    /// It has no children of its own.
    pub fn no_children(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }

    /// Whether a server would understand it; the error names what it would not.
    pub(super) fn check(&self) -> Result<(), ApiKeyConfigError> {
        if let Some(label) = self.label.as_deref().filter(|label| !is_label(label)) {
            let problem =
                "is not 1 to 40 characters of visible ASCII without backticks and backslashes";
            return Err(ApiKeyConfigError::new("label", label, problem));
        }
        for (setting, list) in [("roles", &self.roles), ("scopes", &self.scopes)] {
            let mut names = list.iter().flatten();
            if let Some(name) = names.find(|name| !grant::is_name(name)) {
                let problem = "is empty, too long, or has control characters";
                return Err(ApiKeyConfigError::new(setting, name, problem));
            }
        }
        let mut grants = self.capabilities.iter().flatten();
        if let Some(grant) = grants.find(|grant| !capability::is_grant(grant)) {
            let problem = "is no capability and no wildcard";
            return Err(ApiKeyConfigError::new("capabilities", grant, problem));
        }
        match self.limits.compile() {
            Ok(_) => Ok(()),
            Err(error) => Err(ApiKeyConfigError::new(
                "limits",
                error.to_string(),
                "can't be",
            )),
        }
    }
}

pub(super) fn is_label(label: &str) -> bool {
    let is_shown = |b: u8| matches!(b, b' '..=b'~') && b != b'`' && b != b'\\';
    (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(is_shown)
}
