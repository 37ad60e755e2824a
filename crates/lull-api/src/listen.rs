use std::net::{Ipv4Addr, SocketAddr};

use lull_types::{Code, Fault};
use tokio::net::TcpListener;

/// A door of this machine alone: what it is called, where it usually is, and the argument that says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its name, to begin a sentence with.
    pub what: &'static str,
    /// Its usual port.
    pub port: u16,
    /// The argument that names another place.
    pub argument: &'static str,
}

/// The local API, at the keys of "LULL" on a telephone.
pub const API: Place = Place { what: "the local API", port: 5855, argument: "--api" };

/// Listens where asked, else at the usual port, else, when that is taken, at a free one. Says whether it is the place
/// that was wanted.
///
/// # Errors
/// [`Code::BadRequest`] when the address asked for is not of this machine alone, or cannot be had.
pub async fn listen(asked: Option<SocketAddr>, place: Place) -> Result<(TcpListener, bool), Fault> {
    let Place { what, port, argument } = place;
    let refused = |text: String| Fault::new(Code::BadRequest, text);
    if let Some(address) = asked {
        if !address.ip().is_loopback() {
            let text = "is not a loopback address, use 127.0.0.1";
            return Err(refused(format!("{what} is for this machine only: {address} {text}")));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            refused(format!("{what} cannot listen on {address} ({error}): choose another with {argument}"))
        })?;
        return Ok((listener, true));
    }
    if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        return Ok((listener, true));
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = free.map_err(|error| refused(format!("{what} finds no free port on this machine: {error}")))?;
    Ok((listener, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Place = Place { what: "the window", port: 5856, argument: "--ui" };

    #[tokio::test]
    async fn a_door_is_of_this_machine_alone_and_says_which_argument_to_change() {
        let anywhere = Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let refused = listen(anywhere, WINDOW).await.unwrap_err();
        assert!(refused.message.contains("the window is for this machine only"), "{refused}");
        let (first, wanted) = listen(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), API).await.unwrap();
        assert!(wanted);
        let taken = listen(Some(first.local_addr().unwrap()), WINDOW).await.unwrap_err();
        assert!(taken.message.contains("choose another with --ui"), "{taken}");
        let usual = Place { port: first.local_addr().unwrap().port(), ..WINDOW };
        assert!(!listen(None, usual).await.unwrap().1, "a free port instead");
    }
}
