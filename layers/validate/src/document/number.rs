/// A number as a tool reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// An integer that is not negative.
    Unsigned(u64),
    /// A negative integer.
    Negative(i64),
    /// With a fraction or an exponent, and `-0`; finite.
    Float(f64),
}

/// The greatest integer that every reader takes for the same (I-JSON, RFC 7493 §2.2).
pub(crate) const SAFE: u64 = (1 << 53) - 1;

/// Why readers would not agree on a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Beyond what floating point of 64 bits holds.
    Infinite,
    /// An integer beyond 64 bits.
    Long,
}

impl Number {
    /// Reads a number of JSON's grammar.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let is_float = text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        if !is_float {
            // Some read `-0` as an integer, and some keep the sign.
            let integer = match text.strip_prefix('-') {
                None => text.parse().map(Self::Unsigned),
                Some("0") => Ok(Self::Float(-0.0)),
                Some(_) => text.parse().map(Self::Negative),
            };
            return integer.map_err(|_| Unreadable::Long);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self::Float(value)),
            _ => Err(Unreadable::Infinite),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "this is that reading")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Negative(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    pub(crate) fn to_serde(self) -> serde_json::Number {
        match self {
            Self::Unsigned(value) => value.into(),
            Self::Negative(value) => value.into(),
            // It is finite.
            Self::Float(value) => serde_json::Number::from_f64(value).unwrap_or_else(|| 0.into()),
        }
    }

    /// Whether it is no integer that floating point rounds.
    pub(super) fn is_safe(self) -> bool {
        match self {
            Self::Unsigned(value) => value <= SAFE,
            Self::Negative(value) => value.unsigned_abs() <= SAFE,
            #[expect(clippy::cast_precision_loss, reason = "it is exact")]
            Self::Float(value) => value.fract() != 0.0 || value.abs() <= SAFE as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iv_12_numbers_are_what_readers_of_64_bits_take_them_for() {
        for (text, number) in [
            ("0", Number::Unsigned(0)),
            ("18446744073709551615", Number::Unsigned(u64::MAX)),
            ("-9223372036854775808", Number::Negative(i64::MIN)),
            ("9007199254740993", Number::Unsigned((1 << 53) + 1)),
            ("-0", Number::Float(-0.0)),
            ("1.0", Number::Float(1.0)),
            ("1e2", Number::Float(100.0)),
            ("1e-400", Number::Float(0.0)),
        ] {
            assert_eq!(Number::read(text), Ok(number), "{text}");
        }
        for (text, why) in [
            ("1e400", Unreadable::Infinite),
            ("-1e400", Unreadable::Infinite),
            ("18446744073709551616", Unreadable::Long),
            ("-9223372036854775809", Unreadable::Long),
        ] {
            assert_eq!(Number::read(text), Err(why), "{text}");
        }
    }

    #[test]
    fn what_floating_point_rounds_is_not_safe() {
        for (text, is_safe) in [
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740992", false),
            ("9007199254740992.0", false),
            ("0.1", true),
            ("1e300", false),
        ] {
            assert_eq!(Number::read(text).unwrap().is_safe(), is_safe, "{text}");
        }
    }
}
