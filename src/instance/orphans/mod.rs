//! What must not be left behind: processes and containers of servers whose keeper, or whose agent, was killed.
//!
//! As long as a keeper lives it sees to the end of all that its server has started. When it is killed, nothing leads
//! from a process that made a session of its own back to its server, except for what it was given at the start: a
//! [marker] in its environment, which children inherit. By it an agent finds what a lost keeper had, and at its start
//! what an earlier agent of the same state directory left ([`sweep`]). Containers run elsewhere, so they carry the
//! marker as a label ([`engine`]), and a small file says how to ask for them ([`containers`]).

pub mod containers;
pub mod engine;
pub mod identity;
pub mod marker;
pub mod removals;
pub mod sweep;

pub use identity::{Claim, ClaimError, Identity};

/// Kills the processes that earlier agents of this state directory have left behind, within bounds. To be called before
/// anything is started, and only by whoever holds the [`Claim`]. Their [containers] are another matter.
pub async fn kill_processes(identity: Identity) {
    match tokio::task::spawn_blocking(move || sweep::earlier(&identity)).await {
        Ok(swept) if swept.left > 0 || swept.unseen > 0 => {
            let sweep::Swept { killed, left, unseen } = swept;
            tracing::warn!(killed, left, unseen, "processes of an earlier agent may still be there");
        }
        Ok(swept) if swept.killed > 0 => {
            tracing::info!(killed = swept.killed, "killed processes that an earlier agent left behind");
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "cannot look for what an earlier agent left behind"),
    }
}
