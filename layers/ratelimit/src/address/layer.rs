use tower_layer::Layer;

use super::{AddressLimit, AddressLimits};

/// Limits requests by their client's address: the first place of rate limits.
///
/// It goes inside the layer that finds the address and inside CORS, and outside authentication,
/// whose work it bounds (RL-9). It never reads a body. The [crate's documentation](crate) has an
/// example and what it decides.
#[derive(Debug, Clone)]
#[must_use]
pub struct AddressLimitLayer {
    limits: AddressLimits,
}

impl AddressLimitLayer {
    /// A layer over limits; layers over clones of the same limits share their buckets.
    pub fn new(limits: AddressLimits) -> Self {
        Self { limits }
    }
}

impl<S> Layer<S> for AddressLimitLayer {
    type Service = AddressLimit<S>;

    fn layer(&self, inner: S) -> AddressLimit<S> {
        AddressLimit::new(inner, self.limits.clone())
    }
}
