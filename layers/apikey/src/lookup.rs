use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "leaks")]
use std::sync::atomic::AtomicBool;

use bartizan_core::{Clock, CredentialLimits, Principal};
use bartizan_lookup::{Blame, Found, Interest, Looking, Lookup, Trouble};
use bartizan_token::Fault;
use http::HeaderValue;
use ipnet::IpNet;
use tokio::time::timeout;

#[cfg(feature = "attenuation")]
use crate::children::{Chain, Nursery, Seed};
use crate::{
    KeyForm, KeyGrant, KeyId, KeyLimits, KeyRecord, KeyStore, OwnerKind, Peppers, SecretHash,
    Standing, StoreError,
    honey::{HONEY, HoneyNames},
    patience::PATIENCE,
    secret::KeySecret,
    uses::EXACTNESS,
    warnings::Warnings,
};

/// Asks the store what a key stands for.
#[cfg_attr(feature = "imported", derive(Clone))]
pub(crate) struct StoreLookup {
    pub(crate) store: Arc<dyn KeyStore>,
    pub(crate) peppers: Peppers,
    pub(crate) issuer: Box<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) form: KeyForm,
    pub(crate) warnings: Arc<Warnings>,
    pub(crate) honey: Arc<HoneyNames>,
    #[cfg(feature = "attenuation")]
    pub(crate) nursery: Arc<Nursery>,
}

/// A key that was presented.
pub(crate) struct Question {
    pub(crate) id: KeyId,
    pub(crate) environment: String,
    pub(crate) proof: Proof,
}

/// What shows that it is the key.
pub(crate) enum Proof {
    /// Its secret.
    Secret(KeySecret),
    /// The chain from it, and the last private key of that.
    #[cfg(feature = "attenuation")]
    Chain(Chain, Seed),
}

/// Told of keys only whose secret was right.
pub(crate) const EARLY: Fault = "the key is not good yet";

/// What is remembered of a good key.
#[derive(Clone)]
pub(crate) struct GoodKey(Arc<Inner>);

struct Inner {
    id: KeyId,
    principal: Principal,
    networks: Vec<IpNet>,
    /// What links of a child's chain say of networks besides.
    narrower_networks: Vec<Vec<IpNet>>,
    /// Of a child, for records: whose it is, and its links.
    lineage: Option<Box<str>>,
    bytes: usize,
    /// What answers say if the key ends soon.
    warning: Option<HeaderValue>,
    /// Until when another use is not worth noting, in seconds since the Unix epoch.
    noted_until: AtomicU64,
    #[cfg(feature = "leaks")]
    is_reported: AtomicBool,
}

/// What a key takes that was granted nothing, give or take.
const LEAST_BYTES: usize = 512;

/// What a text in a list takes besides itself.
const TEXT_BYTES: usize = 32;

/// What a child has less than its key, beyond what a record can say.
#[derive(Default)]
pub(crate) struct Narrower {
    pub(crate) limits: Vec<CredentialLimits>,
    pub(crate) networks: Vec<Vec<IpNet>>,
    pub(crate) lineage: Option<Box<str>>,
    /// About how much that takes.
    pub(crate) bytes: usize,
}

impl GoodKey {
    pub(crate) fn id(&self) -> KeyId {
        self.0.id
    }

    pub(crate) fn warning(&self) -> Option<&HeaderValue> {
        self.0.warning.as_ref()
    }

    /// Whether it was not used for so long that it is noted again. True for one who asks.
    pub(crate) fn is_worth_noting(&self, now: u64) -> bool {
        let noted_until = &self.0.noted_until;
        let until = noted_until.load(Ordering::Relaxed);
        let next = now.saturating_add(EXACTNESS);
        now >= until
            && noted_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether it is reported as leaked for the first time since it was looked up. True for one who asks.
    #[cfg(feature = "leaks")]
    pub(crate) fn is_first_report(&self) -> bool {
        !self.0.is_reported.swap(true, Ordering::Relaxed)
    }

    /// Whether it is good from there; from nowhere if the address is not known and matters.
    pub(crate) fn is_good_from(&self, address: Option<IpAddr>) -> bool {
        let Inner {
            networks,
            narrower_networks,
            ..
        } = &*self.0;
        let address = address.map(|address| address.to_canonical());
        let covers = |net: &IpNet| address.is_some_and(|address| net.contains(&address));
        let is_in = |networks: &Vec<IpNet>| networks.iter().any(covers);
        (networks.is_empty() || is_in(networks)) && narrower_networks.iter().all(is_in)
    }

    /// Of a child, for records: whose it is, and its links.
    pub(crate) fn lineage(&self) -> Option<&str> {
        self.0.lineage.as_deref()
    }
}

impl Found for GoodKey {
    fn principal(&self) -> &Principal {
        &self.0.principal
    }

    fn bytes(&self) -> usize {
        self.0.bytes
    }
}

impl StoreLookup {
    async fn ask(&self, question: &Question) -> Result<Result<GoodKey, Fault>, Trouble> {
        let record = self.store.get(question.id).await;
        let record = record.map_err(|error| trouble(&error))?;
        let found = self.judge(question, record.as_ref());
        if matches!(found, Ok(_) | Err(HONEY))
            && let Some(renewed) = record.and_then(|record| self.renewed(question, record))
        {
            self.write(renewed);
        }
        Ok(found)
    }

    /// The record under the current pepper, if it is not yet and what is to be hashed is at hand.
    fn renewed(&self, question: &Question, mut record: KeyRecord) -> Option<KeyRecord> {
        let mut is_new = false;
        if let Proof::Secret(secret) = &question.proof
            && !self.peppers.is_current(&record.hash)
        {
            record.hash = match record.is_honey() {
                true => self.peppers.hash_honey(question.id, secret),
                false => self.peppers.hash(question.id, secret),
            };
            is_new = true;
        }
        #[cfg(feature = "attenuation")]
        if let Some(key) = &mut record.verifying_key {
            is_new |= self.peppers.vouch_anew(question.id, &record.hash, key);
        }
        record.version = record.version.saturating_add(1);
        is_new.then_some(record)
    }

    /// Nobody waits for it: if it fails, or somebody else changed the record, there is a next time.
    pub(crate) fn write(&self, record: KeyRecord) {
        let store = Arc::clone(&self.store);
        // Looks run in tasks, on a runtime with a timer.
        tokio::spawn(async move { replaced(&*store, record).await });
    }

    /// One hash, whatever becomes of the key.
    fn judge(&self, question: &Question, record: Option<&KeyRecord>) -> Result<GoodKey, Fault> {
        let Question {
            id,
            environment,
            proof,
        } = question;
        #[cfg_attr(
            not(feature = "attenuation"),
            expect(clippy::infallible_destructuring_match, reason = "two with it")
        )]
        let secret = match proof {
            Proof::Secret(secret) => secret,
            #[cfg(feature = "attenuation")]
            Proof::Chain(chain, last) => return self.judge_child(question, chain, last, record),
        };
        let Some(record) = record else {
            self.peppers.verify_nothing(*id, secret);
            return Err("there is no such key");
        };
        match self.peppers.verify(*id, secret, &record.hash) {
            Some(true) => {}
            Some(false) => return Err("the key's secret is wrong"),
            None => {
                self.peppers.verify_nothing(*id, secret);
                return Err(match record.hash {
                    SecretHash::Hmac { .. } | SecretHash::Honey { .. } => {
                        "the key was hashed under a pepper that is not here"
                    }
                    _ => "the id is that of a key of another form",
                });
            }
        }
        self.check_standing(record, environment)?;
        self.good(record, Narrower::default())
    }

    pub(crate) fn check_standing(
        &self,
        record: &KeyRecord,
        environment: &str,
    ) -> Result<(), Fault> {
        match record.standing(self.now()) {
            Standing::Honey => {
                self.honey.learn(record);
                Err(HONEY)
            }
            _ if record.grant.environment != environment => {
                Err("the key is of another environment")
            }
            Standing::Good => Ok(()),
            Standing::Early => Err(EARLY),
            Standing::Expired => Err("the key has expired"),
            Standing::Revoked => Err("the key is revoked"),
        }
    }

    /// What a key stands for whose text tells no environment.
    #[cfg(feature = "imported")]
    pub(crate) fn stand(&self, record: &KeyRecord) -> Result<GoodKey, Fault> {
        self.check_standing(record, &record.grant.environment)?;
        self.good(record, Narrower::default())
    }

    pub(crate) fn good(&self, record: &KeyRecord, narrower: Narrower) -> Result<GoodKey, Fault> {
        if record.is_honey() {
            return Err(HONEY);
        }
        let checked = record.grant.check(&self.form);
        checked.map_err(|_| "the key's record holds what no key is granted")?;
        let limits = compiled(&record.grant.limits)?;
        let Narrower {
            limits: narrower_limits,
            networks: narrower_networks,
            lineage,
            bytes: more,
        } = narrower;
        let KeyGrant {
            owner,
            owner_kind,
            tenant,
            roles,
            scopes,
            capabilities,
            networks,
            ..
        } = &record.grant;
        let mut principal = match owner_kind {
            OwnerKind::Service => Principal::service(&self.issuer, owner),
            OwnerKind::User => Principal::user(&self.issuer, owner),
        }
        .credential_id(&record.id.to_string())
        .roles(roles)
        .scopes(scopes)
        .capabilities(capabilities)
        .expires_at(Duration::from_secs(record.expires_at));
        if let Some(tenant) = tenant {
            principal = principal.tenant(tenant);
        }
        for limits in limits.into_iter().chain(narrower_limits) {
            principal = principal.limits(limits);
        }
        Ok(GoodKey(Arc::new(Inner {
            id: record.id,
            principal: principal.build("apikey"),
            networks: networks.clone(),
            narrower_networks,
            bytes: more.saturating_add(bytes(&self.issuer, &record.grant)),
            warning: self.warnings.of(record, lineage.is_some(), self.now()),
            lineage,
            noted_until: AtomicU64::new(0),
            #[cfg(feature = "leaks")]
            is_reported: AtomicBool::new(false),
        })))
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.wall().as_secs()
    }
}

/// Whether the store took the record, as far as is known.
pub(crate) async fn replaced(store: &dyn KeyStore, record: KeyRecord) -> bool {
    let replaced = timeout(PATIENCE, store.replace(record)).await;
    matches!(replaced, Ok(Ok(())))
}

pub(crate) fn compiled(limits: &KeyLimits) -> Result<Option<CredentialLimits>, Fault> {
    let limits = limits.compile();
    limits.map_err(|_| "the key has limits that can't be read")
}

impl Lookup for StoreLookup {
    type Question = Question;
    type Found = GoodKey;

    fn look_up<'a>(&'a self, question: &'a Question, _: &'a Interest) -> Looking<'a, GoodKey> {
        Box::pin(self.ask(question))
    }
}

/// What is remembered of a grant, about.
fn bytes(issuer: &str, grant: &KeyGrant) -> usize {
    let KeyLimits {
        tools,
        prompts,
        resources,
        methods,
        rate: _,
    } = &grant.limits;
    let limits = [tools, prompts, resources, methods].into_iter().flatten();
    let lists = [&grant.roles, &grant.scopes, &grant.capabilities];
    let texts = lists.into_iter().chain(limits).flatten();
    let texts = texts.map(|text| text.len() + TEXT_BYTES).sum::<usize>();
    let tenant = grant.tenant.as_deref().unwrap_or_default();
    let names = [issuer, &grant.owner, tenant].map(str::len);
    let networks = size_of_val(&*grant.networks);
    LEAST_BYTES + texts + networks + names.iter().sum::<usize>()
}

pub(crate) fn trouble(error: &StoreError) -> Trouble {
    let trouble = Trouble::new(chain(error));
    match error {
        // The store answered. Whoever has the key must not keep others from theirs.
        StoreError::Unreadable(..) => trouble.blamed_on(Blame::Nobody),
        _ => trouble,
    }
}

/// An error with all that caused it: for the operator.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flaw: it was the same for all.
    #[test]
    fn what_a_key_takes_grows_with_what_it_was_granted() {
        let small = KeyGrant::service("ci", "live");
        let roles = (0..64).map(|n| format!("{n:0>200}"));
        let patterns = (0..256).map(|n| format!("{n:0>4000}"));
        let large = small.clone().roles(roles).only_tools(patterns);
        let of = |grant| bytes("apikey:acme", grant);
        assert!((512..600).contains(&of(&small)));
        assert!(of(&large) > 256 * 4000 + 64 * 200);
    }
}
