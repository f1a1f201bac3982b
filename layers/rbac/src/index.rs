use std::{cmp::Ordering, collections::HashMap};

use bartizan_core::names::{Glob, Pattern};
use foldhash::quality::RandomState;

/// The rules of one kind of name: exact names by hash, globs by what all their matches begin with,
/// or else end with.
#[derive(Debug)]
pub(crate) struct Index {
    exact: HashMap<Box<str>, Vec<usize>, RandomState>,
    prefixes: Affixes,
    suffixes: Affixes,
}

/// Globs by what stands at one end of all their matches.
#[derive(Debug)]
struct Affixes {
    end: End,
    /// Ordered as read from the end, so that all affixes of a name are the last one not after it
    /// and some of that one's parents.
    affixes: Vec<Affix>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Front,
    Back,
}

#[derive(Debug)]
struct Affix {
    text: Box<str>,
    /// The longest other affix that this one has.
    parent: Option<usize>,
    /// `None` where all that has the affix matches.
    globs: Vec<(Option<Glob>, usize)>,
}

impl Index {
    pub(crate) fn new(patterns: impl IntoIterator<Item = (Pattern, usize)>) -> Self {
        let mut exact = HashMap::<_, Vec<_>, _>::default();
        let (mut front, mut back) = (Vec::new(), Vec::new());
        for (pattern, rule) in patterns {
            match pattern {
                Pattern::Exact(name) => exact.entry(name).or_default().push(rule),
                Pattern::Glob(glob) if glob.prefix().is_empty() => back.push((glob, rule)),
                Pattern::Glob(glob) => front.push((glob, rule)),
            }
        }
        Self {
            exact,
            prefixes: Affixes::new(End::Front, front),
            suffixes: Affixes::new(End::Back, back),
        }
    }

    /// Each rule whose pattern matches the name, once.
    pub(crate) fn each(&self, name: &str, mut found: impl FnMut(usize)) {
        for rule in self.exact.get(name).into_iter().flatten() {
            found(*rule);
        }
        let some = [&self.prefixes, &self.suffixes].into_iter();
        for affixes in some.filter(|affixes| !affixes.affixes.is_empty()) {
            for (_, affix) in affixes.chain(name) {
                for (glob, rule) in &affix.globs {
                    if glob.as_ref().is_none_or(|glob| glob.matches(name)) {
                        found(*rule);
                    }
                }
            }
        }
    }
}

impl Affixes {
    fn new(end: End, mut globs: Vec<(Glob, usize)>) -> Self {
        let mut built = Self {
            end,
            affixes: Vec::new(),
        };
        globs.sort_by(|(a, _), (b, _)| end.compare(end.of(a), end.of(b)));
        for (glob, rule) in globs {
            let text = Box::from(end.of(&glob));
            let found = ((!end.is_all_of(&glob)).then_some(glob), rule);
            match built.affixes.last_mut() {
                Some(last) if last.text == text => last.globs.push(found),
                _ => {
                    let parent = built.chain(&text).next().map(|(place, _)| place);
                    built.affixes.push(Affix {
                        text,
                        parent,
                        globs: vec![found],
                    });
                }
            }
        }
        built
    }

    /// The affixes that the name has, longest first.
    fn chain<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a Affix)> {
        // Whatever stands between an affix of the name and the name has that affix too.
        let not_after = |affix: &Affix| self.end.compare(&affix.text, name).is_le();
        let mut next = self.affixes.partition_point(not_after).checked_sub(1);
        let chain = std::iter::from_fn(move || {
            let place = next?;
            let affix = self.affixes.get(place)?;
            next = affix.parent;
            Some((place, affix))
        });
        chain.filter(move |(_, affix)| self.end.has(name, &affix.text))
    }
}

impl End {
    fn of(self, glob: &Glob) -> &str {
        match self {
            Self::Front => glob.prefix(),
            Self::Back => glob.suffix(),
        }
    }

    /// Whether a glob matches whatever begins, or ends, as all its matches do.
    fn is_all_of(self, glob: &Glob) -> bool {
        let other = match self {
            Self::Front => glob.suffix(),
            Self::Back => glob.prefix(),
        };
        other.is_empty() && glob.is_one_run()
    }

    fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Front => a.cmp(b),
            Self::Back => a.bytes().rev().cmp(b.bytes().rev()),
        }
    }

    fn has(self, name: &str, affix: &str) -> bool {
        match self {
            Self::Front => name.starts_with(affix),
            Self::Back => name.ends_with(affix),
        }
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::names::Shape;
    use proptest::prelude::*;

    use super::*;

    fn found(index: &Index, name: &str) -> Vec<usize> {
        let mut rules = Vec::new();
        index.each(name, |rule| rules.push(rule));
        rules.sort_unstable();
        rules
    }

    #[test]
    fn nested_prefixes_and_suffixes_are_all_found() {
        let texts = [
            "*", "a*", "ab*", "abc", "abd*", "b*", "ab*c", "*c", "*bc", "*dc", "*b*c",
        ];
        let patterns = texts.iter().enumerate();
        let index =
            Index::new(patterns.map(|(i, text)| (Pattern::parse(text, Shape::Flat).unwrap(), i)));
        assert_eq!(found(&index, "abc"), [0, 1, 2, 3, 6, 7, 8, 10]);
        assert_eq!(found(&index, "abdc"), [0, 1, 2, 4, 6, 7, 9, 10]);
        assert_eq!(found(&index, "aa"), [0, 1]);
        assert_eq!(found(&index, "c"), [0, 7]);
        assert_eq!(found(&index, ""), [0]);
    }

    #[test]
    fn resource_globs_without_a_beginning_are_found_by_their_end() {
        let texts = [
            "**",
            "**/key.pem",
            "**/*.pem",
            "**/a/**",
            "*",
            "**/a/*",
            "*/b",
        ];
        let patterns = texts.iter().enumerate();
        let index =
            Index::new(patterns.map(|(i, text)| (Pattern::parse(text, Shape::Uri).unwrap(), i)));
        assert_eq!(found(&index, "x://h/a/key.pem"), [0, 1, 2, 3, 5]);
        assert_eq!(found(&index, "x://h/a"), [0, 3]);
        assert_eq!(found(&index, "x://h/b.pem"), [0, 2]);
        assert_eq!(found(&index, "key.pem"), [0, 1, 2, 4]);
        assert_eq!(found(&index, "urn:x"), [0, 4]);
        assert_eq!(found(&index, "urn:x/b"), [0, 6]);
    }

    proptest! {
        #[test]
        fn the_index_finds_what_trying_every_pattern_finds(
            texts in prop::collection::vec("[abé]{0,2}(\\*[abé]{0,2}){0,2}", 1..24),
            names in prop::collection::vec("[abéc]{0,6}", 1..24),
        ) {
            let texts: Vec<_> = texts.iter().filter(|t| !t.is_empty() && !t.contains("**")).collect();
            let parsed = texts.iter().map(|text| Pattern::parse(text, Shape::Flat).unwrap());
            let patterns: Vec<_> = parsed.collect();
            let index = Index::new(patterns.iter().cloned().zip(0..));
            for name in names {
                let tried = patterns.iter().enumerate().filter(|(_, p)| p.matches(&name));
                let tried: Vec<_> = tried.map(|(rule, _)| rule).collect();
                prop_assert_eq!(found(&index, &name), tried, "{}", name);
            }
        }
    }
}
