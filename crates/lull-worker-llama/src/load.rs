use std::sync::OnceLock;

use llama_cpp_2::{
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
};
use lull_engine::{
    Engine, Load,
    check::{self, Format},
    template::{Template, end_worker},
};
use lull_types::{Code, Fault};

use crate::{
    engine::{Bounds, Llama},
    log,
    tokens::Tokeniser,
};

/// Loads a model from its folder; never from a network.
pub(crate) fn load(wanted: &Load) -> Result<Box<dyn Engine>, Fault> {
    let checked = check::folder(&wanted.model)?;
    let Format::Gguf { file } = &checked.format else {
        let text = "llama.cpp reads GGUF files only; this model is for mistral.rs";
        return Err(Fault::new(Code::ModelBroken, text));
    };
    let tokeniser = Tokeniser::read(&wanted.model, &checked)?;
    let template = Template::new(checked.chat, end_worker)?;
    let parameters = LlamaModelParams::default().with_use_mmap(true).with_n_gpu_layers(0);
    log::listen();
    let model = LlamaModel::load_from_file(backend(), wanted.model.join(file), &parameters).map_err(|_| unloaded())?;
    // One process, one model: it lives as long as the process does.
    let model: &'static LlamaModel = Box::leak(Box::new(model));
    let bounds = Bounds { context: wanted.context_max.max(1), threads: wanted.threads.max(1) };
    let llama = Llama::new(model, bounds, tokeniser, template)?;
    log::stop();
    Ok(Box::new(llama))
}

/// Why llama.cpp could not load the model, as it says itself.
fn unloaded() -> Fault {
    let why = log::first().unwrap_or_else(|| "it does not say why".into());
    let code = if why.contains("alloc") { Code::WorkerMemory } else { Code::ModelBroken };
    Fault::new(code, format!("llama.cpp cannot load the model: {why}"))
}

/// llama.cpp itself, which begins once in a process.
pub(crate) fn backend() -> &'static LlamaBackend {
    static BACKEND: OnceLock<LlamaBackend> = OnceLock::new();
    BACKEND.get_or_init(|| {
        // It fails only where it has begun before, and nobody else begins it.
        let Ok(backend) = LlamaBackend::init() else { std::process::abort() };
        backend
    })
}
