use std::{num::NonZero, thread::available_parallelism};

use crate::{ApiKeyConfigError, Argon2idCost, SecretHash};

/// What slow hashes of imported keys may take, as plain data: for a configuration file.
///
/// Their memory is at most [`concurrency`](Self::concurrency) times [`max_memory_kib`](Self::max_memory_kib).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct ImportConfig {
    /// How many slow hashes run at a time, 1 to 64; by default half of the processors, and at least one.
    pub concurrency: Option<usize>,
    /// How many wait for their turn, up to 10,000; 64 by default. They wait at most nine tenths of
    /// [`timeout_seconds`](crate::ApiKeyConfig::timeout_seconds), their own run included.
    pub max_waiting: usize,
    /// How many slow hashes that verify nothing are run in a minute, 1 to 100,000; 60 by default, and what was not
    /// used for ten minutes. One network has an eighth of what is left.
    pub per_minute: u32,
    /// The same for one key, 1 to 100,000; 6 by default. One network has an eighth of what is left, at least one.
    pub per_key_per_minute: u32,
    /// How long it is remembered that a secret verified, up to 86400 seconds; one hour by default. Its record is read
    /// as often as that of other keys, and the slow hash is run again only if that changed.
    pub verified_age_seconds: u64,
    /// What Argon2id takes that is run here: for keys that are not there, and by
    /// [`Upgrade::ToArgon2id`](crate::Upgrade::ToArgon2id). By default `m=19456,t=2,p=1`.
    pub argon2id: Argon2idCost,
    /// The most memory of a stored Argon2id hash, 8 to 1,048,576 KiB; 65,536 by default. Records that ask for more are
    /// refused, and never run.
    pub max_memory_kib: u32,
    /// The most passes of a stored Argon2id hash, 1 to 100; 10 by default.
    pub max_passes: u32,
    /// The highest cost of a stored bcrypt hash, 4 to 16; 14 by default, which takes about a second.
    pub max_bcrypt_cost: u8,
    /// Takes hashes that are weaker than the least: Argon2id of 7168 KiB, of 35,840 KiB by all passes together, and
    /// bcrypt of cost 10. For a system whose keys are random and long, and that hashed them badly.
    pub danger_weak_hashes: bool,
}

/// What becomes of the hash of an imported key when the key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Upgrade {
    /// It becomes an HMAC under the current pepper, as that of a key that was made here: no slow hash is run for it
    /// again. For secrets that were random, of 128 bits or so: whoever has the records *and* the pepper tries guesses
    /// as fast as HMAC goes.
    ToHmac,
    /// It becomes Argon2id as the configuration has it now. For secrets that can be guessed. What is an HMAC already
    /// stays one.
    ToArgon2id,
    /// It stays as it is.
    Never,
}

/// Lanes are filled one after the other, so more of them are of no use.
const MOST_LANES: u32 = 16;

/// The weakest that OWASP's password storage cheat sheet has: by memory, and by memory and passes.
const LEAST_MEMORY: u32 = 7168;
const LEAST_FILLED: u64 = 35_840;
const LEAST_BCRYPT_COST: u8 = 10;

impl Default for ImportConfig {
    fn default() -> Self {
        Self {
            concurrency: None,
            max_waiting: 64,
            per_minute: 60,
            per_key_per_minute: 6,
            verified_age_seconds: 3600,
            argon2id: Argon2idCost {
                memory_kib: 19_456,
                passes: 2,
                lanes: 1,
            },
            max_memory_kib: 65_536,
            max_passes: 10,
            max_bcrypt_cost: 14,
            danger_weak_hashes: false,
        }
    }
}

impl ImportConfig {
    pub(crate) fn at_a_time(&self) -> usize {
        let usual = || available_parallelism().map_or(1, |cores| NonZero::get(cores) / 2);
        self.concurrency.unwrap_or_else(usual).max(1)
    }

    pub(crate) fn check(&self) -> Result<(), ApiKeyConfigError> {
        let check = ApiKeyConfigError::in_range;
        check("concurrency", self.concurrency.unwrap_or(1) as u64, 1..=64)?;
        check("max_waiting", self.max_waiting as u64, 0..=10_000)?;
        check("per_minute", self.per_minute.into(), 1..=100_000)?;
        let per_key = self.per_key_per_minute.into();
        check("per_key_per_minute", per_key, 1..=100_000)?;
        check(
            "verified_age_seconds",
            self.verified_age_seconds,
            0..=86_400,
        )?;
        check("max_memory_kib", self.max_memory_kib.into(), 8..=1 << 20)?;
        check("max_passes", self.max_passes.into(), 1..=100)?;
        check("max_bcrypt_cost", self.max_bcrypt_cost.into(), 4..=16)?;
        if !self.argon2id.is_defined() {
            let problem = "is not defined for Argon2";
            return Err(ApiKeyConfigError::new(
                "argon2id",
                self.argon2id.to_string(),
                problem,
            ));
        }
        self.check_argon2id("argon2id", self.argon2id)
    }

    /// Whether a hash may be run at all: before it is imported, and before each run.
    pub(crate) fn check_hash(&self, hash: &SecretHash) -> Result<(), ApiKeyConfigError> {
        match hash {
            SecretHash::Hmac { .. } => Ok(()),
            SecretHash::Honey { .. } => {
                let problem = "is a honey key's, which is made here";
                Err(ApiKeyConfigError::new("hash", String::new(), problem))
            }
            SecretHash::Argon2id(hash) => self.check_argon2id("hash", hash.cost),
            SecretHash::Bcrypt(hash) => self.check_bcrypt("hash", hash.cost),
        }
    }

    fn check_argon2id(
        &self,
        setting: &'static str,
        cost: Argon2idCost,
    ) -> Result<(), ApiKeyConfigError> {
        let filled = u64::from(cost.memory_kib).saturating_mul(cost.passes.into());
        let is_weak = cost.memory_kib < LEAST_MEMORY || filled < LEAST_FILLED;
        let problem = if cost.memory_kib > self.max_memory_kib {
            "takes more memory than `max_memory_kib`"
        } else if cost.passes > self.max_passes {
            "takes more passes than `max_passes`"
        } else if cost.lanes > MOST_LANES {
            "has more than 16 lanes"
        } else if is_weak && !self.danger_weak_hashes {
            "is weak: less than 7168 KiB, or than 35840 KiB by all passes together"
        } else {
            return Ok(());
        };
        Err(ApiKeyConfigError::new(setting, cost.to_string(), problem))
    }

    pub(crate) fn check_bcrypt(
        &self,
        setting: &'static str,
        cost: u8,
    ) -> Result<(), ApiKeyConfigError> {
        let problem = if cost > self.max_bcrypt_cost {
            "takes longer than `max_bcrypt_cost`"
        } else if cost < LEAST_BCRYPT_COST && !self.danger_weak_hashes {
            "is weak: bcrypt of a cost below 10"
        } else {
            return Ok(());
        };
        Err(ApiKeyConfigError::new(
            setting,
            format!("bcrypt {cost}"),
            problem,
        ))
    }
}

/// Reads a hash as the other system has it.
pub(crate) fn read_foreign(text: &str) -> Result<SecretHash, ApiKeyConfigError> {
    // PHP and older systems name the same function so, for secrets of ASCII within 72 bytes.
    let renamed = ["$2a$", "$2y$"]
        .iter()
        .find_map(|name| text.strip_prefix(name))
        .map(|rest| format!("$2b${rest}"));
    let hash = renamed.as_deref().unwrap_or(text).parse();
    // Of the text only its method: guesses could be tried against the rest.
    let method = text.split('$').nth(1).unwrap_or_default();
    let error = |problem| {
        let method = bartizan_core::printable(method, 20).to_string();
        Err(ApiKeyConfigError::new("hash", method, problem))
    };
    match hash {
        Ok(SecretHash::Hmac { .. } | SecretHash::Honey { .. }) => {
            error("is one that was made here")
        }
        Ok(hash) => Ok(hash),
        Err(_) => error(match method {
            "argon2i" | "argon2d" => "is not taken: only argon2id is",
            "2x" => "is bcrypt with a flaw",
            "argon2id" => "is not written as argon2id with v=19 and m, t, p in this order",
            "2a" | "2b" | "2y" => "is not written as bcrypt is",
            _ => "is neither argon2id nor bcrypt",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argon2id(cost: &str) -> SecretHash {
        let text = format!("$argon2id$v=19${cost}$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg");
        text.parse().unwrap()
    }

    fn bcrypt(cost: u8) -> SecretHash {
        let text = format!("$2b${cost:02}$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2");
        text.parse().unwrap()
    }

    #[test]
    fn a_hash_that_takes_too_much_or_too_little_is_refused_by_what_it_takes() {
        let config = ImportConfig::default();
        for (hash, named) in [
            (
                argon2id("m=4194304,t=1,p=1"),
                "`m=4194304,t=1,p=1` takes more memory",
            ),
            (argon2id("m=4294967295,t=4294967295,p=1"), "more memory"),
            (argon2id("m=65536,t=11,p=1"), "more passes"),
            (argon2id("m=65536,t=2,p=17"), "lanes"),
            (argon2id("m=7167,t=10,p=1"), "weak"),
            (argon2id("m=7168,t=4,p=1"), "weak"),
            (bcrypt(31), "`bcrypt 31` takes longer"),
            (bcrypt(15), "longer"),
            (bcrypt(9), "weak"),
        ] {
            let error = config.check_hash(&hash).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        for hash in [
            argon2id("m=7168,t=5,p=1"),
            argon2id("m=47104,t=1,p=1"),
            argon2id("m=65536,t=4,p=16"),
            bcrypt(10),
            bcrypt(14),
        ] {
            assert!(config.check_hash(&hash).is_ok(), "{hash:?}");
        }
        let weak = ImportConfig {
            danger_weak_hashes: true,
            ..config
        };
        assert!(weak.check_hash(&bcrypt(4)).is_ok());
        assert!(weak.check_hash(&bcrypt(31)).is_err());
    }

    #[test]
    fn a_hash_of_another_method_is_refused_by_its_method_and_not_shown() {
        for (text, named) in [
            (
                "$argon2i$v=19$m=65536,t=4,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
                "`argon2i`",
            ),
            (
                "$argon2d$v=19$m=65536,t=4,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
                "`argon2d`",
            ),
            (
                "$argon2id$m=65536,t=4,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
                "v=19",
            ),
            (
                "$2x$12$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2",
                "flaw",
            ),
            (
                "$2b$12$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2x",
                "bcrypt",
            ),
            ("$6$saltsalt$MDEyMzQ1Njc4OWFiY2RlZg", "neither"),
            ("MDEyMzQ1Njc4OWFiY2RlZg", "neither"),
            (
                "hmac-sha256$1$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "made here",
            ),
        ] {
            let error = read_foreign(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            let rest = text.rsplit('$').next().unwrap();
            assert!(!error.contains(rest), "{error}");
        }
        for name in ["2a", "2y", "2b"] {
            let rest = "$05$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2";
            let read = read_foreign(&format!("${name}{rest}")).unwrap();
            assert_eq!(read.to_string(), format!("$2b{rest}"));
        }
    }

    #[test]
    fn a_setting_out_of_range_names_itself() {
        assert!(ImportConfig::default().check().is_ok());
        let with = |change: fn(&mut ImportConfig)| {
            let mut config = ImportConfig::default();
            change(&mut config);
            config.check().unwrap_err().setting()
        };
        assert_eq!(with(|c| c.concurrency = Some(0)), "concurrency");
        assert_eq!(with(|c| c.concurrency = Some(65)), "concurrency");
        assert_eq!(with(|c| c.per_minute = 0), "per_minute");
        assert_eq!(with(|c| c.max_memory_kib = 1 << 21), "max_memory_kib");
        assert_eq!(with(|c| c.max_bcrypt_cost = 31), "max_bcrypt_cost");
        assert_eq!(with(|c| c.argon2id.lanes = 0), "argon2id");
        assert_eq!(with(|c| c.argon2id.memory_kib = 1 << 20), "argon2id");
    }
}
