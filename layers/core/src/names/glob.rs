use super::Shape;

/// A pattern with stars.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    shape: Shape,
    prefix: Box<str>,
    suffix: Box<str>,
    /// The usual `prefix/**`, which needs no search.
    is_below: bool,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    /// `**`: any number of segments, none included.
    Deep,
    /// Text with a star between each two pieces.
    Text(Box<[Box<str>]>),
}

impl Glob {
    /// `before` and `after` are what stands around the first star of `text`.
    pub(super) fn new(text: &str, before: &str, after: &str, shape: Shape) -> Self {
        // `a/**` matches `a` too, so the slash is not part of what all matches begin with.
        let prefix = match after.strip_prefix('*') {
            Some(_) => before.strip_suffix('/').unwrap_or(before),
            None => before,
        };
        let suffix = match text.rsplit_once('*') {
            Some((before, after)) if before.ends_with('*') => {
                after.strip_prefix('/').unwrap_or(after)
            }
            Some((_, after)) => after,
            None => "",
        };
        let segment = |text: &str| match text {
            "**" => Segment::Deep,
            _ => Segment::Text(text.split('*').map(Box::from).collect()),
        };
        let segments = match shape {
            Shape::Flat => [segment(text)].into(),
            Shape::Uri => text.split('/').map(segment).collect(),
        };
        Self {
            shape,
            prefix: prefix.into(),
            suffix: suffix.into(),
            is_below: after == "*" && before.ends_with('/'),
            segments,
        }
    }

    /// Whether it is `*` of names or `**` of URIs, which all names match.
    pub fn is_all(&self) -> bool {
        match (self.shape, &*self.segments) {
            (Shape::Uri, [Segment::Deep]) => true,
            (Shape::Flat, [Segment::Text(pieces)]) => {
                pieces.len() > 1 && pieces.iter().all(|piece| piece.is_empty())
            }
            _ => false,
        }
    }

    /// Whether it means every name that [begins](Self::prefix) and [ends](Self::suffix) as all do that it means, if
    /// these do not overlap: one star, of names.
    pub fn is_one_run(&self) -> bool {
        let is_flat = self.shape == Shape::Flat && !self.is_below;
        is_flat && matches!(&*self.segments, [Segment::Text(pieces)] if pieces.len() == 2)
    }

    /// What every name begins with that this matches.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What every name ends with that this matches.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// Whether it means this name.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_below {
            let rest = name.strip_prefix(&*self.prefix);
            return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        }
        match (self.shape, &*self.segments) {
            (Shape::Flat, [Segment::Text(pieces)]) => text_matches(pieces, name),
            _ => path_matches(&self.segments, name),
        }
    }
}

/// Whether the pieces stand in the text in their order, the first at its start and the last at its
/// end. The leftmost place of each is as good as any other.
fn text_matches(pieces: &[Box<str>], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|piece| **piece == *text);
    };
    let inner = text.strip_prefix(&**first);
    let Some(mut rest) = inner.and_then(|rest| rest.strip_suffix(&**last)) else {
        return false;
    };
    middle.iter().all(|piece| {
        let after = rest.split_once(&**piece).map(|(_, after)| after);
        rest = after.unwrap_or_default();
        after.is_some()
    })
}

/// The same for segments, `**` in the place of the star. Only the last `**` that was passed need
/// be tried again, so this is at most quadratic.
fn path_matches(segments: &[Segment], name: &str) -> bool {
    let mut rest = name.split('/');
    let mut wanted = segments;
    let mut again = None;
    loop {
        match wanted.split_first() {
            Some((Segment::Deep, after)) => {
                again = Some((after, rest.clone()));
                wanted = after;
                continue;
            }
            Some((Segment::Text(pieces), after)) => match rest.next() {
                Some(text) if text_matches(pieces, text) => {
                    wanted = after;
                    continue;
                }
                Some(_) => {}
                None => return false,
            },
            None if rest.next().is_none() => return true,
            None => {}
        }
        let Some((after, from)) = &mut again else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        wanted = after;
        rest = from.clone();
    }
}
