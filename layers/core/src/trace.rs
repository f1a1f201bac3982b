use std::fmt;

/// Where a request stands in a distributed trace: W3C Trace Context's `traceparent`, from the header of that
/// name or from a call's `_meta`.
///
/// It is the caller's word: a name to search by, never a reason to trust.
///
/// ```
/// use bartizan_core::TraceParent;
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let trace = TraceParent::parse(text.as_bytes()).unwrap();
/// assert_eq!(trace.trace_id(), 0x0af7651916cd43dd8448eb211c80319c);
/// assert_eq!(TraceParent::parse(b"00-0-0-01"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: u128,
    span: u64,
}

impl TraceParent {
    /// Reads version 00, and of later versions what that defines (W3C Trace Context §3.2). `None` if it is
    /// anything else, or one of its ids is zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let part = |from: usize, to: usize| hex(known.get(from..to)?);
        let version = part(0, 2)?;
        let are_parted = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        let ends = rest.is_empty() || version > 0 && rest.first() == Some(&b'-');
        if version == 0xff || !are_parted || !ends {
            return None;
        }
        part(53, 55)?;
        let (trace, span) = (part(3, 35)?, u64::try_from(part(36, 52)?).ok()?);
        (trace != 0 && span != 0).then_some(Self { trace, span })
    }

    /// The trace's id.
    pub fn trace_id(self) -> u128 {
        self.trace
    }

    /// The id of the caller's span.
    pub fn parent_id(self) -> u64 {
        self.span
    }
}

/// As the header is written.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-00", self.trace, self.span)
    }
}

/// Lower case only, as the standard has it.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_traceparent_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (text, is_good) in [
            (good.to_owned(), true),
            (good.replacen("00-", "cc-", 1) + "-later", true),
            (good.to_owned() + "-later", false),
            (good.replacen("00-", "ff-", 1), false),
            (good.to_uppercase(), false),
            (
                good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
                false,
            ),
            (good.replace("b7ad6b7169203331", &"0".repeat(16)), false),
            (good.replace('-', "_"), false),
            (good.replace("-01", "-0g"), false),
            (good[..54].to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(
                TraceParent::parse(text.as_bytes()).is_some(),
                is_good,
                "{text}"
            );
        }
    }
}
