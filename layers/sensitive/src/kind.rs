use std::fmt;

/// What a sensitive value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A phone number with its country's code, or in the form of North America.
    Phone,
    /// A key or token of a known service, by its prefix; and Bartizan's own, of any brand.
    ApiKey,
    /// The secret of a cloud's account: of AWS, beside the id of its key.
    CloudKey,
    /// A JSON Web Token, signed or encrypted or neither.
    Jwt,
    /// The credentials of a `Bearer` or `Basic` field.
    Authorization,
    /// A private key in PEM.
    PrivateKey,
    /// The password in a URL or a connection string: `postgres://user:password@host`.
    UrlPassword,
    /// A value behind a name that says what it is: `password=…`, `"api_key": "…"`, `AccountKey=…`.
    Assignment,
    /// A payment card's number, with its check digit right.
    Card,
    /// A social security number of the United States, with its dashes.
    Ssn,
    /// A member of a JSON object whose name says what it is. Not found in text, but by a [`Redactor`](crate::Redactor).
    Field,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Email,
        Self::Phone,
        Self::ApiKey,
        Self::CloudKey,
        Self::Jwt,
        Self::Authorization,
        Self::PrivateKey,
        Self::UrlPassword,
        Self::Assignment,
        Self::Card,
        Self::Ssn,
        Self::Field,
    ];

    /// One lower-case word for records and configuration: `email`, `api_key`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::ApiKey => "api_key",
            Self::CloudKey => "cloud_key",
            Self::Jwt => "jwt",
            Self::Authorization => "authorization",
            Self::PrivateKey => "private_key",
            Self::UrlPassword => "url_password",
            Self::Assignment => "assignment",
            Self::Card => "card",
            Self::Ssn => "ssn",
            Self::Field => "field",
        }
    }

    /// The kind with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which kinds are looked for; all of them, if nothing else is said.
///
/// ```
/// use bartizan_sensitive::{Kind, Kinds};
/// let kinds = Kinds::all().without(Kind::Email);
/// assert!(kinds.contain(Kind::Card) && !kinds.contain(Kind::Email));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Every kind.
    pub fn all() -> Self {
        Self::of(Kind::ALL)
    }

    /// These kinds and no other.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let kinds = kinds.into_iter();
        Self(kinds.fold(0, |bits, kind| bits | 1 << kind as u16))
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// These but one.
    #[must_use]
    pub fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u16))
    }

    /// Whether the kind is one of them.
    pub fn contain(self, kind: Kind) -> bool {
        self.0 >> kind as u16 & 1 == 1
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::all()
    }
}
