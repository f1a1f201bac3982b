use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{
    ClientCertificate, Denial, DenialKind, GuardFuture, ResponseBody, SecurityContext, Transport,
    admit, note, printable, refuse,
};
use http::{HeaderMap, Request, Response, Uri, header::HOST};
use tower_service::Service;

use crate::{certificate, host::Host, layer::Settings, route::Route, tls::Origin};

/// The future of [`Network`].
pub type ResponseFuture<F, B> = GuardFuture<F, B>;

/// The service of [`NetworkLayer`](crate::NetworkLayer).
#[derive(Debug, Clone)]
pub struct Network<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Network<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Network<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        // Where an outer layer made the context it is stamped where it lies.
        let judged = match SecurityContext::find(request.extensions()) {
            Some(context) => self.settings.judge(context, &request),
            None => {
                let context = SecurityContext::of(&mut request);
                self.settings.judge(&context, &request)
            }
        };
        match judged {
            Ok(origin) => {
                self.settings.settle(&mut request, origin);
                let context = SecurityContext::find(request.extensions());
                admit!("network", context, "host_allowed");
                GuardFuture::forward(self.inner.call(request))
            }
            Err(denial) => {
                let context = SecurityContext::of(&mut request);
                GuardFuture::refuse(refuse!("network", &context, denial))
            }
        }
    }
}

impl Settings {
    /// Stamps where the request came from, also on one that is refused, and judges the rest.
    fn judge<B>(&self, context: &SecurityContext, request: &Request<B>) -> Result<Origin, Denial> {
        let headers = request.headers();
        let peer = self.peer.address(request.extensions());
        let origin = self.stamp(context, headers, peer)?;
        self.judge_address(context, origin)?;
        self.judge_transport(context, headers, origin)?;
        self.judge_host(headers, request.uri())?;
        Ok(origin)
    }

    /// Leaves the certificate that is the client's, and no other, in the request's extensions.
    fn settle<B>(&self, request: &mut Request<B>, origin: Origin) {
        if matches!(origin, Origin::Proxied | Origin::Doubtful) {
            // That of the connection is the proxy's own.
            request.extensions_mut().remove::<ClientCertificate>();
        }
        if !self.client_cert {
            return;
        }
        let context = SecurityContext::of(request);
        // Where the client's own hop was not TLS nobody has proved to hold anything.
        let is_tls = context.transport() == Some(Transport::Tls);
        let given = certificate::read(request.headers());
        certificate::remove(request.headers_mut());
        let ignored = match (given, origin) {
            (None, _) => return,
            (Some(Ok(certificate)), Origin::Proxied) if is_tls => {
                request.extensions_mut().insert(certificate);
                return;
            }
            (Some(Ok(_)), Origin::Proxied) => {
                "a client certificate came over a hop that is not TLS"
            }
            (Some(Err(problem)), Origin::Proxied) => problem,
            (Some(_), _) => "a client certificate came by no way that is trusted",
        };
        note(&context, "client_cert_ignored", || ignored.to_owned());
    }

    fn stamp(
        &self,
        context: &SecurityContext,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Origin, Denial> {
        let mut origin = Origin::Unknown;
        let mut transport = if self.tls_terminated_here {
            Transport::Tls
        } else {
            Transport::Plain
        };
        let mut client = peer;
        match peer {
            None => note(context, "peer_unknown", || {
                "the server gave no peer address".to_owned()
            }),
            Some(peer) if self.proxies.trusts(peer) => {
                self.name(context, headers);
                let route = Route::walk(&self.proxies, headers, peer);
                transport = route.transport;
                client = Some(route.client);
                if let Some(doubt) = route.doubt {
                    note(context, doubt.kind(), || doubt.reason());
                    origin = Origin::Doubtful;
                } else {
                    origin = Origin::Proxied;
                }
            }
            Some(peer) => origin = Origin::Direct(peer),
        }
        client
            .map_or(Ok(()), |client| context.set_client_address(client))
            .and_then(|()| context.set_transport(transport))
            .map_err(|conflict| Denial::new(DenialKind::Internal, conflict.to_string()))?;
        Ok(origin)
    }

    /// Takes the correlation id that a trusted proxy gave.
    fn name(&self, context: &SecurityContext, headers: &HeaderMap) {
        let given = self.correlation.as_ref().and_then(|h| h.read(headers));
        match given {
            None => {}
            Some(Ok(id)) => {
                if let Err(taken) = context.set_correlation_id(id) {
                    note(context, "correlation_id_kept", || taken.to_string());
                }
            }
            Some(Err(problem)) => note(context, "correlation_id_ignored", || problem.clone()),
        }
    }

    fn judge_address(&self, context: &SecurityContext, origin: Origin) -> Result<(), Denial> {
        // A walk that broke off ends at a proxy, whose own address says nothing of the client's.
        let is_sure = !matches!(origin, Origin::Doubtful);
        let address = context.client_address().map(|client| client.to_canonical());
        self.addresses
            .judge(address.filter(|_| is_sure))
            .map_err(|problem| {
                let name = address.map_or_else(|| "unknown".to_owned(), |a| a.to_string());
                let reason = format!("client address `{name}` {problem}");
                Denial::new(DenialKind::AddressRefused, reason)
            })
    }

    fn judge_transport(
        &self,
        context: &SecurityContext,
        headers: &HeaderMap,
        origin: Origin,
    ) -> Result<(), Denial> {
        let is_tls = context.transport() == Some(Transport::Tls);
        if is_tls || self.plain.admits(origin, headers) {
            return Ok(());
        }
        let reason = "the request did not come over TLS";
        Err(Denial::new(DenialKind::TlsRequired, reason))
    }

    fn judge_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Denial> {
        if Host::only(headers, uri).is_some_and(|field| self.hosts.spell(field)) {
            return Ok(());
        }
        let host = Host::of(headers, uri).map_err(|problem| {
            let reason = format!("host `{}` {problem}", stated(headers, uri));
            Denial::new(DenialKind::HostMalformed, reason)
        })?;
        if self.hosts.admit(&host) {
            return Ok(());
        }
        let reason = format!("host `{}` is not allowed", stated(headers, uri));
        Err(Denial::new(DenialKind::HostRefused, reason))
    }
}

fn note(context: &SecurityContext, kind: &'static str, reason: impl Fn() -> String) {
    tracing::debug!(target: "bartizan::network", kind, reason = reason(), "noted");
    note!("network", context, kind, reason());
}

fn stated(headers: &HeaderMap, uri: &Uri) -> String {
    let line = headers.get(HOST).map(|line| line.as_bytes());
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let text = String::from_utf8_lossy(line.or(authority).unwrap_or_default());
    // User information may hold a password (AL-2).
    let host = text.rsplit('@').next().unwrap_or_default();
    printable(host, 100).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn al_2_no_reason_holds_the_user_information_of_a_host() {
        let mut headers = HeaderMap::new();
        let uri = Uri::from_static("http://ann:s3cret@h/x");
        assert_eq!(stated(&headers, &uri), "h");
        headers.insert(HOST, "ann:s3cret@evil.example".parse().unwrap());
        assert_eq!(stated(&headers, &uri), "evil.example");
    }
}
