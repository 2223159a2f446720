//! Mirrors of real repositories, by every way there is to reach one.

mod damage;
mod local;

use mcpfleet::git::Remote;
use std::time::Duration;

/// A remote with nothing set besides where it is.
fn remote(url: impl Into<String>) -> Remote {
    Remote {
        url: url.into(),
        timeout: Duration::from_secs(30),
        username_file: None,
        password_file: None,
        ssh_key_file: None,
        ssh_passphrase_file: None,
        known_hosts_file: None,
        ca_file: None,
        proxy: None,
        max_bytes: 1 << 30,
    }
}
