//! Other machines, and other programs on this one.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
    },
};

use super::{
    Attempt,
    Control::{Depends, Never, Succeeds},
    Stage, Stopped,
    calls::{at, call},
    files::done,
};

pub(super) const ALL: &[Attempt] = &[
    Attempt {
        name: "ask_the_session_bus",
        control: Succeeds,
        act: |stage| done(UnixStream::connect(stage.home.join("bus"))),
    },
    Attempt {
        name: "ask_the_x_server",
        control: Succeeds,
        act: |stage| done(UnixStream::connect(stage.home.join("x11"))),
    },
    Attempt {
        name: "ask_the_system_bus",
        control: Depends,
        act: |_| done(UnixStream::connect("/run/dbus/system_bus_socket")),
    },
    Attempt {
        name: "write_to_the_system_log",
        control: Depends,
        act: |_| done(UnixDatagram::unbound()?.connect("/dev/log")),
    },
    Attempt { name: "connect_to_an_abstract_socket", control: Succeeds, act: abstract_connect },
    Attempt { name: "offer_an_abstract_socket", control: Succeeds, act: abstract_listen },
    Attempt {
        name: "connect_by_tcp",
        control: Succeeds,
        act: |stage| done(TcpStream::connect((Ipv4Addr::LOCALHOST, stage.tcp))),
    },
    Attempt { name: "listen_by_tcp", control: Succeeds, act: |_| done(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))) },
    Attempt { name: "send_by_udp", control: Succeeds, act: |stage| send(stage, b"taken") },
    Attempt { name: "leak_by_dns", control: Succeeds, act: |stage| send(stage, &question(&stage.secret)) },
    Attempt {
        name: "open_a_raw_socket",
        control: Never,
        act: |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
    },
    Attempt { name: "open_a_packet_socket", control: Never, act: |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0) },
    Attempt {
        name: "ask_netlink",
        control: Succeeds,
        act: |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
    },
    Attempt {
        name: "watch_devices",
        control: Succeeds,
        act: |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT),
    },
    Attempt {
        name: "reach_the_host_by_vsock",
        control: Depends,
        act: |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
    },
    Attempt {
        name: "use_the_kernels_crypto_socket",
        control: Depends,
        act: |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
    },
    Attempt {
        name: "open_a_socket_of_version_6",
        control: Depends,
        act: |_| socket(libc::AF_INET6, libc::SOCK_STREAM, 0),
    },
    Attempt { name: "open_an_inet_pair", control: Never, act: inet_pair },
];

fn abstract_connect(stage: &Stage) -> Result<String, Stopped> {
    done(UnixStream::connect_addr(&SocketAddr::from_abstract_name(&stage.abstract_name)?))
}

fn abstract_listen(stage: &Stage) -> Result<String, Stopped> {
    done(UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("{}-own", stage.abstract_name))?))
}

fn send(stage: &Stage, bytes: &[u8]) -> Result<String, Stopped> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    done(socket.send_to(bytes, (Ipv4Addr::LOCALHOST, stage.udp)))
}

/// A question for a name that holds the secret.
fn question(secret: &str) -> Vec<u8> {
    let label = &secret.as_bytes()[..secret.len().min(63)];
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
    bytes.extend_from_slice(label);
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

fn socket(family: i32, kind: i32, protocol: i32) -> Result<String, Stopped> {
    done(call(libc::SYS_socket, &[family as usize, kind as usize, protocol as usize]))
}

fn inet_pair(_: &Stage) -> Result<String, Stopped> {
    let pair = [0_i32; 2];
    done(call(libc::SYS_socketpair, &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0, at(&pair)]))
}
