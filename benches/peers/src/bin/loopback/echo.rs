//! The MCP server that is guarded: one tool that counts what it is given.

use rmcp::{
    ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Clone, Debug)]
pub(crate) struct Echo {
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Notes {
    notes: Vec<Note>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "what the schema says")]
pub(crate) struct Note {
    title: String,
    text: String,
    id: u64,
}

#[tool_router]
impl Echo {
    pub(crate) fn new() -> Self {
        Self {
            tool_router: Self::tool_router(),
        }
    }

    #[tool(description = "Writes notes")]
    fn write_note(&self, Parameters(notes): Parameters<Notes>) -> String {
        format!("{} written", notes.notes.len())
    }
}

#[tool_handler]
impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
