use super::{
    body::too_large,
    envelope::params,
    json::{invalid, malformed},
};
use crate::Denial;

/// Why a body is not read. One byte, since every value that is walked hands it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Broken,
    TrailingData,
    TooLarge,
    TooDeep,
    TooManyMembers,
    PrivateMember,
    RepeatedMember,
    AmbiguousMember,
    NoMethod,
    NoId,
    LongId,
    NoParams,
    NoMeta,
    NoVersion,
}

impl From<Fault> for Denial {
    #[cold]
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Broken => malformed("broken JSON"),
            Fault::TrailingData => malformed("data after the message"),
            Fault::TooLarge => too_large(),
            Fault::TooDeep => invalid("the body is nested too deep"),
            Fault::TooManyMembers => invalid("an object has too many members"),
            Fault::PrivateMember => invalid("a member has a name that parsers keep to themselves"),
            Fault::RepeatedMember => invalid("a member is repeated"),
            Fault::AmbiguousMember => invalid("a member differs from a known one only in case"),
            Fault::NoMethod => invalid("the method is not a name"),
            Fault::NoId => invalid("the id is neither a string nor an integer"),
            Fault::LongId => invalid("the id is too long"),
            Fault::NoParams => params("the params are not an object"),
            Fault::NoMeta => params("_meta is not an object"),
            Fault::NoVersion => params("the protocol version is not text"),
        }
    }
}
