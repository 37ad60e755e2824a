use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use lull_net::{TransportIdentity, TransportKey, connect, exporter};
use lull_wire::{
    SecretKey, Signed, Token,
    control::{self, FromNode, FromRelay, Offer},
    enrol::{self, EnrolRequest, EnrolResponse},
    frame,
    identity::{DeviceCertificate, DeviceChain, SealingCertificate, node_id},
};

use super::{quantile, relay::Pool, row};
use crate::{
    Options,
    report::{Report, Row},
};

/// Memory that a million nodes may cost one relay of 40 GiB, per node: the project's aim.
const AIM_KIB: f64 = 40.0;

/// A connected node that does nothing.
pub(crate) struct Idle {
    _connection: quinn::Connection,
    _control: (quinn::SendStream, quinn::RecvStream),
}

/// What a machine has after it has joined.
pub(crate) struct Joined {
    key: SecretKey,
    chain: DeviceChain,
    ca_sha256: [u8; 32],
    identity: TransportIdentity,
}

/// Joins as `lull node enroll` does, but keeps nothing on the disk.
pub(crate) async fn join(token: &Token, relay: &str, name: String) -> Result<Joined> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let key = SecretKey::generate();
    let invitation = token.invitation.open(&token.root)?;
    let device = DeviceCertificate { invitation: invitation.id, key: key.public(), name, created_s: now_s };
    let device = Signed::sign(&device, &token.secret())?;
    let chain = DeviceChain { invitation: token.invitation.clone(), device };
    let ca_sha256 = token.statement.open(&token.root)?.ca_sha256;
    let identity = enrol(&chain, &key, relay, ca_sha256).await?;
    Ok(Joined { key, chain, ca_sha256, identity })
}

impl Joined {
    /// Connects with its certificate, and is welcomed.
    pub(crate) async fn greet(&self, relay: &str) -> Result<Idle> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let connection = connect(relay, self.ca_sha256, Some(&self.identity)).await?;
        let (mut send, mut recv) = connection.open_bi().await?;
        let sealing = SealingCertificate { node: node_id(&self.key.public()), key: [1; 32], created_s: now_s };
        let (chain, sealing) = (self.chain.clone(), Signed::sign(&sealing, &self.key)?);
        let hello = FromNode::Hello { chain, sealing, version: "bench".into(), membership: None };
        frame::write(&mut send, &hello, control::BYTES_MAX).await?;
        let Some(FromRelay::Welcome { .. }) = frame::read(&mut recv, control::BYTES_MAX).await? else {
            bail!("the relay does not welcome an idle node");
        };
        frame::write(&mut send, &FromNode::Offer(Offer::default()), control::BYTES_MAX).await?;
        Ok(Idle { _connection: connection, _control: (send, recv) })
    }
}

async fn idle(token: &Token, relay: &str, name: String) -> Result<Idle> {
    join(token, relay, name).await?.greet(relay).await
}

async fn enrol(chain: &DeviceChain, key: &SecretKey, relay: &str, ca_sha256: [u8; 32]) -> Result<TransportIdentity> {
    let connection = connect(relay, ca_sha256, None).await?;
    let transport = TransportKey::generate()?;
    let public = transport.public()?;
    let proof = key.sign(&enrol::proof(&exporter(&connection)?, &public));
    let (mut send, mut recv) = connection.open_bi().await?;
    let request = EnrolRequest { chain: chain.clone(), transport: public, proof };
    frame::write(&mut send, &request, enrol::BYTES_MAX).await?;
    let response = frame::read(&mut recv, enrol::BYTES_MAX).await?.context("no answer")?;
    connection.close(0_u8.into(), b"done");
    match response {
        EnrolResponse::Certificate { certificate, authority, not_after_s, .. } => {
            Ok(TransportIdentity { key: transport, certificate, authority, not_after_s })
        }
        EnrolResponse::Refused(fault) => Err(fault.into()),
    }
}

/// The relay's memory for each connected node that does nothing.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let nodes: u32 = if options.quick { 200 } else { 1_000 };
    let pool = Pool::start()?;
    let token = pool.token(nodes + 50)?;
    let relay = pool.org.public.to_string();
    let mut held = Vec::new();
    // The first ones warm up what every later one shares.
    for at in 0..50 {
        held.push(idle(&token, &relay, format!("warm{at}")).await?);
    }
    let before = pool.rss()?;
    let mut joins = Vec::new();
    for at in 0..nodes {
        let start = std::time::Instant::now();
        held.push(idle(&token, &relay, format!("idle{at}")).await?);
        joins.push(start.elapsed().as_secs_f64() * 1e3);
        if at % 100 == 99 {
            eprint!("\ridle: {} of {nodes} nodes connected   ", at + 1);
        }
    }
    eprintln!();
    let kib = (pool.rss()? - before) / 1024.0 / f64::from(nodes);
    report.rows.push(Row { limit: Some(AIM_KIB), ..row("rss_per_idle_node", kib, "KiB") });
    report.rows.push(row("join_p50", quantile(&joins, 0.5), "ms"));
    report.notes.push(format!(
        "idle: {nodes} real QUIC connections with mutual TLS, enrolled one by one; limit of rss_per_idle_node = the \
         project's aim; join = enrol, connect and welcome, both ends on this machine"
    ));
    Ok(())
}
