//! Other programs, without a shell.

mod command_error;
mod group;
mod programs;
mod safe_command;

pub use command_error::{CommandError, CommandErrorKind};
pub use programs::{NoProgram, Programs};
pub use safe_command::{Finished, SafeCommand};
