use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use lull_net::{Authority, Listener, TransportIdentity, TransportKey, connect, listen};
use lull_types::NodeId;

/// Echoes that are measured.
const ECHOES: usize = 2_000;

/// The median round trip of 32 bytes on one stream of a real connection on loopback, in microseconds: what every hop
/// costs at least.
pub(crate) async fn echo_us() -> Result<f64> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let authority = Authority::create("Bench", now_s)?;
    let listener = Listener { address: ([127, 0, 0, 1], 0).into(), reset_key: [0; 64] };
    let endpoint = listen(&listener, &authority)?;
    let address = endpoint.local_addr()?.to_string();
    let server = tokio::spawn(async move {
        let connection = endpoint.accept().await.context("no connection")?.await?;
        let (mut send, mut recv) = connection.accept_bi().await?;
        let mut buffer = [0; 32];
        while recv.read_exact(&mut buffer).await.is_ok() {
            send.write_all(&buffer).await?;
        }
        anyhow::Ok(())
    });
    let key = TransportKey::generate()?;
    let not_after_s = now_s + 3600;
    let certificate = authority.issue(NodeId([1; 16]), &key.public()?, now_s, not_after_s)?;
    let identity = TransportIdentity { key, certificate, authority: authority.certificate_der().to_vec(), not_after_s };
    let connection = connect(&address, authority.fingerprint(), Some(&identity)).await?;
    let (mut send, mut recv) = connection.open_bi().await?;
    let mut times: Vec<Duration> = Vec::with_capacity(ECHOES);
    let mut buffer = [7; 32];
    for _ in 0..ECHOES {
        let start = Instant::now();
        send.write_all(&buffer).await?;
        recv.read_exact(&mut buffer).await?;
        times.push(start.elapsed());
    }
    connection.close(0_u8.into(), b"done");
    server.abort();
    times.sort();
    Ok(times[ECHOES / 2].as_secs_f64() * 1e6)
}
