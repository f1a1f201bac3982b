use super::{
    Refused, SafePath,
    characters::hidden,
    read::{FromText, text_type},
};

/// An argument for another program that is an operand and nothing else.
///
/// It does not begin with a dash, nor with what passes for one once a program has folded it, since it would be an
/// option: `--output=/etc/cron.d/x`, `-oProxyCommand=…`. Nor does it begin with `@`, for which many programs read a file of
/// arguments. It has no control character, NUL and line breaks included, and is not empty; at most 4096 bytes. What is
/// special to a shell is not, where there is none: `SafeCommand` (feature `command`).
///
/// ```
/// use bartizan_validate::safe::{SafeArg, SafePath};
///
/// assert!("fix: it's $5; rm -rf /".parse::<SafeArg>().is_ok()); // one operand, whatever it says
/// for no in ["--output=x", "-rf", "-", "—rf", "@/etc/passwd", "a\nb", ""] {
///     assert!(no.parse::<SafeArg>().is_err(), "{no}");
/// }
///
/// // A file may be called so, and its path is no option.
/// let file = SafePath::new("-rf").unwrap();
/// assert_eq!(SafeArg::from(&file).as_str(), "./-rf");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeArg {
    text: Box<str>,
}

impl SafeArg {
    /// The longest, in bytes.
    pub const MAX: usize = 4096;

    /// The argument, if the text is one.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }
}

/// From the current directory of the program on: `./reports/a.csv`.
impl From<&SafePath> for SafeArg {
    fn from(path: &SafePath) -> Self {
        Self {
            text: format!("./{path}").into(),
        }
    }
}

impl From<u64> for SafeArg {
    fn from(number: u64) -> Self {
        Self {
            text: number.to_string().into(),
        }
    }
}

impl FromText for SafeArg {
    const WHAT: &'static str = "argument";

    fn from_text(text: &str) -> Result<Self, Refused> {
        let refuse = |rule| Err(Refused::new(Self::WHAT, rule));
        if text.len() > Self::MAX {
            return refuse("is too long");
        }
        match text.chars().next() {
            None => return refuse("is empty"),
            Some(first) if is_dash(first) => {
                return refuse("begins with a dash, as an option does");
            }
            Some('@' | '\u{FE6B}' | '\u{FF20}') => {
                return refuse("begins with `@`, as a file of arguments does");
            }
            Some(_) => {}
        }
        match text.chars().find_map(hidden) {
            Some(rule) => refuse(rule),
            None => Ok(Self { text: text.into() }),
        }
    }
}

/// Whether it is a dash, or some conversion between character sets makes one of it.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{AD}' | '\u{58A}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{207B}'
                | '\u{208B}'
                | '\u{2212}'
                | '\u{2796}'
                | '\u{2E3A}'
                | '\u{2E3B}'
                | '\u{FE31}'
                | '\u{FE32}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
    )
}

text_type! {
    [] SafeArg, "SafeArg",
    schema: {
        "minLength": 1,
        "maxLength": SafeArg::MAX,
        "pattern": concat!(
            r"^[^\u0000-\u001F@\-\u058A\u2010-\u2015\u2043\u207B\u208B\u2212\u2796\u2E3A\u2E3B\uFE31\uFE32\uFE58\uFE63\uFE6B\uFF0D\uFF20",
            super::characters::hidden_class!(),
            r"][^\u0000-\u001F", super::characters::hidden_class!(), r"]*$",
        ),
    }
}
