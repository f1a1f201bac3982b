use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    num::NonZeroU64,
    sync::OnceLock,
};

use super::{Record, Text, screened::beginning};

/// Tells apart whom a record is of, also where what the record shows of them is masked.
///
/// A hash under a key that is made at random when the process begins: nobody outside can find two that fall together. It
/// is never written anywhere, and means nothing to another process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(NonZeroU64);

impl Identity {
    /// Its 64 bits, evenly distributed.
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }

    pub(super) fn from_hash(hash: NonZeroU64) -> Self {
        Self(hash)
    }

    /// Of a sort of thing, by its parts.
    fn of<const N: usize>(sort: &'static str, parts: [Option<Text<'_>>; N]) -> Self {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let mut hasher = KEY.get_or_init(RandomState::new).build_hasher();
        sort.hash(&mut hasher);
        for part in parts {
            // What lies behind the limit does not come to every thread.
            let part = part.map(|part| beginning(part.raw(), part.limit() as usize));
            part.hash(&mut hasher);
        }
        Self(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Those of a record, taken before it was redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identities {
    account: Option<Identity>,
    credential: Option<Identity>,
    tool: Option<Identity>,
}

impl Identities {
    pub(super) fn of(record: &Record<'_>) -> Self {
        Self {
            account: record.account(),
            credential: record.credential(),
            tool: record.tool(),
        }
    }
}

impl Record<'_> {
    /// The account that was identified: the subject at its issuer, and of which kind it is. What exceeds the bounds of
    /// these fields does not count.
    pub fn account(&self) -> Option<Identity> {
        if let Some(known) = self.identities {
            return known.account;
        }
        self.user_id?;
        let kind = self.metadata.principal_kind.map(|kind| Text::new(kind, 16));
        let parts = [self.user_id, self.metadata.issuer, kind];
        Some(Identity::of("account", parts))
    }

    /// The credential that was verified; `None` if it has no id.
    pub fn credential(&self) -> Option<Identity> {
        if let Some(known) = self.identities {
            return known.credential;
        }
        let metadata = &self.metadata;
        metadata.credential_id?;
        let parts = [
            metadata.credential_id,
            metadata.issuer,
            metadata.auth_method,
        ];
        Some(Identity::of("credential", parts))
    }

    /// The credential that was presented and that the authentication layer refused.
    pub fn refused_credential(&self) -> Option<Identity> {
        self.refused_credential
    }

    /// The tool that was asked for.
    pub fn tool(&self) -> Option<Identity> {
        if let Some(known) = self.identities {
            return known.tool;
        }
        self.tool_name?;
        Some(Identity::of("tool", [self.tool_name]))
    }
}
