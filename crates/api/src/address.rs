//! Whose address a request comes from.

use crate::extract;
use actix_web::{HttpRequest, http::header};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The client's address: the peer's, or, when that is a trusted proxy, what the proxies say.
pub fn address_of(request: &HttpRequest) -> IpAddr {
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let Ok(app) = extract::app(request) else { return peer };
    let forwarded = request.headers().get_all(header::X_FORWARDED_FOR);
    let forwarded: Vec<&str> = forwarded
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    client(peer, &forwarded, &app.config.trusted_proxies)
}

/// The rightmost address that no trusted proxy has. What stands left of it the client may have written itself.
fn client(peer: IpAddr, forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    for text in forwarded.iter().rev() {
        if !trusted.iter().any(|net| net.contains(&address)) {
            break;
        }
        match parse(text.trim()) {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    address
}

/// With or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        client(peer.parse().unwrap(), forwarded, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(found("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(found("192.0.2.1", &["198.51.100.9"]), "192.0.2.1");
        assert_eq!(found("10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(found("::ffff:10.0.0.1", &["198.51.100.9:4711"]), "198.51.100.9");
        assert_eq!(found("10.0.0.1", &["[2001:db8::1]:80", " fd00::7"]), "2001:db8::1");
    }

    #[test]
    fn what_a_client_writes_itself_changes_nothing() {
        assert_eq!(
            found("10.0.0.1", &["127.0.0.1", "198.51.100.9", "10.0.0.2"]),
            "198.51.100.9"
        );
        assert_eq!(found("10.0.0.1", &["198.51.100.9", "nonsense"]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &["10.0.0.3", "10.0.0.2"]), "10.0.0.3");
    }
}
