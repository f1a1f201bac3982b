use std::time::Duration;

use bartizan_core::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use siphasher::sip128::SipHasher24;

/// Nonces that this server makes of the time and a secret, and so need not remember (RFC 9449 §8).
pub(crate) struct Nonces {
    mac: SipHasher24,
}

/// For how long a nonce is good, and when the caller is given the next one.
const LIFETIME: u64 = 300;
const RENEWED_AFTER: u64 = 150;

/// How far the clock that a nonce was made by may be ahead: that of another server.
const SKEW: u64 = 5;

impl Nonces {
    /// Under a secret of 16 bytes at least, which servers that stand beside one another share; under
    /// one of its own otherwise. `None` if the system gives no randomness.
    pub(crate) fn new(secret: Option<&Secret>) -> Option<Self> {
        let mut key = [0; 16];
        match secret {
            Some(secret) => {
                let digest = super::sha256(secret.expose());
                key.copy_from_slice(digest.first_chunk::<16>()?);
            }
            None => getrandom::fill(&mut key).ok()?,
        }
        Some(Self {
            mac: SipHasher24::new_with_key(&key),
        })
    }

    /// The nonce of this time.
    pub(crate) fn issue(&self, now: Duration) -> Option<HeaderValue> {
        let time = now.as_secs().to_be_bytes();
        let mark = self.mac.hash(&time).as_u128().to_be_bytes();
        let nonce = URL_SAFE_NO_PAD.encode([&time[..], &mark[..]].concat());
        HeaderValue::try_from(nonce).ok()
    }

    /// Whether it is one of ours and still good; then whether the caller should have another one.
    pub(crate) fn judge(&self, nonce: &str, now: Duration) -> Option<bool> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()?;
        let (time, mark) = bytes.split_first_chunk::<8>()?;
        let expected = self.mac.hash(time).as_u128().to_be_bytes();
        // A caller who could tell apart how long this takes would have to guess 128 bits of a nonce
        // that lets nobody in by itself.
        if mark != expected {
            return None;
        }
        let issued = u64::from_be_bytes(*time);
        if issued > now.as_secs().saturating_add(SKEW) {
            return None;
        }
        let age = now.as_secs().saturating_sub(issued);
        (age < LIFETIME).then_some(age >= RENEWED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn at(seconds: u64) -> Duration {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn a_nonce_is_good_for_its_time_and_renewed_in_its_second_half() {
        let nonces = Nonces::new(None).unwrap();
        let nonce = nonces.issue(NOW).unwrap();
        let judge = |now| nonces.judge(nonce.to_str().unwrap(), now);
        assert_eq!(judge(NOW), Some(false));
        assert_eq!(judge(at(149)), Some(false));
        assert_eq!(judge(at(150)), Some(true));
        assert_eq!(judge(at(299)), Some(true));
        assert_eq!(judge(at(300)), None);
    }

    #[test]
    fn a_nonce_of_a_server_whose_clock_is_seconds_ahead_is_good() {
        let nonces = Nonces::new(None).unwrap();
        let nonce = nonces.issue(NOW).unwrap();
        let judge = |now| nonces.judge(nonce.to_str().unwrap(), now);
        assert_eq!(judge(NOW - Duration::from_secs(5)), Some(false));
        assert_eq!(judge(NOW - Duration::from_secs(6)), None);
        assert_eq!(judge(Duration::ZERO), None);
    }

    #[test]
    fn nonces_of_others_and_spoiled_ones_are_none() {
        let (one, other) = (Nonces::new(None).unwrap(), Nonces::new(None).unwrap());
        let nonce = one.issue(NOW).unwrap();
        let nonce = nonce.to_str().unwrap();
        assert_eq!(other.judge(nonce, NOW), None);
        for at in 0..nonce.len() {
            let mut spoiled = nonce.as_bytes().to_vec();
            spoiled[at] = if spoiled[at] == b'A' { b'B' } else { b'A' };
            let spoiled = String::from_utf8(spoiled).unwrap();
            assert_eq!(one.judge(&spoiled, NOW), None, "{spoiled}");
        }
        for text in ["", "A", "é"] {
            assert_eq!(one.judge(text, NOW), None);
        }
        let secret = Secret::from(vec![7; 32]);
        let (one, other) = (Nonces::new(Some(&secret)), Nonces::new(Some(&secret)));
        let nonce = one.unwrap().issue(NOW).unwrap();
        let judged = other.unwrap().judge(nonce.to_str().unwrap(), NOW);
        assert_eq!(
            judged,
            Some(false),
            "servers that share a secret share nonces"
        );
    }
}
