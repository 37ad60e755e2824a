use std::num::NonZeroU32;

use llama_cpp_2::{
    context::params::LlamaContextParams,
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
    engine::{CHUNK, Llama},
    tokens::Tokeniser,
};

/// Loads a model from its folder; never from a network.
pub(crate) fn load(wanted: &Load) -> Result<Box<dyn Engine>, Fault> {
    let checked = check::folder(&wanted.model)?;
    let Format::Gguf { file } = &checked.format else {
        let text = "llama.cpp reads GGUF files only; this model is for mistral.rs";
        return Err(Fault::new(Code::ModelBroken, text));
    };
    let broken = |error: &dyn std::fmt::Display| {
        Fault::new(Code::ModelBroken, format!("llama.cpp cannot load the model: {error}"))
    };
    let tokeniser = Tokeniser::read(&wanted.model, &checked)?;
    let template = Template::new(checked.chat, end_worker)?;
    let mut backend = LlamaBackend::init().map_err(|error| broken(&error))?;
    backend.void_logs();
    // One process, one model: both live as long as it does.
    let backend: &'static LlamaBackend = Box::leak(Box::new(backend));
    let parameters = LlamaModelParams::default().with_use_mmap(true).with_n_gpu_layers(0);
    let model = LlamaModel::load_from_file(backend, wanted.model.join(file), &parameters);
    let model: &'static LlamaModel = Box::leak(Box::new(model.map_err(|error| broken(&error))?));
    let trained = model.n_ctx_train();
    let context = trained.min(wanted.context_max).max(1);
    let threads = i32::from(wanted.threads.max(1));
    let parameters = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context))
        .with_n_batch(CHUNK)
        .with_n_ubatch(CHUNK)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    let context = model.new_context(backend, parameters).map_err(|error| broken(&error))?;
    let mut llama = Llama::new(context, tokeniser, template, trained);
    llama.rehearse()?;
    Ok(Box::new(llama))
}
