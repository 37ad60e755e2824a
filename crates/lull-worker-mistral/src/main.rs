//! The worker process on mistral.rs: it answers with one model and knows nothing of networks, jobs or people.
//! It must never open a connection, or read anything but the model it was given.

mod engine;
mod load;
mod vocabulary;
mod walls;

use std::io;

use lull_engine::{cpu, guard, serve::serve};

fn main() -> io::Result<()> {
    if let Some(status) = asked_of_the_sandbox() {
        std::process::exit(status);
    }
    let pipe = guard::begin()?;
    let walls = walls::around(&pipe);
    serve(pipe.reader, pipe.writer, cpu::build(), walls, load::load)
}

/// Not a worker's work, but what its walls are asked with the program that stands behind them: what there is on this
/// machine (`--sandbox-report`), and whether they hold (`--try-to-escape`, for tests). Gives the exit status.
fn asked_of_the_sandbox() -> Option<i32> {
    let arguments: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    match arguments.split_first() {
        Some((first, [])) if first == "--sandbox-report" => match lull_sandbox::report() {
            Ok(report) => println!("{report}"),
            Err(error) => guard::exit(1, &error.to_string()),
        },
        #[cfg(target_os = "linux")]
        Some((first, rest)) if first == "--try-to-escape" => return Some(lull_sandbox::escape::program(rest)),
        _ => return None,
    }
    Some(0)
}
