use std::mem;

use bartizan_core::{Decided, Principal};

use super::Text;

/// Names in a list that a record shows at most.
pub(super) const MOST_ROLES: usize = 12;
pub(super) const MOST_SCOPES: usize = 16;
pub(super) const MOST_ACTORS: usize = 4;
pub(super) const MOST_RULES: usize = Decided::MAX_RULES;

/// What each of them takes at most.
const MAX_ROLE: u32 = 48;
const MAX_SCOPE: u32 = 64;
const MAX_RULE: u32 = 64;
const MAX_ACTOR: u32 = 64;

/// A list of names: roles, scopes, rules.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Nobody,
    Roles(&'a Principal),
    Scopes(&'a Principal),
    Rules(&'a Decided),
    Actors(&'a Principal),
    /// Those that are shown, and whether there are more.
    Carried(&'a [Text<'a>], bool),
}

impl<'a> Names<'a> {
    pub(crate) fn nobodys() -> Self {
        Self(Source::Nobody)
    }

    /// The roles of who called, as the credential names them.
    pub(crate) fn roles_of(principal: Option<&'a Principal>) -> Self {
        Self(somebody(principal).map_or(Source::Nobody, Source::Roles))
    }

    /// The scopes of the credential.
    pub(crate) fn scopes_of(principal: Option<&'a Principal>) -> Self {
        Self(somebody(principal).map_or(Source::Nobody, Source::Scopes))
    }

    pub(crate) fn rules_of(decided: &'a Decided) -> Self {
        Self(Source::Rules(decided))
    }

    /// Who acts for the subject; nobody's if it acts itself.
    pub(crate) fn actors_of(principal: &'a Principal) -> Self {
        let is_delegated = principal.actors().len() > 0;
        Self(if is_delegated {
            Source::Actors(principal)
        } else {
            Source::Nobody
        })
    }

    pub(super) fn carried(shown: &'a [Text<'a>], more: bool) -> Self {
        Self(Source::Carried(shown, more))
    }

    /// Whether there is somebody whose names these are, be they none. Otherwise the field is `null`.
    pub fn is_known(&self) -> bool {
        !matches!(self.0, Source::Nobody)
    }

    /// The first ones: twelve roles, sixteen scopes, four rules, four actors.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let (mut roles, mut scopes, mut rules) = (None, None, None);
        let (mut actors, mut carried) = (None, None);
        match self.0 {
            Source::Nobody => {}
            Source::Roles(principal) => roles = Some(principal.roles().take(MOST_ROLES)),
            Source::Scopes(principal) => scopes = Some(principal.scopes().take(MOST_SCOPES)),
            Source::Rules(decided) => rules = Some(decided.rules()),
            Source::Actors(principal) => actors = Some(principal.actors().take(MOST_ACTORS)),
            Source::Carried(shown, _) => carried = Some(shown.iter().copied()),
        }
        let text = |limit| move |name| Text::new(name, limit);
        let roles = roles.into_iter().flatten().map(text(MAX_ROLE));
        let scopes = scopes.into_iter().flatten().map(text(MAX_SCOPE));
        let rules = rules.into_iter().flatten().map(text(MAX_RULE));
        let actors = actors.into_iter().flatten().map(text(MAX_ACTOR));
        let carried = carried.into_iter().flatten();
        let named = roles.chain(scopes).chain(rules).chain(actors);
        named.chain(carried)
    }

    /// Calls for each of those that [`iter`](Self::iter) names: with one loop instead of a chain of five.
    pub(super) fn each(&self, take: impl FnMut(Text<'a>)) {
        let text = |limit| move |name| Text::new(name, limit);
        match self.0 {
            Source::Nobody => {}
            Source::Roles(principal) => {
                let roles = principal.roles().take(MOST_ROLES);
                roles.map(text(MAX_ROLE)).for_each(take);
            }
            Source::Scopes(principal) => {
                let scopes = principal.scopes().take(MOST_SCOPES);
                scopes.map(text(MAX_SCOPE)).for_each(take);
            }
            Source::Rules(decided) => decided.rules().map(text(MAX_RULE)).for_each(take),
            Source::Actors(principal) => {
                let actors = principal.actors().take(MOST_ACTORS);
                actors.map(text(MAX_ACTOR)).for_each(take);
            }
            Source::Carried(shown, _) => shown.iter().copied().for_each(take),
        }
    }

    /// Whether there are more than [`iter`](Self::iter) names.
    pub(crate) fn are_cut(&self) -> bool {
        match self.0 {
            Source::Nobody => false,
            Source::Roles(principal) => principal.roles().len() > MOST_ROLES,
            Source::Scopes(principal) => principal.scopes().len() > MOST_SCOPES,
            Source::Rules(decided) => decided.has_more_rules(),
            Source::Actors(principal) => principal.actors().len() > MOST_ACTORS,
            Source::Carried(_, more) => more,
        }
    }

    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        if !self.is_known() {
            out.extend_from_slice(b"null");
            return;
        }
        out.push(b'[');
        let mut is_first = true;
        self.each(|name| {
            if !mem::take(&mut is_first) {
                out.push(b',');
            }
            name.write_json(out);
        });
        if self.are_cut() {
            out.extend_from_slice(b",\"\\u2026\"");
        }
        out.push(b']');
    }
}

fn somebody(principal: Option<&Principal>) -> Option<&Principal> {
    principal.filter(|principal| !principal.is_anonymous())
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self::nobodys()
    }
}
