use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, as a name that never changes: programs branch on it, people search for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The request itself is wrong.
    BadRequest,
    /// A parameter that exists elsewhere but not here.
    Unsupported,
    /// No key, or a wrong one.
    Unauthorized,
    /// Known, but not allowed.
    Forbidden,
    /// No such model in this organisation.
    ModelUnknown,
    /// The model is known, and no node offered it in time.
    NoLender,
    /// Every slot stayed busy until the waiting time was over, or the queue is full.
    Busy,
    /// The organisation's quota for today is used up.
    QuotaUsed,
    /// The prompt does not fit the model's context.
    ContextExceeded,
    /// The lender went away in the middle of an answer.
    LenderLost,
    /// The lender's owner is back: the machine is given back at once.
    Yielding,
    /// The lender refused a granted job.
    LenderRefused,
    /// The lender's chain of keys does not lead to the organisation's root.
    LenderUntrusted,
    /// The worker process died.
    WorkerDied,
    /// The worker gave no sign for too long.
    WorkerHung,
    /// The worker needed more memory than it may have.
    WorkerMemory,
    /// The worker broke its protocol.
    WorkerProtocol,
    /// A layer of the sandbox that must be there is missing, so that no job runs.
    Unconfined,
    /// The model's files cannot be loaded.
    ModelBroken,
    /// The relay cannot be reached.
    RelayUnreachable,
    /// The relay is shutting down.
    RelayDraining,
    /// This machine is not enrolled.
    NotEnrolled,
    /// No node runs on this machine, or not for this home.
    NotRunning,
    /// A certificate, invitation or grant that is over.
    Expired,
    /// The certificate or invitation was taken back.
    Revoked,
    /// A signature or seal that does not hold.
    BadSeal,
    /// Bytes that break a protocol.
    BadFrame,
    /// An invitation that has been used up.
    InvitationUsed,
    /// Whoever asked went away.
    Cancelled,
    /// Something took longer than its bound.
    Timeout,
    /// A file or database could not be read or written.
    Storage,
    /// A fault of Lull's own.
    Internal,
}

impl Code {
    /// The stable text, as it stands in JSON and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unsupported => "unsupported",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::ModelUnknown => "model_unknown",
            Self::NoLender => "no_lender",
            Self::Busy => "busy",
            Self::QuotaUsed => "quota_used",
            Self::ContextExceeded => "context_exceeded",
            Self::LenderLost => "lender_lost",
            Self::Yielding => "yielding",
            Self::LenderRefused => "lender_refused",
            Self::LenderUntrusted => "lender_untrusted",
            Self::WorkerDied => "worker_died",
            Self::WorkerHung => "worker_hung",
            Self::WorkerMemory => "worker_memory",
            Self::WorkerProtocol => "worker_protocol",
            Self::Unconfined => "unconfined",
            Self::ModelBroken => "model_broken",
            Self::RelayUnreachable => "relay_unreachable",
            Self::RelayDraining => "relay_draining",
            Self::NotEnrolled => "not_enrolled",
            Self::NotRunning => "not_running",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::BadSeal => "bad_seal",
            Self::BadFrame => "bad_frame",
            Self::InvitationUsed => "invitation_used",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as it crosses a boundary: a stable code and one sentence that says what, where and what to do.
///
/// The sentence never holds a prompt, an answer or a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[error("{message} [{code}]")]
pub struct Fault {
    /// What programs branch on.
    pub code: Code,
    /// What people read.
    pub message: String,
}

impl Fault {
    /// A fault with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_code_is_its_json() {
        for code in [Code::BadRequest, Code::LenderLost, Code::WorkerProtocol, Code::InvitationUsed, Code::Internal] {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
    }
}
