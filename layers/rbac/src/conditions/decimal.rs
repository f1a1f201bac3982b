use std::cmp::Ordering;

/// A number of JSON as it is written: `0.d₁d₂…` times ten to `power`, digits without zeros around them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    power: i64,
    whole: &'a [u8],
    fraction: &'a [u8],
}

/// Further away than any text is long, so that what is cut to it stays beyond every bound.
const FAR: i64 = 1 << 50;

impl<'a> Decimal<'a> {
    /// `None` if it is no number by RFC 8259.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix('-');
        let is_negative = unsigned.is_some();
        let unsigned = unsigned.unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (mantissa, ""),
        };
        let starts_with_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || starts_with_zero || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let mut fraction = fraction.trim_end_matches('0');
        let (mut whole, mut power) = (whole, exponent + whole.len() as i64);
        if whole == "0" {
            let significant = fraction.trim_start_matches('0');
            power = exponent - (fraction.len() - significant.len()) as i64;
            (whole, fraction) = ("", significant);
        }
        if fraction.is_empty() {
            whole = whole.trim_end_matches('0');
        }
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            is_negative: is_negative && !is_zero,
            power: if is_zero { i64::MIN } else { power },
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
        })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let magnitude = || {
            let powers = self.power.cmp(&other.power);
            powers.then_with(|| self.digits().cmp(other.digits()))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    fn digits(&self) -> impl Iterator<Item = &'a u8> {
        self.whole.iter().chain(self.fraction)
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !is_digits(digits) {
        return None;
    }
    // More digits than fit are far away too.
    let magnitude = digits
        .parse::<i64>()
        .map_or(FAR, |exponent| exponent.min(FAR));
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decimals_compare_as_integers_of_one_scale_do(
            a in -2000_i128..2000, b in -2000_i128..2000, scale in 0..4_usize, shift in -3..4_i32,
        ) {
            let written = |n: i128| {
                let digits = format!("{:0width$}", n.unsigned_abs(), width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let sign = if n < 0 { "-" } else { "" };
                let point = if fraction.is_empty() { "" } else { "." };
                let whole = whole.trim_start_matches('0');
                let whole = if whole.is_empty() { "0" } else { whole };
                format!("{sign}{whole}{point}{fraction}e{shift}")
            };
            let (one, other) = (written(a), written(b));
            let compared = Decimal::parse(&one).unwrap().compare(&Decimal::parse(&other).unwrap());
            prop_assert_eq!(compared, a.cmp(&b), "{} {}", one, other);
        }
    }
}
