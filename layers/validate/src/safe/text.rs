use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{
    Refused,
    characters::{hidden, is_joiner, is_selector},
    read::{FromText, text_type},
};

/// Text of at most `MAX` characters, with line breaks and tabs, that says to a program and to a
/// model what a person sees.
///
/// It has no other control character, none that changes the direction of text, none that is not
/// seen, and it is in Unicode's normal form C: so two texts that look alike compare alike, and no
/// message is hidden in tags or in a row of variation selectors. Emoji and scripts that need joiners
/// pass. What text means is not judged, nor is anything escaped: that is for the place where it is
/// put into HTML, SQL or a log. See [the guide](crate::guide::texts).
///
/// ```
/// use bartizan_validate::safe::SafeText;
///
/// let note: SafeText = "a < b, and\nc > d 👨‍👩‍👧".parse().unwrap();
/// assert_eq!(note.as_str(), "a < b, and\nc > d 👨‍👩‍👧");
///
/// // A reader sees `access granted`; the bytes say something else.
/// assert!("access \u{202E}detnarg\u{202C}".parse::<SafeText>().is_err());
/// // Invisible tags spell an instruction for a model.
/// assert!("hello\u{E0069}\u{E0067}\u{E006E}".parse::<SafeText>().is_err());
///
/// // The bound is of what is kept. A filter that escapes afterwards keeps more than it admitted.
/// assert!("four".parse::<SafeText<3>>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeText<const MAX: usize = 4096> {
    text: Box<str>,
}

/// The same on one line: a title, a name, a subject. No line break and no tab.
///
/// ```
/// use bartizan_validate::safe::SafeLine;
///
/// assert!("Reset of the staging cluster".parse::<SafeLine>().is_ok());
/// // In Python, `re.match(r"^[\w ]+$", ..)` admits this, and a log has two lines.
/// assert!("Reset\n".parse::<SafeLine>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeLine<const MAX: usize = 256> {
    text: Box<str>,
}

impl<const MAX: usize> SafeText<MAX> {
    /// The text, if it keeps the rules.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// The text in normal form C, if it then keeps the rules.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks, of length among them.
    pub fn normalized(text: &str) -> Result<Self, Refused> {
        judge_length("text", text, MAX.saturating_mul(MOST_COMPOSED))?;
        Self::from_text(&text.nfc().collect::<String>())
    }
}

impl<const MAX: usize> SafeLine<MAX> {
    /// The line, if it keeps the rules.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Refused> {
        Self::from_text(text)
    }

    /// The line in normal form C, if it then keeps the rules.
    ///
    /// # Errors
    ///
    /// With the rule that it breaks, of length among them.
    pub fn normalized(text: &str) -> Result<Self, Refused> {
        judge_length("line", text, MAX.saturating_mul(MOST_COMPOSED))?;
        Self::from_text(&text.nfc().collect::<String>())
    }
}

/// Characters that compose to one, at most.
const MOST_COMPOSED: usize = 4;

impl<const MAX: usize> FromText for SafeText<MAX> {
    const WHAT: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, Refused> {
        judge(Self::WHAT, text, MAX, &['\n', '\t'])?;
        Ok(Self { text: text.into() })
    }
}

impl<const MAX: usize> FromText for SafeLine<MAX> {
    const WHAT: &'static str = "line";

    fn from_text(text: &str) -> Result<Self, Refused> {
        judge(Self::WHAT, text, MAX, &[])?;
        Ok(Self { text: text.into() })
    }
}

fn judge_length(what: &'static str, text: &str, max: usize) -> Result<(), Refused> {
    // A text of so many bytes is not even counted, nor is one of so few.
    let is_long =
        text.len() > max && (text.len() > max.saturating_mul(4) || text.chars().nth(max).is_some());
    match is_long {
        true => Err(Refused::new(what, "is too long")),
        false => Ok(()),
    }
}

fn judge(what: &'static str, text: &str, max: usize, admitted: &[char]) -> Result<(), Refused> {
    judge_length(what, text, max)?;
    let refuse = |rule| Err(Refused::new(what, rule));
    let broken_by = |c: char| hidden(c).filter(|_| !admitted.contains(&c));
    if text.is_ascii() {
        // It joins nothing, and is in normal form.
        return match text.bytes().map(char::from).find_map(broken_by) {
            Some(rule) => refuse(rule),
            None => Ok(()),
        };
    }
    let mut before = ' ';
    for c in text.chars() {
        if let Some(rule) = broken_by(c) {
            return refuse(rule);
        }
        let is_second = |is: fn(char) -> bool| is(c) && is(before);
        if is_second(is_joiner) || is_second(is_selector) {
            return refuse("has characters in a row that are not seen");
        }
        before = c;
    }
    if !is_nfc(text) {
        return refuse("is not in Unicode's normal form C");
    }
    Ok(())
}

text_type! {
    [const MAX: usize] SafeText<MAX>, format!("SafeText{MAX}"),
    schema: {
        "maxLength": MAX,
        "pattern": concat!(r"^[^\u0000-\u0008\u000B-\u001F", super::characters::hidden_class!(), r"]*$"),
    }
}

text_type! {
    [const MAX: usize] SafeLine<MAX>, format!("SafeLine{MAX}"),
    schema: {
        "maxLength": MAX,
        "pattern": concat!(r"^[^\u0000-\u001F", super::characters::hidden_class!(), r"]*$"),
    }
}
