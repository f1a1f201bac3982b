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
