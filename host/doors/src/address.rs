//! A name -> the addresses that a request may go to. What was vetted here is what is connected to: a name that resolves
//! differently a moment later gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use types::Fault;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How far from the public internet a grant lets a request go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    Public,
    /// Private networks and this machine, too; link-local addresses, where clouds keep their metadata, not.
    Private,
    /// The grant names the address itself.
    Named,
}

/// Gives only addresses within reach.
#[derive(Debug)]
pub(crate) struct Vetted {
    pub(crate) reach: Reach,
    /// What is said if none is.
    pub(crate) refusal: Fault,
}

/// No address of the name is within reach; carried through ureq's error.
#[derive(Debug)]
pub(crate) struct OutOfReach(pub(crate) Fault);

impl std::fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OutOfReach {}

impl Resolver for Vetted {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut vetted = self.empty();
        for address in found.iter().filter(|address| within(self.reach, address)) {
            vetted.push(*address);
        }
        match vetted.is_empty() {
            true => Err(ureq::Error::Other(Box::new(OutOfReach(self.refusal.clone())))),
            false => Ok(vetted),
        }
    }
}

fn within(reach: Reach, address: &SocketAddr) -> bool {
    match reach {
        Reach::Named => true,
        Reach::Private => is_public(address.ip()) || is_private(address.ip()),
        Reach::Public => is_public(address.ip()),
    }
}

/// Addresses outside the link-local ones at which clouds keep the credentials of a machine: Amazon's by IPv6, Alibaba's, and
/// Azure's, which is a public one by its number.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Private networks (RFC 1918, RFC 4193), carrier-grade ones (RFC 6598) and this machine.
fn is_private(address: IpAddr) -> bool {
    match address {
        address if METADATA.contains(&address) => false,
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || in_v4(v4, [100, 64, 0, 0], 10),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unique_local(),
        },
    }
}

/// Globally reachable by the registries of special-purpose addresses (RFC 6890), and unicast.
fn is_public(address: IpAddr) -> bool {
    match address {
        address if METADATA.contains(&address) => false,
        IpAddr::V4(v4) => {
            const SPECIAL: [([u8; 4], u32); 14] = [
                ([0, 0, 0, 0], 8),
                ([10, 0, 0, 0], 8),
                ([100, 64, 0, 0], 10),
                ([127, 0, 0, 0], 8),
                ([169, 254, 0, 0], 16),
                ([172, 16, 0, 0], 12),
                ([192, 0, 0, 0], 24),
                ([192, 0, 2, 0], 24),
                ([192, 88, 99, 0], 24),
                ([192, 168, 0, 0], 16),
                ([198, 18, 0, 0], 15),
                ([198, 51, 100, 0], 24),
                ([203, 0, 113, 0], 24),
                // Multicast, reserved, broadcast.
                ([224, 0, 0, 0], 3),
            ];
            !SPECIAL.into_iter().any(|(network, bits)| in_v4(v4, network, bits))
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let [a, b, ..] = v6.segments();
                // 2000::/3 without the documentation (2001:db8::/32, 3fff::/20), Teredo and other special ones (2001::/23).
                let documentation = (a == 0x2001 && b == 0x0db8) || (a == 0x3fff && b < 0x1000);
                a & 0xe000 == 0x2000 && !documentation && !(a == 0x2001 && b < 0x0200)
            }
        },
    }
}

fn in_v4(address: Ipv4Addr, network: [u8; 4], bits: u32) -> bool {
    (u32::from(address) ^ u32::from_be_bytes(network)) >> (32 - bits) == 0
}

/// The IPv4 address that a packet would reach: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => v4(g, h),
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, high, low, ..) => v4(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for (address, public, private) in [
            ("93.184.216.34", true, false),
            ("8.8.8.8", true, false),
            ("10.1.2.3", false, true),
            ("172.16.0.1", false, true),
            ("172.32.0.1", true, false),
            ("192.168.1.1", false, true),
            ("127.0.0.1", false, true),
            ("127.255.1.1", false, true),
            ("0.0.0.0", false, false),
            ("169.254.169.254", false, false),
            ("100.64.0.1", false, true),
            ("198.19.0.1", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
            ("::1", false, true),
            ("::", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("100.100.100.200", false, false),
            ("168.63.129.16", false, false),
            ("::ffff:168.63.129.16", false, false),
            ("168.63.129.17", true, false),
            ("fd00:ec3::254", false, true),
            ("ff02::1", false, false),
            ("2606:2800:220:1::1", true, false),
            ("2001:db8::1", false, false),
            ("2001:0:1::1", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:8.8.8.8", true, false),
            ("::7f00:1", false, true),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b::808:808", true, false),
            ("64:ff9b:1:a9fe:a9:fe00:808:808", false, false),
            ("2002:7f00:1::", false, true),
            ("2002:a9fe:a9fe::", false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!((is_public(parsed), is_private(parsed)), (public, private), "{address}");
        }
    }
}
