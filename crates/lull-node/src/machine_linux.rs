use std::{
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
};

use lull_types::{Code, Fault};

/// The name of a socket that nobody connects to. The kernel gives it to one process of the machine, whoever's it is, and
/// takes it back when that ends.
const NAME: &str = "lull-node";
const INVITATION: &str = "/etc/lull/invitation";

/// The right to be the one node of this machine.
#[derive(Debug)]
pub(crate) struct MachineLock {
    _name: UnixListener,
}

pub(crate) fn lock() -> Result<MachineLock, Fault> {
    let taken = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Fault::new(
            Code::Busy,
            "a node runs on this machine already, perhaps another person's: a machine has one; stop it there first",
        ),
        _ => Fault::new(Code::Internal, format!("this machine's one place for a node cannot be taken: {error}")),
    };
    let address = SocketAddr::from_abstract_name(NAME).map_err(taken)?;
    Ok(MachineLock { _name: UnixListener::bind_addr(&address).map_err(taken)? })
}

/// Where IT places an invitation.
pub(crate) fn invitation() -> Option<&'static Path> {
    Some(Path::new(INVITATION))
}
