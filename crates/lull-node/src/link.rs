//! The way to the relay: connects, renews the certificate, and comes back after every loss.

use std::{future::Future, sync::Arc, time::Duration};

use lull_types::{Code, Fault};
use lull_wire::{Signed, identity::SealingCertificate};
use quinn::{Connection, ConnectionError, VarInt};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Home,
    backoff::Backoff,
    clock::now_s,
    enrol, fault,
    identity::{Identity, Transport},
    session::{self, Routes, Session},
};

/// The longest try to connect while the relay was there a short time ago. Short, because a handshake that began before
/// the relay came back asks again only after seconds.
const CONNECT_RECENT_MAX: Duration = Duration::from_millis(2_500);
/// The longest try otherwise.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a loss counts as recent.
const RECENT: Duration = Duration::from_secs(5 * 60);
/// A certificate that ends within this time counts as over, in seconds.
const CERTIFICATE_MARGIN_S: u64 = 60;
/// How often a failed renewal is tried again, and an idle moment to reconnect is looked for.
const RENEWAL_PACE: Duration = Duration::from_secs(30);
/// How long before its end a connection with an old certificate is given up although jobs run on it, in seconds.
const RECONNECT_MARGIN_S: u64 = 600;
/// What the relay closes a connection with when a newer one of the same node took over.
const CLOSED_REPLACED: VarInt = VarInt::from_u32(2);

/// How things stand with the relay.
#[derive(Debug, Clone)]
pub(crate) enum LinkState {
    /// Not connected, for this reason; it is tried again.
    Down(Fault),
    /// Connected.
    Up(Session),
    /// Never again with this enrolment.
    Over(Fault),
}

impl LinkState {
    /// Not connected yet.
    pub(crate) fn connecting() -> Self {
        Self::Down(Fault::new(Code::RelayUnreachable, "the relay is being connected to"))
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match self {
            Self::Up(session) => Some(session),
            Self::Down(_) | Self::Over(_) => None,
        }
    }
}

/// The task that owns the connection, the certificate and what is known of the relay.
pub(crate) struct Link {
    pub(crate) home: Home,
    pub(crate) identity: watch::Sender<Arc<Identity>>,
    pub(crate) transport: Transport,
    pub(crate) sealing: Signed<SealingCertificate>,
    pub(crate) state: watch::Sender<LinkState>,
    pub(crate) routes: Routes,
    /// Whether any job runs here, lent or asked.
    pub(crate) busy: Box<dyn Fn() -> bool + Send + Sync>,
    pub(crate) stop: CancellationToken,
}

/// Why a connection, or the try to make one, ended.
enum End {
    Lost(Fault),
    /// Another connection with this machine's identity took over. It cannot be one of this process, which has one only.
    Replaced,
    /// The certificate was renewed: come back with the new one.
    Renewed,
    /// This enrolment does not count any more.
    Over(Fault),
    Stopped,
}

impl End {
    /// The end of a connection on which `fault` was met.
    fn on(connection: &Connection, fault: Fault) -> Self {
        match connection.close_reason() {
            Some(ConnectionError::ApplicationClosed(close)) if close.error_code == CLOSED_REPLACED => Self::Replaced,
            _ => fault.into(),
        }
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        if fault.code == Code::Revoked { Self::Over(fault) } else { Self::Lost(fault) }
    }
}

impl Link {
    /// Runs until it is stopped or the enrolment is revoked.
    pub(crate) async fn run(mut self) {
        let started = Instant::now();
        let mut last_up: Option<Instant> = None;
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            let recent = last_up.is_some_and(|at| at.elapsed() < RECENT);
            let before = self.state.borrow().session().is_some();
            debug_assert!(!before, "a session never outlives its turn");
            let (end, up_since) = self.turn(if recent { CONNECT_RECENT_MAX } else { CONNECT_MAX }).await;
            if let Some(since) = up_since {
                last_up = Some(Instant::now());
                backoff.was_up(since.elapsed());
            }
            let absent = last_up.unwrap_or(started);
            let wait = match end {
                End::Lost(fault) => {
                    tracing::warn!(code = %fault.code, reason = fault.message, "no connection to the relay");
                    self.state.send_replace(LinkState::Down(fault));
                    backoff.next(absent.elapsed(), rand::random())
                }
                End::Replaced => {
                    self.replaced(&mut told);
                    Backoff::replaced(rand::random())
                }
                End::Renewed => continue,
                End::Over(fault) => {
                    tracing::error!(code = %fault.code, reason = fault.message, "the relay sent this machine away");
                    self.state.send_replace(LinkState::Over(fault));
                    return;
                }
                End::Stopped => return,
            };
            if self.unless_stopped(sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Shows that another machine took over; logs it once, because it goes on until someone mends it.
    fn replaced(&self, told: &mut bool) {
        let text = "another machine uses this machine's identity: enrol one of them again with \
                    `lull node enroll TOKEN --force`";
        if !std::mem::replace(told, true) {
            tracing::warn!(reason = text, "the relay closed the connection");
        }
        self.state.send_replace(LinkState::Down(Fault::new(Code::RelayUnreachable, text)));
    }

    /// Connects and stays; since when it was connected, if at all.
    async fn turn(&mut self, connect_max: Duration) -> (End, Option<Instant>) {
        let stop = self.stop.clone();
        let opened = tokio::select! {
            () = stop.cancelled() => return (End::Stopped, None),
            opened = self.connect(connect_max) => opened,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(end) => return (end, None),
        };
        let (session, since) = (opened.session.clone(), Instant::now());
        tracing::info!(relay = self.identity.borrow().relay, "connected to the relay");
        self.state.send_replace(LinkState::Up(session.clone()));
        let routes = self.routes.clone();
        let end = tokio::select! {
            () = stop.cancelled() => End::Stopped,
            fault = session::serve(opened, &routes) => End::on(&session.connection, fault),
            () = self.keep_certificate(session.certificate_until_s) => End::Renewed,
        };
        let leaving = Fault::new(Code::RelayUnreachable, "the connection is being made anew");
        self.state.send_replace(LinkState::Down(leaving));
        session.connection.close(0_u32.into(), b"leaving");
        (end, Some(since))
    }

    async fn connect(&mut self, connect_max: Duration) -> Result<session::Opened, End> {
        if self.transport.identity.not_after_s <= now_s() + CERTIFICATE_MARGIN_S {
            self.renew().await?;
        }
        let connection = match self.dial(connect_max).await {
            // Our clocks may disagree on when a certificate is over; and a refusal to renew says why.
            Err(fault) if fault.code == Code::Expired => {
                self.renew().await?;
                self.dial(connect_max).await?
            }
            dialled => dialled?,
        };
        let identity = self.identity.borrow().clone();
        let until_s = self.transport.identity.not_after_s;
        let opened = session::open(connection.clone(), &identity, self.sealing.clone(), until_s).await;
        opened.map_err(|fault| End::on(&connection, fault))
    }

    async fn dial(&self, connect_max: Duration) -> Result<Connection, Fault> {
        let identity = self.identity.borrow().clone();
        let dialling = lull_net::connect(&identity.relay, identity.statement.ca_sha256, Some(&self.transport.identity));
        match timeout(connect_max, dialling).await {
            Ok(dialled) => dialled.map_err(|error| fault::net(&error)),
            Err(_) => {
                let text = format!("the relay at {} does not answer; it is tried again", identity.relay);
                Err(Fault::new(Code::RelayUnreachable, text))
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let identity = Identity::clone(&self.identity.borrow());
        let (identity, transport) = enrol::renew(&self.home, identity).await?;
        self.transport = transport;
        self.identity.send_replace(Arc::new(identity));
        Ok(())
    }

    /// Renews the certificate at half of its life, and returns when the connection should be made anew with it; also when
    /// it is over and could not be renewed, whatever the relay makes of that.
    async fn keep_certificate(&mut self, until_s: u64) {
        let due_s = renewal_due_s(self.transport.issued_s, self.transport.identity.not_after_s, rand::random());
        sleep(Duration::from_secs(due_s.saturating_sub(now_s()))).await;
        while let Err(fault) = self.renew().await {
            tracing::warn!(code = %fault.code, reason = fault.message, "the certificate could not be renewed yet");
            let Some(wait) = renewed_again_in(now_s(), until_s) else { return };
            sleep(wait).await;
        }
        while (self.busy)() && now_s() + RECONNECT_MARGIN_S < until_s {
            sleep(RENEWAL_PACE).await;
        }
    }

    async fn unless_stopped<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            done = doing => Some(done),
        }
    }
}

/// When to renew a certificate: at half of its life, give or take a tenth, by `random` in [0, 1).
fn renewal_due_s(issued_s: u64, not_after_s: u64, random: f64) -> u64 {
    let life_s = not_after_s.saturating_sub(issued_s);
    issued_s + Duration::from_secs(life_s).mul_f64(0.45 + 0.1 * random.clamp(0.0, 1.0)).as_secs()
}

/// How long a failed renewal waits for its next try; `None` once the certificate is over.
fn renewed_again_in(now_s: u64, until_s: u64) -> Option<Duration> {
    let left = until_s.checked_sub(now_s).filter(|left| *left > 0)?;
    Some(RENEWAL_PACE.min(Duration::from_secs(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_renewed_is_given_up_at_its_end() {
        assert_eq!(renewed_again_in(1_000, 2_000), Some(RENEWAL_PACE));
        assert_eq!(renewed_again_in(1_999, 2_000), Some(Duration::from_secs(1)));
        assert_eq!((renewed_again_in(2_000, 2_000), renewed_again_in(2_001, 2_000)), (None, None));
    }

    #[test]
    fn renewal_is_due_around_half_life() {
        let day = 86_400;
        assert_eq!(renewal_due_s(1_000, 1_000 + day, 0.5), 1_000 + day / 2);
        assert!(renewal_due_s(0, day, 0.0) >= day * 44 / 100);
        assert!(renewal_due_s(0, day, 0.999) <= day * 56 / 100);
        assert_eq!(renewal_due_s(10, 5, 0.5), 10, "a certificate from a future clock is renewed at once");
    }
}
