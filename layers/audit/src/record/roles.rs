use bartizan_core::Principal;

use super::Text;

/// Roles that a record names.
pub(super) const MAX_ROLES: usize = 12;
const MAX_ROLE: u32 = 48;

/// The roles of who called, as the credential names them.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Nobody,
    Principal(&'a Principal),
    /// Those that are shown, and whether there are more.
    Carried(&'a [Text<'a>], bool),
}

impl<'a> Roles<'a> {
    pub(crate) fn of(principal: Option<&'a Principal>) -> Self {
        let principal = principal.filter(|principal| !principal.is_anonymous());
        Self(principal.map_or(Source::Nobody, Source::Principal))
    }

    pub(super) fn carried(shown: &'a [Text<'a>], more: bool) -> Self {
        Self(Source::Carried(shown, more))
    }

    /// Whether somebody called, be it without roles. Otherwise the field is `null`.
    pub fn is_known(&self) -> bool {
        !matches!(self.0, Source::Nobody)
    }

    /// The first twelve.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let (principal, carried) = match self.0 {
            Source::Nobody => (None, &[][..]),
            Source::Principal(principal) => (Some(principal), &[][..]),
            Source::Carried(shown, _) => (None, shown),
        };
        let roles = principal.into_iter().flat_map(Principal::roles);
        let roles = roles.take(MAX_ROLES).map(|role| Text::new(role, MAX_ROLE));
        roles.chain(carried.iter().copied())
    }

    /// Whether there are more than [`iter`](Self::iter) names.
    pub(crate) fn are_cut(&self) -> bool {
        match self.0 {
            Source::Nobody => false,
            Source::Principal(principal) => principal.roles().len() > MAX_ROLES,
            Source::Carried(_, more) => more,
        }
    }

    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        if !self.is_known() {
            out.extend_from_slice(b"null");
            return;
        }
        out.push(b'[');
        for (index, role) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            role.write_json(out);
        }
        if self.are_cut() {
            out.extend_from_slice(b",\"\\u2026\"");
        }
        out.push(b']');
    }
}
