use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use tokio::net::UdpSocket;

use crate::scan::contains;

/// The largest UDP datagram, in bytes.
const DATAGRAM_BYTES: usize = 65_536;

/// Stands between nodes and relay, and keeps every datagram that passes, both ways.
#[derive(Debug)]
pub struct Wiretap {
    /// Where nodes are told that the relay is.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Wiretap {
    /// Listens on a free port and passes everything on to `relay`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(relay: SocketAddr) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = front.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(pass(front, relay, seen.clone()));
        Ok(Self { address, seen, task })
    }

    /// Datagrams and bytes that have passed.
    #[must_use]
    pub fn amount(&self) -> (usize, usize) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.len(), seen.iter().map(Vec::len).sum())
    }

    /// Whether `needle` has passed in the clear.
    #[must_use]
    pub fn holds(&self, needle: &[u8]) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().any(|datagram| contains(datagram, needle))
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One socket towards the relay for each node, so that answers find their way back.
async fn pass(front: Arc<UdpSocket>, relay: SocketAddr, seen: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut backs: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut datagram = vec![0; DATAGRAM_BYTES];
    while let Ok((length, from)) = front.recv_from(&mut datagram).await {
        keep(&seen, &datagram[..length]);
        let back = if let Some(back) = backs.get(&from) {
            back.clone()
        } else {
            let Ok(back) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
            let back = Arc::new(back);
            backs.insert(from, back.clone());
            tasks.spawn(give_back(back.clone(), front.clone(), from, seen.clone()));
            back
        };
        let _ = back.send_to(&datagram[..length], relay).await;
    }
}

async fn give_back(back: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, seen: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    while let Ok((length, _)) = back.recv_from(&mut datagram).await {
        keep(&seen, &datagram[..length]);
        let _ = front.send_to(&datagram[..length], to).await;
    }
}

fn keep(seen: &Mutex<Vec<Vec<u8>>>, datagram: &[u8]) {
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(datagram.to_vec());
}
