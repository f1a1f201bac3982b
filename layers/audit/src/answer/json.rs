use std::mem;

use memchr::memchr2;

use super::{
    Answer, Id, ResultType, Seen,
    text::{Short, Text},
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
    pub(super) fn feed(&mut self, mut piece: &[u8], ours: Id<'_>) {
        while self.expects != Expects::Broken
            && let Some((&byte, rest)) = piece.split_first()
        {
            match &mut self.token {
                Token::None => {
                    piece = rest;
                    self.begin(byte);
                }
                Token::Skipped { is_escaped: true } => {
                    piece = rest;
                    self.token = Token::Skipped { is_escaped: false };
                }
                Token::Skipped { is_escaped } => match memchr2(b'"', b'\\', piece) {
                    None => return,
                    Some(at) => {
                        *is_escaped = piece.get(at) == Some(&b'\\');
                        if !*is_escaped {
                            self.token = Token::None;
                            self.end_string();
                        }
                        piece = piece.get(at + 1..).unwrap_or_default();
                    }
                },
                Token::Read(text) => {
                    piece = rest;
                    if text.push(byte, ours) {
                        self.end_read(ours);
                    }
                }
                Token::Number(short) | Token::Literal(short) => {
                    if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) {
                        piece = rest;
                        short.push(byte);
                    } else {
                        self.end_short(ours);
                    }
                }
            }
        }
    }

    #[inline]
    fn begin(&mut self, byte: u8) {
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return;
        }
        match (self.expects, byte) {
            (Expects::ValueOrEnd, b']') => self.close(false),
            (Expects::Value | Expects::ValueOrEnd, _) => self.begin_value(byte),
            (Expects::KeyOrEnd, b'}') => self.close(true),
            (Expects::Key | Expects::KeyOrEnd, b'"') => {
                self.expects = Expects::Colon;
                self.token = if self.is_looked_at() {
                    self.role = Role::Key;
                    Token::Read(Text::new())
                } else {
                    Token::Skipped { is_escaped: false }
                };
            }
            (Expects::Colon, b':') => self.expects = Expects::Value,
            (Expects::CommaOrEnd, b',') => {
                self.expects = if self.is_in_object() {
                    Expects::Key
                } else {
                    Expects::Value
                };
            }
            (Expects::CommaOrEnd, b'}') => self.close(true),
            (Expects::CommaOrEnd, b']') => self.close(false),
            _ => self.expects = Expects::Broken,
        }
    }

    fn begin_value(&mut self, byte: u8) {
        self.message.has_result |= self.role == Role::Result;
        self.message.has_method |= self.role == Role::Method;
        let mut short = Short::default();
        short.push(byte);
        let is_read = matches!(self.role, Role::Id | Role::ResultType);
        self.expects = Expects::CommaOrEnd;
        match byte {
            b'{' | b'[' => return self.open(byte == b'{'),
            b'"' if is_read => self.token = Token::Read(Text::new()),
            b'"' => self.token = Token::Skipped { is_escaped: false },
            b'-' | b'0'..=b'9' => self.token = Token::Number(short),
            b't' | b'f' => self.token = Token::Literal(short),
            // `"error": null` says that there is none.
            b'n' => {
                self.token = Token::Literal(short);
                return;
            }
            _ => self.expects = Expects::Broken,
        }
        self.message.has_error |= self.role == Role::Error;
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
                self.message.has_error |= role == Role::Error;
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

    fn close(&mut self, is_object: bool) {
        if self.depth == 0 || self.is_in_object() != is_object {
            self.expects = Expects::Broken;
            return;
        }
        self.objects >>= 1;
        self.depth -= 1;
        match self.depth.wrapping_sub(self.base) {
            0 if is_object => self.judge(),
            1 => self.inside = Role::None,
            _ => {}
        }
        self.end_value();
    }

    fn end_value(&mut self) {
        self.role = Role::None;
        self.expects = if self.depth == 0 {
            Expects::Nothing
        } else {
            Expects::CommaOrEnd
        };
    }

    /// A string that nobody looked at; behind a key a colon is expected already.
    fn end_string(&mut self) {
        if self.expects != Expects::Colon {
            self.end_value();
        }
    }

    fn end_read(&mut self, ours: Id<'_>) {
        let Token::Read(text) = mem::replace(&mut self.token, Token::None) else {
            return;
        };
        match self.role {
            Role::Key => {
                self.role = self.role_of(text.short());
                return;
            }
            Role::Id => self.message.is_ours = text.is(ours),
            Role::ResultType => self.message.result_type = Some(ResultType::of(text.short())),
            _ => {}
        }
        self.end_value();
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
        let is_legal = match mem::replace(&mut self.token, Token::None) {
            Token::Number(short) => {
                match self.role {
                    Role::Id => self.message.is_ours = short.is(ours),
                    Role::Code => self.message.code = short.integer(),
                    _ => {}
                }
                short.is_number()
            }
            Token::Literal(short) => {
                let text = short.text();
                self.message.is_error |= self.role == Role::IsError && text == Some(b"true");
                matches!(text, Some(b"true" | b"false" | b"null"))
            }
            other => {
                self.token = other;
                return;
            }
        };
        self.end_value();
        if !is_legal {
            self.expects = Expects::Broken;
        }
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
