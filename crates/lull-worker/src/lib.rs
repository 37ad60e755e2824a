//! What every worker program is around its engine: the pipe to the node, the walls, and how a conversation becomes ids.
//! An engine's own crate adds how a model is loaded and computed with. It must never know an engine, or a network.

mod conversation;
mod walls;

use std::io;

use lull_engine::{Engine, Load, cpu, guard, serve::serve};
use lull_types::Fault;

pub use conversation::ids;
pub use lull_sandbox::Profile;

/// Runs a worker until the node closes its pipe. `folders` are what the engine makes in its home while loading, when
/// nothing can be made any more.
///
/// # Errors
/// When the pipe cannot be had. What comes after that ends the process.
pub fn run(
    profile: Profile,
    folders: &'static [&'static str],
    load: impl FnOnce(&Load) -> Result<Box<dyn Engine>, Fault>,
) -> io::Result<()> {
    if let Some(status) = asked_of_the_sandbox() {
        std::process::exit(status);
    }
    let pipe = guard::begin()?;
    let walls = walls::around(&pipe, profile, folders);
    serve(pipe.reader, pipe.writer, cpu::build(), walls, load)
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
