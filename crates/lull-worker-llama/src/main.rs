//! The worker process on llama.cpp: it answers with one GGUF model and knows nothing of networks, jobs or people.
//! It must never open a connection, or read anything but the model it was given.

mod engine;
mod load;
mod log;
mod tokens;

use std::io;

use lull_worker::Profile;

fn main() -> io::Result<()> {
    lull_worker::run(Profile::Cpu, &[], load::load)
}
