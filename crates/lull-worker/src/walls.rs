use std::{io, path::Path};

use lull_engine::{Confine, Confined, guard::Pipe};
use lull_sandbox::{Layers, Profile, Shortfall};

/// The sandbox of this process.
struct Walls(lull_sandbox::Confined);

/// Whoever puts up the sandbox as the node wants it, and leaves the pipe to the node open.
pub(crate) fn around(
    pipe: &Pipe,
    profile: Profile,
    folders: &'static [&'static str],
) -> impl FnOnce(&Confine) -> io::Result<Box<dyn Confined>> + use<> {
    let keep = numbers(pipe);
    move |wanted| {
        let Confine { model, scratch, memory_max, skip } = wanted.clone();
        for folder in folders {
            std::fs::create_dir_all(scratch.join(folder))?;
        }
        let confined = lull_sandbox::enter(&lull_sandbox::Confine { profile, model, scratch, memory_max, skip, keep })?;
        Ok(Box::new(Walls(confined)))
    }
}

#[cfg(unix)]
fn numbers(pipe: &Pipe) -> Vec<i32> {
    use std::os::fd::AsRawFd as _;
    vec![pipe.reader.as_raw_fd(), pipe.writer.as_raw_fd()]
}

/// Handles are not inherited there unless they are meant to be.
#[cfg(not(unix))]
fn numbers(_pipe: &Pipe) -> Vec<i32> {
    Vec::new()
}

impl Confined for Walls {
    fn model(&self) -> &Path {
        self.0.model()
    }

    fn layers(&self) -> Layers {
        self.0.layers().clone()
    }

    fn shortfalls(&self) -> Vec<Shortfall> {
        self.0.shortfalls().to_vec()
    }

    fn seal(&mut self) -> io::Result<()> {
        self.0.seal()
    }
}
