//! One run of a job, from the sealed question to the last opened frame of the answer.

use std::{sync::Arc, time::Duration};

use lull_core::job::{Answer, Input};
use lull_seal::{AnswerOpener, EphemeralKey};
use lull_types::{ChatRequest, Code, Epoch, Fault, FinishReason, ModelHash};
use lull_wire::{
    FrameError, PublicKey, Signed, frame,
    job::{
        ANSWER_BYTES_MAX, AnswerBody, AnswerStatement, Asker, GRANT_OPEN_S, Grant, HEADER_BYTES_MAX, JobHeader,
        OutputHash, Question, StreamEnd,
    },
};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

/// What a run heard.
pub(crate) enum Heard {
    /// For the job machine.
    Input(Input),
    /// The lender has begun, and says what kind of machine it is.
    Begun { epoch: Epoch, machine: String },
}

/// The longest word of a lender on what it is, in characters.
const MACHINE_CHARS_MAX: usize = 64;

/// How long opening the stream may take: the grant lasts no longer.
const OPEN_MAX: Duration = Duration::from_secs(GRANT_OPEN_S);

/// How long a stream may take to end after its last frame.
const END_MAX: Duration = Duration::from_secs(5);

/// What a run needs.
pub(crate) struct Attempt {
    pub(crate) epoch: Epoch,
    pub(crate) request: Arc<ChatRequest>,
    pub(crate) prefix: Vec<u32>,
    pub(crate) grant: Signed<Grant>,
    pub(crate) lender: Sealed,
    pub(crate) asker: Option<Asker>,
    pub(crate) key: EphemeralKey,
    pub(crate) connection: Connection,
}

/// Whom the question is for, and who must have signed the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    /// The lender's own key.
    pub(crate) device: PublicKey,
    /// The key that the question is sealed to.
    pub(crate) key: [u8; 32],
    pub(crate) model: ModelHash,
}

/// What a lender must have signed in the end.
struct Expected {
    statement: AnswerStatement,
    output: OutputHash,
    device: PublicKey,
}

impl Expected {
    fn of(attempt: &Attempt) -> Result<Self, Fault> {
        let grant = attempt.grant.claims().map_err(|error| Fault::new(Code::BadSeal, error.to_string()))?;
        let output = OutputHash::after(&attempt.prefix);
        let Sealed { device, model, .. } = attempt.lender;
        let statement = AnswerStatement { job: grant.job, epoch: attempt.epoch, model, output_sha256: [0; 32] };
        Ok(Self { statement, output, device })
    }

    /// Whether the lender stands by the whole answer as it came.
    fn check(&self, end: (FinishReason, &str), signed: Option<&Signed<AnswerStatement>>) -> Result<(), Fault> {
        let output_sha256 = self.output.clone().finish(end.0, end.1);
        let expected = AnswerStatement { output_sha256, ..self.statement.clone() };
        let found = signed.and_then(|signed| signed.open(&self.device).ok());
        if found.as_ref() == Some(&expected) {
            return Ok(());
        }
        let text = "the lender did not sign the answer that came: it may have been changed; ask again, and tell IT";
        Err(Fault::new(Code::BadSeal, text))
    }
}

/// Runs it, until it ends or `let_go` says that it does not matter any more.
pub(crate) async fn run(attempt: Attempt, frames: mpsc::Sender<Heard>, let_go: CancellationToken) {
    let epoch = attempt.epoch;
    let ended = tokio::select! {
        () = let_go.cancelled() => return,
        opened = open(attempt) => match opened {
            Ok(opened) => converse(opened, epoch, &frames, &let_go).await,
            Err(fault) => Err(fault),
        },
    };
    if let Err(fault) = ended {
        // Nobody listens any more when the job is over.
        let _ = frames.send(Heard::Input(Input::StreamEnded { epoch, fault })).await;
    }
}

struct Opened {
    send: SendStream,
    receive: RecvStream,
    /// Header and sealed question.
    question: Vec<u8>,
    opener: AnswerOpener,
    expected: Expected,
}

async fn open(attempt: Attempt) -> Result<Opened, Fault> {
    let expected = Expected::of(&attempt)?;
    let Attempt { epoch: _, request, prefix, grant, lender, asker, key, connection } = attempt;
    let question = Question { messages: request.messages.clone(), sampling: request.sampling.clone(), prefix, asker };
    let (sealed, opener) = lull_seal::seal_question(&grant, &lender.key, &key, &question).map_err(|error| {
        Fault::new(Code::BadRequest, format!("the question cannot be sealed ({error}); make it shorter"))
    })?;
    let mut question = frame::encode(&JobHeader { grant }, HEADER_BYTES_MAX)
        .map_err(|error| Fault::new(Code::BadSeal, format!("the relay's grant is unusable: {error}")))?;
    question.extend_from_slice(&sealed);
    let late = || Fault::new(Code::LenderLost, "no stream was free before the grant was over; ask again");
    let opened = timeout(OPEN_MAX, connection.open_bi()).await.map_err(|_| late())?;
    let (send, receive) = opened.map_err(|error| disconnected(&error))?;
    Ok(Opened { send, receive, question, opener, expected })
}

/// Sends the question and hears the answer at the same time: a lender may refuse before it has read all.
async fn converse(
    opened: Opened,
    epoch: Epoch,
    frames: &mpsc::Sender<Heard>,
    let_go: &CancellationToken,
) -> Result<(), Fault> {
    let Opened { mut send, mut receive, question, opener, expected } = opened;
    let ended = {
        let sending = async {
            // When it breaks, the answer's side says why.
            if send.write_all(&question).await.is_ok() {
                let _ = send.finish();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // An answer that is whole counts, whatever else happened.
            biased;
            ended = hear(&mut receive, opener, expected, epoch, frames) => ended.map_err(Some),
            () = let_go.cancelled() => Err(None),
            () = sending => Err(None),
        }
    };
    match ended {
        Ok(()) => {
            // Nothing may follow; only the stream's end is still on its way.
            let _ = timeout(END_MAX, receive.read_to_end(0)).await;
            Ok(())
        }
        Err(fault) => {
            let code = VarInt::from_u32(StreamEnd::Cancelled as u32);
            // Both fail only on a stream that is over anyway.
            let _ = send.reset(code);
            let _ = receive.stop(code);
            fault.map_or(Ok(()), Err)
        }
    }
}

async fn hear(
    receive: &mut RecvStream,
    mut opener: AnswerOpener,
    mut expected: Expected,
    epoch: Epoch,
    frames: &mpsc::Sender<Heard>,
) -> Result<(), Fault> {
    loop {
        let body = frame::read_bytes(receive, ANSWER_BYTES_MAX).await.map_err(|error| broken(&error))?;
        let body = body.ok_or_else(|| Fault::new(Code::LenderLost, "the answer was cut off; ask again"))?;
        let (answer, last) = opener.open(&body).map_err(|error| {
            let text = format!("the answer was changed or disturbed on its way ({error}); ask again, and tell IT");
            Fault::new(Code::BadSeal, text)
        })?;
        if last != matches!(answer.body, AnswerBody::Done { .. } | AnswerBody::Failed(_)) || answer.epoch != epoch {
            return Err(Fault::new(Code::BadFrame, "the lender broke the protocol of an answer; ask again"));
        }
        let answer = match answer.body {
            AnswerBody::Prefilled { prompt_tokens: 0, machine } => {
                let _ = frames.send(Heard::Begun { epoch, machine: plain(&machine) }).await;
                continue;
            }
            AnswerBody::Prefilled { prompt_tokens, .. } => Answer::Prefilled { prompt_tokens },
            AnswerBody::Token(token) => {
                expected.output.push(&token);
                Answer::Token(token)
            }
            AnswerBody::Done { finish, usage, tail, signed } => {
                expected.check((finish, &tail), signed.as_ref())?;
                Answer::Done { finish, usage, tail }
            }
            AnswerBody::Failed(fault) => Answer::Failed(fault),
        };
        // A job that is over drops its token, too, and that ends this.
        let _ = frames.send(Heard::Input(Input::Frame { epoch, answer })).await;
        if last {
            return Ok(());
        }
    }
}

/// A stranger's word, so that nothing in it can hide or turn what is shown beside it.
fn plain(machine: &str) -> String {
    machine.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MACHINE_CHARS_MAX).collect()
}

fn broken(error: &FrameError) -> Fault {
    let FrameError::Io(io) = error else {
        return Fault::new(
            Code::BadFrame,
            format!("the answer's stream is not what it should be ({error}); ask again"),
        );
    };
    match io.get_ref().and_then(|inner| inner.downcast_ref::<ReadError>()) {
        Some(ReadError::Reset(code)) => match StreamEnd::of(code.into_inner()) {
            StreamEnd::Refused => {
                Fault::new(Code::LenderRefused, "the lender or the relay refused the grant; ask again")
            }
            StreamEnd::Forbidden => {
                let text = "the organisation's rules have changed, and forbid this where it ran; ask again";
                Fault::new(Code::Forbidden, text)
            }
            StreamEnd::Draining => Fault::new(Code::RelayDraining, "the relay is shutting down; ask again in a moment"),
            StreamEnd::Cancelled | StreamEnd::LenderLost => lost(&"its machine went away"),
        },
        Some(ReadError::ConnectionLost(error)) => disconnected(error),
        _ => lost(error),
    }
}

fn lost(why: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::LenderLost, format!("the answer broke off ({why}); ask again"))
}

/// The way to the relay is gone, and every stream with it; whoever lends may still be there.
fn disconnected(error: &ConnectionError) -> Fault {
    tracing::debug!(%error, "the connection to the relay was lost under a run");
    let text = "the connection to the relay was lost in the middle of the answer; what came so far is right, ask again";
    Fault::new(Code::RelayUnreachable, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lender_says_of_its_machine_is_plain_and_short() {
        assert_eq!(plain("8 threads"), "8 threads");
        assert_eq!(plain("8\n\u{1b}[2J \u{202e}sda\u{200b}erht"), "8[2J sdaerht");
        assert_eq!(plain(&"x".repeat(10_000)).len(), MACHINE_CHARS_MAX);
    }
}
