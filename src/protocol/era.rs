//! The two eras of MCP: with sessions and a handshake, and stateless.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The stateless protocol version.
pub const MODERN_VERSION: &str = "2026-07-28";

/// The versions that open with `initialize`, newest first.
pub const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How a client or a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// `initialize`, sessions, requests in both directions: 2025-11-25 and before.
    Legacy,
    /// Stateless, `server/discover`: 2026-07-28.
    Modern,
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        })
    }
}

/// Whether a version belongs to the era of sessions. Versions are dates, so those that are not known yet compare too.
pub fn is_legacy_version(version: &str) -> bool {
    version < "2026"
}
