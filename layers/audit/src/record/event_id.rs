use std::{fmt, time::Duration};

use super::fill_hex;

/// Names a record: a UUID of version 7 (RFC 9562 §5.7), so that ids sort by time. Not a secret, and not
/// hard to guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId(u128);

impl EventId {
    /// A new one, for a time since the Unix epoch.
    pub fn made(since_epoch: Duration) -> Self {
        let millis = since_epoch.as_millis() & ((1 << 48) - 1);
        let random = fastrand::u128(..) & ((1 << 80) - 1);
        let id = millis << 80 | random & !(0xf << 76) & !(0b11 << 62);
        Self(id | 7 << 76 | 0b10 << 62)
    }

    pub(crate) fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// Its 128 bits.
    pub fn as_u128(self) -> u128 {
        self.0
    }

    pub(crate) fn write_json(self, out: &mut Vec<u8>) {
        let mut text = *b"\"........-....-....-....-............\"";
        let mut rest = self.0;
        for group in [25..37, 20..24, 15..19, 10..14, 1..9] {
            rest = fill_hex(text.get_mut(group).unwrap_or_default(), rest);
        }
        out.extend_from_slice(&text);
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from: u32, digits: u32| self.0 >> (128 - from - digits) & ((1 << digits) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(0, 32),
            part(32, 16),
            part(48, 16),
            part(64, 16),
            part(80, 48)
        )
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_sorts_by_time() {
        for millis in [0, 1, 1_795_446_000_123, u64::MAX] {
            let id = EventId::made(Duration::from_millis(millis));
            let shown = id.to_string();
            assert_eq!(shown.len(), 36);
            assert_eq!(&shown[14..15], "7");
            assert!("89ab".contains(&shown[19..20]), "{shown}");
            let mut json = Vec::new();
            id.write_json(&mut json);
            assert_eq!(String::from_utf8(json).unwrap(), format!("\"{shown}\""));
        }
        let at = |millis| EventId::made(Duration::from_millis(millis));
        assert!(at(1) < at(2));
        assert_ne!(at(1), at(1));
    }
}
