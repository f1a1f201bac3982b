use std::sync::LazyLock;

use bartizan_apikey::{
    ApiKeyConfig, ApiKeys, KeyForm, KeyId, KeyRecord, KeyStore, MemoryStore, Peppers,
};
use bartizan_core::{DenialKind, FakeClock, Secret};
use tokio::runtime::{Builder, Runtime};

/// One key, and what is kept of it.
pub(crate) const KEY: &str = include_str!("../seeds/api_key/good");
const RECORD: &str = include_str!("../seeds/key_record/good");

/// When it is good.
pub(crate) const NOW: u64 = 1_800_000_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime")
});

static KEYS: LazyLock<ApiKeys> = LazyLock::new(|| {
    let record = serde_json::from_str(RECORD).expect("the record is fine");
    keys(record)
});

/// Keys of a store with this record alone, which remember nothing of those that are none.
pub(crate) fn keys(record: KeyRecord) -> ApiKeys {
    let form = KeyForm::new("acme", ["live", "test"]).expect("the form is fine");
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).expect("the pepper is fine");
    let store = MemoryStore::new();
    // Of a version that no store takes as new it is no key at all.
    let _ = block_on(store.insert(record));
    let mut config = ApiKeyConfig::default();
    config.refused_age_seconds = 0;
    config.new_keys_per_minute = 1_000_000;
    let clock = FakeClock::at(std::time::Duration::from_secs(NOW));
    let keys = ApiKeys::builder(form, peppers, store)
        .config(config)
        .clock(clock);
    keys.build().expect("the settings are fine")
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// An arbitrary text as a key.
///
/// One text is good, and no other. What has not the form of a key by a naive reading is told so without a question,
/// and what has it is asked about.
pub fn api_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let verdict = block_on(KEYS.verifier().verify(&text, None));
    if text == KEY {
        let who = verdict.expect("the key is good");
        assert_eq!(who.subject(), "ci");
        return;
    }
    let denial = verdict.expect_err("a second text for a key");
    if text.split('_').count() > 4 {
        // The form of a child, which another target is about.
        return;
    }
    let reason = denial.reason();
    if denial.kind() == DenialKind::Unavailable {
        // Looked up too often, which takes a form.
        assert!(is_formed(&text), "{reason}");
        return;
    }
    assert_eq!(denial.kind(), DenialKind::CredentialsInvalid, "{reason}");
    let asked = [
        "there is no such key",
        "the key's secret is wrong",
        "the key is of another environment",
    ];
    assert_eq!(asked.contains(&reason), is_formed(&text), "{reason}");
}

/// By hand, one letter and one bit at a time.
fn is_formed(text: &str) -> bool {
    let begins = ["acme_live_", "acme_test_"]
        .iter()
        .find(|begin| text.starts_with(**begin));
    let Some(rest) = begins.map(|begin| text[begin.len()..].as_bytes()) else {
        return false;
    };
    if rest.len() != 16 + 1 + 52 + 7 || rest[16] != b'_' {
        return false;
    }
    let before = text.len() - 7;
    let parts = [&rest[..16], &rest[17..69], &rest[69..]].map(bits);
    let [Some(id), Some(secret), Some(checksum)] = parts else {
        return false;
    };
    let is_whole = |bits: &[bool], length: usize| bits[length..].iter().all(|bit| !bit);
    let expected = checksum[..32]
        .iter()
        .fold(0, |sum, bit| sum << 1 | u32::from(*bit));
    is_whole(&id, 80)
        && is_whole(&secret, 256)
        && is_whole(&checksum, 32)
        && crc_32(&text.as_bytes()[..before]) == expected
}

fn bits(letters: &[u8]) -> Option<Vec<bool>> {
    let mut bits = Vec::new();
    for letter in letters {
        let value = match letter {
            b'a'..=b'z' => letter - b'a',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits.extend((0..5).rev().map(|bit| value >> bit & 1 == 1));
    }
    Some(bits)
}

fn crc_32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let is_odd = sum & 1 == 1;
            sum >>= 1;
            if is_odd {
                sum ^= 0xedb8_8320;
            }
        }
    }
    !sum
}

/// The id of the key.
pub(crate) fn id() -> KeyId {
    KEY[10..26].parse().expect("the id is fine")
}
