use bartizan_peers::cases::Case;
use serde_json::json;

use crate::{counts::Counts, sampling::Times};

/// A row.
pub(crate) struct Report<'a> {
    case: &'a Case,
    times: &'a Times,
    peer_counts: [f64; 2],
    our_counts: [f64; 2],
}

impl<'a> Report<'a> {
    pub(crate) fn new(case: &'a Case, times: &'a Times, counts: &Counts) -> Self {
        Self {
            case,
            times,
            peer_counts: counts.of(case.name, "peer"),
            our_counts: counts.of(case.name, "ours"),
        }
    }

    /// What the goal asks and the measurement does not give.
    pub(crate) fn missed(&self) -> Vec<String> {
        let Some(goal) = self.case.goal else {
            return Vec::new();
        };
        let name = self.case.name;
        let mut missed = Vec::new();
        let (ratio, least) = (self.times.ratio(0.5), goal.ratio * goal.slack);
        if ratio < least {
            missed.push(format!(
                "{name}: {ratio:.2} times as fast, wanted {least:.2} ({:.2} less slack)",
                goal.ratio
            ));
        }
        let allocations = self.our_counts[0];
        if let Some(most) = goal.allocations.filter(|&most| allocations > most as f64) {
            missed.push(format!(
                "{name}: {allocations:.2} allocations, wanted {most} or fewer"
            ));
        }
        missed
    }

    fn line(&self) -> String {
        let ([peer_count, peer_bytes], [count, bytes]) = (self.peer_counts, self.our_counts);
        format!(
            "| `{}` | {} | {} | **{:.2}** ({:.2}–{:.2}) | {peer_count:.1} / {peer_bytes:.0} B | {count:.1} / {bytes:.0} B |",
            self.case.name,
            micros(self.times.peer),
            micros(self.times.ours),
            self.times.ratio(0.5),
            self.times.ratio(0.05),
            self.times.ratio(0.95),
        )
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "case": self.case.name,
            "peer_ns": self.times.peer,
            "ours_ns": self.times.ours,
            "ratio": self.times.ratio(0.5),
            "ratio_5": self.times.ratio(0.05),
            "ratio_95": self.times.ratio(0.95),
            "samples": self.times.ratios.len(),
            "peer_allocations": self.peer_counts[0],
            "peer_bytes": self.peer_counts[1],
            "ours_allocations": self.our_counts[0],
            "ours_bytes": self.our_counts[1],
        })
    }
}

pub(crate) fn print(rows: &[Report<'_>], json: bool) {
    if json {
        let rows: Vec<_> = rows.iter().map(Report::json).collect();
        println!("{}", json!(rows));
        return;
    }
    println!("| case | peers | ours | ratio (5–95 %) | peers allocate | ours allocates |");
    println!("|---|--:|--:|--:|--:|--:|");
    for row in rows {
        println!("{}", row.line());
    }
}

fn micros(nanos: Option<f64>) -> String {
    nanos.map_or_else(String::new, |nanos| format!("{:.2} µs", nanos / 1000.0))
}
