//! The way of the fuzz targets to what is private. No part of the API.

use std::time::Duration;

use lull_types::Fault;

use crate::{
    GenerateRequest, Step, WorkerInfo,
    child::believable,
    protocol::FromWorker,
    pump::{Seen, Watch},
};

/// One answer, followed by the checks that a worker's frames go through.
#[derive(Debug)]
pub struct Following(Watch);

/// What a frame came to.
#[derive(Debug)]
pub enum Heard {
    /// Nothing for whoever asked.
    Nothing,
    /// A step of the answer.
    Step(Step),
    /// The worker stopped.
    Cancelled,
    /// It failed, with a fault that is passed on.
    Failed(Fault),
}

impl Following {
    /// Follows answer number `job`.
    #[must_use]
    pub fn new(job: u64, request: &GenerateRequest, info: &WorkerInfo) -> Self {
        Self(Watch::new(job, request, info))
    }

    /// The next frame.
    ///
    /// # Errors
    /// What is wrong with it; the node kills the worker then.
    pub fn hear(&mut self, frame: FromWorker) -> Result<Heard, String> {
        Ok(match self.0.check(frame, Duration::ZERO)? {
            None => Heard::Nothing,
            Some(Seen::Step(step)) => Heard::Step(step),
            Some(Seen::Cancelled) => Heard::Cancelled,
            Some(Seen::Failed(fault)) => {
                Heard::Failed(believable(fault).map_err(|_| "it gave a reason that is not its to give".to_owned())?)
            }
        })
    }
}
