use super::Material;
use crate::Algorithm;

/// No key is ever ready: [`build`](crate::JwtVerifierBuilder::build) says so first.
pub(crate) enum PreparedKey {}

impl PreparedKey {
    pub(crate) fn new(_: Algorithm, _: &Material) -> Option<Self> {
        None
    }

    pub(crate) fn verifies(&self, _: &[u8], _: &[u8]) -> bool {
        match *self {}
    }
}

pub(crate) fn rsa_components(_: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    None
}
