use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};

/// The header fields that carry credentials.
#[derive(Debug, Clone)]
pub(super) struct CredentialFields {
    names: Vec<HeaderName>,
    /// A bit for each length that a name has; most fields of a request are told apart by it.
    lengths: u64,
}

impl Default for CredentialFields {
    /// `Authorization`, and those that carry one by wide convention: whoever sends one is not
    /// anonymous.
    fn default() -> Self {
        let mut fields = Self {
            names: Vec::new(),
            lengths: 0,
        };
        fields.add(&[
            AUTHORIZATION,
            PROXY_AUTHORIZATION,
            HeaderName::from_static("dpop"),
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("api-key"),
        ]);
        fields
    }
}

impl CredentialFields {
    pub(super) fn add(&mut self, names: &[HeaderName]) {
        for name in names {
            self.lengths |= length_bit(name);
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
    }

    /// Marks them as sensitive, so that no `Debug` of the headers shows them.
    pub(super) fn hide(&self, headers: &mut HeaderMap) {
        for (name, value) in headers {
            if self.lengths & length_bit(name) != 0 && self.names.contains(name) {
                value.set_sensitive(true);
            }
        }
    }

    /// Whether there is one besides `Authorization`.
    pub(super) fn are_elsewhere(&self, headers: &HeaderMap) -> bool {
        let mut others = self.names.iter().filter(|name| **name != AUTHORIZATION);
        others.any(|name| headers.contains_key(name))
    }

    /// Takes them off. They were hidden before, and hardly anything else is sensitive: once no
    /// sensitive value remains, there is nothing left to look for.
    pub(super) fn remove(&self, headers: &mut HeaderMap) {
        for name in &self.names {
            headers.remove(name);
            if !headers.values().any(|value| value.is_sensitive()) {
                return;
            }
        }
    }
}

fn length_bit(name: &HeaderName) -> u64 {
    1 << (name.as_str().len() % 64)
}
