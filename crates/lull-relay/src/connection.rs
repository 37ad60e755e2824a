use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lull_net::Peer;
use lull_types::{Code, Fault, NodeId};
use lull_wire::{
    FrameError, Signed,
    control::{self, FromNode, FromRelay},
    frame,
    identity::{Device, DeviceChain, Membership, SealingCertificate, name_fits},
    job::Receipt,
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    actor::{Arrival, Event, encode},
    clock, close,
    convert::{self, Said},
    fabric::{FAREWELL_MAX_MS, Fabric as _, Inbox},
    gate::Ticket,
    ledger::{self, CheckedReceipt, Standing},
    login,
    recorder::Record,
    shared::Shared,
    splice,
};

/// How long a connection may take until its Hello is read, in milliseconds.
const HELLO_MAX_MS: u64 = 5_000;
/// How long a node may take to make room for one message, in milliseconds.
const WRITE_MAX_MS: u64 = 10_000;

/// A node that has proved who it is.
struct Known {
    device: Device,
    version: String,
    arrival: Arrival,
    /// The id of the key that it asks with.
    member: Option<NodeId>,
}

/// What a node joined as.
struct Joined {
    invitation: [u8; 16],
    name: String,
}

impl Joined {
    /// A member may hold other invitations, used up or over, that would give it other groups or a colleague's name: what
    /// counts is the one that the ledger let it in with.
    fn check(&self, device: &Device) -> Result<(), Fault> {
        if device.invitation.id == self.invitation && device.name == self.name {
            return Ok(());
        }
        let text = "this machine joined with another invitation, or under another name: enrol it again";
        Err(Fault::new(Code::NotEnrolled, text))
    }
}

/// Serves an enrolled node until its connection ends.
pub(crate) async fn serve(shared: Arc<Shared>, connection: Connection, peer: Peer, ticket: Ticket) {
    let limit = Duration::from_millis(HELLO_MAX_MS);
    let Ok(Ok((send, mut recv))) = timeout(limit, connection.accept_bi()).await else {
        shared.metrics.turned_away("silent");
        connection.close(close::PROTOCOL, b"no control stream was opened in time");
        return;
    };
    let writer = Writer { send, whole: true };
    let known = match timeout(limit, meet(&shared, peer, &mut recv)).await {
        Ok(Ok(known)) => known,
        Ok(Err(fault)) => return turn_away(&shared, peer.node, &connection, writer, fault).await,
        Err(_) => {
            let fault = Fault::new(Code::Timeout, "Hello did not come in time");
            return turn_away(&shared, peer.node, &connection, writer, fault).await;
        }
    };
    drop(ticket);
    let Known { device, version, mut arrival, member } = known;
    arrival.person = login::known(&shared, device.node).await;
    if let Some(member) = member
        && let Err(error) = shared.ledger.member(device.node, member).await
    {
        tracing::error!(%error, node = %device.node, "the key that a node asks with was not written down");
    }
    let welcome = encode(&FromRelay::Welcome { node: device.node, now_s: clock::now_s() });
    let inbox = shared.fabric.join(device.node, &connection, welcome);
    arrival.generation = inbox.generation;
    if let Some(before) = inbox.replaced {
        let from = connection.remote_address();
        tracing::warn!(
            node = %device.node, name = %device.name, %before, %from,
            "a newer connection took over from one that was alive: a second machine uses this identity?"
        );
    }
    tracing::info!(node = %device.node, name = %device.name, version, from = %connection.remote_address(), "connected");
    if shared.events.send(Event::Up(Box::new(arrival))).await.is_ok() {
        let _ = shared.recorder.send(Record::Seen { node: device.node, version: version.clone() }).await;
        // A task of its own: this one is as large as all that happened until now, and a node stays for days.
        tokio::spawn(stay(
            shared,
            connection,
            Guest { device, until_s: peer.not_after_s, version, recv, writer, inbox },
        ));
    }
}

/// A node that has come in, and its control stream.
struct Guest {
    device: Device,
    /// When its certificate ends, in seconds since 1970.
    until_s: u64,
    version: String,
    recv: RecvStream,
    writer: Writer,
    inbox: Inbox,
}

async fn stay(shared: Arc<Shared>, connection: Connection, mut guest: Guest) {
    let fault = talk(&shared, &connection, &mut guest).await;
    let Guest { device, version, mut writer, inbox, .. } = guest;
    if let Some(fault) = fault {
        tracing::info!(node = %device.node, code = %fault.code, reason = %fault.message, "closing a connection");
        writer.goodbye(fault).await;
    }
    connection.close(close::DONE, b"goodbye");
    shared.fabric.leave(device.node, inbox.generation);
    let _ = shared.events.send(Event::Down { node: device.node, generation: inbox.generation }).await;
    let _ = shared.recorder.send(Record::Seen { node: device.node, version }).await;
    tracing::info!(node = %device.node, name = %device.name, "disconnected");
}

async fn turn_away(shared: &Shared, node: NodeId, connection: &Connection, mut writer: Writer, fault: Fault) {
    tracing::info!(%node, code = %fault.code, reason = %fault.message, "turned away");
    shared.metrics.turned_away(fault.code.as_str());
    writer.goodbye(fault).await;
    connection.close(close::NOT_ALLOWED, b"not allowed");
}

async fn meet(shared: &Shared, peer: Peer, recv: &mut RecvStream) -> Result<Known, Fault> {
    let joined = match shared.ledger.standing(peer.node).await {
        Ok(Standing::Member { invitation, name }) => Joined { invitation, name },
        Ok(Standing::Revoked) => return Err(convert::revoked()),
        Ok(Standing::Unknown) => {
            return Err(Fault::new(Code::NotEnrolled, "this relay does not know this machine: enrol it again"));
        }
        Err(error) => return Err(Fault::new(Code::Storage, error.to_string())),
    };
    match frame::read(recv, control::BYTES_MAX).await {
        Ok(Some(FromNode::Hello { chain, sealing, version, membership })) => {
            let known = verify(shared, peer, chain, sealing, version, membership)?;
            joined.check(&known.device)?;
            Ok(known)
        }
        Ok(Some(_)) => Err(Fault::new(Code::BadRequest, "the first message must be Hello")),
        Ok(None) => Err(Fault::new(Code::BadFrame, "the control stream ended before Hello")),
        Err(error) => Err(bad_frame(&error)),
    }
}

fn verify(
    shared: &Shared,
    peer: Peer,
    chain: DeviceChain,
    sealing: Signed<SealingCertificate>,
    version: String,
    membership: Option<Membership>,
) -> Result<Known, Fault> {
    let bad = |text: String| Fault::new(Code::BadSeal, text);
    let (device, _) = chain.verify_sealing(&shared.root, &sealing).map_err(|error| bad(error.to_string()))?;
    if device.node != peer.node {
        return Err(bad("the chain belongs to another machine than the certificate".into()));
    }
    if !name_fits(&version) {
        return Err(Fault::new(Code::BadRequest, "the version has 1 to 64 printable bytes"));
    }
    let groups = device.groups.clone();
    let member = membership.map(|membership| check_member(shared, &device, &membership)).transpose()?;
    let user = ledger::user_of(device.node, &device.invitation.user);
    let arrival = Arrival { node: device.node, generation: 0, groups, user, person: None, chain, sealing };
    Ok(Known { device, version, arrival, member })
}

/// The key that a node asks with must come from the invitation that it joined with.
fn check_member(shared: &Shared, device: &Device, membership: &Membership) -> Result<NodeId, Fault> {
    let bad = |text: String| Fault::new(Code::BadSeal, text);
    let member = membership.verify(&shared.root).map_err(|error| bad(error.to_string()))?;
    let invitation = membership.invitation.open(&shared.root).map_err(|error| bad(error.to_string()))?;
    if invitation.id != device.invitation.id {
        return Err(bad("the key that asks belongs to another invitation than the machine".into()));
    }
    Ok(member.id)
}

fn bad_frame(error: &FrameError) -> Fault {
    Fault::new(Code::BadFrame, error.to_string())
}

/// All three directions of a connection, until one ends. A fault is what the node should hear before the end.
async fn talk(shared: &Arc<Shared>, connection: &Connection, guest: &mut Guest) -> Option<Fault> {
    let Guest { device, until_s, recv, writer, inbox, .. } = guest;
    tokio::select! {
        biased;
        () = clock::reached(*until_s) => Some(Fault::new(Code::Expired, "this machine's certificate is over: renew it")),
        fault = &mut inbox.farewell => fault.ok(),
        fault = listen(shared, device, inbox.generation, recv) => fault,
        () = speak(writer, &mut inbox.frames) => {
            connection.close(close::TOO_SLOW, b"messages are not read");
            None
        }
        () = take_streams(shared, connection, device.node) => None,
    }
}

/// Reads control messages until the stream ends or breaks a rule.
async fn listen(shared: &Arc<Shared>, device: &Device, generation: u64, recv: &mut RecvStream) -> Option<Fault> {
    let node = device.node;
    loop {
        let message = match frame::read(recv, control::BYTES_MAX).await {
            Ok(Some(message)) => message,
            Ok(None) | Err(FrameError::Io(_)) => return None,
            Err(error) => return Some(bad_frame(&error)),
        };
        match convert::said(node, message) {
            Said::Input(input, check) => {
                shared.events.send(Event::Said { node, generation, input: Box::new(input), check }).await.ok()?;
            }
            Said::Checked { check, found } => {
                shared.events.send(Event::Checked { node, generation, check, found }).await.ok()?;
            }
            Said::Login { id_token, salt } => {
                // The provider may be slow; the node is not to wait for it with all else.
                tokio::spawn(login::login(Arc::clone(shared), device.clone(), generation, id_token, salt));
            }
            Said::Follows { version, fault } => {
                shared.events.send(Event::Follows { node, generation, version, fault }).await.ok()?;
            }
            Said::Receipt(signed) => match check_receipt(device, signed) {
                Ok(receipt) => shared.recorder.send(Record::Receipt(Box::new(receipt))).await.ok()?,
                Err(fault) => return Some(fault),
            },
            Said::Refused(submit, reason) => {
                shared.metrics.refused(reason.code);
                shared.fabric.send(node, encode(&FromRelay::Refused { job: submit.job, epoch: submit.epoch, reason }));
            }
            Said::Fault(fault) => return Some(fault),
        }
    }
}

fn check_receipt(device: &Device, signed: Signed<Receipt>) -> Result<CheckedReceipt, Fault> {
    let receipt = signed.open(&device.key).map_err(|error| Fault::new(Code::BadSeal, error.to_string()))?;
    if receipt.node != device.node {
        return Err(Fault::new(Code::BadSeal, "the receipt is another machine's"));
    }
    Ok(CheckedReceipt { receipt, signed, received_s: clock::now_s() })
}

/// Writes what is queued, until nothing will be queued any more or the node makes no room.
async fn speak(writer: &mut Writer, frames: &mut mpsc::Receiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        if !writer.write(frame).await {
            return;
        }
    }
}

async fn take_streams(shared: &Arc<Shared>, connection: &Connection, node: NodeId) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        tokio::spawn(splice::serve(Arc::clone(shared), node, send, recv));
    }
}

/// The relay's half of the control stream.
struct Writer {
    send: SendStream,
    /// No frame is half written.
    whole: bool,
}

impl Writer {
    async fn write(&mut self, frame: Bytes) -> bool {
        self.whole = false;
        let written = timeout(Duration::from_millis(WRITE_MAX_MS), self.send.write_chunk(frame)).await;
        self.whole = matches!(written, Ok(Ok(())));
        self.whole
    }

    /// Says why the connection ends, and waits a moment for it to arrive.
    async fn goodbye(&mut self, fault: Fault) {
        if !self.whole {
            return;
        }
        let farewell = async {
            if self.write(encode(&FromRelay::Goodbye(fault))).await && self.send.finish().is_ok() {
                let _ = self.send.stopped().await;
            }
        };
        let _ = timeout(Duration::from_millis(FAREWELL_MAX_MS), farewell).await;
    }
}
