use std::time::Duration;

use bartizan_core::{
    Event, Severity,
    breaker::{Change, LONGEST},
};
use bartizan_token::{Fault, Fingerprint};

use crate::{
    Blame, Lookup, Lookups, Refusal, Trouble, Verdict, breakers::Permission, budget::Spent,
    refusal::SHORTLY,
};

/// What became of a look, and what the operator is told of it.
pub(crate) struct Outcome<F> {
    pub(crate) verdict: Verdict<F>,
    pub(crate) news: Option<News>,
}

/// Told when no lock is held: who listens may ask about a token.
pub(crate) struct News {
    severity: Severity,
    kind: &'static str,
    detail: String,
}

/// What became of looks, for memory, breakers and operator.
impl<L: Lookup> Lookups<L> {
    pub(crate) fn note(
        &self,
        token: Fingerprint,
        permission: Permission,
        found: Result<Result<L::Found, Fault>, Trouble>,
    ) -> Outcome<L::Found> {
        match found {
            Ok(verdict) => self.note_verdict(token, permission, verdict),
            Err(trouble) => self.note_trouble(token, permission, trouble),
        }
    }

    fn note_verdict(
        &self,
        token: Fingerprint,
        permission: Permission,
        verdict: Result<L::Found, Fault>,
    ) -> Outcome<L::Found> {
        let is_news = self.breakers.succeeded(permission);
        match &verdict {
            Ok(found) => self.memory.accept(token, found.clone()),
            Err(fault) => self.memory.refuse(token, fault),
        }
        Outcome {
            verdict: verdict.map_err(Refusal::Fault),
            news: is_news.then(|| News {
                severity: Severity::Info,
                kind: "provider_back",
                detail: "the provider answers again".to_owned(),
            }),
        }
    }

    fn note_trouble(
        &self,
        token: Fingerprint,
        permission: Permission,
        trouble: Trouble,
    ) -> Outcome<L::Found> {
        if matches!(trouble.blame, Blame::Room | Blame::Outdated) {
            if trouble.blame == Blame::Outdated {
                self.memory.forget_good(token);
            }
            self.breakers.passed_over(permission);
            let after = trouble.retry_after.unwrap_or(SHORTLY);
            let after = after.clamp(SHORTLY, LONGEST);
            return Outcome {
                verdict: Err(Refusal::Down(trouble.reason.into(), after)),
                news: None,
            };
        }
        let is_outage = trouble.blame == Blame::Provider;
        let (pause, news) = if is_outage {
            self.note_outage(permission, &trouble)
        } else {
            self.breakers.passed_over(permission);
            // What was asked about this token alone has no answer, and an older one does not stand in
            // for it: who was put out would stay in by what the provider refuses.
            self.memory.forget_good(token);
            (SHORTLY, None)
        };
        let mut after = pause;
        // A token that was good is asked about as soon as the provider may be asked.
        if !is_outage || permission.is_strangers() {
            let wish = trouble.retry_after;
            let wish = wish.map(|wish| wish.clamp(SHORTLY, LONGEST));
            after = after.max(self.memory.put_off(token, &trouble.reason, wish));
        }
        Outcome {
            verdict: Err(Refusal::Down(trouble.reason.into(), after)),
            news,
        }
    }

    fn note_outage(&self, permission: Permission, trouble: &Trouble) -> (Duration, Option<News>) {
        let now = self.clock.monotonic();
        let reason = &trouble.reason;
        match self.breakers.failed(permission, now, trouble) {
            Change::FirstFailure => {
                let news = News {
                    severity: Severity::Warning,
                    kind: "lookup_failed",
                    detail: reason.clone(),
                };
                (self.breakers.pause(), Some(news))
            }
            Change::Opened(pause) => {
                let of_whom = match permission.is_strangers() {
                    true => " about tokens that were never good",
                    false => "",
                };
                let news = News {
                    severity: Severity::Error,
                    kind: "provider_down",
                    detail: format!("not asked{of_whom} for {} s: {reason}", pause.as_secs()),
                };
                (pause, Some(news))
            }
            Change::None => (self.breakers.pause(), None),
        }
    }

    pub(crate) fn tell(&self, news: Option<News>) {
        if let Some(news) = news {
            self.emit(news.severity, news.kind, news.detail);
        }
    }

    pub(crate) fn note_spent_budget(&self, spent: Spent) -> Refusal {
        let (reason, after, is_news) = match spent {
            Spent::ByAll { after, is_news } => {
                ("too many tokens that were never good", after, is_news)
            }
            Spent::ByOne { after } => {
                let reason = "too many tokens that were never good, from one network";
                (reason, after, false)
            }
        };
        if is_news {
            let detail =
                "more credentials that were never good than may be asked about in a minute"
                    .to_owned();
            self.emit(Severity::Warning, "lookups_limited", detail);
        }
        Refusal::Down(reason.into(), after.max(SHORTLY))
    }

    fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events
            .emit(&Event::new(self.layer, severity, kind, detail));
    }
}
