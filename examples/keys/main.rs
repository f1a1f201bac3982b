//! API keys from the command line, over any store.
//!
//! ```sh
//! cargo build --release --example keys --features full
//! alias keys="target/release/examples/keys --store file:keys.json --pepper-file pepper"
//! keys init
//! keys issue ci --role developer --tool 'read_*' --network 192.0.2.0/24 --life 30d >ci.key
//! keys issue --honey 'old backup' >backup.key
//! keys list
//! keys rotate ID --overlap 24h >ci.key
//! keys revoke ID --reason 'its owner left'
//! keys leaked <found.txt
//! keys remove-ended --older-than 90d
//! ```
//!
//! A store is `file:PATH`, `sqlite:PATH`, `postgres://…`, or `memory`, which is empty each time; `KEYS_STORE` says it too, and keeps
//! it off the list of processes. `KEYS_PEPPER` holds the pepper where no file is to: `1:` and 64 hexadecimal digits, older ones
//! after a comma.
//!
//! A key's text goes to standard output, this once, and nothing else does but a table or `--json`; what else there is to say
//! goes to standard error. The exit code is 0 if it is done, 1 if there is no such key or it is past that, 2 if the command line is
//! wrong, and 3 if the store or the pepper is not to be had.

mod command;

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let environment = |name: &str| std::env::var(name).ok();
    let input = || {
        let mut text = String::new();
        // One byte more than a key can have tells that it is none.
        io::stdin().take(1 << 16).read_to_string(&mut text)?;
        Ok(text)
    };
    let (out, mut said, mut code) = match command::run(arguments, environment, input).await {
        Ok(done) => (done.out, done.said, done.code),
        Err(failure) => (String::new(), format!("keys: {failure}\n"), failure.code()),
    };
    // First: a key that nobody gets is lost, and that is worth an error.
    let mut output = io::stdout();
    let written = output.write_all(out.as_bytes());
    if let Err(error) = written.and_then(|()| output.flush()) {
        said.push_str(&format!("keys: standard output: {error}\n"));
        code = 3;
    }
    // Unlike `eprint!` it does not panic where nobody listens.
    let _ = io::stderr().write_all(said.as_bytes());
    ExitCode::from(code)
}
