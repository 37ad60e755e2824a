//! The worker process on mistral.rs: it answers with one model and knows nothing of networks, jobs or people.
//! It must never open a connection, or read anything but the model it was given.

mod engine;
mod load;
mod vocabulary;
mod walls;

use std::io;

use lull_engine::{cpu, guard, serve::serve};

fn main() -> io::Result<()> {
    let pipe = guard::begin()?;
    let walls = walls::around(&pipe);
    serve(pipe.reader, pipe.writer, cpu::build(), walls, load::load)
}
