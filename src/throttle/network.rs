//! Networks: the part of an address that counts for the throttle.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};

use crate::encoding::short_hex;

/// The network of an address: the first 24 bits of an IPv4 address, or the first 64 bits of an IPv6 address. An
/// IPv4-mapped IPv6 address is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// A /24.
    V4([u8; 3]),
    /// A /64.
    V6([u16; 4]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl Network {
    /// Returns the name of the network's attribute in an item: `n:` and 64 bits of a hash, which is different in each
    /// item, so the items do not show which subjects share a network.
    pub fn attribute(self, item_id: &str) -> String {
        let network = match self {
            Self::V4([a, b, c]) => format!("{a}.{b}.{c}.0/24"),
            Self::V6([a, b, c, d]) => format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"),
        };
        let digest = digest(&SHA256, [item_id, &network].concat().as_bytes());
        format!("n:{}", short_hex(digest.as_ref()))
    }
}
