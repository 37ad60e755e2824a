//! The engine seam and all that stands around it: sampling, stop strings, text from token bytes, the worker protocol
//! on both of its ends, and the supervision of worker processes. It must never know which engine computes the logits,
//! nor anything of networks, seals or policy.

mod answer;
pub mod check;
mod child;
mod confine;
pub mod cpu;
mod detok;
mod engine;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
mod leash;
mod limits;
pub mod protocol;
mod pump;
mod sample;
pub mod scripted;
pub mod serve;
mod start;
mod stop;
pub mod template;
mod vocabulary;
pub mod worker;

pub use answer::{Answer, Ending, Stepped};
pub use confine::{Confine, Confined, Demand};
pub use detok::Detok;
pub use engine::{Engine, EngineInfo, Load, Next, Steps};
pub use leash::{Adopted, Keeper, Leash};
pub use limits::Limits;
pub use sample::{Choice, Sampler};
pub use stop::{Released, Stops};
pub use vocabulary::Vocabulary;
pub use worker::{GenerateRequest, Generation, Step, Worker, WorkerInfo, WorkerSpec};
