//! Whom a connection's requests are from.

use super::{access::Principal, guard::Peer};
use std::{net::SocketAddr, time::Instant};

/// Who makes a request, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub principal: Principal,
    pub peer: Peer,
    /// Of the other end of its connection, over TCP.
    pub address: Option<SocketAddr>,
    /// When what it has shown of itself ends, if it does.
    pub until: Option<Instant>,
}

impl Caller {
    /// Whether what it has shown of itself has ended.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Who it is, for the audit.
    pub fn name(&self) -> String {
        match &self.principal {
            Principal::Operator => "operator".into(),
            Principal::Anonymous => "anonymous".into(),
            Principal::User(user) => format!("user/{}", user.name()),
        }
    }

    /// From where, likewise.
    pub fn origin(&self) -> String {
        origin(self.peer, self.address)
    }
}

/// Where a connection comes from, for the audit.
pub fn origin(peer: Peer, address: Option<SocketAddr>) -> String {
    match (peer, address) {
        (Peer::Local { uid }, _) => format!("uid {uid}"),
        (Peer::Tcp, Some(address)) => address.to_string(),
        (Peer::Tcp, None) => "tcp".into(),
    }
}
