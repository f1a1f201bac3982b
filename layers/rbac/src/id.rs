//! Names that nobody guesses: 128 random bits.

/// A type of ids, shown and read as 32 hexadecimal digits in lower case.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u128);

        impl $name {
            /// `None` if the system gives no randomness.
            pub(crate) fn random() -> Option<Self> {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).ok()?;
                Some(Self(u128::from_be_bytes(bytes)))
            }

            /// Reads an id as it is shown; `None` if it is none.
            pub fn parse(text: &str) -> Option<Self> {
                let legal = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                let is_id = text.len() == 32 && text.bytes().all(legal);
                let id = is_id.then(|| u128::from_str_radix(text, 16).ok());
                id.flatten().map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

pub(crate) use id;

#[cfg(test)]
mod tests {
    use crate::GrantId as Id;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_in_no_other_way() {
        let id = Id::random().unwrap();
        let shown = id.to_string();
        assert_eq!(Id::parse(&shown), Some(id));
        assert_ne!(Id::random(), Some(id));
        let seven = format!("{:0>32}", "7");
        assert_eq!(Id::parse(&seven).unwrap().to_string(), seven);
        let plus = format!("+{}", &shown[1..]);
        for bad in [
            "",
            &shown[1..],
            &format!("{shown}0"),
            &format!("{:0>32}", "A"),
            &plus,
            &format!(" {}", &shown[1..]),
        ] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }
}
