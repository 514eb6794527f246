//! Which addresses may be connected to. What is checked is the address that is connected to, not the name.

use crate::Error;
use ipnet::IpNet;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Public addresses, by TLS; and the operator's own networks.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    own: Vec<IpNet>,
}

/// An address that was not connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

const PRIVATE: &str = "The address leads into a private network, which this server's operator has not allowed. \
                       Use a public address, or have its network added to ALLOWED_NETWORKS.";
const PLAIN: &str = "The address is not https, so secrets would travel in the clear. Use https.";

impl Reach {
    pub fn new(own: Vec<IpNet>) -> Self {
        Self { own }
    }

    fn check(&self, address: IpAddr, tls: bool) -> Result<(), Refused> {
        let address = address.to_canonical();
        if self.own.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Refused(PRIVATE));
        }
        if tls { Ok(()) } else { Err(Refused(PLAIN)) }
    }

    /// What can be told before a name is resolved.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn check_url(&self, url: &Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::settings("The address must begin with https:// or http://."));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Error::settings("The address must hold no name, password or fragment."));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Error::settings("The address names no host.")),
        };
        let checked = self.check(address, url.scheme() == "https");
        checked.map_err(|refused| Error::settings(refused.0))
    }

    /// Makes requests to the host of `url`, past no proxy and along no redirect, which would lead past the check.
    ///
    /// # Errors
    /// As [`Reach::check_url`].
    pub fn client(&self, url: &Url) -> Result<reqwest::ClientBuilder, Error> {
        self.check_url(url)?;
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        Ok(builder.dns_resolver(self.resolver(url)))
    }

    fn resolver(&self, url: &Url) -> Resolver {
        Resolver {
            reach: self.clone(),
            tls: url.scheme() == "https",
        }
    }
}

struct Resolver {
    reach: Reach,
    tls: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, tls) = (self.reach.clone(), self.tls);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One address that may not be reached spoils the name: it is not asked again which one is meant.
            for address in &found {
                reach.check(address.ip(), tls)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The sentence of a refusal among an error's causes.
pub fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(sentence)) = error.downcast_ref() {
            return Some(sentence);
        }
        cause = error.source();
    }
    None
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Of the global range; what carries another address inside is judged by that one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let words = address.segments();
    let inside = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match words {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inside(high, low),
        [0x2002, high, low, ..] => inside(high, low),
        // Teredo, protocol assignments, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        let reach = Reach::default();
        for public in ["1.1.1.1", "104.18.6.192", "2606:4700::1111", "64:ff9b::1.1.1.1"] {
            assert!(reach.check(public.parse().unwrap(), true).is_ok(), "{public}");
            assert!(reach.check(public.parse().unwrap(), false).is_err(), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
        ] {
            assert!(reach.check(private.parse().unwrap(), true).is_err(), "{private}");
        }
    }

    #[test]
    fn own_networks_are_reached_without_tls() {
        let reach = Reach::new(vec!["10.0.0.0/8".parse().unwrap()]);
        for own in ["10.1.2.3", "::ffff:10.1.2.3"] {
            assert!(reach.check(own.parse().unwrap(), false).is_ok(), "{own}");
        }
        assert!(reach.check("127.0.0.1".parse().unwrap(), true).is_err());
    }

    #[test]
    fn addresses_in_odd_spellings_are_still_addresses() {
        for url in [
            "https://127.1/v1",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:127.0.0.1]/",
            "http://1.1.1.1/",
            "ftp://example.org/",
            "https://user@example.org/",
        ] {
            assert!(Reach::default().check_url(&url.parse().unwrap()).is_err(), "{url}");
        }
        assert!(
            Reach::default()
                .check_url(&"https://api.openai.com/v1".parse().unwrap())
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_name_is_judged_by_its_address() {
        let resolver = Reach::default().resolver(&"https://localhost/".parse().unwrap());
        let error = resolver.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert_eq!(refusal(&*error), Some(PRIVATE));
    }
}
