use std::{
    error::Error,
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU64,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use http::{Extensions, HeaderValue, Method, Request, request::Parts};

#[cfg(feature = "call")]
use crate::Call;
use crate::{
    CorrelationId, Decided, Finding, Permissions, Principal, Trail, address_slot::AddressSlot,
};

/// The pass that each guard stamps on a request's way inwards.
///
/// One per request, made by the first layer that touches it and kept in the request's
/// extensions. Clones share the same slots, so an outer layer that keeps one sees what inner
/// layers stamped, even if the request's future is dropped. Slots are write-once.
#[derive(Clone, Default)]
pub struct SecurityContext(Arc<Slots>);

#[derive(Default)]
struct Slots {
    head: AtomicBool,
    correlation_id: OnceLock<CorrelationId>,
    client_address: AddressSlot,
    /// Zero until it is known.
    transport: AtomicU8,
    identity: OnceLock<Identity>,
    /// Zero if none was refused.
    refused_credential: AtomicU64,
    /// Of a layer that let the request pass and identified nobody.
    challenges: OnceLock<Arc<[HeaderValue]>>,
    #[cfg(feature = "call")]
    call: OnceLock<Call>,
    permissions: OnceLock<Arc<dyn Permissions>>,
    decided: OnceLock<Decided>,
    intent: OnceLock<u128>,
    is_heard: AtomicBool,
    limits_judged: AtomicBool,
    rate_judged: AtomicBool,
    trail: Trail,
}

/// What an authentication layer leaves that identified somebody. In one slot, since each one takes time to fill.
struct Identity {
    principal: Principal,
    challenges: Option<Arc<[HeaderValue]>>,
}

/// How the request travelled on its last stretch that we can vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Over TLS.
    Tls = 1,
    /// In the clear.
    Plain = 2,
}

impl SecurityContext {
    /// The request's context, made now if no layer did before.
    pub fn of<B>(request: &mut Request<B>) -> Self {
        let context = Self::of_extensions(request.extensions_mut());
        context.note_method(request.method());
        context
    }

    /// The context of a request in parts, made now if no layer did before.
    pub fn of_parts(parts: &mut Parts) -> Self {
        let context = Self::of_extensions(&mut parts.extensions);
        context.note_method(&parts.method);
        context
    }

    /// The context among a request's extensions, made now if no layer did before.
    pub fn of_extensions(extensions: &mut Extensions) -> Self {
        match Self::find(extensions) {
            Some(context) => context.clone(),
            None => Self::made_in(extensions).clone(),
        }
    }

    /// The context among a request's extensions, if a layer made one.
    #[inline]
    pub fn find(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The context where it lies among a request's extensions, made now if no layer did before. To
    /// [find](Self::find) one that is there is faster.
    pub(crate) fn made_in(extensions: &mut Extensions) -> &Self {
        extensions.get_or_insert_default::<Self>()
    }

    pub(crate) fn note_method(&self, method: &Method) {
        if *method == Method::HEAD {
            self.0.head.store(true, Ordering::Release);
        }
    }

    /// Whether the answer has no body, as to `HEAD`; not every server takes it off.
    pub(crate) fn answers_head(&self) -> bool {
        self.0.head.load(Ordering::Acquire)
    }

    /// The id that ties answer, log lines and audit record together; made on first use.
    pub fn correlation_id(&self) -> &CorrelationId {
        self.0.correlation_id.get_or_init(CorrelationId::random)
    }

    /// Takes a correlation id from a caller that is trusted to choose it.
    ///
    /// # Errors
    ///
    /// [`AlreadyStamped`] if the request has one.
    pub fn set_correlation_id(&self, id: CorrelationId) -> Result<(), AlreadyStamped> {
        stamp(&self.0.correlation_id, id, "correlation id")
    }

    /// The client's address, behind whatever proxies are trusted.
    #[inline]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.0.client_address.get()
    }

    /// Stamps the client's address.
    ///
    /// # Errors
    ///
    /// [`AlreadyStamped`] if another address is there.
    pub fn set_client_address(&self, address: IpAddr) -> Result<(), AlreadyStamped> {
        match self.0.client_address.set(address) {
            true => Ok(()),
            false => Err(AlreadyStamped {
                slot: "client address",
            }),
        }
    }

    /// How the request travelled; `None` if no layer knows.
    #[inline]
    pub fn transport(&self) -> Option<Transport> {
        let stamped = self.0.transport.load(Ordering::Acquire);
        let mut all = [Transport::Tls, Transport::Plain].into_iter();
        all.find(|transport| *transport as u8 == stamped)
    }

    /// Stamps how the request travelled.
    ///
    /// # Errors
    ///
    /// [`AlreadyStamped`] if the opposite is there.
    pub fn set_transport(&self, transport: Transport) -> Result<(), AlreadyStamped> {
        let (none, this) = (0, transport as u8);
        let slot = &self.0.transport;
        match slot.compare_exchange(none, this, Ordering::AcqRel, Ordering::Acquire) {
            Err(stamped) if stamped != this => Err(AlreadyStamped { slot: "transport" }),
            _ => Ok(()),
        }
    }

    /// Who makes the request; `None` if no authentication layer ran.
    #[inline]
    pub fn principal(&self) -> Option<&Principal> {
        self.0.identity.get().map(|identity| &identity.principal)
    }

    /// Stamps who makes the request.
    ///
    /// # Errors
    ///
    /// [`AlreadyStamped`] if a different party is there, or the same with another tenant, other
    /// roles, scopes, limits or expiry: which of the two counted would depend on the order of layers.
    pub fn set_principal(&self, principal: Principal) -> Result<(), AlreadyStamped> {
        self.identify(principal, None)
    }

    /// The same, and leaves the challenges as [`offer_challenges`](Self::offer_challenges) does.
    pub(crate) fn identify(
        &self,
        principal: Principal,
        challenges: Option<&Arc<[HeaderValue]>>,
    ) -> Result<(), AlreadyStamped> {
        let first = challenges.filter(|_| self.0.challenges.get().is_none());
        let identity = Identity {
            principal,
            challenges: first.cloned(),
        };
        let Err(again) = self.0.identity.set(identity) else {
            return Ok(());
        };
        let stamped = self.principal();
        if !stamped.is_some_and(|p| p.has_same_authority(&again.principal)) {
            return Err(AlreadyStamped { slot: "principal" });
        }
        if let Some(challenges) = again.challenges {
            self.offer_challenges(challenges);
        }
        Ok(())
    }

    /// Tells the credential that an authentication layer refused from others, for who looks for guessing; `None` if it
    /// refused none. A hash under a key that this process made at random: it says nothing about the credential, and means
    /// nothing elsewhere.
    #[inline]
    pub fn refused_credential(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0.refused_credential.load(Ordering::Acquire))
    }

    /// Notes which credential was refused, of which only a keyed hash is kept; the first one counts.
    pub fn note_refused_credential(&self, credential: &[u8]) {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let hash = KEY
            .get_or_init(RandomState::new)
            .hash_one(credential)
            .max(1);
        let slot = &self.0.refused_credential;
        let _ = slot.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The challenges of the authentication layer that let the request pass, for an inner layer
    /// that needs somebody, or somebody else.
    #[inline]
    pub fn challenges(&self) -> &[HeaderValue] {
        let by_identity = self.0.identity.get().and_then(|i| i.challenges.as_ref());
        by_identity
            .or_else(|| self.0.challenges.get())
            .map_or(&[], |challenges| challenges)
    }

    /// Leaves the challenges for inner layers; the first layer to do so wins.
    pub fn offer_challenges(&self, challenges: Arc<[HeaderValue]>) {
        let identity = self.0.identity.get();
        if identity.is_none_or(|identity| identity.challenges.is_none()) {
            let _ = self.0.challenges.set(challenges);
        }
    }

    /// What the request asks for; `None` until a layer parsed it.
    #[cfg(feature = "call")]
    #[inline]
    pub fn call(&self) -> Option<&Call> {
        self.0.call.get()
    }

    /// Stamps what the request asks for; the first call to be read stays.
    #[cfg(feature = "call")]
    pub(crate) fn set_call(&self, call: Call) {
        let _ = self.0.call.set(call);
    }

    /// What the principal's roles permit; `None` if no authorization layer ran.
    #[inline]
    pub fn permissions(&self) -> Option<&Arc<dyn Permissions>> {
        self.0.permissions.get()
    }

    /// Leaves the policy by which the request was judged, for handlers that ask for more.
    ///
    /// # Errors
    ///
    /// [`AlreadyStamped`] if another policy is there.
    pub fn set_permissions(&self, policy: Arc<dyn Permissions>) -> Result<(), AlreadyStamped> {
        match self.0.permissions.set(policy) {
            Ok(()) => Ok(()),
            Err(again) if self.permissions().is_some_and(|p| Arc::ptr_eq(p, &again)) => Ok(()),
            Err(_) => Err(AlreadyStamped { slot: "policy" }),
        }
    }

    /// Says that what the principal's [limits](Principal::limits) do not admit goes no further than here: done by a
    /// layer that judged the request by them.
    pub fn judge_limits(&self) {
        self.0.limits_judged.store(true, Ordering::Release);
    }

    /// Whether a layer judged the request by the [limits](Principal::limits) of its principal.
    pub fn limits_are_judged(&self) -> bool {
        self.0.limits_judged.load(Ordering::Acquire)
    }

    /// Says that what the principal's [rate](Principal::rate) does not admit goes no further than here: done by a
    /// layer that counted the request.
    pub fn judge_rate(&self) {
        self.0.rate_judged.store(true, Ordering::Release);
    }

    /// Whether a layer counted the request by the [rate](Principal::rate) of its principal.
    pub fn rate_is_judged(&self) -> bool {
        self.0.rate_judged.load(Ordering::Acquire)
    }

    /// What an authorization layer decided, if one did and somebody collects findings.
    pub fn decided(&self) -> Option<&Decided> {
        self.0.decided.get()
    }

    /// Leaves what was decided for the request's record; the first layer to do so wins.
    pub fn set_decided(&self, decided: Decided) {
        let _ = self.0.decided.set(decided);
    }

    /// The id of the record that says what is going to be done, if one was made.
    pub fn intent(&self) -> Option<u128> {
        self.0.intent.get().copied()
    }

    /// Leaves the id of such a record for the request's own; the first layer to do so wins.
    pub fn set_intent(&self, id: u128) {
        let _ = self.0.intent.set(id);
    }

    /// Starts collecting findings; done by an audit layer. Later calls change nothing.
    pub fn open_trail(&self) -> &Trail {
        self.0.is_heard.store(true, Ordering::Release);
        &self.0.trail
    }

    /// The findings, if somebody collects them.
    #[inline]
    pub fn trail(&self) -> Option<&Trail> {
        let is_heard = self.0.is_heard.load(Ordering::Acquire);
        is_heard.then_some(&self.0.trail)
    }

    /// Adds a finding if somebody collects them; otherwise it is not even made.
    pub fn record(&self, finding: impl FnOnce() -> Finding) {
        if let Some(trail) = self.trail() {
            trail.push(self, finding());
        }
    }
}

impl fmt::Debug for SecurityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityContext")
            .field("correlation_id", &self.0.correlation_id.get())
            .field("client_address", &self.client_address())
            .field("transport", &self.transport())
            .field("principal", &self.principal())
            .finish_non_exhaustive()
    }
}

/// Stamps who makes the request: the entry for authentication layers from elsewhere.
///
/// ```
/// use bartizan_core::{Principal, SecurityContext, identify};
/// let mut request = http::Request::new(());
/// let ann = Principal::user("https://auth.example.com", "ann").build("my-sso");
/// identify(&mut request, ann)?;
/// assert_eq!(SecurityContext::of(&mut request).principal().unwrap().subject(), "ann");
/// # Ok::<(), bartizan_core::AlreadyStamped>(())
/// ```
///
/// # Errors
///
/// [`AlreadyStamped`] if the request already has a different principal. Answer it with 400: two
/// identities on one request are an attack or a misconfiguration.
pub fn identify<B>(request: &mut Request<B>, principal: Principal) -> Result<(), AlreadyStamped> {
    SecurityContext::of(request).set_principal(principal)
}

/// A write-once slot of the context holds a different value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyStamped {
    slot: &'static str,
}

impl fmt::Display for AlreadyStamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request already has a different {}", self.slot)
    }
}

impl Error for AlreadyStamped {}

fn stamp<T: PartialEq>(
    slot: &OnceLock<T>,
    value: T,
    name: &'static str,
) -> Result<(), AlreadyStamped> {
    match slot.set(value) {
        Ok(()) => Ok(()),
        Err(value) if slot.get() == Some(&value) => Ok(()),
        Err(_) => Err(AlreadyStamped { slot: name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_different_principal_is_an_error_and_the_first_stays() {
        let mut request = Request::new(());
        let ann = Principal::user("i", "ann").build("a");
        let bob = Principal::user("i", "bob").build("b");
        identify(&mut request, ann.clone()).unwrap();
        identify(&mut request, ann).unwrap();
        assert!(identify(&mut request, bob).is_err());
        let context = SecurityContext::of(&mut request);
        assert_eq!(context.principal().unwrap().subject(), "ann");
    }

    #[test]
    fn the_first_challenges_that_are_left_stay_however_they_were_left() {
        type Challenges = Arc<[HeaderValue]>;
        let [first, second] =
            ["first", "second"].map(|line| Challenges::from([HeaderValue::from_static(line)]));
        let ann = || Principal::user("i", "ann").build("a");
        let ways: [fn(&SecurityContext, &Challenges, Principal); 3] = [
            |context, challenges, _| context.offer_challenges(challenges.clone()),
            |context, challenges, ann| context.identify(ann, Some(challenges)).unwrap(),
            |context, challenges, ann| {
                context.set_principal(ann.clone()).unwrap();
                context.identify(ann, Some(challenges)).unwrap();
            },
        ];
        for one in ways {
            for other in ways {
                let context = SecurityContext::default();
                assert!(context.challenges().is_empty());
                for (way, challenges) in [(one, &first), (other, &second)] {
                    way(&context, challenges, ann());
                    assert_eq!(context.challenges(), ["first"]);
                }
            }
        }
    }

    #[test]
    fn clones_kept_outside_see_what_is_stamped_inside() {
        let mut request = Request::new(());
        let outer = SecurityContext::of(&mut request);
        let inner = SecurityContext::of(&mut request);
        inner
            .set_client_address(IpAddr::from([192, 0, 2, 1]))
            .unwrap();
        drop(request);
        assert_eq!(outer.client_address(), Some(IpAddr::from([192, 0, 2, 1])));
    }

    #[test]
    fn findings_are_made_only_when_somebody_listens() {
        let context = SecurityContext::default();
        context.record(|| unreachable!("nobody listens"));
        context.open_trail();
        for _ in 0..Trail::CAPACITY + 3 {
            context.record(|| Finding::new("cors", crate::Verdict::Noted, "x", "y"));
        }
        let trail = context.trail().unwrap();
        assert_eq!(trail.findings().len(), Trail::CAPACITY);
        assert_eq!(trail.dropped(), 3);
    }
}
