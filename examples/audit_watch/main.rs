//! Shows an audit log as it is written: who asks for what, what became of it, and what detectors and alerts say.
//!
//! ```sh
//! cargo run --example audit_watch --features audit -- --severity notice audit.log
//! ```
//!
//! On a terminal it is a screen: counts for each outcome and severity, denials of the last half hour, the newest anomalies and
//! alerts, and the records from a severity on, which the keys 1 to 5 change. Elsewhere, and with `--plain`, it is a line for each
//! record and a summary at the end, which `--once` comes to by itself and Ctrl-C brings about; `--json` gives the records as they
//! are. Times are in UTC. Rotation is followed, a file that is not there yet is waited for, and what is no record is shown as such.
//! Whatever stands in the file, none of it can steer the terminal.
//!
//! It shows what the file says. Whether that is what was written tells `audit_verify`.
//!
//! The exit code is 0 at the end, 2 if the command line is wrong, and 3 if the log can't be read or the output not written.

mod watch;

use std::{
    env,
    io::{self, BufWriter, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use ratatui::crossterm::style::force_color_output;
use tokio::{runtime, signal};

fn main() -> ExitCode {
    let is_terminal = io::stdout().is_terminal();
    // As no-color.org has it.
    let has_colours = is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    force_color_output(has_colours);
    let outputs = watch::Outputs {
        out: BufWriter::new(io::stdout()),
        said: io::stderr(),
        is_terminal,
        has_colours,
    };
    let stop = Arc::new(AtomicBool::new(false));
    stop_at_signals(Arc::clone(&stop));
    match watch::run(env::args_os().skip(1), outputs, &stop) {
        Err(failure) if !failure.is_enough() => {
            let _ = writeln!(io::stderr(), "audit_watch: {failure}");
            ExitCode::from(failure.code())
        }
        _ => ExitCode::SUCCESS,
    }
}

/// So that there is a summary, and the terminal is left as it was. Without, a signal ends the process as it always does.
fn stop_at_signals(stop: Arc<AtomicBool>) {
    let wait = move || {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(signalled())?;
        stop.store(true, Relaxed);
        io::Result::Ok(())
    };
    let _ = thread::Builder::new().spawn(wait);
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use signal::unix::{SignalKind, signal};
    let mut ended = signal(SignalKind::terminate())?;
    let mut left = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = signal::ctrl_c() => interrupted,
        _ = ended.recv() => Ok(()),
        _ = left.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    signal::ctrl_c().await
}
