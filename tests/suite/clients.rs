//! rmcp's own client, through the layers, in every revision that it speaks.

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt,
    model::{CallToolRequestParams, ClientConfig, ProtocolVersion},
    service::RunningService,
    transport::{
        StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::json;

use crate::server::{Mode, Server};

#[derive(Clone)]
struct Client(ProtocolVersion);

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.protocol_version = self.0.clone();
        info
    }
}

async fn connect(
    server: &Server,
    version: &ProtocolVersion,
    token: &str,
) -> Result<RunningService<rmcp::RoleClient, Client>, impl std::fmt::Debug> {
    let config =
        StreamableHttpClientTransportConfig::with_uri(server.url.as_str()).auth_header(token);
    let transport = StreamableHttpClientTransport::from_config(config);
    let lifecycle = if version.has_initialize() {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Discover {
            preferred_versions: vec![version.clone()],
        }
    };
    Client(version.clone())
        .serve_with_lifecycle(transport, lifecycle)
        .await
}

async fn whoami(client: &RunningService<rmcp::RoleClient, Client>) -> String {
    let result = client
        .call_tool(CallToolRequestParams::new("whoami"))
        .await
        .unwrap();
    serde_json::to_string(&result).unwrap()
}

#[tokio::test]
async fn every_revision_is_spoken_and_identity_reaches_the_tool() {
    for mode in [Mode::Sessions, Mode::Json, Mode::Streams] {
        let server = Server::start(mode).await;
        let token = server.token("ann").encode();
        for version in ProtocolVersion::KNOWN_VERSIONS {
            let client = connect(&server, version, &token)
                .await
                .unwrap_or_else(|error| panic!("{mode:?} {version}: {error:?}"));
            let tools = client.list_all_tools().await.unwrap();
            assert_eq!(tools.len(), 6, "{mode:?} {version}");
            let who = whoami(&client).await;
            assert!(who.contains("ann of http://"), "{mode:?} {version}: {who}");
            client.cancel().await.unwrap();
        }
    }
}

#[tokio::test]
async fn ta_2_ta_3_each_sees_its_tools_in_every_revision_and_calls_no_others() {
    for mode in [Mode::Sessions, Mode::Json, Mode::Streams] {
        let server = Server::start(mode).await;
        let viewer = server.token("vera").claim("roles", json!(["viewer"]));
        let nobody = server.token("nora").claim("roles", json!(["nobody"]));
        for version in ProtocolVersion::KNOWN_VERSIONS {
            for (token, hidden) in [
                (server.token("ann"), &[][..]),
                (viewer.clone(), &["delete"]),
                (nobody.clone(), &["delete", "report"]),
            ] {
                let token = token.encode();
                let client = connect(&server, version, &token).await;
                let client = client.unwrap_or_else(|error| panic!("{mode:?} {version}: {error:?}"));
                let tools = client.list_all_tools().await.unwrap();
                assert_eq!(tools.len(), 6 - hidden.len(), "{mode:?} {version}");
                for name in hidden {
                    assert!(
                        tools.iter().all(|tool| tool.name != *name),
                        "{mode:?} {version}"
                    );
                    let call = CallToolRequestParams::new(*name);
                    let error = format!("{:?}", client.call_tool(call).await.unwrap_err());
                    assert!(
                        error.contains("not permitted"),
                        "{mode:?} {version}: {error}"
                    );
                }
                client.cancel().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn two_clients_on_one_server_are_two_callers() {
    let server = Server::start(Mode::Sessions).await;
    let version = ProtocolVersion::V_2025_11_25;
    let ann = connect(&server, &version, &server.token("ann").encode())
        .await
        .unwrap();
    let bob = connect(&server, &version, &server.token("bob").encode())
        .await
        .unwrap();
    assert!(whoami(&ann).await.contains("ann of"));
    assert!(whoami(&bob).await.contains("bob of"));
    assert!(whoami(&ann).await.contains("ann of"));
}

#[tokio::test]
async fn a_client_with_a_bad_token_is_told_so_and_gets_nothing() {
    let server = Server::start(Mode::Sessions).await;
    for version in [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28] {
        let expired = server.token("ann").expires_in(-3600).encode();
        let error = connect(&server, &version, &expired).await.err().unwrap();
        let error = format!("{error:?}");
        assert!(error.contains("invalid_token"), "{version}: {error}");
    }
}
