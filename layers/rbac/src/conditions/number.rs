use std::{
    cmp::Ordering,
    fmt,
    ops::{RangeFrom, RangeInclusive, RangeToInclusive},
};

use super::decimal::Decimal;

/// A bound of [`Argument::between`](crate::Argument::between): what integers and floats are made into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(pub(crate) Box<str>);

/// The bounds of [`Argument::between`](crate::Argument::between), which are within.
///
/// There are none that are not: a server that rounds would read the bound itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRange {
    pub(crate) least: Option<Number>,
    pub(crate) most: Option<Number>,
}

macro_rules! numbers {
    ($($integer:ty)*) => {
        $(
            impl From<$integer> for Number {
                fn from(value: $integer) -> Self {
                    Self(value.to_string().into())
                }
            }
        )*
    };
}

numbers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl From<f64> for Number {
    /// As it is written shortest: 0.1 is one tenth.
    fn from(value: f64) -> Self {
        // There is one zero.
        let value = if value == 0.0 { 0.0 } else { value };
        Self(value.to_string().into())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<N: Into<Number>> From<RangeInclusive<N>> for NumberRange {
    fn from(range: RangeInclusive<N>) -> Self {
        let (least, most) = range.into_inner();
        Self {
            least: Some(least.into()),
            most: Some(most.into()),
        }
    }
}

impl<N: Into<Number>> From<RangeFrom<N>> for NumberRange {
    fn from(range: RangeFrom<N>) -> Self {
        Self {
            least: Some(range.start.into()),
            most: None,
        }
    }
}

impl<N: Into<Number>> From<RangeToInclusive<N>> for NumberRange {
    fn from(range: RangeToInclusive<N>) -> Self {
        Self {
            least: None,
            most: Some(range.end.into()),
        }
    }
}

impl NumberRange {
    /// Whether JSON text is a number within it.
    pub(super) fn holds(&self, text: &str) -> bool {
        let Some(value) = Decimal::parse(text) else {
            return false;
        };
        // A server that reads doubles reads infinity, or nothing.
        if !text.parse().is_ok_and(f64::is_finite) {
            return false;
        }
        let compare = |bound: &Number| Decimal::parse(&bound.0).map(|bound| value.compare(&bound));
        let not_below = |least| compare(least).is_some_and(Ordering::is_ge);
        let not_above = |most| compare(most).is_some_and(Ordering::is_le);
        self.least.as_ref().is_none_or(not_below) && self.most.as_ref().is_none_or(not_above)
    }

    /// Why it holds of no number, or of every one.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_number = |bound: &Number| {
            Decimal::parse(&bound.0).is_some() && bound.0.parse().is_ok_and(f64::is_finite)
        };
        match (&self.least, &self.most) {
            (None, None) => Err("has no bound"),
            _ if !self.least.iter().chain(&self.most).all(is_number) => {
                Err("has a bound that is no number")
            }
            (Some(least), Some(_)) if !self.holds(&least.0) => {
                Err("has a least that is above its most, so no number is within")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(range: impl Into<NumberRange>, text: &str) -> bool {
        let range = range.into();
        assert_eq!(range.check(), Ok(()));
        range.holds(text)
    }

    #[test]
    fn numbers_are_compared_as_they_are_written_and_not_rounded() {
        for (text, expected) in [
            ("1", true),
            ("1000", true),
            ("1e3", true),
            ("1E+3", true),
            ("1000.0", true),
            ("1000.000e0", true),
            ("0.001e6", true),
            ("100000000000000000000e-17", true),
            ("999.99999999999999999999", true),
            ("1000.0000000000001", false),
            ("1000.00000000000000000000000000001", false),
            ("1001", false),
            ("1e400", false),
            ("1e99999999999999999999999999", false),
            ("0.9999999999999999999999", false),
            ("1e-99999999999999999999999999", false),
            ("0", false),
            ("-1", false),
            ("-1e3", false),
            ("+1", false),
            ("01", false),
            ("1.", false),
            (".5e1", false),
            ("1e", false),
            ("1e+", false),
            ("0x10", false),
            ("1_0", false),
            ("NaN", false),
            ("Infinity", false),
            ("", false),
            ("-", false),
            (" 1", false),
            ("\u{661}", false),
        ] {
            assert_eq!(within(1..=1000, text), expected, "{text}");
        }
    }

    #[test]
    fn integers_beyond_doubles_zeros_and_negatives_are_exact() {
        let large = 9_007_199_254_740_992_i64;
        assert!(within(..=large, "9007199254740992"));
        assert!(!within(..=large, "9007199254740993"));
        assert!(within(u64::MAX..=u64::MAX, "18446744073709551615"));
        assert!(!within(u64::MAX..=u64::MAX, "18446744073709551616"));
        for zero in ["0", "-0", "0.0", "-0.00e5", "0e999999999999999999999"] {
            assert!(within(0..=0, zero) && within(-0.0..=0.0, zero), "{zero}");
        }
        assert!(within(-5..=-1, "-1") && within(-5..=-1, "-5.0"));
        assert!(!within(-5..=-1, "-0.5") && !within(-5..=-1, "-5.01"));
        assert!(within(0.1..=0.1, "0.1") && !within(..=0.1, "0.10000000000000000001"));
        assert!(within(1e300.., "1e300") && !within(0.., "1e400"));
    }

    #[test]
    fn a_range_of_no_number_is_an_error() {
        for range in [
            NumberRange::from(2.5..=1.0),
            NumberRange::from(f64::NAN..),
            NumberRange::from(..=f64::INFINITY),
            NumberRange {
                least: None,
                most: None,
            },
        ] {
            assert!(range.check().is_err(), "{range:?}");
        }
    }
}
