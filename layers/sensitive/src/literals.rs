//! What announces a sensitive value, found by one automaton over all of it.

use std::sync::LazyLock;

use aho_corasick::{
    Anchored,
    automaton::{Automaton, StateID},
    dfa::DFA,
};

use crate::keys::{FORMS, Form};

/// What may begin where one of the literals ends.
#[derive(Clone, Copy)]
pub(crate) enum Literal {
    Key(&'static Form),
    Jwt,
    /// The scheme's name and one space.
    Authorization,
    Pem,
    /// The end of a scheme, or of what a URL may begin with.
    Authority,
    At,
    /// `=` or `:`, behind a name perhaps.
    Assigns,
}

const OTHERS: &[(&str, Literal)] = &[
    ("eyJ", Literal::Jwt),
    ("bearer ", Literal::Authorization),
    ("basic ", Literal::Authorization),
    ("-----BEGIN ", Literal::Pem),
    ("://", Literal::Authority),
    ("@", Literal::At),
    ("=", Literal::Assigns),
    (":", Literal::Assigns),
];

/// The automaton, made once: a few hundred states, each a row of a table, so that a byte costs one step.
pub(crate) struct Literals {
    dfa: DFA,
    start: StateID,
    found: Vec<(Literal, usize)>,
}

static LITERALS: LazyLock<Literals> = LazyLock::new(|| {
    let keys = FORMS.iter().map(|form| (form.prefix, Literal::Key(form)));
    let all: Vec<_> = keys.chain(OTHERS.iter().copied()).collect();
    Literals::new(&all)
});

impl Literals {
    #[expect(
        clippy::expect_used,
        reason = "the literals are few and fixed, and every test builds them"
    )]
    fn new(all: &[(&'static str, Literal)]) -> Self {
        let literals = all.iter().map(|(literal, _)| literal);
        let dfa = DFA::builder()
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(literals)
            .expect("few and short literals");
        let start = dfa.start_state(Anchored::No).expect("it is not anchored");
        let found = all.iter().map(|(text, literal)| (*literal, text.len()));
        Self {
            start,
            found: found.collect(),
            dfa,
        }
    }

    pub(crate) fn get() -> &'static Self {
        &LITERALS
    }

    pub(crate) fn start(&self) -> StateID {
        self.start
    }

    #[inline]
    pub(crate) fn next(&self, state: StateID, b: u8) -> StateID {
        self.dfa.next_state(Anchored::No, state, b)
    }

    #[inline]
    pub(crate) fn is_match(&self, state: StateID) -> bool {
        self.dfa.is_special(state) && self.dfa.is_match(state)
    }

    /// The literals that end in this state, and their lengths.
    pub(crate) fn all(&self, state: StateID) -> impl Iterator<Item = (Literal, usize)> {
        let found = (0..self.dfa.match_len(state)).map(move |index| {
            let pattern = self.dfa.match_pattern(state, index);
            self.found.get(pattern.as_usize()).copied()
        });
        found.flatten()
    }
}
