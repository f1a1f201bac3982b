use std::mem;

use memchr::memchr2;

use super::{
    Answer, Id, ResultType, Seen,
    text::{Short, Text, Word, is_of_word},
    worse,
};

/// Reads JSON text piece by piece for how the request was answered, and keeps none of it.
///
/// Looked at are the members of a message (`id`, `method`, `error`, `result`), the `code` of its error, and
/// `isError` and `resultType` of its result. All else is walked over by its structure.
#[derive(Debug)]
pub(super) struct Scanner {
    /// A bit for each level that is open, the innermost last: whether it is an object.
    objects: u128,
    depth: u8,
    /// The level on which messages stand: 1 in a batch.
    base: u8,
    expects: Expects,
    token: Token,
    /// What the next value is.
    role: Role,
    /// Of which member of the message the innermost object is, if that is looked into.
    inside: Role,
    message: Message,
    /// Whether a message that stands alone is the answer whatever its id.
    is_only: bool,
    /// Of the messages that have ended.
    pub(super) seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    /// The text is whole.
    Nothing,
    Broken,
}

/// A token that has begun.
#[derive(Debug)]
enum Token {
    None,
    /// A string that nobody looks at; whether a backslash came last.
    Skipped {
        is_escaped: bool,
    },
    Read(Text),
    Number(Short),
    Literal(Short),
}

/// What a value is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    Key,
    Id,
    Method,
    Error,
    Result,
    Code,
    IsError,
    ResultType,
}

#[derive(Debug, Clone, Copy, Default)]
struct Message {
    is_ours: bool,
    has_method: bool,
    has_result: bool,
    has_error: bool,
    is_error: bool,
    code: Option<i64>,
    result_type: Option<ResultType>,
}

/// Deepest nesting that is walked through.
const DEEPEST: u8 = 127;

impl Scanner {
    pub(super) fn new(is_only: bool) -> Self {
        Self {
            objects: 0,
            depth: 0,
            base: 0,
            expects: Expects::Value,
            token: Token::None,
            role: Role::None,
            inside: Role::None,
            message: Message::default(),
            is_only,
            seen: None,
        }
    }

    /// Whether nothing of a text has come.
    pub(super) fn is_blank(&self) -> bool {
        self.expects == Expects::Value && self.depth == 0 && matches!(self.token, Token::None)
    }

    /// The text ends here; tells whether it was JSON.
    pub(super) fn end(&mut self, ours: Id<'_>) -> bool {
        self.end_short(ours);
        self.expects == Expects::Nothing
    }

    /// The next piece of the text; `ours` is the request's id.
    ///
    /// A token that lies in the piece whole is taken where it lies. Only of one that is cut something is kept.
    pub(super) fn feed(&mut self, piece: &[u8], ours: Id<'_>) {
        let mut piece = self.go_on(piece, ours);
        while let Some(&byte) = piece.first() {
            piece = self.begin(byte, piece, ours);
        }
    }

    /// Takes what is left of a token that has begun, if one has, and returns what follows it.
    fn go_on<'p>(&mut self, mut piece: &'p [u8], ours: Id<'_>) -> &'p [u8] {
        while let Some((&byte, rest)) = piece.split_first() {
            piece = match &mut self.token {
                Token::None => return piece,
                Token::Skipped { is_escaped } => {
                    let rest = if *is_escaped { rest } else { piece };
                    self.token = Token::None;
                    self.skip(rest)
                }
                Token::Read(text) => {
                    if text.push(byte, ours) {
                        self.end_read(ours);
                    }
                    rest
                }
                Token::Number(short) | Token::Literal(short) if is_of_word(&byte) => {
                    short.push(byte);
                    rest
                }
                Token::Number(_) | Token::Literal(_) => {
                    self.end_short(ours);
                    piece
                }
            };
        }
        piece
    }

    /// Takes what begins with this byte, the first of the piece, and returns what follows it.
    #[inline]
    fn begin<'p>(&mut self, byte: u8, piece: &'p [u8], ours: Id<'_>) -> &'p [u8] {
        let rest = piece.get(1..).unwrap_or_default();
        match self.expects {
            Expects::Value => return self.begin_value(byte, piece, ours),
            Expects::ValueOrEnd if byte == b']' => return self.close(false, rest),
            Expects::ValueOrEnd => return self.begin_value(byte, piece, ours),
            Expects::KeyOrEnd if byte == b'}' => return self.close(true, rest),
            Expects::Key | Expects::KeyOrEnd if byte == b'"' => return self.begin_key(rest, ours),
            Expects::Colon if byte == b':' => self.expects = Expects::Value,
            Expects::CommaOrEnd => match byte {
                b',' => self.expects = self.behind_comma(),
                b'}' | b']' => return self.close(byte == b'}', rest),
                _ => self.pass(byte),
            },
            // Nothing more is read of it.
            Expects::Broken => return &[],
            _ => self.pass(byte),
        }
        rest
    }

    /// Takes the colon and the value as well that mostly follow.
    #[inline]
    fn begin_key<'p>(&mut self, rest: &'p [u8], ours: Id<'_>) -> &'p [u8] {
        self.expects = Expects::Colon;
        let is_looked_at = self.is_looked_at();
        let Some((key, b'"', behind)) = split_at_mark(rest) else {
            if !is_looked_at {
                return self.skip(rest);
            }
            self.role = Role::Key;
            return self.read(rest, ours);
        };
        if is_looked_at {
            self.role = self.role_of(Some(key));
        }
        let Some((b':', value)) = behind.split_first() else {
            return behind;
        };
        self.expects = Expects::Value;
        match value.first() {
            Some(&byte) => self.begin_value(byte, value, ours),
            None => value,
        }
    }

    #[inline]
    fn begin_value<'p>(&mut self, byte: u8, piece: &'p [u8], ours: Id<'_>) -> &'p [u8] {
        let rest = piece.get(1..).unwrap_or_default();
        match byte {
            b'{' | b'[' => {
                self.note(byte);
                self.open(byte == b'{');
                rest
            }
            b'"' => {
                self.note(byte);
                self.expects = Expects::CommaOrEnd;
                match self.role {
                    Role::Id | Role::ResultType => self.read(rest, ours),
                    _ => self.skip(rest),
                }
            }
            b'-' | b'0'..=b'9' => {
                self.note(byte);
                self.expects = Expects::CommaOrEnd;
                match whole_word(piece) {
                    Some((number, rest)) => self.end_number(number, ours, rest),
                    None => self.keep(Token::Number(Short::of(piece))),
                }
            }
            b't' | b'f' | b'n' => {
                self.note(byte);
                self.expects = Expects::CommaOrEnd;
                match whole_word(piece) {
                    Some((literal, rest)) => self.end_literal(literal, rest),
                    None => self.keep(Token::Literal(Short::of(piece))),
                }
            }
            _ => {
                self.pass(byte);
                rest
            }
        }
    }

    /// That the member is there whose value begins with this byte.
    #[inline]
    fn note(&mut self, byte: u8) {
        match self.role {
            Role::Result => self.message.has_result = true,
            Role::Method => self.message.has_method = true,
            // `"error": null` says that there is none.
            Role::Error => self.message.has_error |= byte != b'n',
            _ => {}
        }
    }

    /// White space may stand between all tokens, and nothing else.
    #[inline]
    fn pass(&mut self, byte: u8) {
        if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            self.expects = Expects::Broken;
        }
    }

    /// The token goes on in the next piece.
    #[cold]
    fn keep(&mut self, token: Token) -> &'static [u8] {
        self.token = token;
        &[]
    }

    /// Takes a string that nobody looks at, and returns what follows it.
    #[inline]
    fn skip<'p>(&mut self, mut piece: &'p [u8]) -> &'p [u8] {
        while let Some((_, byte, rest)) = split_at_mark(piece) {
            if byte == b'"' {
                return match self.expects {
                    Expects::Colon => rest,
                    _ => self.end_value(rest),
                };
            }
            // Whatever it is that the backslash escapes.
            let Some((_, rest)) = rest.split_first() else {
                return self.keep(Token::Skipped { is_escaped: true });
            };
            piece = rest;
        }
        self.keep(Token::Skipped { is_escaped: false })
    }

    /// Takes a string that is looked at, if it lies here whole and has no escapes, and returns what follows.
    #[inline]
    fn read<'p>(&mut self, piece: &'p [u8], ours: Id<'_>) -> &'p [u8] {
        match split_at_mark(piece) {
            Some((text, b'"', rest)) => {
                let is_ours = matches!(ours, Id::Text(ours) if ours.as_bytes() == text);
                self.end_text(Some(text), is_ours, rest)
            }
            _ => {
                self.token = Token::Read(Text::new());
                self.go_on(piece, ours)
            }
        }
    }

    /// Whether the keys of the innermost object mean something.
    fn is_looked_at(&self) -> bool {
        let level = self.depth.wrapping_sub(self.base);
        level == 1 || level == 2 && self.inside != Role::None
    }

    fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn open(&mut self, is_object: bool) {
        if self.depth == DEEPEST {
            self.expects = Expects::Broken;
            return;
        }
        let role = mem::replace(&mut self.role, Role::None);
        match self.depth.wrapping_sub(self.base) {
            0 if is_object => self.message = Message::default(),
            0 if self.depth == 0 => self.base = 1,
            1 => {
                let is_looked_into = is_object && matches!(role, Role::Error | Role::Result);
                self.inside = if is_looked_into { role } else { Role::None };
            }
            _ => {}
        }
        self.objects = self.objects << 1 | u128::from(is_object);
        self.depth += 1;
        self.expects = if is_object {
            Expects::KeyOrEnd
        } else {
            Expects::ValueOrEnd
        };
    }

    fn close<'p>(&mut self, is_object: bool, rest: &'p [u8]) -> &'p [u8] {
        if self.depth == 0 || self.is_in_object() != is_object {
            self.expects = Expects::Broken;
            return rest;
        }
        self.objects >>= 1;
        self.depth -= 1;
        match self.depth.wrapping_sub(self.base) {
            0 if is_object => self.judge(),
            1 => self.inside = Role::None,
            _ => {}
        }
        self.end_value(rest)
    }

    /// Takes the comma as well that mostly follows.
    #[inline]
    fn end_value<'p>(&mut self, rest: &'p [u8]) -> &'p [u8] {
        self.role = Role::None;
        if self.depth == 0 {
            self.expects = Expects::Nothing;
            return rest;
        }
        if let Some((b',', rest)) = rest.split_first() {
            self.expects = self.behind_comma();
            return rest;
        }
        self.expects = Expects::CommaOrEnd;
        rest
    }

    #[inline]
    fn behind_comma(&self) -> Expects {
        match self.is_in_object() {
            true => Expects::Key,
            false => Expects::Value,
        }
    }

    fn end_read(&mut self, ours: Id<'_>) {
        if let Token::Read(text) = mem::replace(&mut self.token, Token::None) {
            self.end_text(text.short(), text.is(ours), &[]);
        }
    }

    /// A string that is looked at is over; what a long one says may be unknown.
    fn end_text<'p>(&mut self, text: Option<&[u8]>, is_ours: bool, rest: &'p [u8]) -> &'p [u8] {
        match self.role {
            Role::Key => {
                self.role = self.role_of(text);
                return rest;
            }
            Role::Id => self.message.is_ours = is_ours,
            Role::ResultType => self.message.result_type = Some(ResultType::of(text)),
            _ => {}
        }
        self.end_value(rest)
    }

    fn role_of(&self, key: Option<&[u8]>) -> Role {
        match (self.inside, key) {
            (Role::None, Some(b"id")) => Role::Id,
            (Role::None, Some(b"method")) => Role::Method,
            (Role::None, Some(b"error")) => Role::Error,
            (Role::None, Some(b"result")) => Role::Result,
            (Role::Error, Some(b"code")) => Role::Code,
            (Role::Result, Some(b"isError")) => Role::IsError,
            (Role::Result, Some(b"resultType")) => Role::ResultType,
            _ => Role::None,
        }
    }

    /// A number or a literal is over, if one has begun.
    fn end_short(&mut self, ours: Id<'_>) {
        match mem::replace(&mut self.token, Token::None) {
            Token::Number(short) => self.end_number(short.word(), ours, &[]),
            Token::Literal(short) => self.end_literal(short.word(), &[]),
            other => {
                self.token = other;
                &[]
            }
        };
    }

    fn end_number<'p>(&mut self, number: Word<'_>, ours: Id<'_>, rest: &'p [u8]) -> &'p [u8] {
        match self.role {
            Role::Id => self.message.is_ours = number.is(ours),
            Role::Code => self.message.code = number.integer(),
            _ => {}
        }
        self.end_word(number.is_number(), rest)
    }

    fn end_literal<'p>(&mut self, literal: Word<'_>, rest: &'p [u8]) -> &'p [u8] {
        let text = literal.text();
        self.message.is_error |= self.role == Role::IsError && text == Some(b"true");
        self.end_word(matches!(text, Some(b"true" | b"false" | b"null")), rest)
    }

    #[inline]
    fn end_word<'p>(&mut self, is_legal: bool, rest: &'p [u8]) -> &'p [u8] {
        if is_legal {
            return self.end_value(rest);
        }
        self.expects = Expects::Broken;
        rest
    }

    /// A message is whole. Of several that answer the request the worst counts.
    fn judge(&mut self) {
        let message = self.message;
        let is_answer = !message.has_method && (message.has_result || message.has_error);
        if !is_answer || !(message.is_ours || self.is_only && self.base == 0) {
            return;
        }
        let answer = if message.has_error {
            Answer::RpcError(message.code)
        } else if message.is_error {
            Answer::ToolError
        } else {
            Answer::Result
        };
        self.seen = worse(self.seen, Some((answer, message.result_type)));
    }
}

/// What stands before the first quote or backslash, which of them that is, and what stands behind it.
#[inline]
fn split_at_mark(piece: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (before, rest) = piece.split_at_checked(mark(piece)?)?;
    let (mark, behind) = rest.split_first()?;
    Some((before, *mark, behind))
}

/// Where the first quote or backslash stands. Most strings are shorter than it takes to begin a search.
#[inline]
fn mark(piece: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    if let Some(eight) = piece.first_chunk::<8>() {
        let eight = u64::from_le_bytes(*eight);
        // The highest bit of each byte that is the one looked for; beyond the first of them, of others perhaps as well.
        let are = |byte: u8| {
            let others = eight ^ (ONES * u64::from(byte));
            others.wrapping_sub(ONES) & !others & (ONES << 7)
        };
        let marks = are(b'"') | are(b'\\');
        if marks != 0 {
            return Some(marks.trailing_zeros() as usize / 8);
        }
    }
    memchr2(b'"', b'\\', piece)
}

/// The number or literal that begins here, and what follows; `None` if the piece ends with it, for it may go on.
#[inline]
fn whole_word(piece: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let length = piece.iter().position(|b| !is_of_word(b))?;
    let (word, rest) = piece.split_at_checked(length)?;
    Some((Word::of(word), rest))
}
