//! The walk over JSON text against one that leaves every token to the parser.

use std::collections::HashSet;

use jiter::{Jiter, JiterError, Peek};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{CallLimits, Measures, json::Walker};
use crate::Denial;

/// What is refused, and in the order in which it is found.
#[derive(Debug, PartialEq)]
struct Refused(&'static str);

impl From<JiterError> for Refused {
    fn from(_: JiterError) -> Self {
        Self("broken JSON")
    }
}

struct Reference<'j> {
    parser: Jiter<'j>,
    limits: CallLimits,
    measures: Measures,
}

fn reference(text: &str, limits: CallLimits) -> Result<Measures, Refused> {
    let mut reference = Reference {
        parser: Jiter::new(text.as_bytes()),
        limits,
        measures: Measures::default(),
    };
    reference.measures.bytes = text.len();
    let first = reference.parser.peek()?;
    reference.walk(first, 0)?;
    let end = reference.parser.finish();
    end.map_err(|_| Refused("data after the message"))?;
    Ok(reference.measures)
}

impl Reference<'_> {
    fn walk(&mut self, first: Peek, depth: usize) -> Result<(), Refused> {
        match first {
            Peek::Object => self.walk_object(self.below(depth)?)?,
            Peek::Array => self.walk_array(self.below(depth)?)?,
            Peek::String => {
                let start = self.parser.current_index();
                self.parser.known_str()?;
                let length = self.parser.current_index() - start;
                self.measures.string_bytes = self.measures.string_bytes.max(length);
            }
            Peek::Null => self.parser.known_null()?,
            Peek::True | Peek::False => drop(self.parser.known_bool(first)?),
            _ => drop(self.parser.known_number_bytes(first)?),
        }
        Ok(())
    }

    fn below(&self, depth: usize) -> Result<usize, Refused> {
        if depth == self.limits.depth() {
            return Err(Refused("the body is nested too deep"));
        }
        Ok(depth + 1)
    }

    fn walk_object(&mut self, depth: usize) -> Result<(), Refused> {
        self.measures.depth = self.measures.depth.max(depth);
        let mut keys = HashSet::new();
        let mut key = self.parser.known_object()?.map(str::to_owned);
        while let Some(found) = key {
            if found.starts_with("$serde_json::private::") {
                return Err(Refused(
                    "a member has a name that parsers keep to themselves",
                ));
            }
            if keys.len() == self.limits.members() {
                return Err(Refused("an object has too many members"));
            }
            if !keys.insert(found) {
                return Err(Refused("a member is repeated"));
            }
            let first = self.parser.peek()?;
            self.walk(first, depth)?;
            key = self.parser.next_key()?.map(str::to_owned);
        }
        self.measures.members = self.measures.members.max(keys.len());
        Ok(())
    }

    fn walk_array(&mut self, depth: usize) -> Result<(), Refused> {
        self.measures.depth = self.measures.depth.max(depth);
        let mut elements = 0;
        let mut next = self.parser.known_array()?;
        while let Some(first) = next {
            elements += 1;
            self.walk(first, depth)?;
            next = self.parser.array_step()?;
        }
        self.measures.elements = self.measures.elements.max(elements);
        Ok(())
    }
}

fn walked(text: &str, limits: CallLimits) -> Result<Measures, Denial> {
    let mut walker = Walker::new(text, &limits);
    let range = walker.skip()?;
    let measures = walker.finish()?;
    assert_eq!(&text[range], text.trim_matches([' ', '\n', '\r', '\t']));
    Ok(measures)
}

fn assert_same(text: &str) {
    let limits = CallLimits::new()
        .with_depth(5)
        .and_then(|limits| limits.with_members(20))
        .unwrap();
    let walked = walked(text, limits).map_err(|denial| Refused(denial.message()));
    assert_eq!(walked, reference(text, limits), "{text}");
}

/// Pieces of JSON, and of what is nearly JSON, of lengths about those that are read at once.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n\t\r ",
    "\u{b}",
    "\u{feff}",
    "\u{a0}",
    "\"",
    "\\",
    "\0",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"ab\"",
    "\"\\u0061\"",
    "\"é\"",
    "\"\\u00e9\"",
    "\"\\u00E9\"",
    "\"sixteen and even\"",
    "\"sixteen and\\u0020even\"",
    "\"1234567\"",
    "\"12345678\"",
    "\"123456789\"",
    "\"1234567\\\"\"",
    "\"\u{1f}\"",
    "\"1234567\u{1f}\"",
    "\"\u{7f}\u{80}\"",
    "\"\\ud83d\\ude00\"",
    "\"😀\"",
    "\"\\ud83d\"",
    "\"\\udE00\"",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"\\/\\b\\f\\n\\r\\t\"",
    "0",
    "-0",
    "-",
    "--1",
    "00",
    "-01",
    "1",
    "42",
    "-42",
    "+1",
    "1.",
    "1.5",
    ".5",
    "1e",
    "1e5",
    "1E+400",
    "1e-",
    "0e0",
    "0x1",
    "123456789012345678",
    "1234567890123456789",
    "-12345678901234567890.5",
    "Infinity",
    "NaN",
    "-Infinity",
    "null",
    "nul",
    "nulls",
    "true",
    "True",
    "false",
    "fals",
    "/*x*/",
    "\"$serde_json::private::Number\"",
    "'a'",
    "\"01234567890123456789012345678901234567890123456789012345678901\"",
    "\"012345678901234567890123456789012345678901234567890123456789012\"",
    "\"0123456789012345678901234567890123456789012345678901234567890123\"",
    "\"01234567890123456789012345678901234567890123456789012345678901234\"",
    "\"01234567890123456789012345678901234567890123456789012345678901234567890\"",
    "\"012345678901234567890123456789012345678901234567890123456789012345678901\"",
    "\"0123456789012345678901234567890123456789012345678901234567890123456789012\"",
    "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\"",
    "\"012345678901234567890123456789012345678901234567890123456789012345\\n\"",
    "\"012345678901234567890123456789012345678901234567890123456789012345\u{1f}\"",
    "\"012345678901234567890123456789012345678901234567890123456789012345678901\\\"",
];

fn soup() -> impl Strategy<Value = String> {
    vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

/// JSON whose objects may repeat a member, with some white space.
fn json() -> impl Strategy<Value = String> {
    let is_json = |piece: &&str| reference(piece, CallLimits::new()).is_ok();
    let scalars: Vec<_> = PIECES.iter().copied().filter(is_json).collect();
    let mut names = scalars.clone();
    names.retain(|piece| piece.starts_with('"'));
    let space = select(vec!["", "", "", " ", "\r\n\t"]);
    let scalar = select(scalars).prop_map(str::to_owned);
    scalar.prop_recursive(6, 60, 22, move |value| {
        let number = (0..100).prop_map(|number| format!("\"member {number}\""));
        let key = prop_oneof![select(names.clone()).prop_map(str::to_owned), number];
        let member = (key, space.clone(), value.clone());
        let member = member.prop_map(|(key, space, value)| format!("{key}{space}:{space}{value}"));
        let members = (vec(member, 0..22), space.clone());
        prop_oneof![
            vec(value, 0..5).prop_map(|elements| format!("[{}]", elements.join(","))),
            members.prop_map(|(members, space)| {
                format!("{{{space}{}}}", members.join(&format!("{space},{space}")))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn pieces_are_read_as_the_parser_reads_them(text in soup()) {
        assert_same(&text);
    }

    #[test]
    fn documents_are_read_as_the_parser_reads_them(text in json()) {
        assert_same(&text);
    }

    #[test]
    fn broken_documents_are_read_as_the_parser_reads_them(
        text in json(),
        piece in select(PIECES),
        (at, gone) in (any::<prop::sample::Index>(), 0..3_usize),
    ) {
        let bounds: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let from = at.index(bounds.len());
        let to = (from + gone).min(bounds.len() - 1);
        let mut broken = text.clone();
        broken.replace_range(bounds[from]..bounds[to], piece);
        assert_same(&broken);
    }
}
