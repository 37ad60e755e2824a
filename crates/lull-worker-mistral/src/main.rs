//! The worker process on mistral.rs: it answers with one model and knows nothing of networks, jobs or people.
//! It must never open a connection, or read anything but the model it was given.

mod engine;
mod load;
mod vocabulary;

use std::io;

use lull_worker::Profile;

/// The folder of Hugging Face's files in its home, which mistral.rs makes and a worker never fills.
const HUB: &str = "hub";

fn main() -> io::Result<()> {
    let profile = if cfg!(feature = "cuda") { Profile::Cuda } else { Profile::Cpu };
    lull_worker::run(profile, &[HUB], load::load)
}
