//! Addresses that no remote server can have, whatever the configuration allows. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is that must never be connected to; `None` for any other.
///
/// Machines in clouds ask fixed addresses who they are, and are told without a password: whoever chooses where the
/// agent connects to would be told in its place.
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("no address of a host"),
        [169, 254, 169, 254] => Some("a cloud's metadata address"),
        // Of Azure, Alibaba Cloud and Oracle Cloud.
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Some("a cloud's metadata address"),
        [169, 254, ..] => Some("link-local"),
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a broadcast or reserved address"),
        _ => None,
    }
}

/// Of AWS, Google Cloud and Oracle Cloud.
const METADATA: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("a cloud's metadata address");
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address of a host"),
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // What stands for an address of the other kind: mapped, compatible, and translated by a gateway.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => forbidden_v4(v4(high, low)),
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, is_forbidden) in [
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("169.253.255.255", false),
            ("169.255.0.0", false),
            ("223.255.255.255", false),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("169.254.0.1", true),
            ("169.254.169.254", true),
            ("169.254.170.2", true),
            ("168.63.129.16", true),
            ("100.100.100.200", true),
            ("192.0.0.192", true),
            ("224.0.0.1", true),
            ("240.0.0.1", true),
            ("255.255.255.255", true),
            ("::", true),
            ("::1", false),
            ("2001:db8::1", false),
            ("fd00::1", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("ff02::1", true),
            ("fd00:ec2::254", true),
            ("fd20:ce::254", true),
            ("fd00:c1::a9fe:a9fe", true),
            ("::ffff:169.254.169.254", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:0.0.0.0", true),
            ("::169.254.169.254", true),
            ("::ffff:0:169.254.169.254", true),
            ("64:ff9b::169.254.169.254", true),
            ("64:ff9b::8.8.8.8", false),
            ("64:ff9b:1::169.254.1.1", true),
            ("2002:a9fe:a9fe::1", true),
            ("2002:808:808::1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(forbidden(address).is_some(), is_forbidden, "{address}");
        }
    }
}
