use bartizan_core::{Denial, SecurityContext};
use bartizan_kit::{Echo, McpRequest, Revision, call_tool};
use bartizan_validate::ValidateLayer;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt};

/// What came back, and what the server saw.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) denial: Option<Denial>,
    pub(crate) echo: Echo,
}

impl Answer {
    /// Whether the tool ran.
    pub(crate) fn ran(&self) -> bool {
        !self.echo.is_untouched()
    }

    /// What the model is told of a tool that failed.
    pub(crate) fn told(&self) -> &str {
        assert_eq!(self.status, 200);
        assert_eq!(self.body["result"]["isError"], true, "{}", self.body);
        self.body["result"]["content"][0]["text"].as_str().unwrap()
    }

    /// What the operator is told.
    pub(crate) fn reason(&self) -> &str {
        self.denial.as_ref().unwrap().reason()
    }
}

/// A layer that judges by limits alone.
pub(crate) fn open() -> ValidateLayer {
    ValidateLayer::new()
        .without_learning()
        .danger_unknown_tools()
}

/// Sends a request through the layer.
pub(crate) async fn ask(layer: &ValidateLayer, request: McpRequest) -> Answer {
    let echo = Echo::new();
    let mut request = request.build();
    SecurityContext::of(&mut request).open_trail();
    let response: Response<_> = layer.layer(echo.clone()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        denial: head.extensions.get().cloned(),
        echo,
    }
}

/// Calls a tool with arguments as they are written.
pub(crate) async fn call(layer: &ValidateLayer, tool: &str, arguments: &str) -> Answer {
    ask(layer, written(tool, arguments)).await
}

/// A call of a tool with arguments as they are written.
pub(crate) fn written(tool: &str, arguments: &str) -> McpRequest {
    let request = call_tool(Revision::V2025_11_25, tool, Value::Null);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"seven","method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    );
    request.body(body)
}
