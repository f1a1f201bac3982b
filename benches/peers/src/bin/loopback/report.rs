use serde_json::json;

use crate::serve::Server;

/// Of bare rmcp's requests per second, what ours must keep.
const LEAST_KEPT: f64 = 0.72;

/// A server's round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) server: Server,
    /// Requests per second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of the server, per request.
    pub(crate) cpu_us: f64,
    /// What part of its CPU the server had. Well below 1, something else was the bottleneck: the
    /// client, if it had all of its own, or other programs.
    pub(crate) busy: f64,
    pub(crate) client_busy: f64,
}

pub(crate) fn print(rows: &[Row], json: bool) {
    if json {
        let rows = rows.iter().map(|row| {
            json!({
                "server": row.server.name(),
                "requests_per_second": row.rate,
                "p50_ms": row.p50_ms,
                "p99_ms": row.p99_ms,
                "cpu_us_per_request": row.cpu_us,
                "cpu_busy": row.busy,
                "client_busy": row.client_busy,
                "kept_of_bare": kept(rows, row),
                "added_cpu_us": added(rows, row),
            })
        });
        println!("{}", json!(rows.collect::<Vec<_>>()));
        return;
    }
    println!(
        "| server | req/s | of bare | p50 | p99 | CPU per request | added to bare | CPU busy, client's |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for row in rows {
        println!(
            "| rmcp, {} | {:.0} | {:.0} % | {:.2} ms | {:.2} ms | {:.1} µs | {:.1} µs | {:.0} %, {:.0} % |",
            row.server.name(),
            row.rate,
            kept(rows, row) * 100.0,
            row.p50_ms,
            row.p99_ms,
            row.cpu_us,
            added(rows, row),
            row.busy * 100.0,
            row.client_busy * 100.0,
        );
    }
}

/// Whether ours keeps too little; says so.
pub(crate) fn missed(rows: &[Row]) -> bool {
    let kept = kept(rows, find(rows, Server::Ours));
    let missed = kept < LEAST_KEPT;
    if missed {
        eprintln!("loopback: ours keeps {kept:.3} of bare, wanted {LEAST_KEPT}");
    }
    missed
}

fn kept(rows: &[Row], row: &Row) -> f64 {
    row.rate / find(rows, Server::Bare).rate
}

fn added(rows: &[Row], row: &Row) -> f64 {
    row.cpu_us - find(rows, Server::Bare).cpu_us
}

fn find(rows: &[Row], server: Server) -> &Row {
    let found = rows.iter().find(|row| row.server == server);
    found.unwrap_or_else(|| panic!("`{}` was not measured", server.name()))
}
