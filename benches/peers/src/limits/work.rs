use std::net::{Ipv4Addr, SocketAddr};

use axum::{body::Body, extract::ConnectInfo};
use bartizan::SecurityContext;
use http::{Request, Response};

use super::FIELDS;
use crate::{common::drive::drive, side::Answers};

/// Asks for callers. Whatever a request brings along is prepared, and not timed.
pub trait Work {
    fn prepare(&mut self, callers: &[Caller]);

    /// Asks for all of them. Each must be admitted.
    fn run(&mut self);
}

/// Somebody, by number.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub u32);

impl Caller {
    /// What all layers here look at: the address of the connection, also as our `NetworkLayer` stamps it, and three fields.
    fn request(self) -> Request<Body> {
        let address = Ipv4Addr::from_bits(0x0a00_0000 | self.0);
        let mut request = Request::post("/mcp");
        for field in FIELDS {
            request = request.header(field, format!("{field}-{}", self.0));
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer = SocketAddr::from((address, 4711));
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(peer);
        let context = SecurityContext::of(&mut request);
        context.set_client_address(address.into()).unwrap();
        request
    }
}

/// A limiter that is asked itself.
pub(super) struct Decisions<P, D> {
    prepare: fn(Caller) -> P,
    decide: D,
    prepared: Vec<P>,
}

impl<P, D: FnMut(&P) -> bool> Decisions<P, D> {
    pub(super) fn new(prepare: fn(Caller) -> P, decide: D) -> Self {
        Self {
            prepare,
            decide,
            prepared: Vec::new(),
        }
    }
}

impl<P, D: FnMut(&P) -> bool> Work for Decisions<P, D> {
    fn prepare(&mut self, callers: &[Caller]) {
        self.prepared.clear();
        let prepared = callers.iter().map(|caller| (self.prepare)(*caller));
        self.prepared.extend(prepared);
    }

    fn run(&mut self) {
        for prepared in &self.prepared {
            assert!((self.decide)(prepared), "somebody was refused");
        }
    }
}

/// A layer.
pub(super) struct Passes<S> {
    service: S,
    requests: Vec<Request<Body>>,
}

impl<S: Answers> Passes<S> {
    pub(super) fn new(service: S) -> Self {
        Self {
            service,
            requests: Vec::new(),
        }
    }
}

impl<S: Answers> Work for Passes<S> {
    fn prepare(&mut self, callers: &[Caller]) {
        self.requests.clear();
        let requests = callers.iter().map(|caller| caller.request());
        self.requests.extend(requests);
    }

    fn run(&mut self) {
        for request in self.requests.drain(..) {
            assert_eq!(drive(&self.service, request), 200, "somebody was refused");
        }
    }
}

/// The service inside, which does nothing.
pub(super) async fn answer(_: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    Ok(Response::new(Body::empty()))
}
