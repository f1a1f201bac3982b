/// `get_ref`, `get_mut` and `into_inner` of a service that holds `inner: S`.
///
/// ```
/// struct Guard<S> {
///     inner: S,
/// }
///
/// impl<S> Guard<S> {
///     bartizan_core::inner_accessors!();
/// }
/// assert_eq!(Guard { inner: 7 }.into_inner(), 7);
/// ```
#[macro_export]
macro_rules! inner_accessors {
    () => {
        /// The inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The inner service, mutably.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Takes the layer off.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}

/// Lets a request pass: counts it, and records the finding if somebody collects them.
///
/// `admit!("cors", &context, "origin_allowed")`, or with a reason as fourth argument, which is
/// made only if it is recorded. The third is a stable word for what the layer concluded. Every
/// guard says this of a request that it hands on, so that a record names all that judged it. The
/// context may be an `Option`, for a guard that needs none of its own.
///
/// ```
/// use bartizan_core::{SecurityContext, Verdict, admit};
/// let context = SecurityContext::default();
/// context.open_trail();
/// admit!("geo", &context, "country_listed", "CH");
/// let finding = &context.trail().unwrap().findings()[0];
/// assert_eq!((finding.verdict, finding.kind), (Verdict::Allowed, "country_listed"));
/// ```
#[macro_export]
macro_rules! admit {
    ($layer:literal, $context:expr, $kind:expr) => {
        $crate::admit!($layer, $context, $kind, "")
    };
    ($layer:literal, $context:expr, $kind:expr, $reason:expr) => {{
        $crate::__count!($layer, "allowed");
        if let Some(context) = Option::<&$crate::SecurityContext>::from($context) {
            context
                .record(|| $crate::Finding::new($layer, $crate::Verdict::Allowed, $kind, $reason));
        }
    }};
}

/// Records what a guard saw and decided nothing by: counts it, and records the finding if somebody
/// collects them.
///
/// `note!("cors", &context, "credentials_ignored", "why")`; the reason is made only if it is
/// recorded. The context may be an `Option`, as with [`admit!`](crate::admit).
///
/// ```
/// use bartizan_core::{SecurityContext, Verdict, note};
/// let context = SecurityContext::default();
/// context.open_trail();
/// note!("geo", &context, "country_unknown", "no database");
/// assert_eq!(context.trail().unwrap().findings()[0].verdict, Verdict::Noted);
/// ```
#[macro_export]
macro_rules! note {
    ($layer:literal, $context:expr, $kind:expr, $reason:expr) => {{
        $crate::__count!($layer, "noted");
        if let Some(context) = Option::<&$crate::SecurityContext>::from($context) {
            context.record(|| $crate::Finding::new($layer, $crate::Verdict::Noted, $kind, $reason));
        }
    }};
}

/// Records that a decoy was touched: a tool or a key that is there only to be tried by who should not know of it.
/// Counts it, records the finding if somebody collects them, and logs it at ERROR under the target `bartizan::<layer>`.
///
/// `honey!("rbac", &context, "honey_tool", "which one")`, beside the refusal, which is to be the one that somebody is
/// answered who tries what does not exist. None of this is in any answer. The audit layer makes the request's record
/// `critical` by it.
///
/// ```
/// use bartizan_core::{SecurityContext, Verdict, honey};
/// let context = SecurityContext::default();
/// context.open_trail();
/// honey!("vault", &context, "honey_document", "document `salaries`");
/// assert_eq!(context.trail().unwrap().findings()[0].verdict, Verdict::Honey);
/// ```
#[macro_export]
macro_rules! honey {
    ($layer:literal, $context:expr, $kind:expr, $reason:expr) => {{
        let context: &$crate::SecurityContext = $context;
        let finding =
            $crate::Finding::new($layer, $crate::Verdict::Honey, $kind, $reason);
        $crate::__private::tracing::error!(
            target: concat!("bartizan::", $layer),
            kind = finding.kind,
            decoy = &*finding.reason,
            correlation_id = context.correlation_id().as_str(),
            "a decoy was touched"
        );
        $crate::__count!($layer, "honey");
        context.record(|| finding);
    }};
}

/// One verdict more of a layer.
#[cfg(feature = "metrics")]
#[doc(hidden)]
#[macro_export]
macro_rules! __count {
    ($layer:literal, $verdict:literal) => {
        $crate::__private::metrics::counter!(
            "bartizan_verdicts_total", "layer" => $layer, "verdict" => $verdict
        )
        .increment(1)
    };
}

#[cfg(not(feature = "metrics"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __count {
    ($layer:literal, $verdict:literal) => {};
}
