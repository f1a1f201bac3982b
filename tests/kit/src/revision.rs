/// A revision of the MCP specification that is still spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "tests match on it")]
#[allow(non_camel_case_types, reason = "a date is its name")]
pub enum Revision {
    /// Handshake and sessions; batches.
    V2025_03_26,
    /// Handshake and sessions; names its version in a header.
    V2025_06_18,
    /// Handshake and sessions.
    V2025_11_25,
    /// Stateless; mirrors method and name in headers.
    V2026_07_28,
}

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// As written in `MCP-Protocol-Version`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether it is stateless and checks headers against the body.
    pub fn is_modern(self) -> bool {
        self == Self::V2026_07_28
    }

    /// Whether its clients send `MCP-Protocol-Version` with this method: none before 2025-06-18,
    /// and none with the handshake that settles the version.
    pub(crate) fn names_itself_on(self, method: &str) -> bool {
        self.is_modern() || (self != Self::V2025_03_26 && method != "initialize")
    }
}
