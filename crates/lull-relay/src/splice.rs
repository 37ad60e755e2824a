use std::{sync::Arc, time::Duration};

use lull_types::{JobId, NodeId};
use lull_wire::{
    frame::{self, LENGTH_BYTES},
    job::{Grant, HEADER_BYTES_MAX, JobHeader, StreamEnd},
};
use prometheus_client::metrics::counter::Counter;
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    actor::{Event, Opened},
    clock,
    fabric::Fabric as _,
    shared::Shared,
};

/// How long a stream's header may take, in milliseconds.
const HEADER_MAX_MS: u64 = 10_000;
/// Bytes taken from one side at once; more waits in QUIC's own windows.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Both halves of a stream.
struct Pipe {
    send: SendStream,
    recv: RecvStream,
}

impl Pipe {
    fn end(&mut self, why: StreamEnd) {
        let code = VarInt::from_u32(why as u32);
        let _ = self.send.reset(code);
        let _ = self.recv.stop(code);
    }
}

/// Serves one stream that a node opened for a job: checks its grant and connects it to the lender.
pub(crate) async fn serve(shared: Arc<Shared>, node: NodeId, send: SendStream, recv: RecvStream) {
    let mut submitter = Pipe { send, recv };
    let limit = Duration::from_millis(HEADER_MAX_MS);
    let header = match timeout(limit, read_header(&shared, &mut submitter.recv)).await {
        Ok(Ok(header)) => header,
        Ok(Err(reason)) => return refuse(&shared, node, &mut submitter, StreamEnd::Refused, reason),
        Err(_) => return refuse(&shared, node, &mut submitter, StreamEnd::Refused, "header too late"),
    };
    let (header, grant) = header;
    let (job, epoch) = (grant.job, grant.epoch);
    let (reply, answer) = oneshot::channel();
    if shared.events.send(Event::Open { node, job, epoch, reply }).await.is_err() {
        return submitter.end(StreamEnd::Draining);
    }
    let opened = match answer.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(why)) => return refuse(&shared, node, &mut submitter, why, "grant over, used or not its own"),
        Err(_) => return submitter.end(StreamEnd::Draining),
    };
    shared.metrics.streams.inc();
    let lender_lost = connect(&shared, &mut submitter, job, &header, opened).await;
    shared.metrics.streams.dec();
    let _ = shared.events.send(Event::Finished { job, epoch, lender_lost }).await;
}

fn refuse(shared: &Shared, node: NodeId, submitter: &mut Pipe, why: StreamEnd, reason: &'static str) {
    shared.metrics.turned_away("stream");
    tracing::debug!(%node, reason, "a job's stream was refused");
    submitter.end(why);
}

async fn read_header(shared: &Shared, recv: &mut RecvStream) -> Result<(JobHeader, Grant), &'static str> {
    let header = frame::read::<JobHeader, _>(recv, HEADER_BYTES_MAX).await.map_err(|_| "header malformed")?;
    let header = header.ok_or("no header")?;
    let grant = header.grant.open(&shared.grant_key).map_err(|_| "grant not signed by this relay")?;
    if grant.not_after_s < clock::now_s() {
        return Err("grant over");
    }
    Ok((header, grant))
}

/// Passes sealed bytes both ways until either side ends. Returns whether the lender was lost.
async fn connect(shared: &Shared, submitter: &mut Pipe, job: JobId, header: &JobHeader, opened: Opened) -> bool {
    let Some((send, recv)) = shared.fabric.open(opened.lender).await else {
        submitter.end(StreamEnd::LenderLost);
        return true;
    };
    let mut lender = Pipe { send, recv };
    if frame::write(&mut lender.send, header, HEADER_BYTES_MAX).await.is_err() {
        submitter.end(StreamEnd::LenderLost);
        return true;
    }
    let mut up = Meter::new(shared.metrics.splice("to_lender"));
    let mut down = Meter::new(shared.metrics.splice("to_submitter"));
    let end = {
        let question = pass_question(&mut submitter.recv, &mut lender.send, &mut up);
        let answer = pass_answer(&mut lender.recv, &mut submitter.send, &mut down);
        tokio::select! {
            end = answer => end,
            end = question => end,
            cut = opened.cut => End::Cut(cut.unwrap_or(StreamEnd::Draining)),
        }
    };
    let (question, answer) = (up.own.0, down.own);
    tracing::debug!(%job, question_bytes = question, answer_bytes = answer.0, answer_frames = answer.1, "spliced");
    finish(end, submitter, &mut lender)
}

/// How a spliced stream came to its end.
enum End {
    /// The answer is whole.
    Answered,
    /// The lender ended it, with this code.
    LenderSaid(VarInt),
    /// The lender's connection is gone.
    LenderGone,
    /// Whoever asked let go, or its connection is gone.
    SubmitterGone,
    /// The relay ends it.
    Cut(StreamEnd),
}

/// Tells each side what the other one did. Returns whether the lender was lost.
fn finish(end: End, submitter: &mut Pipe, lender: &mut Pipe) -> bool {
    match end {
        End::Answered => {
            let _ = submitter.send.finish();
            let _ = submitter.recv.stop(VarInt::from_u32(0));
            let _ = lender.send.finish();
            false
        }
        End::LenderSaid(code) => {
            let why = StreamEnd::of(code.into_inner());
            submitter.end(why);
            lender.end(StreamEnd::Cancelled);
            why == StreamEnd::LenderLost
        }
        End::LenderGone => {
            submitter.end(StreamEnd::LenderLost);
            true
        }
        End::SubmitterGone => {
            submitter.end(StreamEnd::Cancelled);
            lender.end(StreamEnd::Cancelled);
            false
        }
        End::Cut(why) => {
            submitter.end(why);
            lender.end(why);
            why == StreamEnd::LenderLost
        }
    }
}

/// From the one who asks to the lender. Resolves only when something is wrong: the end of the question is not the end
/// of the job.
async fn pass_question(from: &mut RecvStream, to: &mut SendStream, meter: &mut Meter) -> End {
    loop {
        match from.read_chunk(CHUNK_BYTES_MAX, true).await {
            Ok(Some(chunk)) => {
                meter.saw(&chunk.bytes);
                if let Err(error) = to.write_chunk(chunk.bytes).await {
                    return match error {
                        WriteError::Stopped(code) if code.into_inner() != 0 => End::LenderSaid(code),
                        // It reads no further, which is its right: the answer decides.
                        WriteError::Stopped(_) => std::future::pending().await,
                        _ => End::LenderGone,
                    };
                }
            }
            Ok(None) => {
                let _ = to.finish();
                return match to.stopped().await {
                    Ok(Some(code)) if code.into_inner() != 0 => End::LenderSaid(code),
                    Ok(_) => std::future::pending().await,
                    Err(_) => End::LenderGone,
                };
            }
            Err(ReadError::Reset(_) | ReadError::ConnectionLost(_)) | Err(_) => return End::SubmitterGone,
        }
    }
}

/// From the lender to the one who asks; notices at once when that one lets go, even while nothing flows.
async fn pass_answer(from: &mut RecvStream, to: &mut SendStream, meter: &mut Meter) -> End {
    let let_go = to.stopped();
    tokio::pin!(let_go);
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = from.read_chunk(CHUNK_BYTES_MAX, true) => chunk,
            gone = &mut let_go => {
                debug_assert!(!matches!(gone, Err(StoppedError::ZeroRttRejected)));
                return End::SubmitterGone;
            }
        };
        match chunk {
            Ok(Some(chunk)) => {
                meter.saw(&chunk.bytes);
                if to.write_chunk(chunk.bytes).await.is_err() {
                    return End::SubmitterGone;
                }
            }
            Ok(None) => return End::Answered,
            Err(ReadError::Reset(code)) => return End::LenderSaid(code),
            Err(_) => return End::LenderGone,
        }
    }
}

/// Counts bytes, and frames by their lengths: all that can be seen of them.
struct Meter {
    bytes: Counter,
    frames: Counter,
    /// Bytes and frames of this stream alone.
    own: (u64, u64),
    length: [u8; LENGTH_BYTES],
    have: usize,
    rest: usize,
}

impl Meter {
    fn new((bytes, frames): (Counter, Counter)) -> Self {
        Self { bytes, frames, own: (0, 0), length: [0; LENGTH_BYTES], have: 0, rest: 0 }
    }

    fn saw(&mut self, mut bytes: &[u8]) {
        self.bytes.inc_by(bytes.len() as u64);
        self.own.0 += bytes.len() as u64;
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.length[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if self.have == LENGTH_BYTES {
                self.have = 0;
                self.rest = u32::from_le_bytes(self.length) as usize;
                frames += 1;
            }
        }
        self.frames.inc_by(frames);
        self.own.1 += frames;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let stream: Vec<u8> =
            [5_u32, 0, 300].iter().flat_map(|n| n.to_le_bytes().into_iter().chain(vec![7; *n as usize])).collect();
        for cut in [1, 2, 3, 7, 1_000] {
            let mut meter = Meter::new(Default::default());
            stream.chunks(cut).for_each(|chunk| meter.saw(chunk));
            assert_eq!((meter.bytes.get(), meter.frames.get()), (stream.len() as u64, 3), "{cut}");
        }
    }
}
