use std::net::{Ipv4Addr, SocketAddr};

use lull_types::{Code, Fault};
use tokio::net::TcpListener;

/// The local API's usual port: the keys of "LULL" on a telephone.
pub const PORT: u16 = 5855;

/// Listens where asked, else at the usual port, else, when that is taken, at a free one. Says whether it is the place
/// that was wanted.
///
/// # Errors
/// [`Code::BadRequest`] when the address asked for is not of this machine alone, or cannot be had.
pub async fn listen(asked: Option<SocketAddr>) -> Result<(TcpListener, bool), Fault> {
    let refused = |text: String| Fault::new(Code::BadRequest, text);
    if let Some(address) = asked {
        if !address.ip().is_loopback() {
            let text = "is not a loopback address, use 127.0.0.1";
            return Err(refused(format!("the local API is for this machine only: {address} {text}")));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            refused(format!("the local API cannot listen on {address} ({error}): choose another with --api"))
        })?;
        return Ok((listener, true));
    }
    if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        return Ok((listener, true));
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener =
        free.map_err(|error| refused(format!("the local API finds no free port on this machine: {error}")))?;
    Ok((listener, false))
}
