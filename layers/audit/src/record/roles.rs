use bartizan_core::Principal;

use super::Text;

/// Roles that a record names.
const MAX_ROLES: usize = 12;
const MAX_ROLE: usize = 48;

/// The roles of who called, as the credential names them.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a>(Option<&'a Principal>);

impl<'a> Roles<'a> {
    pub(crate) fn of(principal: Option<&'a Principal>) -> Self {
        Self(principal.filter(|principal| !principal.is_anonymous()))
    }

    /// Whether somebody called, be it without roles. Otherwise the field is `null`.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The first twelve.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let roles = self.0.into_iter().flat_map(Principal::roles);
        roles.take(MAX_ROLES).map(|role| Text::new(role, MAX_ROLE))
    }

    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let Some(principal) = self.0 else {
            out.extend_from_slice(b"null");
            return;
        };
        out.push(b'[');
        for (index, role) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            role.write_json(out);
        }
        if principal.roles().len() > MAX_ROLES {
            out.extend_from_slice(b",\"\\u2026\"");
        }
        out.push(b']');
    }
}
