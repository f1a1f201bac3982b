use std::time::Duration;

use bartizan_core::auth::{NotRevoked, Revocations};
use redis::Value;

/// A revocation as it stands in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) issuer: String,
    pub(crate) id: String,
    /// When it was made, in whole milliseconds since the Unix epoch.
    pub(crate) at: Duration,
    /// When it may be forgotten, likewise.
    pub(crate) until: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Credential,
    Session,
    Subject,
}

/// What is written, and read. Another form has another number.
const VERSION: &str = "1";

/// Issuers, ids and subjects are shorter.
pub(crate) const MAX_TEXT_BYTES: usize = 4096;

/// The last millisecond of the year 9999.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// Why an entry is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is of a form that this version does not know: a revocation, to all appearance, with no effect here.
    Newer(&'static str),
    /// It is none.
    Malformed(&'static str),
}

impl Fault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Newer(text) | Self::Malformed(text) => text,
        }
    }
}

impl Entry {
    /// Field by field, as `XADD` takes them.
    pub(crate) fn fields(&self) -> [(&'static str, String); 6] {
        let millis = |time: Duration| time.as_millis().to_string();
        [
            ("v", VERSION.to_owned()),
            ("kind", self.kind.name().to_owned()),
            ("issuer", self.issuer.clone()),
            ("id", self.id.clone()),
            ("at", millis(self.at)),
            ("until", millis(self.until)),
        ]
    }

    /// The same read; nothing is taken for granted, and fields that are not known are left alone.
    pub(crate) fn read(fields: &[Value]) -> Result<Self, Fault> {
        let field = |name: &str| {
            let mut pairs = fields.chunks_exact(2);
            let mut found = pairs.by_ref().filter_map(|pair| match pair {
                [key, value] if text(key) == Some(name) => Some(value),
                _ => None,
            });
            match (found.next(), found.next()) {
                (Some(value), None) => text(value).ok_or(Fault::Malformed("a field is no text")),
                (None, _) => Err(Fault::Malformed("a field is missing")),
                (Some(_), Some(_)) => Err(Fault::Malformed("a field is repeated")),
            }
        };
        match field("v")? {
            VERSION => {}
            version if is_number(version) => {
                return Err(Fault::Newer("it is of another version"));
            }
            _ => return Err(Fault::Malformed("its version is no number")),
        }
        let name = |name| match field(name)? {
            text if is_name(text) => Ok(text.to_owned()),
            _ => Err(Fault::Malformed("a name is empty or too long")),
        };
        let entry = Self {
            kind: Kind::of(field("kind")?)?,
            issuer: name("issuer")?,
            id: name("id")?,
            at: time(field("at")?)?,
            until: time(field("until")?)?,
        };
        Ok(entry)
    }

    /// Revokes; whatever was done before is not changed by doing it again.
    pub(crate) fn apply(&self, list: &Revocations) -> Result<(), NotRevoked> {
        let Self {
            issuer, id, until, ..
        } = self;
        match self.kind {
            Kind::Credential => list.revoke_credential(issuer, id, *until),
            Kind::Session => list.revoke_session(issuer, id, *until),
            Kind::Subject => list.revoke_subject_at(issuer, id, self.at, *until),
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Session => "session",
            Self::Subject => "subject",
        }
    }

    fn of(name: &str) -> Result<Self, Fault> {
        let all = [Self::Credential, Self::Session, Self::Subject];
        let known = all.into_iter().find(|kind| kind.name() == name);
        known.ok_or(match name.is_empty() {
            true => Fault::Malformed("it is of no kind"),
            false => Fault::Newer("it is of no known kind"),
        })
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len())
}

pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn time(text: &str) -> Result<Duration, Fault> {
    let millis = is_number(text).then(|| text.parse().ok()).flatten();
    let millis = millis.filter(|millis| *millis <= MAX_MILLIS);
    millis
        .map(Duration::from_millis)
        .ok_or(Fault::Malformed("a time is no number of milliseconds"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whole milliseconds, of which the last may have begun.
pub(crate) fn up_to_millis(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Duration::from_millis(millis.min(MAX_MILLIS))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn values(fields: &[(&str, String)]) -> Vec<Value> {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let pairs = fields.iter().flat_map(|(k, v)| [text(k), text(v)]);
        pairs.collect()
    }

    fn entry() -> Entry {
        Entry {
            kind: Kind::Subject,
            issuer: "https://a.example".into(),
            id: "ann".into(),
            at: Duration::from_millis(1_800_000_000_123),
            until: Duration::from_millis(1_800_000_100_000),
        }
    }

    #[test]
    fn what_is_malformed_is_told_and_not_guessed_at() {
        let good = entry().fields();
        assert_eq!(Entry::read(&values(&good)), Ok(entry()));
        let with = |name: &str, value: &str| {
            let mut fields = good.clone();
            for (key, old) in &mut fields {
                if *key == name {
                    *old = value.to_owned();
                }
            }
            Entry::read(&values(&fields))
        };
        for (name, value) in [
            ("v", "2"),
            ("v", ""),
            ("kind", "Subject"),
            ("kind", "everybody"),
            ("issuer", ""),
            ("id", &"x".repeat(MAX_TEXT_BYTES + 1)),
            ("at", ""),
            ("at", "+5"),
            ("at", "-5"),
            ("at", "1.5"),
            ("until", "253402300800000"),
            ("until", "18446744073709551616"),
            ("until", "soon"),
        ] {
            assert!(with(name, value).is_err(), "{name}: {value}");
        }
        assert!(with("id", &"x".repeat(MAX_TEXT_BYTES)).is_ok());
        for (name, value, is_newer) in [
            ("v", "2", true),
            ("v", "17", true),
            ("v", "", false),
            ("v", "next", false),
            ("kind", "everybody", true),
            ("kind", "", false),
            ("until", "soon", false),
        ] {
            let fault = with(name, value).unwrap_err();
            assert_eq!(matches!(fault, Fault::Newer(_)), is_newer, "{fault:?}");
        }
        for missing in 0..good.len() {
            let mut fields = good.to_vec();
            fields.remove(missing);
            assert_eq!(
                Entry::read(&values(&fields)),
                Err(Fault::Malformed("a field is missing"))
            );
            fields = good.to_vec();
            fields.push(good[missing].clone());
            assert_eq!(
                Entry::read(&values(&fields)),
                Err(Fault::Malformed("a field is repeated"))
            );
        }
        let mut more = good.to_vec();
        more.push(("by", "an administrator".into()));
        assert_eq!(Entry::read(&values(&more)), Ok(entry()));
        let mut bytes = values(&good);
        bytes[7] = Value::BulkString(vec![0xff]);
        assert_eq!(
            Entry::read(&bytes),
            Err(Fault::Malformed("a field is no text"))
        );
        bytes[7] = Value::Nil;
        assert_eq!(
            Entry::read(&bytes),
            Err(Fault::Malformed("a field is no text"))
        );
        assert_eq!(
            Entry::read(&[]),
            Err(Fault::Malformed("a field is missing"))
        );
    }

    #[test]
    fn a_time_is_kept_to_the_millisecond_and_never_shortened() {
        let nanos = Duration::from_nanos;
        assert_eq!(up_to_millis(nanos(1)), Duration::from_millis(1));
        assert_eq!(up_to_millis(nanos(1_000_000)), Duration::from_millis(1));
        assert_eq!(
            up_to_millis(Duration::MAX),
            Duration::from_millis(MAX_MILLIS)
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("v"),
            Just("1"),
            Just("kind"),
            Just("issuer"),
            Just("id"),
            Just("at"),
            Just("until"),
            Just("subject"),
            Just("session"),
            Just("5"),
        ];
        prop_oneof![
            4 => word.prop_map(|word| Value::BulkString(word.as_bytes().to_vec())),
            1 => vec(any::<u8>(), 0..8).prop_map(Value::BulkString),
            1 => Just(Value::Nil),
            1 => any::<i64>().prop_map(Value::Int),
        ]
    }

    proptest! {
        #[test]
        fn no_fields_make_the_reading_panic(fields in vec(value(), 0..16)) {
            let _ = Entry::read(&fields);
        }

        #[test]
        fn what_is_written_is_read(
            issuer in "\\PC{1,40}",
            id in "\\PC{1,40}",
            at in 0..=MAX_MILLIS,
            until in 0..=MAX_MILLIS,
            kind in prop_oneof![Just(Kind::Credential), Just(Kind::Session), Just(Kind::Subject)],
        ) {
            let (at, until) = (Duration::from_millis(at), Duration::from_millis(until));
            let entry = Entry { kind, issuer, id, at, until };
            prop_assert_eq!(Entry::read(&values(&entry.fields())), Ok(entry));
        }
    }
}
