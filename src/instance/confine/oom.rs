//! Who is to go when the whole machine is out of memory: a server, rather than its keeper or the agent, who have to tell
//! of it.

use nix::sys::prctl;
use std::fs;

const FILE: &str = "/proc/self/oom_score_adj";

/// How much more likely than its agent a server is chosen, in thousandths of the machine's memory.
const MORE: i32 = 200;

/// Has this process, and all that it becomes and starts, be chosen before others. Everybody may do that; where it does
/// not work, nothing is lost but an order of preference.
pub fn go_first() {
    let Some(now) = fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse::<i32>().ok()) else { return };
    // Else the file belongs to root.
    let _ = prctl::set_dumpable(true);
    let _ = fs::write(FILE, after(now).to_string());
    let _ = prctl::set_dumpable(false);
}

/// The score of a server, from its keeper's. An agent that is never to be chosen (`OOMScoreAdjust=-1000`) is not to be
/// survived by its servers for that: they go before what nobody has set a score for, or at the same time.
fn after(now: i32) -> i32 {
    now.saturating_add(MORE).clamp(0, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_never_spared() {
        for (now, expected) in [(0, 200), (-1000, 0), (-300, 0), (-100, 100), (900, 1000), (1000, 1000)] {
            assert_eq!(after(now), expected, "{now}");
        }
    }
}
