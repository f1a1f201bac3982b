use std::time::Duration;

use bartizan_core::{Event, Principal, Severity};
use bartizan_token::{Fault, Fingerprint};

use crate::{
    breaker::{Change, LONGEST, Permit},
    flight::Verdict,
    judge::{Judge, Refusal, SHORTLY},
    lookup::{Blame, Trouble},
};

/// What became of looks, for memory, breaker and operator.
impl Judge {
    pub(crate) fn note_verdict(
        &self,
        token: Fingerprint,
        permit: Permit,
        verdict: Result<Principal, Fault>,
    ) -> Verdict {
        if self.breaker.succeeded(permit) {
            let detail = "the provider answers again".to_owned();
            self.emit(Severity::Info, "provider_back", detail);
        }
        match &verdict {
            Ok(principal) => self.memory.accept(token, principal.clone()),
            Err(fault) => self.memory.refuse(token, fault),
        }
        verdict.map_err(Refusal::Fault)
    }

    pub(crate) fn note_trouble(
        &self,
        token: Fingerprint,
        permit: Permit,
        trouble: Trouble,
    ) -> Refusal {
        if trouble.blame == Blame::Provider {
            let pause = self.note_outage(permit, &trouble);
            return Refusal::Down(trouble.reason.into(), pause);
        }
        self.breaker.passed_over(permit);
        // Who was put out must not stay in by making GitHub refuse the question.
        if trouble.blame == Blame::Caller {
            self.memory.forget_good(token);
        }
        let wish = trouble.retry_after;
        let wish = wish.map(|wish| wish.clamp(SHORTLY, LONGEST));
        let after = self.memory.put_off(token, &trouble.reason, wish);
        Refusal::Down(trouble.reason.into(), after.max(SHORTLY))
    }

    fn note_outage(&self, permit: Permit, trouble: &Trouble) -> Duration {
        let now = self.clock.monotonic();
        match self.breaker.failed(permit, now, trouble.retry_after) {
            Change::FirstFailure => {
                self.emit(Severity::Warning, "lookup_failed", trouble.reason.clone());
            }
            Change::Opened(pause) => {
                let detail = format!("not asked for {} s: {}", pause.as_secs(), trouble.reason);
                self.emit(Severity::Error, "provider_down", detail);
                return pause;
            }
            Change::None => {}
        }
        self.breaker.pause()
    }

    pub(crate) fn note_spent_budget(&self, after: Duration, is_news: bool) -> Refusal {
        if is_news {
            let detail = "more tokens that were never good than `new_tokens_per_minute`".to_owned();
            self.emit(Severity::Warning, "lookups_limited", detail);
        }
        let reason = "too many tokens that were never good";
        Refusal::Down(reason.into(), after.max(SHORTLY))
    }

    fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events
            .emit(&Event::new("oauth", severity, kind, detail));
    }
}
