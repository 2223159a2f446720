//! Whom a connection's requests are from.

use super::{access::Principal, guard::Peer};

/// Who makes a request, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub principal: Principal,
    pub peer: Peer,
}
