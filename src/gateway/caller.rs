//! Whom a connection's requests are from.

use super::{access::Principal, guard::Peer, web_session::Life};
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
    pub by: By,
    /// The session of the web page that the request is in.
    pub session: Option<Life>,
}

/// What somebody was let in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By its user on this host, on the control socket.
    Socket,
    /// By a session of the web page.
    Session,
    Token,
    /// The gateway is open to everybody.
    Open,
}

impl Caller {
    /// Whether what it has shown of itself has ended.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now()) || self.session.as_ref().is_some_and(Life::is_over)
    }

    /// Waits until it has.
    pub async fn over(&self) {
        let ended = async {
            match &self.session {
                Some(session) => session.over().await,
                None => std::future::pending().await,
            }
        };
        match self.until {
            None => ended.await,
            Some(until) => drop(tokio::time::timeout_at(until.into(), ended).await),
        }
    }

    /// Who it is, for the audit.
    pub fn name(&self) -> String {
        self.principal.label()
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
