//! Rules on arguments and resources, at a real rmcp server: each edits and reads their own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body};
use bartizan::{
    Principal, RbacLayer, identify,
    rbac::{Condition, Policy, Rule},
};
use bartizan_kit::{McpRequest, Revision, call_tool, post, raw};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult,
        PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, ResourceContents, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Map, Value, json};
use tower::{ServiceExt, util::MapRequestLayer};

const PEOPLE: [&str; 2] = ["ann", "bob"];

/// The notes of each owner. It believes whomever a call names.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<String, String>>>);

impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources();
        ServerConfig::new(capabilities.build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ["edit_note", "wipe"].map(|name| Tool::new(name, "", Map::new()));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = call.arguments.unwrap_or_default();
        let text = |name| arguments.get(name).and_then(Value::as_str);
        let (Some(owner), Some(note)) = (text("owner"), text("text")) else {
            return Err(ErrorData::invalid_params("no owner or no text", None));
        };
        self.0.lock().unwrap().insert(owner.into(), note.into());
        Ok(CallToolResult::success(Vec::new()).into())
    }

    async fn read_resource(
        &self,
        read: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let owner = read.uri.rsplit('/').nth(1).unwrap_or_default();
        let note = self.0.lock().unwrap().get(owner).cloned();
        let contents = ResourceContents::text(note.unwrap_or_default(), read.uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

fn app(caller: &'static str, notes: &Notes) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let notes = notes.clone();
    let manager = LocalSessionManager::default();
    let mcp = StreamableHttpService::new(move || Ok(notes.clone()), manager.into(), config);
    let policy = Policy::builder()
        .role("admin", [])
        .rule(Rule::tool("edit_note").requires(Condition::argument("owner").is_subject()))
        .rule(Rule::tool("wipe").requires(Condition::any_of([
            Condition::argument("owner").is_client(),
            Condition::role("admin"),
        ])))
        .rule(Rule::resource("notes://{tenant}/{subject}/**"));
    let identified = MapRequestLayer::new(move |mut request: Request<Body>| {
        let caller = Principal::user("https://auth.example.com", caller).tenant("acme");
        identify(&mut request, caller.build("test")).unwrap();
        request
    });
    Router::new()
        .nest_service("/mcp", mcp)
        .route_layer(RbacLayer::new(policy.build().unwrap()))
        .route_layer(identified)
}

async fn send(app: &Router, request: McpRequest) -> (StatusCode, String) {
    let request = request.host("localhost").build_axum();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn ta_1_sc_5_everybody_edits_their_own_note_and_nobody_elses() {
    let notes = Notes::default();
    for caller in PEOPLE {
        let app = app(caller, &notes);
        for owner in PEOPLE {
            let arguments = json!({"owner": owner, "text": format!("by {caller}")});
            let edit = call_tool(Revision::V2025_11_25, "edit_note", arguments);
            let (status, body) = send(&app, edit).await;
            assert_eq!(status == 200, caller == owner, "{caller} {owner}: {body}");
            assert!(status == 200 || body.contains("not permitted"), "{body}");
        }
    }
    let expected = PEOPLE.map(|owner| (owner.to_owned(), format!("by {owner}")));
    assert_eq!(*notes.0.lock().unwrap(), BTreeMap::from(expected));
}

#[tokio::test]
async fn ta_6_everybody_reads_below_their_own_segment_and_nobody_elses() {
    let notes = Notes::default();
    for owner in PEOPLE {
        let note = format!("of {owner}");
        notes.0.lock().unwrap().insert(owner.to_owned(), note);
    }
    let ann = app("ann", &notes);
    for (uri, expected) in [
        ("notes://acme/ann/note", Some("of ann")),
        ("notes://acme/bob/note", None),
        ("notes://acme/ann/x/bob/note", Some("of bob")),
        ("notes://acme/ann/../bob/note", None),
        ("notes://acme/ann%2F..%2Fbob/note", None),
        ("notes://other/ann/note", None),
    ] {
        let read = post(Revision::V2025_11_25, "resources/read", json!({"uri": uri}));
        let (status, body) = send(&ann, read).await;
        assert_eq!(status == 200, expected.is_some(), "{uri}: {body}");
        assert!(
            body.contains(expected.unwrap_or("not permitted")),
            "{uri}: {body}"
        );
    }
}

#[tokio::test]
async fn ta_2_a_list_shows_what_some_arguments_would_open() {
    let list = || post(Revision::V2025_11_25, "tools/list", json!({}));
    let (_, body) = send(&app("ann", &Notes::default()), list()).await;
    // Without a client and without the role, nothing opens the other.
    assert!(
        body.contains("edit_note") && !body.contains("wipe"),
        "{body}"
    );
}

/// Whatever is sent, what the server reads is what was judged.
#[tokio::test]
async fn ta_4_no_spelling_of_arguments_makes_the_server_read_another_owner() {
    let mut reached = 0;
    for arguments in [
        r#"{"owner":"ann","text":"x"}"#,
        r#"{"\u006fwner":"\u0061nn","text":"x"}"#,
        r#"{"owner":"ann","owner":"bob","text":"x"}"#,
        r#"{"owner":"bob","owner":"ann","text":"x"}"#,
        r#"{"owner":"ann","own\u0065r":"bob","text":"x"}"#,
        r#"{"owner":"ann","Owner":"bob","text":"x"}"#,
        r#"{"owner":"ann","text":"x","x":{"owner":"bob"}}"#,
        r#"{"owner":["ann","bob"],"text":"x"}"#,
        r#"{"owner":"ann\u0000","text":"x"}"#,
        r#"{"owner":"bob","text":"x","arguments":{"owner":"ann"}}"#,
    ] {
        for frame in [
            format!(r#"{{"name":"edit_note","arguments":{arguments}}}"#),
            format!(r#"{{"arguments":{arguments},"name":"edit_note","owner":"ann"}}"#),
            format!(
                r#"{{"name":"edit_note","arguments":{arguments},"Arguments":{{"owner":"bob"}}}}"#
            ),
            format!(
                r#"{{"name":"edit_note","arguments":{{"owner":"ann"}},"arguments":{arguments}}}"#
            ),
        ] {
            let notes = Notes::default();
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{frame}}}"#);
            let request = raw(body).header("mcp-protocol-version", "2025-11-25");
            let (status, _) = send(&app("ann", &notes), request).await;
            let owners: Vec<_> = notes.0.lock().unwrap().keys().cloned().collect();
            assert!(
                owners.is_empty() || owners == ["ann"],
                "{frame}: {owners:?}"
            );
            assert_eq!(status == 200, !owners.is_empty(), "{frame}");
            reached += owners.len();
        }
    }
    assert!(reached >= 6, "{reached}");
}
