//! One pass over a text.

use std::ops::Range;

use crate::{
    Kind, Kinds, Names,
    assignments::assignment,
    bytes::{ALNUM, DIGIT, ESCAPE, TOKEN, WORD, class, run_end, slice},
    credentials::{authorization, jwt_end, private_key_end, url_password},
    email::email,
    encoded,
    keys::{end_behind_dots, is_aws, is_aws_secret, is_key, own_brand},
    literals::{Literal, Literals},
    numbers::numbers,
};

/// What to look for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'n> {
    pub(crate) kinds: Kinds,
    pub(crate) names: &'n Names,
    /// Whether the id of an AWS key is known to be near.
    pub(crate) is_near_aws: bool,
}

/// One finding: what it is, where, and whether it stands there as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
    pub(crate) is_plain: bool,
}

/// How near the id of an AWS key a secret is.
const NEAR: usize = 256;

pub(crate) struct Scan<'t, 'h> {
    text: &'t [u8],
    wanted: Wanted<'t>,
    hits: &'h mut Vec<Hit>,
    /// Whether words may be text in base64.
    is_outer: bool,
    /// The run of [`TOKEN`]s that was looked at last, so that none is looked at twice.
    run: Range<usize>,
    /// What has been looked through for something: none is begun before.
    keys_until: usize,
    jwt_until: usize,
    assigned_until: usize,
    pem_until: usize,
    numbers_until: usize,
    /// The `@` of a URL.
    url_at: Option<usize>,
    aws_id: Option<usize>,
    aws_secret: Option<Range<usize>>,
}

impl<'t, 'h> Scan<'t, 'h> {
    pub(crate) fn new(
        text: &'t [u8],
        wanted: Wanted<'t>,
        is_outer: bool,
        hits: &'h mut Vec<Hit>,
    ) -> Self {
        Self {
            text,
            wanted,
            hits,
            is_outer,
            run: 0..0,
            keys_until: 0,
            jwt_until: 0,
            assigned_until: 0,
            pem_until: 0,
            numbers_until: 0,
            url_at: None,
            aws_id: None,
            aws_secret: None,
        }
    }

    /// Finds what there is; whether there are bytes that may begin an escape.
    pub(crate) fn run(mut self) -> bool {
        let literals = Literals::get();
        let (mut state, mut seen, mut before, mut word) = (literals.start(), 0, 0, 0);
        for (at, b) in self.text.iter().enumerate() {
            state = literals.next(state, *b);
            let class = class(*b);
            seen |= class;
            if class & WORD == 0 {
                if at - word >= encoded::SHORTEST {
                    self.word(word, at);
                }
                word = at + 1;
            }
            // What a letter stands before is a part of a name.
            if class & DIGIT != 0 && before & ALNUM == 0 && at >= self.numbers_until {
                self.number(at);
            }
            before = class;
            if literals.is_match(state) {
                for (literal, length) in literals.all(state) {
                    self.literal(literal, at + 1 - length, at + 1);
                }
            }
        }
        if self.text.len() - word >= encoded::SHORTEST {
            self.word(word, self.text.len());
        }
        seen & ESCAPE != 0
    }

    fn hit(&mut self, kind: Kind, range: Range<usize>) {
        if self.wanted.kinds.contain(kind) {
            self.hits.push(Hit {
                kind,
                range,
                is_plain: true,
            });
        }
    }

    #[cold]
    fn number(&mut self, at: usize) {
        let (kinds, hits) = (self.wanted.kinds, &mut *self.hits);
        self.numbers_until = numbers(self.text, at, kinds, |kind, range| {
            hits.push(Hit {
                kind,
                range,
                is_plain: true,
            });
        });
    }

    #[cold]
    fn literal(&mut self, literal: Literal, start: usize, end: usize) {
        match literal {
            Literal::Key(form) => {
                if start < self.keys_until {
                    return;
                }
                let run = self.token_end(end);
                if is_key(self.text, form, start, run) {
                    let run = end_behind_dots(self.text, run);
                    self.keys_until = run;
                    self.hit(Kind::ApiKey, start..run);
                    if is_aws(form) {
                        self.aws_id = Some(run);
                        self.near_aws();
                    }
                }
            }
            Literal::Jwt => {
                if start < self.jwt_until {
                    return;
                }
                let run = self.token_end(start);
                // What follows the run is the same for all of it.
                self.jwt_until = run;
                if let Some(end) = jwt_end(self.text, start, run) {
                    self.jwt_until = end;
                    self.hit(Kind::Jwt, start..end);
                } else if crate::bytes::is_before(self.text, start, crate::bytes::ALNUM) {
                    self.jwt_until = end;
                }
            }
            Literal::Authorization => {
                if let Some(range) = authorization(self.text, start, end) {
                    self.hit(Kind::Authorization, range);
                }
            }
            Literal::Pem => {
                if start < self.pem_until {
                    return;
                }
                if let Some(end) = private_key_end(self.text, end) {
                    self.pem_until = end;
                    self.hit(Kind::PrivateKey, start..end);
                }
            }
            Literal::Authority => {
                if let Some(range) = url_password(self.text, end) {
                    self.url_at = Some(range.end);
                    self.hit(Kind::UrlPassword, range);
                }
            }
            Literal::At => {
                let at = end - 1;
                if self.url_at == Some(at) {
                    return;
                }
                if let Some(range) = email(self.text, at) {
                    self.hit(Kind::Email, range);
                }
            }
            Literal::Assigns => {
                if start < self.assigned_until {
                    return;
                }
                if let Some(range) = assignment(self.text, start, self.wanted.names) {
                    self.assigned_until = range.end;
                    self.hit(Kind::Assignment, range);
                }
            }
        }
    }

    #[cold]
    fn word(&mut self, start: usize, end: usize) {
        let word = slice(self.text, start, end);
        if let Some(own) = own_brand(word) {
            self.hit(Kind::ApiKey, start + own..end);
        }
        if self.wanted.kinds.contain(Kind::CloudKey) && is_aws_secret(word) {
            self.aws_secret = Some(start..end);
            self.near_aws();
        }
        if !self.is_outer || !encoded::may_be_text(word) {
            return;
        }
        let mut hits = Vec::new();
        encoded::texts(word, |text| {
            Scan::new(text, self.wanted, false, &mut hits).run();
        });
        if let Some(hit) = hits.first() {
            let padding = slice(self.text, end, end + 2).iter();
            let padding = padding.take_while(|b| **b == b'=').count();
            self.hits.push(Hit {
                kind: hit.kind,
                range: start..end + padding,
                is_plain: false,
            });
        }
    }

    /// Tells the secret if the id is near, whichever comes first.
    fn near_aws(&mut self) {
        let Some(secret) = self.aws_secret.clone() else {
            return;
        };
        let near = |id: usize| secret.start.abs_diff(id).min(secret.end.abs_diff(id)) <= NEAR;
        if self.wanted.is_near_aws || self.aws_id.is_some_and(near) {
            self.aws_secret = None;
            self.hit(Kind::CloudKey, secret);
        }
    }

    /// Where the run of [`TOKEN`]s ends in which this place is.
    fn token_end(&mut self, at: usize) -> usize {
        if !(self.run.start..self.run.end).contains(&at) {
            self.run = at..run_end(self.text, at, TOKEN).max(at);
        }
        self.run.end
    }
}
