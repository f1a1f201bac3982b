use jiter::{Jiter, JiterError, Peek};

use crate::{
    Finder, Finds, Found, Kind, Kinds, Masked, Names, Pseudonyms, SensitiveConfigError,
    bytes::{ALNUM, DIGIT, is},
    mask,
    output::{Full, KEPT, MARK, Output},
};

/// Writes JSON without what is sensitive in it: by the names of members, whose values are masked whatever they are, and by value.
///
/// In one pass, into JSON of visible ASCII on one line, of bounded depth and length: what is beyond is cut, with `…` where it was.
/// What is no JSON is taken as text. It never fails.
///
/// ```
/// use bartizan_sensitive::Redactor;
/// let redactor = Redactor::new();
/// let mut out = Vec::new();
/// let masked = redactor.redact(br#"{"to":"ann@example.com","login":{"Pass_Word":["hunter2"]},"n":1}"#, &mut out);
///
/// // Yes.
/// let out = String::from_utf8(out)?;
/// assert_eq!(out, r#"{"to":"a***n@example.com","login":{"Pass_Word":"***(field)"},"n":1}"#);
/// let paths: Vec<_> = masked.iter().map(|mask| &*mask.path).collect();
/// assert_eq!(paths, ["/to", "/login/Pass_Word"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Redactor {
    finder: Finder,
    pseudonyms: Option<(Pseudonyms, Kinds)>,
    depth: usize,
    bytes: usize,
}

impl Redactor {
    /// Levels of lists and objects, unless [`depth`](Self::depth) says otherwise.
    pub const DEFAULT_DEPTH: usize = 32;

    /// Bytes of JSON that are written, unless [`bytes`](Self::bytes) says otherwise.
    pub const DEFAULT_BYTES: usize = 8 * 1024;

    /// Masks every kind, and the members of [`Names::new`].
    pub fn new() -> Self {
        Self {
            finder: Finder::new(&Kinds::all()),
            pseudonyms: None,
            depth: Self::DEFAULT_DEPTH,
            bytes: Self::DEFAULT_BYTES,
        }
    }

    /// Masks these kinds only. Without [`Kind::Field`] names of members say nothing.
    #[must_use]
    pub fn kinds(mut self, kinds: &Kinds) -> Self {
        let names = self.finder.names().clone();
        self.finder = Finder::new(kinds).with_names(names);
        self
    }

    /// The names of sensitive members, in place of [`Names::new`].
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.finder = self.finder.with_names(names);
        self
    }

    /// Values of these kinds are not masked, but have a [pseudonym](Pseudonyms) in their place. What is encoded is masked.
    #[must_use]
    pub fn pseudonyms(mut self, pseudonyms: Pseudonyms, kinds: &Kinds) -> Self {
        self.pseudonyms = Some((pseudonyms, *kinds));
        self
    }

    /// Most levels of lists and objects that are shown.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 128.
    pub fn depth(self, depth: usize) -> Result<Self, SensitiveConfigError> {
        if !(1..=128).contains(&depth) {
            let problem = "is not from 1 to 128";
            return Err(SensitiveConfigError::new(
                "depth",
                depth.to_string(),
                problem,
            ));
        }
        Ok(Self { depth, ..self })
    }

    /// Most bytes that are written at a time.
    ///
    /// # Errors
    ///
    /// If it is not from 256 to 1048576.
    pub fn bytes(self, bytes: usize) -> Result<Self, SensitiveConfigError> {
        if !(256..=1 << 20).contains(&bytes) {
            let problem = "is not from 256 to 1048576";
            return Err(SensitiveConfigError::new(
                "bytes",
                bytes.to_string(),
                problem,
            ));
        }
        Ok(Self { bytes, ..self })
    }

    /// Most bytes that are written at a time.
    pub fn most_bytes(&self) -> usize {
        self.bytes
    }

    /// Finds what is masked by value.
    pub fn finder(&self) -> &Finder {
        &self.finder
    }

    /// Appends the JSON text without what is sensitive; tells what that was.
    pub fn redact(&self, json: &[u8], out: &mut Vec<u8>) -> Masked {
        self.redact_within(json, false, self.bytes, out)
    }

    /// The same for the beginning of a JSON text, whose end is missing: what is there of it is shown.
    pub fn redact_beginning(&self, json: &[u8], out: &mut Vec<u8>) -> Masked {
        self.redact_within(json, true, self.bytes, out)
    }

    /// Appends several JSON texts as one list, within the bound together: what finds no room is `…`.
    pub fn redact_list<'j>(
        &self,
        list: impl IntoIterator<Item = &'j [u8]>,
        out: &mut Vec<u8>,
    ) -> Masked {
        let (start, mut masked) = (out.len(), Masked::default());
        out.push(b'[');
        for (index, json) in list.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            // A mark, a comma and the bracket always find room.
            let left = (self.bytes + start).saturating_sub(out.len() + KEPT);
            if left < LEAST {
                out.extend_from_slice(MARK);
                break;
            }
            let found = self.redact_within(json, false, left, out);
            masked.append(found.below(index));
        }
        out.push(b']');
        masked
    }

    /// Appends a text as a JSON string, without what is sensitive.
    pub fn redact_text(&self, text: &str, out: &mut Vec<u8>) -> Masked {
        let mut walk = Walk::new(self, out, self.bytes);
        let is_full = walk.text(text).is_err();
        walk.end(is_full)
    }

    /// Appends the shape of a JSON text: its members' names, of texts `"string:17"` with their length in characters, and of
    /// other values their type. Of a list the first eight elements, and then `"array:20"`. What is sensitive by its name is
    /// masked here as well, and what is sensitive in a name.
    pub fn shape(&self, json: &[u8], out: &mut Vec<u8>) -> Masked {
        let mut walk = Walk::new(self, out, self.bytes);
        walk.is_shape = true;
        match walk.document(&mut Jiter::new(json)) {
            Ok(()) => walk.end(false),
            Err(Stop::Full) => walk.end(true),
            Err(Stop::Broken) => {
                if walk.out.depth() == 0 {
                    walk.out.clear();
                }
                walk.out.finish_cut(true);
                walk.masked
            }
        }
    }

    /// The text without what is sensitive, and what that was; `None` if there is nothing.
    pub fn mask_text(&self, text: &str) -> Option<(String, Vec<Kind>)> {
        let found = self.finder.find(text);
        if found.len() == 0 {
            return None;
        }
        let (mut out, mut kinds, mut copied) = (String::new(), Vec::new(), 0);
        for found in found {
            out.push_str(text.get(copied..found.range.start).unwrap_or_default());
            let value = text.get(found.range.clone());
            let value = value.filter(|_| found.is_plain());
            out.push_str(&self.stand_in(found.kind, value, Some((&found, text))));
            kinds.push(found.kind);
            copied = found.range.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some((out, kinds))
    }

    /// What stands in place of a value.
    fn stand_in(&self, kind: Kind, value: Option<&str>, found: Option<(&Found, &str)>) -> String {
        let mut stand_in = String::new();
        let pseudonyms = self.pseudonyms.as_ref();
        let pseudonyms = pseudonyms.filter(|(_, kinds)| kinds.contain(kind));
        match (pseudonyms, value, found) {
            (Some((names, _)), Some(value), _) => stand_in = names.of(kind, value),
            (_, _, Some((found, text))) => found.write_mask(text, &mut stand_in),
            _ => mask::write(kind, None, &mut stand_in),
        }
        stand_in
    }

    fn redact_within(&self, json: &[u8], is_cut: bool, most: usize, out: &mut Vec<u8>) -> Masked {
        let before = out.len();
        let mut walk = Walk::new(self, out, most);
        let mut parser = Jiter::new(json);
        let ended = walk.document(&mut parser);
        match ended {
            Ok(()) => walk.end(false),
            Err(Stop::Full) => walk.end(true),
            Err(Stop::Broken) if is_cut && walk.out.depth() > 0 => {
                walk.out.finish_cut(true);
                walk.masked
            }
            Err(Stop::Broken) => {
                drop(walk);
                out.truncate(before);
                let text = String::from_utf8_lossy(json);
                let mut walk = Walk::new(self, out, most);
                let is_full = walk.text(&text).is_err();
                walk.end(is_full)
            }
        }
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a walk does not go on.
enum Stop {
    Full,
    Broken,
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<JiterError> for Stop {
    fn from(_: JiterError) -> Self {
        Self::Broken
    }
}

/// A place on the way to a value.
enum Step {
    /// From here on its name stands in [`Walk::names`].
    Member(usize),
    Element(usize),
}

/// Of a name on a path.
const SHOWN_OF_NAME: usize = 32;

/// Elements of a list whose shape is shown.
const SHOWN_OF_SHAPE: usize = 8;

/// Least bytes in which something of a list is shown.
const LEAST: usize = 64;

/// Most bytes of a path.
const LONGEST_PATH: usize = 128;

/// What is looked at beyond what is shown of a text, so that a secret is known that is cut.
const AHEAD: usize = 4096;

/// How deep JSON in text in JSON is read.
const MOST_NESTED: usize = 2;

struct Walk<'r, 'o> {
    redactor: &'r Redactor,
    out: Output<'o>,
    masked: Masked,
    steps: Vec<Step>,
    names: String,
    nested: usize,
    is_near_aws: bool,
    /// Whether types are shown in place of values.
    is_shape: bool,
}

impl<'r, 'o> Walk<'r, 'o> {
    fn new(redactor: &'r Redactor, out: &'o mut Vec<u8>, most: usize) -> Self {
        Self {
            redactor,
            out: Output::new(out, most),
            masked: Masked::default(),
            steps: Vec::new(),
            names: String::new(),
            nested: 0,
            is_near_aws: false,
            is_shape: false,
        }
    }

    fn end(mut self, is_full: bool) -> Masked {
        if is_full {
            self.out.finish_cut(self.out.depth() > 0);
        }
        self.masked
    }

    fn document(&mut self, parser: &mut Jiter<'_>) -> Result<(), Stop> {
        let peek = parser.peek()?;
        self.value(parser, peek)?;
        Ok(parser.finish()?)
    }

    /// One value and all in it. The levels are on a list of their own, not on the stack.
    fn value(&mut self, parser: &mut Jiter<'_>, peek: Peek) -> Result<(), Stop> {
        let floor = self.steps.len();
        let mut next = Some(peek);
        loop {
            if let Some(peek) = next.take() {
                next = self.begin(parser, peek)?;
                if next.is_some() {
                    continue;
                }
            }
            if self.steps.len() == floor {
                return Ok(());
            }
            next = self.step(parser)?;
        }
    }

    /// A value; of a list or an object that is not empty its first one, next.
    fn begin(&mut self, parser: &mut Jiter<'_>, peek: Peek) -> Result<Option<Peek>, Stop> {
        let is_deep = self.out.depth() >= self.redactor.depth;
        match peek {
            Peek::Array | Peek::Object if is_deep => {
                parser.known_skip(peek)?;
                self.out.mark()?;
            }
            Peek::Array => {
                self.out.open(false)?;
                let first = parser.known_array()?;
                if first.is_some() {
                    self.steps.push(Step::Element(0));
                    return Ok(first);
                }
                self.out.close();
            }
            Peek::Object => {
                self.out.open(true)?;
                match parser.known_object()? {
                    Some(name) => {
                        self.steps.push(Step::Member(self.names.len()));
                        let is_sensitive = self.name(name)?;
                        return self.member(parser, is_sensitive);
                    }
                    None => self.out.close(),
                }
            }
            Peek::String => {
                let text = parser.known_str()?;
                if self.is_shape {
                    let length = text.chars().count();
                    self.out.raw(format!("\"string:{length}\"").as_bytes())?;
                } else {
                    self.text_or_json(text)?;
                }
            }
            Peek::True | Peek::False | Peek::Null => {
                let from = parser.current_index();
                parser.known_skip(peek)?;
                let word: &[u8] = match peek {
                    Peek::Null if self.is_shape => b"\"null\"",
                    _ if self.is_shape => b"\"boolean\"",
                    _ => parser.slice_to_current(from),
                };
                self.out.raw(word)?;
            }
            _ => {
                let number = parser.known_number_bytes(peek)?;
                match self.is_shape {
                    true => self.out.raw(b"\"number\"")?,
                    false => self.number(number)?,
                }
            }
        }
        Ok(None)
    }

    /// What follows in the innermost list or object; if it ends, `None` and a step back.
    fn step(&mut self, parser: &mut Jiter<'_>) -> Result<Option<Peek>, Stop> {
        match self.steps.last_mut() {
            Some(Step::Element(index)) => {
                *index += 1;
                let mut next = parser.array_step()?;
                if next.is_some() && !(self.is_shape && *index >= SHOWN_OF_SHAPE) {
                    return Ok(next);
                }
                let mut length = *index;
                while let Some(peek) = next {
                    parser.known_skip(peek)?;
                    length += 1;
                    next = parser.array_step()?;
                }
                if self.is_shape && length > SHOWN_OF_SHAPE {
                    self.out.raw(format!("\"array:{length}\"").as_bytes())?;
                }
            }
            Some(Step::Member(start)) => {
                self.names.truncate(*start);
                if let Some(name) = parser.next_key()? {
                    let is_sensitive = self.name(name)?;
                    return self.member(parser, is_sensitive);
                }
            }
            None => return Ok(None),
        }
        self.steps.pop();
        self.out.close();
        Ok(None)
    }

    /// The value behind a name: masked at once, or next.
    fn member(&mut self, parser: &mut Jiter<'_>, is_sensitive: bool) -> Result<Option<Peek>, Stop> {
        let peek = parser.peek()?;
        if !is_sensitive {
            return Ok(Some(peek));
        }
        let from = parser.current_index();
        parser.known_skip(peek)?;
        self.note(Kind::Field);
        let value = parser.slice_to_current(from);
        self.out.begin_text()?;
        let value = str::from_utf8(value).ok();
        let value = value.map(|value| value.trim_matches('"'));
        self.stand_in(Kind::Field, value, None)?;
        self.out.end_text();
        Ok(None)
    }

    /// Writes the name; whether its value is sensitive.
    fn name(&mut self, name: &str) -> Result<bool, Full> {
        let kinds = self.redactor.finder.kinds();
        let names = self.redactor.finder.names();
        let is_sensitive = kinds.contain(Kind::Field) && names.contain(name);
        self.out.begin_text()?;
        let written = if is_word(name) {
            self.names.push_str(name);
            self.out.text(name)
        } else {
            let (name, found) = self.find(name);
            let masked = self.redactor.finder.mask_found(name, found.clone());
            self.names.extend(masked.chars().take(SHOWN_OF_NAME));
            self.masked_text(name, found)
        };
        match written {
            Ok(()) => self.out.name_ends(),
            Err(full) => {
                self.out.name_was_cut();
                return Err(full);
            }
        }
        Ok(is_sensitive)
    }

    fn number(&mut self, number: &[u8]) -> Result<(), Full> {
        let digits = number.iter().filter(|b| is(**b, DIGIT)).count();
        if digits >= 13 {
            let text = str::from_utf8(number).unwrap_or_default();
            if let Some(found) = self.redactor.finder.find(text).next() {
                self.note(found.kind);
                self.out.begin_text()?;
                self.stand_in(found.kind, Some(text), None)?;
                self.out.end_text();
                return Ok(());
            }
        }
        // Many readers refuse a number that is beyond what they can hold, and with it the whole text.
        let may_be_beyond = number.len() > 100 || number.iter().any(|b| matches!(b, b'e' | b'E'));
        if may_be_beyond {
            let text = str::from_utf8(number).unwrap_or_default();
            if !text.parse().is_ok_and(f64::is_finite) {
                return self.text(text);
            }
        }
        self.out.raw(number)
    }

    /// A text, which may be JSON itself.
    fn text_or_json(&mut self, text: &str) -> Result<(), Full> {
        let begins = text.trim_ascii_start().as_bytes().first();
        let may_be_json = matches!(begins, Some(b'{' | b'[')) && self.nested < MOST_NESTED;
        let json = if may_be_json { self.nested(text) } else { None };
        if let Some(json) = json {
            self.out.begin_text()?;
            self.out.text(&json)?;
            self.out.end_text();
            return Ok(());
        }
        self.text(text)
    }

    /// The JSON in a text without what is sensitive; `None` if it is none.
    fn nested(&mut self, text: &str) -> Option<String> {
        let mut out = Vec::new();
        let mut walk = Walk {
            redactor: self.redactor,
            out: Output::new(&mut out, self.out.room() + KEPT + self.redactor.depth),
            masked: std::mem::take(&mut self.masked),
            steps: std::mem::take(&mut self.steps),
            names: std::mem::take(&mut self.names),
            nested: self.nested + 1,
            is_near_aws: self.is_near_aws,
            is_shape: false,
        };
        let (steps, names) = (walk.steps.len(), walk.names.len());
        let before = walk.masked.clone();
        let ended = walk.document(&mut Jiter::new(text.as_bytes()));
        walk.steps.truncate(steps);
        walk.names.truncate(names);
        self.steps = std::mem::take(&mut walk.steps);
        self.names = std::mem::take(&mut walk.names);
        let is_json = match ended {
            Ok(()) => true,
            Err(Stop::Full) => {
                walk.out.finish_cut(true);
                true
            }
            Err(Stop::Broken) => false,
        };
        self.masked = if is_json { walk.masked } else { before };
        is_json.then(|| String::from_utf8(out).unwrap_or_default())
    }

    fn text(&mut self, text: &str) -> Result<(), Full> {
        self.out.begin_text()?;
        let (text, found) = self.find(text);
        self.masked_text(text, found)?;
        self.out.end_text();
        Ok(())
    }

    /// What is sensitive in the text, and as much of the text as was looked at: more than is shown.
    fn find<'t>(&self, text: &'t str) -> (&'t str, Finds) {
        let mut end = text.len().min(self.out.room() + AHEAD);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or(text);
        let found = self.redactor.finder.find_near(text, self.is_near_aws);
        (text, found)
    }

    /// The text between the quotes, masked by value.
    fn masked_text(&mut self, looked_at: &str, found: Finds) -> Result<(), Full> {
        let mut copied = 0;
        for found in found {
            let plain = looked_at.get(copied..found.range.start);
            self.out.text(plain.unwrap_or_default())?;
            let value = looked_at.get(found.range.clone());
            self.is_near_aws |=
                value.is_some_and(|v| v.starts_with("AKIA") || v.starts_with("ASIA"));
            self.note(found.kind);
            self.stand_in(
                found.kind,
                value.filter(|_| found.is_plain()),
                Some((&found, looked_at)),
            )?;
            copied = found.range.end;
        }
        self.out.text(looked_at.get(copied..).unwrap_or_default())
    }

    /// What stands in place of a value.
    fn stand_in(
        &mut self,
        kind: Kind,
        value: Option<&str>,
        found: Option<(&Found, &str)>,
    ) -> Result<(), Full> {
        let stand_in = self.redactor.stand_in(kind, value, found);
        self.out.text(&stand_in)
    }

    fn note(&mut self, kind: Kind) {
        let (steps, names) = (&self.steps, &self.names);
        self.masked.add(kind, || path(steps, names));
    }
}

/// The way to a value, as it is shown.
fn path(steps: &[Step], names: &str) -> String {
    let mut path = String::new();
    for (index, step) in steps.iter().enumerate() {
        path.push('/');
        match step {
            Step::Element(at) => path.push_str(&at.to_string()),
            Step::Member(start) => {
                let further = steps.get(index + 1..).unwrap_or_default();
                let end = further.iter().find_map(|step| match step {
                    Step::Member(start) => Some(*start),
                    Step::Element(_) => None,
                });
                let name = names.get(*start..end.unwrap_or(names.len()));
                for c in name.unwrap_or_default().chars() {
                    match c {
                        '~' => path.push_str("~0"),
                        '/' => path.push_str("~1"),
                        ' '..='~' if c != '"' && c != '\\' => path.push(c),
                        _ => path.push('?'),
                    }
                }
            }
        }
        if path.len() > LONGEST_PATH {
            path.truncate(LONGEST_PATH - 3);
            path.push_str("...");
            break;
        }
    }
    path
}

/// Whether nothing can be found in a name: letters, and not many.
fn is_word(name: &str) -> bool {
    let is_letter = |b: u8| (is(b, ALNUM) && !is(b, DIGIT)) || b == b'_';
    name.len() < 12 && name.bytes().all(is_letter)
}
