/// A released revision of MCP that is spoken here, in order of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05. Its own transport is not served, but a client may negotiate it over this one.
    V2024_11_05,
    /// 2025-03-26. Its batches are refused.
    V2025_03_26,
    /// 2025-06-18.
    V2025_06_18,
    /// 2025-11-25.
    V2025_11_25,
    /// 2026-07-28: stateless, with mirrored headers.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: &[Self] = &[
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The revision of this name, compared exactly.
    pub fn parse(name: &str) -> Option<Self> {
        Self::of(name.as_bytes())
    }

    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"2026-07-28" => Self::V2026_07_28,
            b"2025-11-25" => Self::V2025_11_25,
            b"2025-06-18" => Self::V2025_06_18,
            b"2025-03-26" => Self::V2025_03_26,
            b"2024-11-05" => Self::V2024_11_05,
            _ => return None,
        })
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether requests are stateless and mirror method and name into headers (N-1, N-5).
    pub fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }
}

#[cfg(test)]
mod tests {
    use super::Revision;

    #[test]
    fn each_revision_is_found_by_its_name() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(*revision));
        }
        assert_eq!(Revision::parse("2026-07-29"), None);
    }
}
