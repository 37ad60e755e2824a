use std::{sync::Arc, time::Duration};

use lull_net::exporter;
use lull_types::{Code, Fault};
use lull_wire::{
    PublicKey,
    enrol::{BYTES_MAX, EnrolRequest, EnrolResponse, proof},
    frame,
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::time::timeout;

use crate::{
    clock, close, convert,
    ledger::{Enrolled, Enrolment},
    shared::Shared,
};

/// How long a transport certificate lasts, in seconds.
pub(crate) const CERTIFICATE_S: u64 = 86_400;
/// Conversations at once.
pub(crate) const ENROLMENTS_MAX: usize = 64;
/// How long one may take, waiting included, in milliseconds.
const ENROL_MAX_MS: u64 = 10_000;
/// How long the answer may take to arrive, in milliseconds.
const ANSWER_MAX_MS: u64 = 2_000;

/// One question, one answer, and the connection ends.
pub(crate) async fn serve(shared: Arc<Shared>, connection: Connection) {
    let talk = async {
        let _slot = shared.enrolments.acquire().await.ok()?;
        let (send, recv) = connection.accept_bi().await.ok()?;
        converse(&shared, &connection, send, recv).await
    };
    if let Ok(Some(())) = timeout(Duration::from_millis(ENROL_MAX_MS), talk).await {
        connection.close(close::DONE, b"done");
    } else {
        shared.metrics.turned_away("enrolment broken off");
        connection.close(close::PROTOCOL, b"no request for a certificate came in time");
    }
}

async fn converse(shared: &Shared, connection: &Connection, mut send: SendStream, mut recv: RecvStream) -> Option<()> {
    let response = match frame::read::<EnrolRequest, _>(&mut recv, BYTES_MAX).await {
        Ok(Some(request)) => answer(shared, connection, request).await,
        Ok(None) => Err(Fault::new(Code::BadFrame, "the stream ended before a request came")),
        Err(error) => Err(Fault::new(Code::BadFrame, error.to_string())),
    };
    let response = response.unwrap_or_else(|fault| {
        shared.metrics.enrolment(fault.code.as_str());
        tracing::info!(from = %connection.remote_address(), code = %fault.code, reason = %fault.message, "not enrolled");
        EnrolResponse::Refused(fault)
    });
    frame::write(&mut send, &response, BYTES_MAX).await.ok()?;
    send.finish().ok()?;
    let _ = timeout(Duration::from_millis(ANSWER_MAX_MS), send.stopped()).await;
    Some(())
}

async fn answer(shared: &Shared, connection: &Connection, request: EnrolRequest) -> Result<EnrolResponse, Fault> {
    let bad = |text: String| Fault::new(Code::BadSeal, text);
    let device = request.chain.verify(&shared.root).map_err(|error| bad(error.to_string()))?;
    let bytes = exporter(connection).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
    if !device.key.verifies(&proof(&bytes, &request.transport), &request.proof) {
        return Err(bad("the proof is not the device key's, or not for this connection".into()));
    }
    let (node, name, transport) = (device.node, device.name.clone(), request.transport);
    let now_s = clock::now_s();
    let not_after_s = now_s + CERTIFICATE_S;
    let enrolment = Enrolment { device, chain: request.chain, now_s, not_after_s };
    let enrolled = shared.ledger.enrol(enrolment).await;
    let enrolled = enrolled.map_err(|error| Fault::new(Code::Storage, error.to_string()))?;
    refusal(enrolled).map_or(Ok(()), Err)?;
    shared.metrics.enrolment(if enrolled == Enrolled::Joined { "joined" } else { "renewed" });
    tracing::info!(%node, name, new = enrolled == Enrolled::Joined, until_s = not_after_s, "certified");
    certify(shared, node, &transport, now_s, not_after_s)
}

fn refusal(enrolled: Enrolled) -> Option<Fault> {
    match enrolled {
        Enrolled::Joined | Enrolled::Renewed => None,
        Enrolled::Used => Some(Fault::new(Code::InvitationUsed, "this token has been used up: ask for a new one")),
        Enrolled::Expired => Some(Fault::new(Code::Expired, "this token is over: ask for a new one")),
        Enrolled::Revoked => Some(convert::revoked()),
    }
}

fn certify(
    shared: &Shared,
    node: lull_types::NodeId,
    transport: &PublicKey,
    now_s: u64,
    not_after_s: u64,
) -> Result<EnrolResponse, Fault> {
    let certificate = shared
        .authority
        .issue(node, transport, now_s, not_after_s)
        .map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
    let authority = shared.authority.certificate_der().to_vec();
    Ok(EnrolResponse::Certificate { certificate, authority, not_after_s, statement: shared.statement.clone() })
}
