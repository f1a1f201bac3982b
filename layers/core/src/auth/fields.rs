use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};

use super::asked::Stated;

/// The header fields that carry credentials.
#[derive(Debug, Clone)]
pub(super) struct CredentialFields {
    names: Vec<HeaderName>,
    /// A bit for each length that a name has; most fields of a request are told apart by it.
    lengths: u64,
}

/// What one walk over a request's header fields found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survey {
    /// Which credential fields are there, see [`place_bit`].
    present: u64,
    pub(super) stated: Stated,
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
            self.lengths |= length_bit(name.as_str());
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
    }

    /// Marks them as sensitive, so that no `Debug` of the headers shows them, and tells which there are.
    pub(super) fn hide(&self, headers: &mut HeaderMap) -> Survey {
        let mut survey = Survey::default();
        for (name, value) in headers {
            let text = name.as_str();
            survey.stated.take(text, value);
            if self.lengths & length_bit(text) == 0 {
                continue;
            }
            if let Some(place) = self.names.iter().position(|known| known == name) {
                value.set_sensitive(true);
                survey.present |= place_bit(place);
            }
        }
        survey
    }

    /// Whether there is one besides `Authorization`.
    pub(super) fn are_elsewhere(&self, headers: &HeaderMap) -> bool {
        let mut others = self.names.iter().filter(|name| **name != AUTHORIZATION);
        others.any(|name| headers.contains_key(name))
    }

    /// Takes off those that were found.
    pub(super) fn remove(&self, headers: &mut HeaderMap, survey: &Survey) {
        for (place, name) in self.names.iter().enumerate() {
            if survey.present & place_bit(place) != 0 {
                headers.remove(name);
            }
        }
    }
}

/// A bit for the name at a place. All names beyond the 63rd share one.
#[inline]
fn place_bit(place: usize) -> u64 {
    1 << place.min(63)
}

#[inline]
fn length_bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_credential_field_is_hidden_and_removed_however_many_there_are() {
        let names: Vec<_> = (0..80)
            .map(|index| format!("x-{index}").parse::<HeaderName>().unwrap())
            .collect();
        let mut fields = CredentialFields::default();
        fields.add(&names);
        for name in fields.names.clone() {
            let mut headers = HeaderMap::new();
            for value in ["a", "b"] {
                headers.append(&name, HeaderValue::from_static(value));
            }
            headers.insert("x-other", HeaderValue::from_static("c"));
            let survey = fields.hide(&mut headers);
            let mut values = headers.get_all(&name).iter();
            assert!(values.all(HeaderValue::is_sensitive), "{name}");
            assert!(!headers["x-other"].is_sensitive());
            fields.remove(&mut headers, &survey);
            assert!(!headers.contains_key(&name), "{name}");
            assert_eq!(headers.len(), 1);
        }
    }
}
