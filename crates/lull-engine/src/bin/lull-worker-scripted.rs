//! A worker without a model, for tests and measurements: see `lull_engine::scripted`.

use std::{fs::File, io, sync::Arc};

use lull_engine::{
    cpu, guard,
    scripted::{Pretended, Scripted},
    serve::serve,
};

/// The pipe's writing end, shared between the main loop and the engine's misplaced bytes.
#[derive(Clone)]
struct Shared(Arc<File>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

fn main() -> io::Result<()> {
    let pipe = guard::begin()?;
    let mut writer = Shared(Arc::new(pipe.writer));
    if let Ok(script) = std::env::current_dir()
        .and_then(|folder| lull_engine::scripted::Script::read(&folder).map_err(io::Error::other))
    {
        script.mishap(lull_engine::scripted::When::Start, &mut writer).map_err(io::Error::other)?;
    }
    let for_engine = writer.clone();
    serve(pipe.reader, writer, cpu::build(), Pretended::put_up, move |load| Scripted::load(load, for_engine))
}
