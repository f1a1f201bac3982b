//! What the peers' stack lacks of the full configuration, written by hand as a server's author
//! would: permissions per tool, and one audit line for each request.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    common::{requests::TOOL, tokens::ROLE},
    peer::Claims,
};

const MAX_BODY: usize = 4 * 1024 * 1024;

/// Which tools a role may call.
#[derive(Debug)]
pub struct Policy(HashMap<&'static str, HashSet<&'static str>>);

pub fn policy() -> Arc<Policy> {
    let reading = HashSet::from(["list_notes", "read_note", "search_notes"]);
    let mut writing = reading.clone();
    writing.extend([TOOL, "rename_note", "echo"]);
    let mut all = writing.clone();
    all.insert("delete_note");
    Arc::new(Policy(HashMap::from([
        ("viewer", reading),
        (ROLE, writing),
        ("admin", all),
    ])))
}

/// Reads the call, judges it, goes on, and writes the line.
pub async fn authorize(
    State(policy): State<Arc<Policy>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(call) = serde_json::from_slice::<Value>(&bytes) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(claims) = parts.extensions.get::<Claims>().cloned() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let method = call["method"].as_str().unwrap_or_default();
    let tool = call["params"]["name"].as_str().unwrap_or_default();
    let allowed = method != "tools/call" || policy.allows(&claims.roles, tool);
    let response = if allowed {
        next.run(Request::from_parts(parts, Body::from(bytes)))
            .await
    } else {
        StatusCode::FORBIDDEN.into_response()
    };
    tracing::info!(
        target: "audit",
        event = "request",
        outcome = if allowed { "allowed" } else { "denied" },
        status = response.status().as_u16(),
        issuer = claims.iss,
        subject = claims.sub,
        client = claims.client_id,
        token = claims.jti,
        roles = ?claims.roles,
        address = ?peer,
        method,
        tool,
        duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    );
    response
}

impl Policy {
    fn allows(&self, roles: &[String], tool: &str) -> bool {
        let tools = |role: &String| self.0.get(role.as_str());
        roles
            .iter()
            .filter_map(tools)
            .any(|tools| tools.contains(tool))
    }
}
