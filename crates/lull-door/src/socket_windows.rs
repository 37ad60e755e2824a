use std::{ffi::OsString, io, time::Duration};

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

use crate::home::Home;

/// What Windows says when all instances of a pipe are taken for the moment.
const PIPE_BUSY: i32 = 231;
/// The pause before asking again, and how often.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const BUSY_TRIES: u32 = 50;

/// Where callers arrive. A pipe's default rights let its own user, and nobody else but administrators, write to it.
pub(crate) struct Listener {
    name: OsString,
    next: NamedPipeServer,
}

impl Listener {
    pub(crate) fn bind(home: &Home) -> io::Result<Self> {
        let name = name(home);
        let next = ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name)?;
        Ok(Self { name, next })
    }

    pub(crate) async fn accept(&mut self) -> io::Result<NamedPipeServer> {
        self.next.connect().await?;
        let next = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

pub(crate) async fn connect(home: &Home) -> io::Result<NamedPipeClient> {
    let name = name(home);
    for _ in 0..BUSY_TRIES {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn name(home: &Home) -> OsString {
    let digest = lull_wire::identity::fingerprint(home.path().as_os_str().as_encoded_bytes());
    let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r"\\.\pipe\lull-{digest}").into()
}
