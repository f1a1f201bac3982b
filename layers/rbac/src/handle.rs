#[cfg(feature = "files")]
use std::sync::Mutex;
use std::{
    any::Any,
    fmt,
    sync::{Arc, Weak},
};

use bartizan_core::{Current, Denial, DenialKind, Event, Events, SecurityContext, Severity};

#[cfg(feature = "files")]
use crate::engine::Engine;
use crate::{Policy, exceptions::Exceptions, in_force::InForce};

/// The policy that a layer judges by, which can be exchanged while requests are served.
///
/// Clones are handles of the same policy. Each request is judged by one policy, the one that was in
/// force when the layer saw it: its lists are filtered by that one, and its handlers ask that one,
/// however long it takes. A swap waits for nobody, and nobody for it.
///
/// ```
/// use bartizan_rbac::{Policy, RbacLayer, Rule};
/// let closed = Policy::enterprise().version("1").build()?;
/// let layer = RbacLayer::new(closed);
/// let handle = layer.handle();
/// // Later, and elsewhere:
/// let open = Policy::enterprise().rule(Rule::tool("*").role("viewer")).version("2").build()?;
/// let before = handle.swap(open);
/// assert_eq!((before.version(), handle.policy().version()), ("1", "2"));
/// # Ok::<(), bartizan_rbac::RbacConfigError>(())
/// ```
#[derive(Clone)]
pub struct PolicyHandle(Arc<Shared>);

struct Shared {
    current: Current<InForce>,
    events: Events,
    /// What the configuration that a layer was made of says of the layer and not of the policy.
    #[cfg(feature = "files")]
    settings: Settings,
    /// Held from before a file is read until its policy is in force.
    #[cfg(feature = "files")]
    reload: Mutex<()>,
}

/// A policy that took another's place, which nobody was told yet.
pub(crate) struct Swapped {
    before: Arc<Policy>,
    after: Arc<Policy>,
    /// That in the new one's shadow, if it came with it.
    shadow: Option<Arc<Policy>>,
}

/// A policy, and the one in its shadow.
#[cfg(feature = "serde")]
pub(crate) type Policies = (Arc<Policy>, Option<Arc<Policy>>);

#[cfg(feature = "files")]
type Settings = (
    bartizan_core::call::CallConfig,
    crate::ListConfig,
    crate::UnknownConfig,
    Option<crate::DecisionHeaderConfig>,
);

impl PolicyHandle {
    /// A handle of this policy. Its events go to `tracing` only.
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self::with_events(policy, Events::default())
    }

    /// A handle that reports to `events` what is swapped: `policy_swapped`.
    pub fn with_events(policy: impl Into<Arc<Policy>>, events: Events) -> Self {
        let in_force = InForce {
            policy: policy.into(),
            shadow: None,
            of: Arc::default(),
            approved: None,
        };
        Self(Arc::new(Shared {
            current: Current::new(in_force),
            events,
            #[cfg(feature = "files")]
            settings: Settings::default(),
            #[cfg(feature = "files")]
            reload: Mutex::default(),
        }))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn of_config(
        config: &crate::RbacConfig,
        events: Events,
    ) -> Result<Self, crate::RbacConfigError> {
        let (policy, shadow) = crate::config::policies_of(config, None)?;
        let in_force = InForce {
            policy,
            shadow,
            of: Arc::default(),
            approved: None,
        };
        Ok(Self(Arc::new(Shared {
            current: Current::new(in_force),
            events,
            #[cfg(feature = "files")]
            settings: (
                config.call_limits,
                config.lists.clone(),
                config.unknown.clone(),
                config.decision_header.clone(),
            ),
            #[cfg(feature = "files")]
            reload: Mutex::default(),
        })))
    }

    /// # Errors
    ///
    /// The name of a setting that is another than the layer's.
    #[cfg(feature = "files")]
    pub(crate) fn check_settings(&self, config: &crate::RbacConfig) -> Result<(), &'static str> {
        let (call_limits, lists, unknown, decision_header) = &self.0.settings;
        if config.call_limits != *call_limits {
            return Err("call_limits");
        }
        if config.lists != *lists {
            return Err("lists");
        }
        if config.unknown != *unknown {
            return Err("unknown");
        }
        if config.decision_header != *decision_header {
            return Err("decision_header");
        }
        Ok(())
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force().policy)
    }

    /// Judges by this policy from now on, and returns the one before. Requests that were judged already
    /// stay with the policy that judged them. What a configuration said of a shadow stays. The handle's first policy stays in
    /// memory.
    pub fn swap(&self, policy: impl Into<Arc<Policy>>) -> Arc<Policy> {
        self.tell(self.put(policy.into()))
    }

    /// Swaps, and tells nobody. The policy in shadow stays.
    pub(crate) fn put(&self, after: Arc<Policy>) -> Swapped {
        let before = self.0.current.update(|current| InForce {
            policy: Arc::clone(&after),
            shadow: current.shadow.clone(),
            of: Arc::clone(&current.of),
            approved: None,
        });
        Swapped {
            before: Arc::clone(&before.policy),
            after,
            shadow: None,
        }
    }

    /// Swaps in what is made of the engine in force, shadow included; anew, if that was exchanged meanwhile.
    #[cfg(feature = "files")]
    pub(crate) fn put_keeping<E>(
        &self,
        make: impl Fn(Option<&Engine>) -> Result<Policies, E>,
    ) -> Result<Swapped, E> {
        loop {
            let current = self.in_force();
            let (after, shadow) = make(current.policy.engine.as_ref())?;
            let next = InForce {
                policy: Arc::clone(&after),
                shadow: shadow.clone(),
                of: Arc::clone(&current.of),
                approved: None,
            };
            if self.0.current.replace(&current, next) {
                return Ok(Swapped {
                    before: Arc::clone(&current.policy),
                    after,
                    shadow,
                });
            }
        }
    }

    pub(crate) fn tell(&self, swapped: Swapped) -> Arc<Policy> {
        let Swapped {
            before,
            after,
            shadow,
        } = swapped;
        let (new, old) = (after.version(), before.version());
        let mut detail = format!("policy `{new}` took the place of `{old}`");
        if let Some(shadow) = shadow {
            detail.push_str(&format!(", with `{}` in shadow", shadow.version()));
        }
        self.emit(Severity::Info, "policy_swapped", detail);
        self.check_approvals();
        before
    }

    /// Keeps other reloads out.
    #[cfg(feature = "files")]
    pub(crate) fn alone(&self) -> std::sync::MutexGuard<'_, ()> {
        // It guards nothing that a panic could leave half done.
        let lock = self.0.reload.lock();
        lock.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.0
            .events
            .emit(&Event::new("rbac", severity, kind, detail));
    }

    /// What is decided by besides the policy.
    pub(crate) fn exceptions(&self) -> Arc<Exceptions> {
        Arc::clone(&self.in_force().of)
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.0.current.load().into_arc()
    }

    /// The one policy by which the request is judged: that in force, unless a layer outside judged by an
    /// earlier one of this handle.
    ///
    /// # Errors
    ///
    /// If a layer outside judged by something else.
    pub(crate) fn of_request(&self, context: &SecurityContext) -> Result<Arc<InForce>, Denial> {
        let current = self.in_force();
        let Some(stamped) = context.permissions() else {
            return Ok(current);
        };
        let stamped = Arc::clone(stamped) as Arc<dyn Any + Send + Sync>;
        let stamped: Option<Arc<InForce>> = stamped.downcast().ok();
        let same = |stamped: &Arc<InForce>| {
            let is_plain = || stamped.of.is_empty() && current.of.is_empty();
            Arc::ptr_eq(&stamped.of, &current.of)
                || Arc::ptr_eq(&stamped.policy, &current.policy) && is_plain()
        };
        stamped.filter(same).ok_or_else(|| {
            let reason = "the request already has a different policy";
            Denial::new(DenialKind::Internal, reason)
        })
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }

    /// Tells, once, if the policy has rules that nothing can satisfy here.
    pub(crate) fn check_approvals(&self) {
        let in_force = self.in_force();
        let is_missing = in_force.approvals().is_none() && in_force.policy.needs_approvals();
        if is_missing && in_force.of.is_to_be_told() {
            let detail =
                "rules need approval, and the layer has no approvals: nothing satisfies them";
            self.emit(Severity::Warning, "approvals_missing", detail.to_owned());
        }
    }
}

/// Keeps no handle alive.
#[derive(Debug)]
pub(crate) struct WeakHandle(Weak<Shared>);

impl WeakHandle {
    pub(crate) fn is_of(&self, handle: &PolicyHandle) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&handle.0))
    }

    pub(crate) fn upgrade(&self) -> Option<PolicyHandle> {
        self.0.upgrade().map(PolicyHandle)
    }
}

impl<P: Into<Arc<Policy>>> From<P> for PolicyHandle {
    fn from(policy: P) -> Self {
        Self::new(policy)
    }
}

impl fmt::Debug for PolicyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyHandle").field(&self.policy()).finish()
    }
}
