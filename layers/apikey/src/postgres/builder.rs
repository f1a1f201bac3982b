use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::Secret;
use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::time::timeout;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresStore, tables};
use crate::OpenError;

/// Builds a [`PostgresStore`]. Made by [`PostgresStore::builder`].
#[must_use]
pub struct PostgresBuilder {
    url: String,
    password: Option<Secret>,
    roots: Option<String>,
    may_be_plain: bool,
    schema: String,
    connections: usize,
    timeout: Duration,
    may_change_tables: bool,
}

/// What each connection is set to: nobody else's tables and functions are found, nothing is waited for without an
/// end, and what is done is on the server's disk.
const SETTINGS: &str = "SELECT set_config('search_path', $1, false), set_config('statement_timeout', $2, false), \
     set_config('lock_timeout', $2, false), set_config('idle_in_transaction_session_timeout', $2, false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
     ELSE current_setting('synchronous_commit') END, false)";

impl PostgresBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            password: None,
            roots: None,
            may_be_plain: false,
            schema: "public".to_owned(),
            connections: 8,
            timeout: Duration::from_secs(5),
            may_change_tables: true,
        }
    }

    /// The password, unless it stands in the URL.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Who may vouch for the server, as PEM: its own certificate, or those of an authority. By default whoever the
    /// system trusts.
    pub fn root_certificates(mut self, pem: &str) -> Self {
        self.roots = Some(pem.to_owned());
        self
    }

    /// Speaks over TCP without TLS. Whoever is in between reads all records, can change them, and can have himself told
    /// the password.
    pub fn danger_without_tls(mut self) -> Self {
        self.may_be_plain = true;
        self
    }

    /// The schema that holds the tables, `public` by default. It must be there, and not everybody may create tables
    /// in it.
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = name.to_owned();
        self
    }

    /// At most how many connections are held, 1 to 1000; 8 by default.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// How long anything may take altogether, 100 ms to 60 s; 5 s by default.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Leaves the tables as they are, and refuses those of an older version: for a user who may not change them.
    pub fn without_migrations(mut self) -> Self {
        self.may_change_tables = false;
        self
    }

    /// Connects, and brings the tables to the latest version.
    ///
    /// # Errors
    ///
    /// If a setting can't be; if everybody may create tables in the schema, or use those of the keys; if the tables
    /// are of a later version; if the server can't be asked.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        let pool = self.pool()?;
        let prepared = async {
            let mut client: Client = pool.get().await.map_err(OpenError::database)?;
            tables::prepare(&mut client, self.may_change_tables).await
        };
        let prepared = timeout(self.timeout, prepared).await;
        prepared.map_err(OpenError::database)??;
        Ok(PostgresStore {
            pool,
            timeout: self.timeout,
        })
    }

    fn pool(&self) -> Result<Pool, OpenError> {
        check(self)?;
        let config = self.config()?;
        let recycling_method = RecyclingMethod::Fast;
        let settings = ManagerConfig { recycling_method };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, settings),
            _ => Manager::from_config(config, MakeRustlsConnect::new(self.tls()?), settings),
        };
        let search_path = format!("{}, pg_temp", self.schema);
        let limit = self.timeout.as_millis().to_string();
        let values = Arc::new((search_path, limit));
        let set = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let values = Arc::clone(&values);
            Box::pin(async move {
                let set = client.query_one(SETTINGS, &[&values.0, &values.1]).await;
                set.map(|_| ()).map_err(HookError::Backend)
            })
        });
        let some = Some(self.timeout);
        let timeouts = Timeouts {
            wait: some,
            create: some,
            recycle: some,
        };
        let pool = Pool::builder(manager)
            .max_size(self.connections)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(set)
            .build();
        pool.map_err(OpenError::database)
    }

    fn config(&self) -> Result<Config, OpenError> {
        // What can't be read may hold a password anywhere.
        let error =
            |problem: &str| OpenError::Setting(format!("the URL of the database {problem}"));
        let config = self.url.parse::<Config>();
        let mut config = config.map_err(|_| error("is none of PostgreSQL's"))?;
        let is_tcp = |host: &Host| matches!(host, Host::Tcp(_));
        let is_remote = config.get_hosts().iter().any(is_tcp) || !config.get_hostaddrs().is_empty();
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(error("names no host"));
        }
        if is_remote && !self.may_be_plain && config.get_ssl_mode() == SslMode::Disable {
            return Err(error(
                "asks for no TLS, which is for `danger_without_tls` to say",
            ));
        }
        if config.get_options().is_some() {
            return Err(error("has options"));
        }
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        config.ssl_mode(match is_remote && !self.may_be_plain {
            true => SslMode::Require,
            false => SslMode::Disable,
        });
        if config.get_application_name().is_none() {
            config.application_name("bartizan-apikey");
        }
        // One that is only read from would tell late what was revoked.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(self.timeout);
        config.tcp_user_timeout(self.timeout);
        config.keepalives_idle(Duration::from_secs(30));
        Ok(config)
    }

    fn tls(&self) -> Result<ClientConfig, OpenError> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let added = certificate.map_err(OpenError::database)?;
                    roots.add(added).map_err(OpenError::database)?;
                }
            }
            None => {
                let system = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(system.certs);
            }
        }
        if roots.is_empty() {
            let problem = "the root certificates are none: no server would be believed";
            return Err(OpenError::Setting(problem.to_owned()));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions();
        let config = config.map_err(OpenError::database)?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

fn check(builder: &PostgresBuilder) -> Result<(), OpenError> {
    let error = |problem| Err(OpenError::Setting(problem));
    let PostgresBuilder {
        schema,
        connections,
        timeout,
        ..
    } = builder;
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = schema.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !begins || schema.len() > 63 || !schema.bytes().all(is_plain) || schema.starts_with("pg_") {
        let schema = bartizan_core::printable(schema, 80);
        return error(format!(
            "the schema `{schema}` is not a name of a-z, 0-9 and _"
        ));
    }
    if !(1..=1000).contains(connections) {
        return error(format!("`{connections}` connections are out of range"));
    }
    if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(timeout) {
        return error(format!("the timeout `{timeout:?}` is out of range"));
    }
    Ok(())
}

impl fmt::Debug for PostgresBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBuilder")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
