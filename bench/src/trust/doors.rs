use std::{sync::Arc, time::Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::bounds;
use crate::{
    Options,
    pool::{
        idle::{self, Joined},
        relay::Pool,
        row,
    },
    report::{Report, Row},
};

/// Machines that come at the same time.
const AT_ONCE: u32 = 16;
/// Signatures that a relay must check when a machine joins: its invitation, its device certificate, its proof.
const CHECKS_TO_JOIN: f64 = 3.0;

/// Machines that join, and then connect with what they got, over and over.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let (joins, handshakes): (u32, u32) = if options.quick { (160, 480) } else { (1_600, 4_800) };
    let pool = Pool::start()?;
    let relay = pool.org.public.to_string();
    let token = Arc::new(pool.token(joins + AT_ONCE)?);
    let joined = join_all(&token, &relay, AT_ONCE, "warm").await?;

    let (began, cpu) = (Instant::now(), pool.cpu_s()?);
    drop(join_all(&token, &relay, joins, "join").await?);
    let (took, cpu) = (began.elapsed().as_secs_f64(), pool.cpu_s()? - cpu);
    let (sign_us, verify_us) = bounds::ed25519_us();
    report.rows.push(row("enrolments_per_s", f64::from(joins) / took, "1/s"));
    let limit = 1e6 / (CHECKS_TO_JOIN * verify_us);
    report.rows.push(Row { limit: Some(limit), ..row("enrolments_per_relay_core", f64::from(joins) / cpu, "1/s") });

    let (began, cpu) = (Instant::now(), pool.cpu_s()?);
    let mut tasks = JoinSet::new();
    for machine in joined {
        let relay = relay.clone();
        tasks.spawn(async move {
            for _ in 0..handshakes / AT_ONCE {
                drop(machine.greet(&relay).await?);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), pool.cpu_s()? - cpu);
    // The server signs once, and checks the client's certificate and its proof of it.
    let limit = 1e6 / (sign_us + 2.0 * verify_us);
    let per_core = f64::from(handshakes) / cpu;
    report.rows.push(Row { limit: Some(limit), ..row("full_handshakes_per_s_per_core", per_core, "1/s") });
    report.rows.push(row("full_handshakes_per_s_both_ends_here", f64::from(handshakes) / took, "1/s"));
    report.notes.push(format!(
        "doors: {joins} machines join and {handshakes} full handshakes with client certificates (no resumption) by \
         {AT_ONCE} machines at a time, on the same machine as the relay; each handshake goes on to the relay's \
         welcome, because only then it has surely checked the client's certificate, so the chain to root is checked \
         in it, too; _core: per second of the relay's processor time; limits: only the signatures, as Ed25519 costs \
         here ({sign_us:.0} us to make, {verify_us:.0} us to check)"
    ));
    Ok(())
}

async fn join_all(token: &Arc<lull_wire::Token>, relay: &str, count: u32, name: &'static str) -> Result<Vec<Joined>> {
    let mut tasks = JoinSet::new();
    for own in 0..AT_ONCE {
        let (token, relay) = (token.clone(), relay.to_owned());
        tasks.spawn(async move {
            let mut joined = Vec::new();
            for at in (own..count).step_by(AT_ONCE as usize) {
                joined.push(idle::join(&token, &relay, format!("{name}{at}")).await?);
            }
            anyhow::Ok(joined)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    Ok(all)
}
