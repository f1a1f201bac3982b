use std::net::IpAddr;

use http::{
    HeaderMap,
    header::{FORWARDED, HeaderName, VIA},
};

use crate::NetworkConfigError;

/// Fields by which a proxy shows itself, believed only against an exception.
static MARKS: [HeaderName; 5] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// Who stands at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Unknown,
    /// Nobody whose word is taken.
    Direct(IpAddr),
    /// A trusted proxy that said whom it was called by.
    Proxied,
    /// A trusted proxy that did not make it clear.
    Doubtful,
}

/// What becomes of requests that did not come over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Plain {
    #[default]
    Admitted,
    Refused,
    RefusedExceptLoopback,
}

impl Plain {
    pub(crate) fn refuse(&mut self) {
        if *self == Self::Admitted {
            *self = Self::Refused;
        }
    }

    pub(crate) fn except_loopback(&mut self) -> Result<(), NetworkConfigError> {
        if *self == Self::Admitted {
            let (setting, problem) = (
                "danger_allow_plain_loopback",
                "has no effect unless TLS is required",
            );
            return Err(NetworkConfigError::new("setting", setting, problem));
        }
        *self = Self::RefusedExceptLoopback;
        Ok(())
    }

    /// Whether a plain request may pass. Only a peer that speaks for itself is on this machine.
    pub(crate) fn admits(self, origin: Origin, headers: &HeaderMap) -> bool {
        match (self, origin) {
            (Self::Admitted, _) => true,
            (Self::RefusedExceptLoopback, Origin::Direct(peer)) => {
                peer.is_loopback() && !MARKS.iter().any(|mark| headers.contains_key(mark))
            }
            _ => false,
        }
    }
}
