use std::ops::Range;

use super::fault::Fault;

/// A part of a body. The body is shorter than 4 GiB, which [`Span::fit`] has checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// A string of a body, unescaped.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// As it stands there: nothing in it is escaped.
    Plain(Span),
    Unescaped(Box<str>),
}

impl Span {
    /// Whether any part of this body has a span.
    pub(super) fn fit(body: &str) -> Result<(), Fault> {
        u32::try_from(body.len()).map_or(Err(Fault::TooLarge), |_| Ok(()))
    }

    #[inline]
    pub(super) fn of(range: &Range<usize>) -> Self {
        // Past the end of every body that fits, so that it is no part of one.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: place(range.start),
            end: place(range.end),
        }
    }

    /// The part of the body that it was made of.
    #[inline]
    pub(super) fn within(self, body: &str) -> Option<&str> {
        body.get(self.start as usize..self.end as usize)
    }
}

impl Text {
    #[inline]
    pub(super) fn within<'b>(&'b self, body: &'b str) -> &'b str {
        match self {
            Self::Plain(span) => span.within(body).unwrap_or_default(),
            Self::Unescaped(text) => text,
        }
    }

    /// Whether it has a null character, which JSON only has escaped.
    pub(super) fn has_null(&self) -> bool {
        matches!(self, Self::Unescaped(text) if text.contains('\0'))
    }
}
