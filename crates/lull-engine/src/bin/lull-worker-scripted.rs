//! A worker without a model, for tests and measurements: see `lull_engine::scripted`.

use std::{fs::File, io, sync::Arc};

use lull_engine::{
    cpu, guard,
    scripted::{Pretended, Scripted},
    serve::serve,
};
use lull_types::Layer;

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

/// What a worker program says when it is asked how it would be confined. This one pretends that, too.
fn report() -> String {
    let layers = Layer::ALL.map(|layer| format!("\"{layer}\"")).join(",");
    format!("{{\"layers\":[{layers}],\"shortfalls\":[]}}")
}

fn main() -> io::Result<()> {
    if std::env::args().nth(1).is_some_and(|word| word == "--sandbox-report") {
        println!("{}", report());
        return Ok(());
    }
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
