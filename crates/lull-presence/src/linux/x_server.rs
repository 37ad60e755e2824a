//! A connection to the X server that never makes its thread wait.
//!
//! The library can wait for a reply only by blocking. So replies are asked for, then a message is sent to a window of
//! our own; when that message comes back as an event, every reply before it is here, and taking it is instant.

use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest},
    net::{TcpStream, UnixStream},
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, Setup, WindowClass},
    },
    reexports::x11rb_protocol::{
        connect::Connect,
        parse_display::{ConnectAddress, ParsedDisplay, parse_display_with_file_exists_callback},
        xauth::Family,
    },
    rust_connection::{DefaultStream, RustConnection},
};

use crate::Environment;

/// The largest authority file that is read, in bytes.
const AUTHORITY_MAX: u64 = 1024 * 1024;
const COOKIE: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// The server.
pub(super) struct Server {
    connection: RustConnection,
    /// The connection's socket again: it tells when there is something to read.
    socket: Socket,
    /// A window of our own that nobody sees, for messages to ourselves.
    window: u32,
    root: u32,
    asked: Cell<u32>,
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.readable().await,
            Self::Tcp(socket) => socket.readable().await,
        }
    }

    /// Calls `read` if there is something to read; when it finds nothing, says so.
    fn read<T>(&self, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self {
            Self::Unix(socket) => socket.try_io(Interest::READABLE, read),
            Self::Tcp(socket) => socket.try_io(Interest::READABLE, read),
        }
    }
}

impl Server {
    /// Connects to the display of that environment.
    pub(super) async fn open(display: &str, environment: &Environment) -> Result<Self, String> {
        let parsed = parse_display_with_file_exists_callback(display, |_| false).map_err(|error| error.to_string())?;
        let file = authority_file(environment);
        let mut first = None;
        for address in parsed.connect_instruction() {
            match connect(&address, &parsed, file.clone()).await {
                Ok((connection, socket)) => {
                    let server = Self::over(connection, socket, parsed.screen.into());
                    return server.map_err(|error| error.to_string());
                }
                Err(error) => first = first.or(Some(error.to_string())),
            }
        }
        Err(first.unwrap_or_else(|| "its name leads nowhere".to_owned()))
    }

    fn over(connection: RustConnection, socket: Socket, screen: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let root = connection.setup().roots.get(screen).ok_or("it has no such screen")?.root;
        let window = connection.generate_id()?;
        let (class, aux) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
        connection.create_window(0, window, root, -1, -1, 1, 1, 0, class, 0, &aux)?;
        Ok(Self { connection, socket, window, root, asked: Cell::new(0) })
    }

    /// For sending requests. Their replies may be taken only after [`Server::answered`].
    pub(super) const fn connection(&self) -> &RustConnection {
        &self.connection
    }

    /// The root window.
    pub(super) const fn root(&self) -> u32 {
        self.root
    }

    /// The next event. Nothing is lost when the wait is given up.
    pub(super) async fn event(&self) -> Result<Event, String> {
        let lost = |error: &dyn std::fmt::Display| format!("the X server is gone ({error})");
        if let Some(event) = self.connection.poll_for_event().map_err(|error| lost(&error))? {
            return Ok(event);
        }
        loop {
            self.socket.readable().await.map_err(|error| lost(&error))?;
            let read = self.socket.read(|| match self.connection.poll_for_event() {
                Ok(Some(event)) => Ok(event),
                Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(io::Error::other(error)),
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map_err(|error| lost(&error)),
            }
        }
    }

    /// Waits until the replies to all requests so far are here, and hands out the events that come before.
    pub(super) async fn answered(&self, mut meanwhile: impl FnMut(&Event)) -> Result<(), String> {
        let number = self.asked.get().wrapping_add(1);
        self.asked.set(number);
        let message = ClientMessageEvent::new(32, self.window, u32::from(AtomEnum::INTEGER), [number, 0, 0, 0, 0]);
        let sent = self.connection().send_event(false, self.window, EventMask::NO_EVENT, message);
        sent.map_err(|error| error.to_string())?.ignore_error();
        self.connection().flush().map_err(|error| error.to_string())?;
        loop {
            match self.event().await? {
                Event::ClientMessage(message) if message.window == self.window => {
                    if message.data.as_data32()[0] == number {
                        return Ok(());
                    }
                }
                event => meanwhile(&event),
            }
        }
    }
}

async fn connect(
    address: &ConnectAddress<'_>,
    display: &ParsedDisplay,
    authority: Option<PathBuf>,
) -> Result<(RustConnection, Socket), Box<dyn std::error::Error>> {
    let number = display.display;
    let (stream, setup, socket) = match address {
        ConnectAddress::Socket(path) => {
            // As other programs do: the name that no file stands for comes first, for nobody can take it away.
            let mut socket = match UnixStream::connect(format!("\0{path}")).await {
                Ok(socket) => socket,
                Err(_) => UnixStream::connect(path).await?,
            };
            let (stream, who) = DefaultStream::from_unix_stream(again(&socket)?.into())?;
            let setup = shake(&mut socket, cookie(authority, who, number).await).await?;
            (stream, setup, Socket::Unix(socket))
        }
        ConnectAddress::Hostname(host, port) => {
            let mut socket = TcpStream::connect((*host, *port)).await?;
            let (stream, who) = DefaultStream::from_tcp_stream(again(&socket)?.into())?;
            let setup = shake(&mut socket, cookie(authority, who, number).await).await?;
            (stream, setup, Socket::Tcp(socket))
        }
        _ => return Err("its kind of address is not known".into()),
    };
    Ok((RustConnection::for_connected_stream(stream, setup)?, socket))
}

/// The same socket a second time.
fn again(socket: &impl AsFd) -> io::Result<OwnedFd> {
    socket.as_fd().try_clone_to_owned()
}

/// The X server's handshake.
async fn shake(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    cookie: Option<Vec<u8>>,
) -> Result<Setup, Box<dyn std::error::Error>> {
    let name = cookie.as_ref().map(|_| COOKIE.to_vec()).unwrap_or_default();
    let (mut connect, hello) = Connect::with_authorization(name, cookie.unwrap_or_default());
    socket.write_all(&hello).await?;
    loop {
        match socket.read(connect.buffer()).await? {
            0 => return Err("it hangs up".into()),
            read if connect.advance(read) => return Ok(connect.into_setup()?),
            _ => {}
        }
    }
}

fn authority_file(environment: &Environment) -> Option<PathBuf> {
    let home = || Some(PathBuf::from(environment.get("HOME")?).join(".Xauthority"));
    environment.get("XAUTHORITY").map(PathBuf::from).or_else(home)
}

/// What the authority file says for this server: without it, the server decides whether it lets us in.
async fn cookie(file: Option<PathBuf>, (family, address): (Family, Vec<u8>), display: u16) -> Option<Vec<u8>> {
    let file = file?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(file).ok()?;
        io::Read::read_to_end(&mut io::Read::take(file, AUTHORITY_MAX), &mut bytes).ok()?;
        Some(bytes)
    });
    let entries = read.await.ok()??;
    let number = display.to_string();
    let mut rest = entries.as_slice();
    while let Some(entry) = Entry::next(&mut rest) {
        let place = entry.family == family && entry.address == address;
        let here = place || entry.family == Family::WILD;
        if here && entry.name == COOKIE && (entry.number.is_empty() || entry.number == number.as_bytes()) {
            return Some(entry.data.to_vec());
        }
    }
    None
}

/// One entry of an authority file: numbers are big-endian, fields carry their length in two bytes.
struct Entry<'a> {
    family: Family,
    address: &'a [u8],
    number: &'a [u8],
    name: &'a [u8],
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn next(rest: &mut &'a [u8]) -> Option<Self> {
        let family = Family::from(u16::from_be_bytes(*rest.split_off(..2)?.first_chunk()?));
        let mut field = || {
            let length = u16::from_be_bytes(*rest.split_off(..2)?.first_chunk()?);
            rest.split_off(..usize::from(length))
        };
        Some(Self { family, address: field()?, number: field()?, name: field()?, data: field()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_file_is_read_field_by_field_and_a_torn_one_ends() {
        // As `xauth add :1 bar deadbeef` writes it on a machine named ZweiLED.
        let file = b"\x01\x00\x00\x07ZweiLED\x00\x011\x00\x03bar\x00\x04\xde\xad\xbe\xef\x01\x00\x00\x09torn";
        let mut rest = file.as_slice();
        let entry = Entry::next(&mut rest).unwrap();
        assert_eq!(entry.family, Family::LOCAL);
        assert_eq!((entry.address, entry.number), (&b"ZweiLED"[..], &b"1"[..]));
        assert_eq!((entry.name, entry.data), (&b"bar"[..], &b"\xde\xad\xbe\xef"[..]));
        assert!(Entry::next(&mut rest).is_none());
    }
}
