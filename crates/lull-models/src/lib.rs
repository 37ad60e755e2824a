//! Checks model files by their headers and keeps them in a store that is verified by content.
//! It must never know an engine, a network or who asks; and it never allocates what a file merely claims.

mod config;
mod demo;
mod disk;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod gguf;
mod inspect;
mod json;
mod manifest;
mod name;
mod plan;
mod safetensors;
mod stage;
mod store;
mod types;

pub use demo::DEMO_NAME;
pub use disk::Progress;
pub use gguf::gguf_header;
pub use inspect::Facts;
pub use manifest::{ContentHash, Format, MANIFEST_FILE, Manifest, ModelFile};
pub use name::{ModelName, ModelNameError};
pub use safetensors::{SafetensorsHeader, safetensors_header};
pub use store::{Listed, Store, StoredModel};
