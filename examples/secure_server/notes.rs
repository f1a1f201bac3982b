//! The MCP server behind the layers: a notebook with reading, writing and destructive tools.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bartizan::Caller;
use rmcp::{
    ErrorData, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The tools, by what they do.
pub(crate) const TOOLS: [&str; 6] = [
    "whoami",
    "list_notes",
    "read_note",
    "write_note",
    "delete_note",
    "wipe_notes",
];
/// A tool that only reads.
pub(crate) const READ_TOOL: &str = "list_notes";
/// A tool that destroys.
pub(crate) const DESTRUCTIVE_TOOL: &str = "delete_note";

/// A notebook, shared by everybody who may call it.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    notes: Arc<Mutex<BTreeMap<String, String>>>,
    #[allow(dead_code, reason = "read by the code that the macro writes")]
    tool_router: ToolRouter<Self>,
}

/// Which note.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Title {
    title: String,
}

/// A note.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Note {
    title: String,
    text: String,
}

#[tool_router]
impl Notes {
    /// A notebook with one note.
    pub(crate) fn new() -> Self {
        let first = ("welcome".to_owned(), "Write your own.".to_owned());
        Self {
            notes: Arc::new(Mutex::new(BTreeMap::from([first]))),
            tool_router: Self::tool_router(),
        }
    }

    #[tool(
        description = "Says who is calling",
        annotations(read_only_hint = true)
    )]
    fn whoami(&self, caller: Caller) -> String {
        let roles: Vec<_> = caller.roles().collect();
        format!("{} ({})", caller.subject(), roles.join(", "))
    }

    #[tool(
        description = "Lists the titles of all notes",
        annotations(read_only_hint = true)
    )]
    fn list_notes(&self) -> String {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.keys().cloned().collect::<Vec<_>>().join("\n")
    }

    #[tool(description = "Reads a note", annotations(read_only_hint = true))]
    fn read_note(
        &self,
        Parameters(Title { title }): Parameters<Title>,
    ) -> Result<String, ErrorData> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let note = notes.get(&title).cloned();
        note.ok_or_else(|| ErrorData::invalid_params("no such note", None))
    }

    #[tool(description = "Writes a note", annotations(destructive_hint = false))]
    fn write_note(
        &self,
        caller: Caller,
        Parameters(Note { title, text }): Parameters<Note>,
    ) -> String {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(title, format!("{text}\n(by {})", caller.subject()));
        "written".to_owned()
    }

    #[tool(description = "Deletes a note", annotations(destructive_hint = true))]
    fn delete_note(
        &self,
        Parameters(Title { title }): Parameters<Title>,
    ) -> Result<String, ErrorData> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match notes.remove(&title) {
            Some(_) => Ok("deleted".to_owned()),
            None => Err(ErrorData::invalid_params("no such note", None)),
        }
    }

    #[tool(
        description = "Deletes all notes",
        annotations(destructive_hint = true)
    )]
    fn wipe_notes(&self) -> String {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = notes.len();
        notes.clear();
        format!("deleted {count}")
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("A notebook behind Bartizan's layers")
    }
}
