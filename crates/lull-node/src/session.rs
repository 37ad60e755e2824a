//! One connection to the relay, from `Hello` to its end.

use std::{sync::Arc, time::Duration};

use lull_types::{Code, Fault, PersonView};
use lull_wire::{
    control::{self, CatalogueModel, FromNode, FromRelay},
    frame,
    identity::SealingCertificate,
    job::CLOCK_SKEW_S,
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::{mpsc, watch};

use crate::{clock::now_s, herald, identity::Identity, lender, submitter};

/// The longest that the relay may take to greet.
const WELCOME_MAX: Duration = Duration::from_secs(10);
/// The most control messages that may wait for the relay to take them. More than all jobs of a node can need at once;
/// a relay that takes nothing for so long counts as gone.
const OUTBOX_MAX: usize = 4 * control::JOBS_PER_NODE_MAX;

/// A connection on which the relay has said welcome.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// Tells this session from every other.
    pub(crate) id: u64,
    outbox: mpsc::Sender<FromNode>,
    /// When the certificate that it was made with ends, in seconds since 1970.
    pub(crate) certificate_until_s: u64,
}

impl Session {
    /// Says something to the relay, without waiting. If the connection is over, that shows elsewhere.
    pub(crate) fn say(&self, message: FromNode) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outbox.try_send(message) {
            tracing::warn!("the relay takes no messages: leaving the connection");
            self.connection.close(0_u32.into(), b"no messages taken");
        }
    }
}

/// Where the relay's messages go.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    pub(crate) submitter: mpsc::Sender<submitter::Command>,
    pub(crate) lender: mpsc::Sender<lender::Command>,
    pub(crate) herald: mpsc::Sender<herald::Word>,
    pub(crate) catalogue: watch::Sender<Arc<Vec<CatalogueModel>>>,
    pub(crate) person: watch::Sender<Option<PersonView>>,
}

impl Routes {
    pub(crate) const fn new(
        submitter: mpsc::Sender<submitter::Command>,
        lender: mpsc::Sender<lender::Command>,
        herald: mpsc::Sender<herald::Word>,
        catalogue: watch::Sender<Arc<Vec<CatalogueModel>>>,
        person: watch::Sender<Option<PersonView>>,
    ) -> Self {
        Self { submitter, lender, herald, catalogue, person }
    }
}

/// A session before anyone else knows of it.
pub(crate) struct Opened {
    pub(crate) session: Session,
    outbox: mpsc::Receiver<FromNode>,
    send: SendStream,
    receive: RecvStream,
}

/// Says hello and waits for the welcome.
pub(crate) async fn open(
    connection: Connection,
    identity: &Identity,
    sealing: lull_wire::Signed<SealingCertificate>,
    certificate_until_s: u64,
) -> Result<Opened, Fault> {
    let greeted = async {
        let (mut send, mut receive) = connection.open_bi().await.map_err(|error| broken(&error))?;
        let membership = identity.member.as_ref().map(|member| member.membership.clone());
        let version = crate::VERSION.into();
        let hello = FromNode::Hello { chain: identity.chain.clone(), sealing, version, membership };
        frame::write(&mut send, &hello, control::BYTES_MAX).await.map_err(|error| broken(&error))?;
        let welcome: Option<FromRelay> =
            frame::read(&mut receive, control::BYTES_MAX).await.map_err(|error| broken(&error))?;
        check_welcome(welcome, identity)?;
        Ok((send, receive))
    };
    let late = || Fault::new(Code::RelayUnreachable, "the relay did not greet this machine in time; it is tried again");
    let greeted = tokio::time::timeout(WELCOME_MAX, greeted).await.unwrap_or_else(|_| Err(late()));
    let (send, receive) = greeted.inspect_err(|_| connection.close(0_u32.into(), b"no welcome"))?;
    let (sender, outbox) = mpsc::channel(OUTBOX_MAX);
    let session = Session { connection, id: rand::random(), outbox: sender, certificate_until_s };
    Ok(Opened { session, outbox, send, receive })
}

fn check_welcome(welcome: Option<FromRelay>, identity: &Identity) -> Result<(), Fault> {
    match welcome {
        Some(FromRelay::Welcome { node, now_s: theirs }) if node == identity.device.node => {
            let apart_s = theirs.abs_diff(now_s());
            if apart_s > CLOCK_SKEW_S {
                tracing::warn!(apart_s, "this machine's clock and the relay's are apart: jobs will be refused");
            }
            Ok(())
        }
        Some(FromRelay::Goodbye(fault)) => Err(fault),
        None => Err(broken(&std::io::Error::from(std::io::ErrorKind::UnexpectedEof))),
        Some(_) => Err(Fault::new(Code::BadFrame, "the relay did not greet this machine as itself; is it too old?")),
    }
}

/// Carries messages until the connection ends, and says why it did.
pub(crate) async fn serve(opened: Opened, routes: &Routes) -> Fault {
    let Opened { session, outbox, send, receive } = opened;
    let connection = session.connection.clone();
    // The session's own sender must not keep the outbox open.
    drop(session);
    tokio::select! {
        fault = listen(receive, routes) => fault,
        fault = speak(send, outbox) => fault,
        fault = take_streams(&connection, routes) => fault,
    }
}

async fn speak(mut send: SendStream, mut outbox: mpsc::Receiver<FromNode>) -> Fault {
    while let Some(message) = outbox.recv().await {
        if let Err(error) = frame::write(&mut send, &message, control::BYTES_MAX).await {
            if matches!(error, lull_wire::FrameError::TooLong { .. }) {
                tracing::error!(%error, "a message is too long for the relay and was not sent");
                continue;
            }
            // The reader learns the reason, if there is one.
            return std::future::pending().await;
        }
    }
    std::future::pending().await
}

async fn listen(mut receive: RecvStream, routes: &Routes) -> Fault {
    let mut draining = None;
    loop {
        match frame::read::<FromRelay, _>(&mut receive, control::BYTES_MAX).await {
            // A relay that drains lets running streams end, and closes the connection itself.
            Ok(Some(FromRelay::Goodbye(fault))) if fault.code == Code::RelayDraining => draining = Some(fault),
            Ok(Some(FromRelay::Goodbye(fault))) => return fault,
            Ok(Some(message)) => {
                if !route(message, routes).await {
                    return crate::fault::stopping();
                }
            }
            Ok(None) => {
                let closed =
                    || Fault::new(Code::RelayUnreachable, "the relay closed the connection; it is tried again");
                return draining.unwrap_or_else(closed);
            }
            Err(error) => return draining.unwrap_or_else(|| broken(&error)),
        }
    }
}

/// Whether whom it concerns is still there.
async fn route(message: FromRelay, routes: &Routes) -> bool {
    match message {
        FromRelay::Catalogue(models) => {
            routes.catalogue.send_replace(Arc::new(models));
            true
        }
        FromRelay::Queued { job, ahead } => {
            let message = submitter::FromRelay::Queued { ahead };
            routes.submitter.send(submitter::Command::Relay { job, message }).await.is_ok()
        }
        FromRelay::Granted { grant, lender, sealing } => {
            let Ok(claims) = grant.claims() else { return true };
            let granted = submitter::Granted { grant, lender, sealing };
            let message = submitter::FromRelay::Granted(Box::new(granted));
            routes.submitter.send(submitter::Command::Relay { job: claims.job, message }).await.is_ok()
        }
        FromRelay::Refused { job, epoch, reason } => {
            let message = submitter::FromRelay::Refused { epoch, reason };
            routes.submitter.send(submitter::Command::Relay { job, message }).await.is_ok()
        }
        FromRelay::Reserve(reserve) => routes.lender.send(lender::Command::Reserve(reserve)).await.is_ok(),
        FromRelay::Release { job, epoch } => routes.lender.send(lender::Command::Release { job, epoch }).await.is_ok(),
        FromRelay::Check { check, model, label } => {
            routes.submitter.send(submitter::Command::Check { check, model, label }).await.is_ok()
        }
        FromRelay::Person { user, groups, until_s } => {
            routes.person.send_replace(Some(PersonView::Known { user, groups, until_unix_s: until_s }));
            true
        }
        FromRelay::LoginRefused(fault) => {
            routes.person.send_replace(Some(PersonView::Refused { fault }));
            true
        }
        FromRelay::Policy(signed) => routes.herald.send(herald::Word::Policy(Box::new(signed))).await.is_ok(),
        FromRelay::Denied(signed) => routes.herald.send(herald::Word::Denied(Box::new(signed))).await.is_ok(),
        FromRelay::Welcome { .. } | FromRelay::Goodbye(_) => true,
    }
}

async fn take_streams(connection: &Connection, routes: &Routes) -> Fault {
    loop {
        match connection.accept_bi().await {
            Ok((send, receive)) => {
                if routes.lender.send(lender::Command::Stream { send, receive }).await.is_err() {
                    return crate::fault::stopping();
                }
            }
            // The reader may still find a goodbye in what has arrived.
            Err(error) => {
                tokio::time::sleep(LAST_WORD).await;
                return broken(&error);
            }
        }
    }
}

/// How long an ended connection may still give the relay's last words.
const LAST_WORD: Duration = Duration::from_millis(50);

fn broken(error: &dyn std::error::Error) -> Fault {
    Fault::new(Code::RelayUnreachable, format!("the connection to the relay ended ({error}); it is tried again"))
}
