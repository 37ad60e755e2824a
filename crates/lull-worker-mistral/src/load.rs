use std::path::Path;

use lull_engine::{
    Engine, Load,
    check::{self, Format},
    template::{Template, end_worker},
};
use lull_types::{Code, Fault};
use mistralrs::{
    DeviceMapSetting, GgufModelBuilder, TextModelBuilder, TokenSource,
    core::{AddModelConfig, Pipeline, SchedulerConfig},
    model_builder_trait::{build_gguf_pipeline, build_model_from_pipeline, build_text_pipeline},
};

use crate::{engine::Mistral, vocabulary};

/// A pipeline as mistral.rs builds it.
type Built = (std::sync::Arc<tokio::sync::Mutex<dyn Pipeline>>, SchedulerConfig, AddModelConfig);

/// Loads a model from its folder; never from a network.
pub(crate) fn load(wanted: &Load) -> Result<Box<dyn Engine>, Fault> {
    let checked = check::folder(&wanted.model)?;
    let template = Template::new(checked.chat, end_worker)?;
    let broken =
        |error: anyhow::Error| Fault::new(Code::ModelBroken, format!("mistral.rs cannot load the model: {error:#}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Fault::new(Code::Internal, format!("no runtime for the engine: {error}")))?;
    let (pipeline, scheduler, config) = runtime.block_on(build(&wanted.model, &checked.format)).map_err(broken)?;
    let (metadata, tokenizes) = {
        let pipeline = runtime.block_on(pipeline.lock());
        (pipeline.get_metadata(), pipeline.tokenizer().is_some())
    };
    if !tokenizes {
        return Err(Fault::new(Code::ModelBroken, "the model has no tokeniser that mistral.rs can use"));
    }
    let environment = metadata
        .tok_env()
        .ok_or_else(|| Fault::new(Code::ModelBroken, "the model's tokeniser does not say what its tokens write"))?;
    let trie = environment.tok_trie();
    let bytes = (0..trie.vocab_size() as u32).map(|id| trie.decode_ext(&[id], false).into_boxed_slice()).collect();
    let vocabulary = vocabulary::build(bytes, metadata.eos_tok.clone(), &checked.tokens);
    let context = u32::try_from(metadata.max_seq_len).unwrap_or(u32::MAX);
    let model = runtime.block_on(build_model_from_pipeline(pipeline, scheduler, config));
    let mut mistral = Mistral::new(runtime, model, vocabulary, template, context);
    mistral.rehearse()?;
    Ok(Box::new(mistral))
}

async fn build(folder: &Path, format: &Format) -> anyhow::Result<Built> {
    let id = folder.to_string_lossy();
    match format {
        Format::Gguf { file } => {
            let mut builder = GgufModelBuilder::new(&id, vec![file])
                .with_tok_model_id(&id)
                .with_token_source(TokenSource::None)
                .with_prefix_cache_n(None)
                .with_max_num_seqs(1);
            if cfg!(not(feature = "cuda")) {
                builder = builder.with_force_cpu().with_device_mapping(DeviceMapSetting::dummy());
            }
            build_gguf_pipeline(builder).await
        }
        Format::Safetensors => {
            let mut builder = TextModelBuilder::new(&id)
                .with_token_source(TokenSource::None)
                .with_prefix_cache_n(None)
                .with_max_num_seqs(1);
            if cfg!(not(feature = "cuda")) {
                builder = builder.with_force_cpu().with_device_mapping(DeviceMapSetting::dummy());
            }
            build_text_pipeline(builder).await
        }
    }
}
