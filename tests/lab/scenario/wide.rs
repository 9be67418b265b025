//! A network all of whose addresses are one host.

use std::net::Ipv4Addr;

use serde::Deserialize;

/// An IPv4 network inside 10.0.0.0/8, of 4 to 65,536 addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Wide {
    text: String,
    first: u32,
    prefix: u8,
}

impl Wide {
    /// As typed, `10.70.0.0/16`.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn size(&self) -> usize {
        1 << (32 - self.prefix)
    }

    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ self.first) >> (32 - self.prefix) == 0
    }

    pub fn addresses(&self) -> Vec<String> {
        (self.first..)
            .take(self.size())
            .map(|address| Ipv4Addr::from(address).to_string())
            .collect()
    }
}

impl TryFrom<String> for Wide {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{text}` {what}");
        let (address, prefix) = text.split_once('/').ok_or_else(|| wrong("has no prefix"))?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong("is no IPv4 network"))?;
        let prefix = match prefix.parse() {
            Ok(prefix @ 16..=30) => prefix,
            _ => return Err(wrong("is not /16 to /30")),
        };
        let first = u32::from(address);
        if address.octets()[0] != 10 {
            return Err(wrong("lies outside 10.0.0.0/8"));
        }
        if first.trailing_zeros() < 32 - u32::from(prefix) {
            return Err(wrong("is not the first address of its network"));
        }
        Ok(Self {
            text,
            first,
            prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_all_its_addresses_and_no_others() {
        let wide = Wide::try_from("10.70.3.0/24".to_owned()).unwrap();
        let addresses = wide.addresses();
        assert_eq!(
            (addresses.len(), &*addresses[0], &*addresses[255]),
            (256, "10.70.3.0", "10.70.3.255")
        );
        assert!(wide.contains([10, 70, 3, 255].into()) && !wide.contains([10, 70, 4, 0].into()));
    }

    #[test]
    fn networks_that_could_be_real_are_refused() {
        for bad in [
            "10.70.3.1/24",
            "192.0.2.0/24",
            "10.0.0.0/8",
            "10.1.0.0",
            "x/24",
        ] {
            assert!(Wide::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
