use std::{error::Error, fmt, str::FromStr, time::SystemTime, time::UNIX_EPOCH};

use serde_json::Value;

use super::{
    keys::{ChainKeys, Signer, VerifyKeys},
    link::{Hash, hex, unhex},
};
use crate::record::write_timestamp;

/// Where a chain had come to, signed: the number and hash of a line, and when.
///
/// Kept elsewhere, it proves that the log went so far: [`verify`](crate::verify) finds what was cut off behind, and
/// what was written anew. As text it is one JSON object on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    timestamp: String,
    signer: Signer,
    signature: [u8; 64],
}

/// A text that is no [`Head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHead(());

/// No other use of the same key makes such a signature.
const PURPOSE: &[u8] = b"bartizan audit head 1\0";

impl Head {
    pub(super) fn sign(seq: u64, hash: Hash, keys: &ChainKeys) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut timestamp = Vec::new();
        write_timestamp(&mut timestamp, now.unwrap_or_default());
        let mut head = Self {
            seq,
            hash,
            timestamp: String::from_utf8(timestamp).unwrap_or_default(),
            signer: keys.signer(),
            signature: [0; 64],
        };
        head.signature = keys.sign(&head.message());
        head
    }

    /// The number of the last line that it covers.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was signed, as RFC 3339 in UTC.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    pub(super) fn is_signed(&self, keys: &VerifyKeys) -> bool {
        keys.is_signed(self.signer, &self.message(), &self.signature)
    }

    fn message(&self) -> Vec<u8> {
        let seq = self.seq.to_be_bytes();
        [PURPOSE, &seq, &self.hash, self.timestamp.as_bytes()].concat()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| {
            let mut text = Vec::new();
            hex(&mut text, bytes);
            String::from_utf8(text).unwrap_or_default()
        };
        let (seq, timestamp) = (self.seq, &self.timestamp);
        let (hash, signer) = (shown(&self.hash), shown(&self.signer));
        let signature = shown(&self.signature);
        write!(
            f,
            "{{\"seq\":{seq},\"hash\":\"{hash}\",\"timestamp\":\"{timestamp}\",\
             \"signer\":\"{signer}\",\"signature\":\"{signature}\"}}"
        )
    }
}

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let read = || {
            let value: Value = serde_json::from_str(text).ok()?;
            let member = |name: &str| value.get(name)?.as_str();
            Some(Self {
                seq: value.get("seq")?.as_u64()?,
                hash: unhex(member("hash")?.as_bytes())?,
                timestamp: member("timestamp")?.to_owned(),
                signer: unhex(member("signer")?.as_bytes())?,
                signature: unhex(member("signature")?.as_bytes())?,
            })
        };
        // One text for one head.
        read()
            .filter(|head: &Self| head.to_string() == text)
            .ok_or(NoHead(()))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("seq", &self.seq)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for NoHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no head of an audit log")
    }
}

impl Error for NoHead {}
