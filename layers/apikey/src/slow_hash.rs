use std::{fmt, sync::LazyLock};

use data_encoding::{BASE64_NOPAD, Encoding, Specification};

/// An Argon2id hash (RFC 9106), version 19: as text the PHC string `$argon2id$v=19$m=19456,t=2,p=1$…$…`, with
/// its parameters in this order and nothing besides.
#[derive(Clone, PartialEq, Eq)]
pub struct Argon2idHash {
    pub(crate) cost: Argon2idCost,
    pub(crate) salt: Box<[u8]>,
    pub(crate) output: Box<[u8]>,
}

/// A bcrypt hash: as text `$2b$12$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct BcryptHash {
    pub(crate) cost: u8,
    pub(crate) salt: [u8; BcryptHash::SALT],
    pub(crate) output: [u8; BcryptHash::OUTPUT],
}

/// What a run of Argon2id takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[expect(clippy::exhaustive_structs, reason = "Argon2 has no others")]
pub struct Argon2idCost {
    /// `m`: the memory it fills, in KiB.
    pub memory_kib: u32,
    /// `t`: how often.
    pub passes: u32,
    /// `p`: in how many lanes. They are filled one after the other here.
    pub lanes: u32,
}

impl Argon2idHash {
    const PREFIX: &str = "$argon2id$v=19$";
    const SALT: std::ops::RangeInclusive<usize> = 8..=64;
    const OUTPUT: std::ops::RangeInclusive<usize> = 16..=64;

    /// What it takes to verify a secret against it.
    pub fn cost(&self) -> Argon2idCost {
        self.cost
    }

    /// Reads the one text of a hash.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('$');
        let [cost, salt, output] = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() {
            return None;
        }
        let read = |text: &str| BASE64_NOPAD.decode(text.as_bytes()).ok();
        let hash = Self {
            cost: Argon2idCost::read(cost)?,
            salt: read(salt)?.into(),
            output: read(output)?.into(),
        };
        let is_usual =
            Self::SALT.contains(&hash.salt.len()) && Self::OUTPUT.contains(&hash.output.len());
        is_usual.then_some(hash)
    }
}

impl Argon2idCost {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut next = |name: &str| number(parts.next()?.strip_prefix(name)?);
        let cost = Self {
            memory_kib: next("m=")?,
            passes: next("t=")?,
            lanes: next("p=")?,
        };
        (parts.next().is_none() && cost.is_defined()).then_some(cost)
    }

    /// Whether Argon2 is defined for it (RFC 9106 §3.1).
    pub(crate) fn is_defined(self) -> bool {
        let least = self.lanes.checked_mul(8);
        self.passes > 0
            && (1..1 << 24).contains(&self.lanes)
            && least.is_some_and(|least| self.memory_kib >= least)
    }
}

impl BcryptHash {
    pub(crate) const SALT: usize = 16;
    pub(crate) const OUTPUT: usize = 23;
    const TEXT: usize = 60;

    /// Longer secrets are cut by bcrypt, so that another one would verify too.
    #[cfg(feature = "imported")]
    pub(crate) const LONGEST_SECRET: usize = 72;

    /// The logarithm of how often the key schedule runs.
    pub fn cost(&self) -> u8 {
        self.cost
    }

    /// Reads the one text of a hash.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT || !text.is_ascii() {
            return None;
        }
        let rest = text.strip_prefix("$2b$")?;
        let (cost, rest) = rest.split_once('$')?;
        let is_plain = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
        let cost: u8 = is_plain.then(|| cost.parse().ok())??;
        let (salt, output) = rest.split_at_checked(BCRYPT64.encode_len(Self::SALT))?;
        let read = |text: &str| BCRYPT64.decode(text.as_bytes()).ok();
        (4..=31).contains(&cost).then_some(())?;
        Some(Self {
            cost,
            salt: read(salt)?.try_into().ok()?,
            output: read(output)?.try_into().ok()?,
        })
    }
}

/// `+1` and `01` are none.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Base64 with the alphabet of bcrypt.
static BCRYPT64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut letters = Specification::new();
    letters
        .symbols
        .push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    #[expect(clippy::expect_used, reason = "a constant, which the tests try")]
    letters.encoding().expect("64 different symbols")
});

impl fmt::Display for Argon2idCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        write!(f, "m={memory_kib},t={passes},p={lanes}")
    }
}

impl fmt::Display for Argon2idHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = BASE64_NOPAD;
        let salt = letters.encode_display(&self.salt);
        let output = letters.encode_display(&self.output);
        write!(f, "{}{}${salt}${output}", Self::PREFIX, self.cost)
    }
}

impl fmt::Display for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salt = BCRYPT64.encode_display(&self.salt);
        let output = BCRYPT64.encode_display(&self.output);
        write!(f, "$2b${:02}${salt}{output}", self.cost)
    }
}

/// What it is, without what a guess could be tried against.
impl fmt::Debug for Argon2idHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}$..", Self::PREFIX, self.cost)
    }
}

impl fmt::Debug for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$2b${:02}$..", self.cost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_text_that_is_not_the_one_of_a_hash_is_none() {
        let argon2id = "$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg";
        assert_eq!(Argon2idHash::read(argon2id).unwrap().to_string(), argon2id);
        for (part, other) in [
            ("argon2id", "argon2i"),
            ("argon2id", "argon2d"),
            ("v=19$", ""),
            ("v=19", "v=16"),
            ("m=64,t=2", "t=2,m=64"),
            ("m=64", "m=064"),
            ("m=64", "m=+64"),
            ("m=64", "m=4294967296"),
            ("m=64", "m=7"),
            ("t=2", "t=0"),
            ("p=1", "p=0"),
            ("p=1", "p=9"),
            ("p=1", "p=536870913"),
            ("p=1", "p=1,keyid=YQ"),
            ("p=1", "p=1,data=YQ"),
            ("c2FsdHNhbHQ", "c2FsdA"),
            ("c2FsdHNhbHQ", "c2FsdHNhbHR"),
            ("c2FsdHNhbHQ", "c2FsdHNhbHQ="),
            ("MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2Rl"),
            ("MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZg$"),
            ("MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZg\n"),
        ] {
            let changed = argon2id.replace(part, other);
            assert_eq!(Argon2idHash::read(&changed), None, "{changed}");
        }
        let bcrypt = "$2b$05$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2";
        assert_eq!(BcryptHash::read(bcrypt).unwrap().to_string(), bcrypt);
        for (part, other) in [
            ("$2b$", "$2a$"),
            ("$2b$", "$2x$"),
            ("$05$", "$03$"),
            ("$05$", "$32$"),
            ("$05$", "$+5$"),
            ("$05$", "$5$."),
            ("Ld2", "Ld3"),
            ("Ld2", "Ld"),
            ("Ld2", "Ld2."),
            ("Ld2", "L="),
        ] {
            let changed = bcrypt.replace(part, other);
            assert_eq!(BcryptHash::read(&changed), None, "{changed}");
        }
    }

    proptest! {
        #[test]
        fn a_hash_is_read_as_it_was_written(
            (lanes, passes, more) in (1_u32..1 << 20, 1_u32.., 0_u32..1 << 30),
            salt in vec(any::<u8>(), 8..=64),
            output in vec(any::<u8>(), 16..=64),
            cost in 4_u8..=31,
            (short_salt, short) in any::<([u8; 16], [u8; 23])>(),
        ) {
            let cost_of_argon2id = Argon2idCost { memory_kib: lanes * 8 + more, passes, lanes };
            let hash = Argon2idHash {
                cost: cost_of_argon2id,
                salt: salt.into(),
                output: output.into(),
            };
            prop_assert_eq!(Argon2idHash::read(&hash.to_string()), Some(hash.clone()));
            let shown = format!("{hash:?}");
            prop_assert!(!shown.contains(&BASE64_NOPAD.encode(&hash.output)));
            let hash = BcryptHash { cost, salt: short_salt, output: short };
            prop_assert_eq!(BcryptHash::read(&hash.to_string()), Some(hash.clone()));
            let shown = format!("{hash:?}");
            prop_assert!(!shown.contains(&BCRYPT64.encode(&hash.output)));
        }

        #[test]
        fn no_text_is_read_as_another_ones_hash(
            text in "\\$(2b\\$[0-9]{2}\\$[./A-Za-z0-9]{50,54}|argon2id\\$v=19\\$m=[0-9]{1,5},t=[0-9],p=[0-9]\\$[A-Za-z0-9+/]{8,24}\\$[A-Za-z0-9+/]{20,44})",
        ) {
            if let Some(hash) = Argon2idHash::read(&text) {
                prop_assert_eq!(hash.to_string(), text.clone());
            }
            if let Some(hash) = BcryptHash::read(&text) {
                prop_assert_eq!(hash.to_string(), text);
            }
        }
    }
}
