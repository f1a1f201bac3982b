/// Why a character stands in no text that people are to read and judge.
///
/// What is drawn otherwise than it is stored, or not at all, lets a text say one thing to a person
/// and another to a program or a model.
pub(crate) fn hidden(c: char) -> Option<&'static str> {
    match c {
        ' '..='~' => None,
        _ if c.is_control() => Some("has a control character"),
        '\u{2028}' | '\u{2029}' => Some("has a line separator"),
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}' => Some("has a character that changes the direction of text"),
        _ if is_ignorable(c) => Some("has a character that is not seen"),
        _ if is_noncharacter(c) => Some("has a code point that is no character"),
        _ => None,
    }
}

/// What joins the letters of some scripts, and the parts of emoji.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// What chooses one of several forms of the character before it.
pub(crate) fn is_selector(c: char) -> bool {
    matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}')
}

/// Unicode's `Default_Ignorable_Code_Point`, and fillers that are drawn as nothing. Joiners and
/// selectors are for those to judge who see what stands beside them.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180E}'
            | '\u{200B}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || code & 0xFFFE == 0xFFFE
}

/// The part of a regular expression's character class that names what [`hidden`] refuses, as far as
/// the basic plane goes: the dialects of schemas' patterns agree no further.
#[cfg(feature = "schemars")]
macro_rules! hidden_class {
    () => {
        r"\u007F-\u009F\u00AD\u034F\u061C\u115F-\u1160\u17B4-\u17B5\u180E\u200B\u200E-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFDD0-\uFDEF\uFEFF\uFFA0\uFFF0-\uFFFB\uFFFE-\uFFFF"
    };
}

#[cfg(feature = "schemars")]
pub(crate) use hidden_class;
