use std::{
    env, fs,
    fs::File,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use bartizan::{
    AuditLayer, CallLayer, JwtLayer, JwtVerifier, NetworkLayer, RbacLayer, Secret, SecurityContext,
    SecurityHeadersLayer,
    audit::{Chain, ChainKeys, IntentLayer, Queue, RotatingFile},
    rbac::{Policy, Rule},
};
use bartizan_kit::TokenMint;
use http::request::Parts;
use rmcp::{
    RoleServer, ServerHandler,
    handler::server::router::tool::ToolRouter,
    model::{ServerCapabilities, ServerConfig},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// A process that serves until it is killed.
pub(super) struct Killed {
    pub(super) url: String,
    /// A good one.
    pub(super) token: String,
    process: Child,
}

const FOLDER: &str = "BARTIZAN_SUITE_KILLS";

impl Killed {
    /// Starts it on what the last one left in the folder.
    pub(super) fn start(folder: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["kills::killed::serves_until_it_is_killed", "--exact"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let line = lines.find_map(|line| Some(line.strip_prefix("serves ")?.to_owned()));
        let line = line.expect("it starts on what the last one left");
        let (url, token) = line.split_once(' ').unwrap();
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            process,
        }
    }

    /// Without a word to it.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        assert!(!self.process.wait().unwrap().success());
    }
}

/// Where a test fails, nothing is left behind.
impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn keys() -> ChainKeys {
    let (mac, seed) = (Secret::from(vec![7; 32]), Secret::from(vec![9; 32]));
    ChainKeys::new(1, &mac, &seed).unwrap()
}

/// Its log, which takes up what the last one left.
pub(super) fn opened(folder: &Path) -> Queue {
    let file = RotatingFile::open(folder.join("log")).unwrap();
    let chain = Chain::over(file.rotate_at(64 << 10).unwrap(), keys()).unwrap();
    let chain = chain.checkpoints(20, Duration::from_millis(100));
    Queue::to(chain.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is run by another test, which kills it"]
async fn serves_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let mint = TokenMint::new("https://auth.example.com", &url);
    let token = mint.token().sub("ann").encode();
    let app = app(&folder, &mint).into_make_service_with_connect_info::<SocketAddr>();
    let line = format!("\nserves {url} {token}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    axum::serve(listener, app).await.unwrap();
}

fn app(folder: &Path, mint: &TokenMint) -> Router {
    let queue = opened(folder);
    let mut journal = fs::OpenOptions::new();
    let journal = journal.create(true).append(true);
    let tools = Tools {
        journal: Arc::new(journal.open(folder.join("journal")).unwrap()),
        tool_router: Tools::tool_router(),
    };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let mcp = StreamableHttpService::new(
        move || Ok(tools.clone()),
        LocalSessionManager::default().into(),
        config,
    );
    let jwt = JwtVerifier::builder()
        .issuer(mint.issuer())
        .audience(mint.audience())
        .jwk_set(mint.jwks().to_string());
    let policy = Policy::builder().rule(Rule::tool("*").identified());
    let around = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(
            AuditLayer::new(queue.clone())
                .destructive(["delete"])
                .unwrap(),
        );
    let guards = ServiceBuilder::new()
        .layer(NetworkLayer::new())
        .layer(JwtLayer::new(jwt.build().unwrap()))
        .layer(CallLayer::new())
        .layer(RbacLayer::new(policy.build().unwrap()))
        .layer(IntentLayer::new(queue, ["delete"]).unwrap());
    Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(guards)
        .layer(around)
}

#[derive(Clone)]
struct Tools {
    journal: Arc<File>,
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Deletes, and writes down that it did, as far as the system")]
    fn delete(&self, context: RequestContext<RoleServer>) -> String {
        let parts = context.extensions.get::<Parts>().unwrap();
        let context = SecurityContext::find(&parts.extensions).unwrap();
        let line = format!("{}\n", context.correlation_id().as_str());
        (&*self.journal).write_all(line.as_bytes()).unwrap();
        "done".to_owned()
    }

    #[tool(description = "Reads")]
    fn read(&self) -> String {
        "done".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
