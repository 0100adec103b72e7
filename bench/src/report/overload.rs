//! The table of an overload.

use super::table::Table;
use crate::scenarios::Step;

pub(super) fn table(steps: &[Step]) -> String {
    let titles = [
        "clients",
        "Retry-After",
        "orders per s",
        "of peak",
        "rejected per s",
        "p50 ms",
        "p99 ms",
        "reads served",
        "read p99 ms",
        "nodes' memory MiB",
    ];
    let mut table = Table::new(2, titles);
    for step in steps {
        let honours = if step.honours_retry_after { "honoured" } else { "ignored" };
        table.row([
            format!("{} x {}", step.times, step.clients / step.times),
            honours.to_owned(),
            format!("{:.1}", step.goodput),
            format!("{:.0} %", 100.0 * step.of_peak),
            format!("{:.1}", step.rejections_per_second),
            format!("{:.1}", step.p50_ms),
            format!("{:.1}", step.p99_ms),
            format!("{:.1} %", 100.0 * step.reads_served),
            format!("{:.1}", step.read_p99_ms),
            format!("{:.0}", step.memory_mib),
        ]);
    }
    table.to_string()
}
