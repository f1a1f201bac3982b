use bartizan_core::{
    Principal,
    call::Tokens,
    names::{Pattern, uri},
};

use super::{
    Attribute, NumberRange,
    read::{Name, member},
    text,
};
use crate::lists::json::{Broken, array};

/// What must be of one argument, checked and ready to be asked.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The argument's name.
    pub(super) name: Name,
    /// Those of members of objects inside it.
    pub(super) path: Box<[Name]>,
    pub(super) each: Option<Box<[Name]>>,
    pub(super) or_absent: bool,
    pub(super) test: Check,
}

#[derive(Debug)]
pub(super) enum Check {
    Is(Attribute),
    OneOf {
        /// In order.
        texts: Box<[Box<str>]>,
        is_true: bool,
        is_false: bool,
    },
    Between(NumberRange),
    StartsWith(Box<str>),
    Matches(Pattern),
    Within(Box<str>),
    MatchesUri(Pattern),
    AtMostItems(usize),
}

impl Leaf {
    /// Whether it holds of the argument's value. What is broken or doubtful on the way does not.
    pub(super) fn holds(&self, value: &str, principal: &Principal) -> bool {
        self.holds_of(value, principal).unwrap_or(false)
    }

    /// Whether it may hold for this principal, of whatever arguments.
    pub(super) fn may_hold(&self, principal: &Principal) -> bool {
        match self.test {
            Check::Is(attribute) => self.or_absent || attribute.of(principal).is_some(),
            _ => true,
        }
    }

    /// Whether nobody in particular could ever satisfy it.
    pub(super) fn needs_somebody(&self) -> bool {
        self.is_of_somebody() && !self.or_absent
    }

    /// Whether it is about who asks.
    pub(super) fn is_of_somebody(&self) -> bool {
        matches!(self.test, Check::Is(_))
    }

    fn holds_of(&self, argument: &str, principal: &Principal) -> Result<bool, Broken> {
        let Some(found) = descend(argument, &self.path)? else {
            return Ok(self.or_absent);
        };
        let Some(inner) = &self.each else {
            return self.test.holds(found, principal);
        };
        let (mut count, mut all) = (0_usize, true);
        array(&mut Tokens::of(found), |json| {
            let element = json.value()?;
            count += 1;
            all &= match descend(element, inner)? {
                Some(found) => self.test.holds(found, principal)?,
                None => self.or_absent,
            };
            if all {
                Ok(())
            } else {
                Err(Broken("has another element"))
            }
        })?;
        Ok(count > 0 || self.or_absent)
    }
}

fn descend<'j>(mut text: &'j str, path: &[Name]) -> Result<Option<&'j str>, Broken> {
    for name in path {
        match member(text, name)? {
            Some(value) => text = value,
            None => return Ok(None),
        }
    }
    Ok(Some(text))
}

impl Check {
    /// Whether it holds of a value, whose JSON text this is without white space around it.
    fn holds(&self, json: &str, principal: &Principal) -> Result<bool, Broken> {
        match (self, json.as_bytes().first()) {
            (Self::OneOf { is_true, .. }, Some(b't')) => Ok(*is_true),
            (Self::OneOf { is_false, .. }, Some(b'f')) => Ok(*is_false),
            (Self::Between(range), Some(b'-' | b'0'..=b'9')) => Ok(range.holds(json)),
            (Self::AtMostItems(most), Some(b'[')) => {
                let mut count = 0_usize;
                array(&mut Tokens::of(json), |json| {
                    count += 1;
                    Ok(json.skip()?)
                })?;
                Ok(count <= *most)
            }
            (_, Some(b'"')) => {
                Ok(Tokens::of(json).string(|text| self.holds_of_text(text, principal))?)
            }
            _ => Ok(false),
        }
    }

    fn holds_of_text(&self, text: &str, principal: &Principal) -> bool {
        match self {
            Self::Is(attribute) => attribute.of(principal) == Some(text),
            Self::OneOf { texts, .. } => texts.binary_search_by(|one| (**one).cmp(text)).is_ok(),
            Self::StartsWith(prefix) => text.starts_with(&**prefix) && !text::has_dots(text),
            Self::Matches(pattern) => pattern.matches(text) && !text::has_dots(text),
            Self::Within(directory) => text::is_within(text, directory),
            Self::MatchesUri(pattern) => {
                !text.contains(['{', '}'])
                    && uri::unclear(text).is_none()
                    && pattern.matches(uri::name_of(text))
            }
            Self::Between(_) | Self::AtMostItems(_) => false,
        }
    }
}
