use std::net::SocketAddr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// The host that a request was meant for, with its port; `None` when that is not this machine's loopback: a foreign
/// name that was made to resolve here, or more than one name.
#[must_use]
pub fn own_host(bound: SocketAddr, headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host: Authority = hosts.next()?.to_str().ok()?.parse().ok()?;
    let ours = |authority: &Authority| is_own_name(bound, authority);
    let sound = hosts.next().is_none() && ours(&host) && uri.authority().is_none_or(ours);
    sound.then_some(host)
}

/// Whether a name, with whatever port, can only mean this machine's loopback or the address listened on.
pub(crate) fn is_own_name(bound: SocketAddr, authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let named = host.eq_ignore_ascii_case("localhost") || matches!(host, "127.0.0.1" | "[::1]");
    let bound = !bound.ip().is_unspecified() && address.parse() == Ok(bound.ip());
    !authority.as_str().contains('@') && (named || bound)
}
