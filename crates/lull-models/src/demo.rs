use lull_types::{Code, Fault};

use crate::{
    Format, ModelName, Store, StoredModel,
    plan::{Part, Plan, Source},
    store::Replace,
};

/// The name of the model that comes with Lull.
pub const DEMO_NAME: &str = "lull-demo";

/// The demo model's files, part of the binary.
const FILES: &[(&str, &[u8])] = &[
    ("lull-demo.Q8_0.gguf", include_bytes!("../demo/lull-demo.Q8_0.gguf")),
    ("tokenizer.json", include_bytes!("../demo/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../demo/tokenizer_config.json")),
];

impl Store {
    /// Installs the demo model of this version of Lull, unless it is here already.
    ///
    /// # Errors
    /// [`Code::Storage`] for what the disk refuses.
    pub fn ensure_demo(&self) -> Result<StoredModel, Fault> {
        if let Ok(model) = self.get(DEMO_NAME)
            && FILES.iter().all(|(name, bytes)| {
                let hash = *blake3::hash(bytes).as_bytes();
                model.manifest.files.iter().any(|file| file.path == *name && file.blake3.0 == hash)
            })
            && model.manifest.files.len() == FILES.len()
        {
            return Ok(model);
        }
        let part = |&(name, bytes): &(&str, &'static [u8])| Part { name: name.into(), source: Source::Bytes(bytes) };
        let plan = Plan { format: Format::Gguf, parts: FILES.iter().map(part).collect(), given_up: None };
        let name: ModelName =
            DEMO_NAME.parse().map_err(|error| Fault::new(Code::Internal, format!("the demo model: {error}")))?;
        self.install(&plan, name, Replace::Always, &mut |_| {})
    }
}
