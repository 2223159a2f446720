//! Durations (`500ms`, `30s`, `1h30m`) and sizes (`512Mi`) as people write them.

use std::time::Duration;

/// Writes a duration the way it is read: `1h30m`, `500ms`, `0s`.
pub fn format_duration(d: Duration) -> String {
    let mut rest = d.as_millis();
    if rest == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        let n = rest / millis;
        rest %= millis;
        if n > 0 {
            out.push_str(&format!("{n}{unit}"));
        }
    }
    out
}
