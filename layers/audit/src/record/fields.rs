use super::{Json, Text};

/// A member's name as it stands between two members. One piece is copied faster than three.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(crate) use key;

/// Writes the members of one JSON object. Names are [`key!`]s; words are ours and need no escaping.
pub(crate) struct Fields<'o> {
    out: &'o mut Vec<u8>,
    /// Where it begins: with a comma until it ends, for that no member need know whether it is the first.
    start: usize,
}

impl<'o> Fields<'o> {
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    pub(crate) fn end(self) {
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    /// The buffer, at the place of the member's value.
    #[inline]
    pub(crate) fn value(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.out.extend_from_slice(key.as_bytes());
        self.out
    }

    pub(crate) fn text(&mut self, key: &'static str, text: Text<'_>) {
        text.write_json(self.value(key));
    }

    pub(crate) fn text_or_null(&mut self, key: &'static str, text: Option<Text<'_>>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.null(key),
        }
    }

    pub(crate) fn text_if(&mut self, key: &'static str, text: Option<Text<'_>>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    pub(crate) fn json_if(&mut self, key: &'static str, json: Option<Json<'_>>) {
        if let Some(json) = json {
            self.value(key).extend_from_slice(json.as_str().as_bytes());
        }
    }

    pub(crate) fn word(&mut self, key: &'static str, word: &'static str) {
        let out = self.value(key);
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }

    pub(crate) fn word_if(&mut self, key: &'static str, word: Option<&'static str>) {
        if let Some(word) = word {
            self.word(key, word);
        }
    }

    pub(crate) fn number(&mut self, key: &'static str, number: u64) {
        // A number into a vector can't fail.
        let _ = serde_json::to_writer(self.value(key), &number);
    }

    pub(crate) fn signed(&mut self, key: &'static str, number: i64) {
        let _ = serde_json::to_writer(self.value(key), &number);
    }

    pub(crate) fn number_or_null(&mut self, key: &'static str, number: Option<u64>) {
        match number {
            Some(number) => self.number(key, number),
            None => self.null(key),
        }
    }

    #[inline]
    pub(crate) fn null(&mut self, key: &'static str) {
        self.value(key).extend_from_slice(b"null");
    }
}
