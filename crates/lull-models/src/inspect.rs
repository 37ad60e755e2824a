use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use lull_types::Fault;
use serde::Deserialize;

use crate::{
    Format, SafetensorsHeader,
    config::Config,
    fault::{at, broken},
    gguf_header,
    json::{self, INDEX_BYTES_MAX, Object, SETTINGS_BYTES_MAX, TEMPLATE_BYTES_MAX, TOKENIZER_BYTES_MAX, Tokenizer},
    manifest::is_plain,
    safetensors_header,
};

/// The context of a scripted model that names none, in tokens.
const SCRIPTED_CONTEXT: u32 = 4096;

/// What a model's files say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The kind of network, such as `llama`.
    pub architecture: String,
    /// How many weights it has, if its files say so.
    pub parameters: Option<u64>,
    /// Its context, in tokens.
    pub context: u32,
    /// Its licence, as its files state it.
    pub license: Option<String>,
}

/// Checks the files `names` in `folder`, headers first, as a model of this format.
pub(crate) fn inspect(folder: &Path, format: Format, names: &[String]) -> Result<Facts, Fault> {
    let facts = match format {
        Format::Gguf => gguf(folder, names)?,
        Format::Safetensors => safetensors(folder, names)?,
        Format::Scripted => scripted(folder)?,
    };
    names.iter().try_for_each(|name| side_file(&folder.join(name), name))?;
    Ok(facts)
}

fn gguf(folder: &Path, names: &[String]) -> Result<Facts, Fault> {
    let name = names.iter().find(|name| is_gguf(name)).ok_or_else(|| broken("there is no .gguf file"))?;
    let path = folder.join(name);
    let (file, bytes) = json::open(&path, u64::MAX)?;
    gguf_header(file, bytes).map_err(|fault| at(path.display(), &fault))
}

/// Whether a file's name says that it is GGUF.
pub(crate) fn is_gguf(name: &str) -> bool {
    name.len() > 5 && name.is_char_boundary(name.len() - 5) && name[name.len() - 5..].eq_ignore_ascii_case(".gguf")
}

fn safetensors(folder: &Path, names: &[String]) -> Result<Facts, Fault> {
    let mut headers = BTreeMap::new();
    for name in names.iter().filter(|name| name.ends_with(".safetensors")) {
        let path = folder.join(name);
        let (file, bytes) = json::open(&path, u64::MAX)?;
        let header = safetensors_header(file, bytes).map_err(|fault| at(path.display(), &fault))?;
        headers.insert(name.as_str(), header);
    }
    no_tensor_twice(folder, &headers)?;
    let index = "model.safetensors.index.json";
    if names.iter().any(|name| name == index) {
        let path = folder.join(index);
        let index: ShardIndex = json::read_file(&path, INDEX_BYTES_MAX)?;
        index.check(&headers).map_err(|fault| at(path.display(), &fault))?;
    }
    let path = folder.join("config.json");
    let config: Config = json::read_file(&path, SETTINGS_BYTES_MAX)?;
    let (architecture, context) = config.check().map_err(|fault| at(path.display(), &fault))?;
    let parameters = headers.values().fold(0_u64, |sum, header| sum.saturating_add(header.parameters));
    Ok(Facts { architecture: architecture.into(), parameters: Some(parameters), context, license: None })
}

fn no_tensor_twice(folder: &Path, headers: &BTreeMap<&str, SafetensorsHeader>) -> Result<(), Fault> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (file, header) in headers {
        for tensor in &header.tensors {
            if let Some(other) = owners.insert(tensor, file) {
                let folder = folder.display();
                return Err(broken(format!(
                    "{folder}: the tensor {tensor:?} is in {other} and in {file}; keep the files of one model only"
                )));
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: HashMap<String, String>,
}

impl ShardIndex {
    fn check(&self, headers: &BTreeMap<&str, SafetensorsHeader>) -> Result<(), Fault> {
        for (tensor, file) in &self.weight_map {
            let Some(header) = headers.get(file.as_str()) else {
                let missing = if is_plain(file) { file.as_str() } else { "a file outside the folder" };
                return Err(broken(format!(
                    "it names {missing}, which is not there; download all of the model's files"
                )));
            };
            if !header.tensors.contains(tensor) {
                let tensor: String = tensor.chars().take(200).collect();
                return Err(broken(format!("the tensor {tensor:?} is not in {file}; download both files again")));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Script {
    context: Option<u32>,
}

fn scripted(folder: &Path) -> Result<Facts, Fault> {
    let script: Script = json::read_file(&folder.join("scripted.json"), SETTINGS_BYTES_MAX)?;
    let context = script.context.unwrap_or(SCRIPTED_CONTEXT).max(1);
    Ok(Facts { architecture: "scripted".into(), parameters: None, context, license: None })
}

/// Everything beside the weights: read once, nothing kept.
fn side_file(path: &Path, name: &str) -> Result<(), Fault> {
    match name {
        "tokenizer.json" => json::read_file::<Tokenizer>(path, TOKENIZER_BYTES_MAX).map(|_| ()),
        "tokenizer_config.json" | "special_tokens_map.json" => {
            json::read_file::<Object>(path, TOKENIZER_BYTES_MAX).map(|_| ())
        }
        "generation_config.json" => json::read_file::<Object>(path, SETTINGS_BYTES_MAX).map(|_| ()),
        "chat_template.jinja" => json::open(path, TEMPLATE_BYTES_MAX).map(|_| ()),
        _ => Ok(()),
    }
}
