use std::{fmt, net::IpAddr, sync::Arc};

use bartizan_core::{
    Authenticator, Clock, Denial, DenialKind, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
    note,
};
use bartizan_lookup::{Found as _, Judgement, Lookups, Refusal, Verdict, Waiter};
use http::{HeaderName, HeaderValue};

use crate::{
    KeyForm, KeyId,
    honey::{HONEY, HoneyNames},
    lookup::{GoodKey, Proof, Question, StoreLookup},
    uses::Uses,
};
#[cfg(feature = "attenuation")]
use crate::{
    children::Seed,
    form::{Presented, PresentedChain},
};

/// Judges the API keys of requests. Made by [`ApiKeys::verifier`](crate::ApiKeys::verifier); clones share
/// what is remembered.
#[derive(Clone)]
pub struct ApiKeyVerifier {
    judge: Arc<Judge>,
    is_alone: bool,
}

pub(crate) struct Judge {
    pub(crate) form: KeyForm,
    pub(crate) lookups: Arc<Lookups<StoreLookup>>,
    pub(crate) uses: Arc<Uses>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) headers: Vec<HeaderName>,
    /// Where there is no other authenticator, and the second alone where there are.
    pub(crate) challenges: [HeaderValue; 2],
    pub(crate) honey: Arc<HoneyNames>,
    #[cfg(feature = "imported")]
    pub(crate) imports: Option<Arc<crate::imports::Imports>>,
}

/// What is known of a key without waiting.
pub(crate) enum Judged {
    Done(Verdict<GoodKey>),
    Wait(Waiter<GoodKey>),
    #[cfg(feature = "imported")]
    WaitForImported(Waiter<GoodKey>),
}

impl From<Judgement<GoodKey>> for Judged {
    fn from(judgement: Judgement<GoodKey>) -> Self {
        match judgement {
            Judgement::Done(verdict) => Self::Done(verdict),
            Judgement::Wait(waiter) => Self::Wait(waiter),
        }
    }
}

/// When a key that ends soon does so, on the answer to it: a time of RFC 3339.
pub(crate) static EXPIRES: HeaderName = HeaderName::from_static("x-api-key-expires");

impl ApiKeyVerifier {
    pub(crate) fn new(judge: Arc<Judge>) -> Self {
        Self {
            judge,
            is_alone: false,
        }
    }

    /// The same where no other authenticator offers what clients look for first (AC-12).
    pub(crate) fn alone(self) -> Self {
        Self {
            is_alone: true,
            ..self
        }
    }

    fn offered(&self) -> &[HeaderValue] {
        let [_, own] = &self.judge.challenges;
        match self.is_alone {
            true => &self.judge.challenges,
            false => std::slice::from_ref(own),
        }
    }

    /// Each fault has its own reason for the audit, and all have one answer (AL-3).
    fn denial(&self, refusal: Refusal) -> Denial {
        match refusal {
            Refusal::Fault(fault) => {
                let denial = Denial::new(DenialKind::CredentialsInvalid, fault);
                denial.with_challenges(self.offered().to_vec())
            }
            // No challenge: a client must not throw its key away because the store is down (AC-16).
            Refusal::Down(reason, after) => {
                let reason = format!("nothing is known of the key: {reason}");
                Denial::new(DenialKind::Unavailable, reason).with_retry_after(after)
            }
        }
    }

    fn conclude(
        &self,
        verdict: Verdict<GoodKey>,
        from: Option<IpAddr>,
        context: &SecurityContext,
    ) -> Result<Identified, Denial> {
        let key = self.judge.check(verdict, from);
        let key = key.map_err(|refusal| self.denial(refusal))?;
        if let Some(lineage) = key.lineage() {
            note!("apikey", context, "attenuated", lineage.to_owned());
        }
        let identified = self.judge.lookups.identified(key.principal().clone());
        Ok(match key.warning() {
            Some(end) => identified.with_response_header(EXPIRES.clone(), end.clone()),
            None => identified,
        })
    }

    /// For the record: which key it is that was refused, be there one or not. The answer does not tell.
    fn note_refused(
        &self,
        denial: &Denial,
        context: &SecurityContext,
        id: impl FnOnce() -> Option<KeyId>,
    ) {
        if denial.reason() == HONEY {
            return self.judge.honey.touched(id(), context);
        }
        if let Some(id) = context.trail().and_then(|_| id()) {
            note!("apikey", context, "key_refused", format!("key `{id}`"));
        }
    }

    /// Judges a key outside of any request: the principal, or why not.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that a request with this key from this address would be answered with.
    pub async fn verify(&self, key: &str, from: Option<IpAddr>) -> Result<Principal, Denial> {
        let judge = &self.judge;
        let verdict = judge.settled(judge.judge(key, from)).await;
        let key = judge.check(verdict, from);
        let key = key.map_err(|refusal| self.denial(refusal))?;
        Ok(key.principal().clone())
    }
}

impl Judge {
    pub(crate) fn judge(&self, text: &str, from: Option<IpAddr>) -> Judged {
        #[cfg(feature = "imported")]
        if let Some(imports) = &self.imports
            && let Some(form) = imports.form_of(text)
        {
            return match imports.judge(form, text, from) {
                Judgement::Done(verdict) => Judged::Done(verdict),
                Judgement::Wait(waiter) => Judged::WaitForImported(waiter),
            };
        }
        #[cfg(feature = "attenuation")]
        let presented = self.form.read_any(text);
        #[cfg(not(feature = "attenuation"))]
        let presented = self.form.read(text);
        let presented = match presented {
            Ok(presented) => presented,
            Err(problem) => return Judged::Done(Err(Refusal::Fault(problem.reason()))),
        };
        #[cfg(feature = "attenuation")]
        if let Some(chain) = presented.chain {
            return self.judge_child(text, chain, presented, from).into();
        }
        let question = || Question {
            id: presented.id,
            environment: presented.environment.to_owned(),
            proof: Proof::Secret(presented.secret),
        };
        self.lookups.judge(text, question, from).into()
    }

    /// What the text itself tells is judged before anybody is asked, and costs no part of a budget.
    #[cfg(feature = "attenuation")]
    fn judge_child(
        &self,
        text: &str,
        chain: PresentedChain<'_>,
        presented: Presented<'_>,
        from: Option<IpAddr>,
    ) -> Judgement<GoodKey> {
        if let Some(verdict) = self.lookups.remembered(text) {
            return Judgement::Done(verdict);
        }
        let now = self.clock.wall().as_secs();
        let chain = match chain.read() {
            Ok(chain) if chain.is_over(now) => Err("the child has expired"),
            read => read,
        };
        let chain = match chain {
            Ok(chain) => chain,
            Err(fault) => return Judgement::Done(Err(Refusal::Fault(fault))),
        };
        let question = || Question {
            id: presented.id,
            environment: presented.environment.to_owned(),
            proof: Proof::Chain(chain, Seed::of_child(presented.secret)),
        };
        self.lookups.judge(text, question, from)
    }

    /// The id that a text names which has the form of a key.
    pub(crate) fn id_in(&self, text: &str) -> Option<KeyId> {
        #[cfg(feature = "attenuation")]
        let presented = self.form.read_any(text);
        #[cfg(not(feature = "attenuation"))]
        let presented = self.form.read(text);
        presented.ok().map(|presented| presented.id)
    }

    pub(crate) async fn settled(&self, judged: Judged) -> Verdict<GoodKey> {
        match judged {
            Judged::Done(verdict) => verdict,
            Judged::Wait(waiter) => self.lookups.settled(waiter).await,
            #[cfg(feature = "imported")]
            Judged::WaitForImported(waiter) => match &self.imports {
                Some(imports) => imports.lookups.settled(waiter).await,
                None => Err(Refusal::Fault("no keys of other systems are taken")),
            },
        }
    }

    /// Whether a bearer token is a key of ours.
    fn begins(&self, text: &str) -> bool {
        #[cfg(feature = "imported")]
        if let Some(imports) = &self.imports
            && imports.form_of(text).is_some()
        {
            return true;
        }
        self.form.begins(text)
    }

    /// What depends on the request, and not on the key alone.
    fn check(&self, verdict: Verdict<GoodKey>, from: Option<IpAddr>) -> Verdict<GoodKey> {
        let key = verdict?;
        if !key.is_good_from(from) {
            return Err(Refusal::Fault("the key is not good from this address"));
        }
        self.note_use(&key);
        Ok(key)
    }

    fn note_use(&self, key: &GoodKey) {
        let now = self.clock.wall().as_secs();
        if key.is_worth_noting(now) {
            self.uses.note(key.id(), now);
        }
    }

    /// The text of the key that a request presents, and where it stands.
    fn presented<'a>(&self, credentials: &Credentials<'a>) -> Option<(&'a str, CredentialPlace)> {
        if let Some(authorization) = credentials.authorization() {
            let text = authorization.value();
            let is_ours = authorization.is_scheme("ApiKey")
                || (authorization.is_scheme("Bearer") && self.begins(text));
            return is_ours.then_some((text, CredentialPlace::Authorization));
        }
        let field = |name: &HeaderName| {
            let value = credentials.headers().get(name)?;
            // What can't be read is a key all the same, and none that is good.
            let text = value.to_str().unwrap_or_default();
            Some((text, CredentialPlace::Header(name.clone())))
        };
        self.headers.iter().find_map(field)
    }
}

impl Authenticator for ApiKeyVerifier {
    fn name(&self) -> &'static str {
        "apikey"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        self.judge.presented(credentials).map(|(_, place)| place)
    }

    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        context: &SecurityContext,
    ) -> Verification {
        let from = context.client_address();
        let text = self
            .judge
            .presented(credentials)
            .map_or("", |(text, _)| text);
        match self.judge.judge(text, from) {
            Judged::Done(verdict) => {
                let concluded = self.conclude(verdict, from, context);
                if let Err(denial) = &concluded {
                    self.note_refused(denial, context, || self.judge.id_in(text));
                }
                concluded.into()
            }
            waiting => {
                let (verifier, context) = (self.clone(), context.clone());
                let id = self.judge.id_in(text);
                Verification::Pending(Box::pin(async move {
                    let verdict = verifier.judge.settled(waiting).await;
                    let concluded = verifier.conclude(verdict, from, &context);
                    if let Err(denial) = &concluded {
                        verifier.note_refused(denial, &context, || id);
                    }
                    concluded
                }))
            }
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        self.offered()
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.judge.headers
    }
}

impl fmt::Debug for ApiKeyVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyVerifier")
            .field("form", &self.judge.form)
            .field("headers", &self.judge.headers)
            .finish_non_exhaustive()
    }
}
