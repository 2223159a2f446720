//! How much one of many may ask for, so that the others are served too.

mod bucket;
mod connections;
mod held;
mod requests;

pub use connections::{ConnectionLimits, Connections};
pub use requests::{Exceeded, Limiter};
pub(super) use {connections::Place, held::hold};

use super::{
    access::{Membership, Principal},
    caller::Caller,
};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// Bounds on what clients may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    pub sessions: usize,
    pub sessions_per_principal: usize,
    /// Requests of one principal that are open at a time, streams included.
    pub concurrent_requests: usize,
    /// Of one principal, on average. `None`: as many as it likes.
    pub requests_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 4 << 20,
            sessions: 10_000,
            sessions_per_principal: 1_000,
            concurrent_requests: 1_000,
            requests_per_second: None,
        }
    }
}

/// Whose share it is that a caller uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// In each source that knows it, whatever it has shown of itself.
    User(Arc<[Membership]>),
    /// Those of whom nothing is known but where they are.
    Address(IpAddr),
}

impl Who {
    /// `None`: an operator, to whom no share is measured out.
    pub fn of(caller: &Caller) -> Option<Who> {
        match &caller.principal {
            Principal::Operator => None,
            Principal::User(user) => Some(Who::User(user.memberships().clone())),
            Principal::Anonymous => {
                let address = caller.address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| address.ip());
                Some(Who::Address(site(address)))
            }
        }
    }
}

/// The address of whoever may be taken for one: who has an IPv6 address has 2⁶⁴ of them.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site() {
        for (address, expected) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(site(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
