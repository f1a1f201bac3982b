use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisResult, Value,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use tokio::time::timeout;

use crate::{RedisConfigError, RedisFault, Script, script::is_missing, slot::Slot};

/// A Redis server: one connection that all clones share, made when it is first used, and made again
/// when it broke, was refused, or did not answer in time. Every wait is bounded.
///
/// ```
/// use bartizan_redis::Redis;
///
/// let redis = Redis::builder("redis://127.0.0.1:6379/").build()?;
/// let error = Redis::builder("http://127.0.0.1/").build().unwrap_err();
/// assert_eq!(error.setting(), "url");
/// # Ok::<(), bartizan_redis::RedisConfigError>(())
/// ```
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    name: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// Made at first use, since it starts a task.
    slot: Slot,
}

/// Builds a [`Redis`]; made by [`Redis::builder`].
#[derive(Clone)]
#[must_use]
pub struct RedisBuilder {
    url: String,
    root_certificates: Option<String>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

/// After how long a silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);

const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

impl Redis {
    /// Starts a connection to this server: `redis://[user:password@]host[:port]/[database]`, or
    /// `unix:///path`. The protocol is RESP2.
    ///
    /// What travels to a host goes in the clear, so that should be a network of your own, or a tunnel; with
    /// `rediss` (feature `tls`) it goes over TLS. Without that feature `rediss` does not build.
    pub fn builder(url: &str) -> RedisBuilder {
        RedisBuilder {
            url: url.to_owned(),
            root_certificates: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(1),
        }
    }

    /// Sends a command on the shared connection; it must not be one that blocks.
    ///
    /// # Errors
    ///
    /// If there is no answer within the time to connect and to respond, or it is an error.
    pub async fn run(&self, command: &Cmd) -> Result<Value, RedisFault> {
        let (generation, mut manager) = self.inner.slot.manager(|| self.manager())?;
        let answer = async { manager.send_packed_command(command).await?.extract_error() };
        let answer = self.within_limits(answer).await;
        self.seen(generation, answer)
    }

    /// Sends several commands at once; the answers in the same order.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run), or if any of them is refused.
    pub async fn run_all(&self, commands: &Pipeline) -> Result<Vec<Value>, RedisFault> {
        let (generation, mut manager) = self.inner.slot.manager(|| self.manager())?;
        let answer = commands.query_async(&mut manager);
        let answer = self.within_limits(answer).await;
        self.seen(generation, answer)
    }

    /// Runs a script by its hash on the shared connection, and sends it whole if Redis does not have it.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run), or if the script fails.
    pub async fn run_script(
        &self,
        script: &Script,
        keys: &[impl AsRef<[u8]>],
        arguments: &[impl AsRef<[u8]>],
    ) -> Result<Value, RedisFault> {
        let (generation, mut manager) = self.inner.slot.manager(|| self.manager())?;
        let answer = async {
            let command = script.by_hash(keys, arguments);
            let answer = manager.send_packed_command(&command).await;
            match answer.and_then(Value::extract_error) {
                Err(error) if is_missing(&error) => {
                    let command = script.whole(keys, arguments);
                    manager.send_packed_command(&command).await?.extract_error()
                }
                answer => answer,
            }
        };
        let answer = self.within_limits(answer).await;
        self.seen(generation, answer)
    }

    /// A connection of one's own, for commands that block up to this time.
    pub(crate) async fn dedicated(
        &self,
        block: Duration,
    ) -> Result<MultiplexedConnection, RedisFault> {
        let Inner {
            connect_timeout,
            response_timeout,
            ..
        } = *self.inner;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(Some(block.saturating_add(response_timeout)));
        let client = &self.inner.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        self.within_limits(connecting).await
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(self.inner.connect_timeout))
            .set_response_timeout(Some(self.inner.response_timeout))
            .set_number_of_retries(1);
        ConnectionManager::new_lazy_with_config(self.inner.client.clone(), config)
    }

    fn seen<T>(&self, generation: u64, answer: Result<T, RedisFault>) -> Result<T, RedisFault> {
        if answer.is_err() {
            self.inner.slot.forget(generation);
        }
        answer
    }

    async fn within_limits<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, RedisFault> {
        let most = self.inner.connect_timeout + self.inner.response_timeout;
        match timeout(most, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(RedisFault::timed_out()),
        }
    }
}

impl RedisBuilder {
    /// Believes a server by these authorities, as PEM, and by no others; by default it is those that the
    /// system trusts.
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: &str) -> Self {
        self.root_certificates = Some(pem.to_owned());
        self
    }

    /// How long connecting may take, name lookup included; 2 s by default, 10 ms to 60 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// How long an answer may take; 1 s by default, 10 ms to 60 s.
    pub fn response_timeout(mut self, time: Duration) -> Self {
        self.response_timeout = time;
        self
    }

    /// The server. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// If the URL is none of a Redis server, or asks for RESP3, root certificates can't be read or have no effect, a time is out of
    /// range, or there has to be TLS and the process has no provider of cryptography.
    pub fn build(self) -> Result<Redis, RedisConfigError> {
        let Self {
            url,
            root_certificates,
            connect_timeout,
            response_timeout,
        } = self;
        let times = [
            ("connect_timeout", connect_timeout),
            ("response_timeout", response_timeout),
        ];
        for (setting, time) in times {
            if !TIMEOUTS.contains(&time) {
                let value = format!("{time:?}");
                let problem = "is not between 10 ms and 60 s";
                return Err(RedisConfigError::new(setting, value, problem));
            }
        }
        let (client, name) = open(&url, root_certificates, tcp(response_timeout))?;
        Ok(Redis {
            inner: Arc::new(Inner {
                client,
                name,
                connect_timeout,
                response_timeout,
                slot: Slot::default(),
            }),
        })
    }
}

/// The system too gives up a peer that acknowledges nothing, and asks one that is silent.
fn tcp(response_timeout: Duration) -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let settings = TcpSettings::default().set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(response_timeout);
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    let _ = response_timeout;
    settings
}

/// The client, and the server's name without a password.
fn open(
    url: &str,
    roots: Option<String>,
    tcp: TcpSettings,
) -> Result<(Client, String), RedisConfigError> {
    // What can't be read may hold a password anywhere.
    let error = |problem| RedisConfigError::new("url", "(hidden)", problem);
    let parsed = redis::parse_redis_url(url).ok_or_else(|| error("is no URL of a Redis server"))?;
    let name = format!(
        "{}://{}{}",
        parsed.scheme(),
        parsed.host_str().unwrap_or_default(),
        parsed.port().map_or_else(String::new, |p| format!(":{p}")),
    );
    let error = |problem| RedisConfigError::new("url", &name, problem);
    let is_tls = parsed.scheme() == "rediss";
    if !is_tls && !["redis", "unix", "redis+unix"].contains(&parsed.scheme()) {
        return Err(error("is neither `redis` nor `rediss` nor `unix`"));
    }
    // By which the client switches checks off.
    if parsed.fragment().is_some() {
        return Err(error("has a fragment"));
    }
    if is_tls {
        check_tls().map_err(error)?;
    }
    let info = parsed.into_connection_info();
    let info = info.map_err(|_| error("is no URL of a Redis server"))?;
    // Its answers have other shapes.
    if info.redis_settings().protocol() != ProtocolVersion::RESP2 {
        return Err(error("asks for another protocol than RESP2"));
    }
    let info = info.set_tcp_settings(tcp);
    let client = match roots {
        None => Client::open(info).map_err(|_| error("is no URL of a Redis server"))?,
        Some(_) if !is_tls => {
            let problem = "have no effect without `rediss`";
            return Err(RedisConfigError::new("root_certificates", name, problem));
        }
        Some(roots) => trusting(info, roots)
            .ok_or_else(|| RedisConfigError::new("root_certificates", &name, "can't be read"))?,
    };
    Ok((client, name))
}

/// Whether TLS is there. The client would install a provider for the process, or panic where it can't tell
/// which.
#[cfg(feature = "tls")]
fn check_tls() -> Result<(), &'static str> {
    match rustls::crypto::CryptoProvider::get_default() {
        Some(_) => Ok(()),
        None => Err("needs rustls's process-wide provider, and the application has installed none"),
    }
}

#[cfg(not(feature = "tls"))]
fn check_tls() -> Result<(), &'static str> {
    Err("needs the feature `tls`")
}

#[cfg(feature = "tls")]
fn trusting(server: ConnectionInfo, roots: String) -> Option<Client> {
    // One that holds no certificate would trust nobody, and say so only when it connects.
    if !roots.contains("-----BEGIN CERTIFICATE-----") {
        return None;
    }
    let certificates = redis::TlsCertificates {
        client_tls: None,
        root_cert: Some(roots.into_bytes()),
    };
    Client::build_with_tls(server, certificates).ok()
}

#[cfg(not(feature = "tls"))]
fn trusting(_: ConnectionInfo, _: String) -> Option<Client> {
    None
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.inner.name).finish()
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_redis_server_does_not_build_and_no_error_shows_a_password() {
        for bad in [
            "",
            "redis",
            "http://h/",
            "rediss://:secret@h/#insecure",
            "rediss://:secret@h/",
            "redis://:secret@h/#insecure",
            "redis://:secret@h/database",
            "redis://:secret@h:port/",
            "redis://:secret@/",
            "redis://:secret@h/?protocol=resp3",
            "redis://:secret@h/?protocol=3",
            ":secret@h",
        ] {
            let error = Redis::builder(bad).build().unwrap_err();
            assert_eq!(error.setting(), "url", "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let builder = Redis::builder("redis://ann:secret@h:6380/1");
        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
        assert!(
            !shown.contains("secret") && shown.contains("h:6380"),
            "{shown}"
        );
    }

    #[test]
    fn a_wait_without_a_bound_does_not_build() {
        let redis = || Redis::builder("redis://h/");
        let second = Duration::from_secs(1);
        for time in [
            Duration::ZERO,
            Duration::from_millis(9),
            61 * second,
            Duration::MAX,
        ] {
            let connect = redis().connect_timeout(time).build().unwrap_err();
            assert_eq!(connect.setting(), "connect_timeout");
            let response = redis().response_timeout(time).build().unwrap_err();
            assert_eq!(response.setting(), "response_timeout");
        }
        assert!(redis().connect_timeout(60 * second).build().is_ok());
    }
}
