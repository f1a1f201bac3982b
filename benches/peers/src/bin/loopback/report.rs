use serde_json::json;

use crate::serve::Server;

/// Of bare rmcp's requests per second, what ours must keep.
const LEAST_KEPT: f64 = 0.72;

/// A server's round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
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

/// What is said of a server.
#[derive(Debug)]
pub(crate) struct Row {
    best: Round,
    /// Of bare's requests per second in the same round: the lowest, the median, the highest.
    kept: [f64; 3],
}

/// Of each server, from rounds in which all took turns.
///
/// # Panics
///
/// If there was no round.
pub(crate) fn rows(rounds: &[[Round; Server::ALL.len()]]) -> Vec<Row> {
    let of = |server| {
        let of_one = |round: &[Round; Server::ALL.len()]| *find(round, server);
        let best = rounds.iter().map(of_one);
        let best = best.max_by(|a, b| a.rate.total_cmp(&b.rate)).unwrap();
        let kept = |round| find(round, server).rate / find(round, Server::Bare).rate;
        let mut kept: Vec<_> = rounds.iter().map(kept).collect();
        kept.sort_by(f64::total_cmp);
        let kept = [kept[0], kept[kept.len() / 2], kept[kept.len() - 1]];
        Row { best, kept }
    };
    Server::ALL.map(of).into()
}

pub(crate) fn print(rows: &[Row], json: bool) {
    if json {
        let rows = rows.iter().map(|row| {
            let best = &row.best;
            json!({
                "server": best.server.name(),
                "requests_per_second": best.rate,
                "p50_ms": best.p50_ms,
                "p99_ms": best.p99_ms,
                "cpu_us_per_request": best.cpu_us,
                "cpu_busy": best.busy,
                "client_busy": best.client_busy,
                "kept_of_bare": kept(rows, best),
                "kept_of_bare_by_round": row.kept,
                "added_cpu_us": added(rows, best),
            })
        });
        println!("{}", json!(rows.collect::<Vec<_>>()));
        return;
    }
    println!(
        "| server | req/s | of bare | round by round | p50 | p99 | CPU per request | added to bare | CPU busy, client's |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for Row {
        best,
        kept: by_round,
    } in rows
    {
        let [lowest, median, highest] = by_round.map(|kept| kept * 100.0);
        println!(
            "| rmcp, {} | {:.0} | {:.0} % | {median:.0} % ({lowest:.0}–{highest:.0}) | {:.2} ms | {:.2} ms | {:.1} µs | {:.1} µs | {:.0} %, {:.0} % |",
            best.server.name(),
            best.rate,
            kept(rows, best) * 100.0,
            best.p50_ms,
            best.p99_ms,
            best.cpu_us,
            added(rows, best),
            best.busy * 100.0,
            best.client_busy * 100.0,
        );
    }
}

/// Whether ours keeps too little; says so.
pub(crate) fn missed(rows: &[Row]) -> bool {
    let kept = kept(rows, best_of(rows, Server::Ours));
    let missed = kept < LEAST_KEPT;
    if missed {
        eprintln!("loopback: ours keeps {kept:.3} of bare, wanted {LEAST_KEPT}");
    }
    missed
}

fn kept(rows: &[Row], best: &Round) -> f64 {
    best.rate / best_of(rows, Server::Bare).rate
}

fn added(rows: &[Row], best: &Round) -> f64 {
    best.cpu_us - best_of(rows, Server::Bare).cpu_us
}

fn best_of(rows: &[Row], server: Server) -> &Round {
    find(rows.iter().map(|row| &row.best), server)
}

fn find<'a>(rounds: impl IntoIterator<Item = &'a Round>, server: Server) -> &'a Round {
    let found = rounds.into_iter().find(|round| round.server == server);
    found.unwrap_or_else(|| panic!("`{}` was not measured", server.name()))
}
