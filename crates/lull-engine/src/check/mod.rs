//! A first look at a model folder, before any engine sees it: bounded, and believing no length in a file, so that a
//! broken file gives a clear sentence instead of a crash deep inside an engine.

mod gguf;
mod safetensors;
mod tokenizer;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use lull_types::{Code, Fault};
use serde::Deserialize;
use serde_json::Value;

pub use tokenizer::{Added, Tokens};

/// What an engine must know of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How its weights are stored.
    pub format: Format,
    /// What its tokeniser says.
    pub tokens: Tokens,
}

/// How a model's weights are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One GGUF file.
    Gguf {
        /// Its name in the folder.
        file: String,
    },
    /// `config.json` and safetensors files.
    Safetensors,
}

/// The largest `tokenizer.json`, in bytes.
const TOKENIZER_BYTES_MAX: u64 = 64 << 20;
/// The largest of the other JSON files, in bytes.
const JSON_BYTES_MAX: u64 = 8 << 20;
/// Files that a folder may hold.
const FILES_MAX: usize = 1000;

/// Looks at a model folder.
///
/// # Errors
/// [`Code::ModelBroken`] with the file, what is wrong with it and what to do.
pub fn folder(folder: &Path) -> Result<Checked, Fault> {
    let names = names(folder)?;
    let format = format(folder, &names)?;
    let tokens = tokenizer::check(folder, &names)?;
    let rows = match &format {
        Format::Gguf { file } => gguf::check(&folder.join(file))?,
        Format::Safetensors => safetensors_folder(folder, &names)?,
    };
    if let Some(rows) = rows.filter(|&rows| u64::from(tokens.size) > rows) {
        return Err(broken(
            &folder.join("tokenizer.json"),
            format!("it has {} tokens, and the weights only {rows}; it belongs to another model", tokens.size),
        ));
    }
    Ok(Checked { format, tokens })
}

fn names(folder: &Path) -> Result<Vec<String>, Fault> {
    let unreadable = |error| broken(folder, format!("the folder cannot be read: {error}"));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?.take(FILES_MAX);
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// The part of a manifest that matters here.
#[derive(Deserialize)]
struct Manifest {
    format: Option<String>,
}

fn format(folder: &Path, names: &[String]) -> Result<Format, Fault> {
    let said = if names.iter().any(|name| name == "manifest.json") {
        let path = folder.join("manifest.json");
        let manifest: Manifest = serde_json::from_value(json(&path, JSON_BYTES_MAX)?)
            .map_err(|error| broken(&path, format!("it is not a manifest: {error}")))?;
        manifest.format
    } else {
        None
    };
    let ggufs: Vec<&String> = names.iter().filter(|name| name.ends_with(".gguf")).collect();
    let has_safetensors = names.iter().any(|name| name.ends_with(".safetensors"));
    match (said.as_deref(), ggufs.as_slice()) {
        (Some("safetensors"), _) if has_safetensors => Ok(Format::Safetensors),
        (Some("gguf") | None, [file]) => Ok(Format::Gguf { file: (*file).clone() }),
        (Some("gguf") | None, [_, _, ..]) => {
            Err(broken(folder, "there are several GGUF files; keep one, or import them as models of their own"))
        }
        (None, []) if has_safetensors => Ok(Format::Safetensors),
        (Some(other), _) if !["gguf", "safetensors"].contains(&other) => {
            let other: String = other.chars().take(40).collect();
            Err(broken(folder, format!("this worker cannot run models of the format \"{other}\"")))
        }
        _ => Err(broken(folder, "there is neither a .gguf nor a .safetensors file; import the model again")),
    }
}

fn safetensors_folder(folder: &Path, names: &[String]) -> Result<Option<u64>, Fault> {
    let path = folder.join("config.json");
    let config = json(&path, JSON_BYTES_MAX)?;
    let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
    if architecture.is_none_or(str::is_empty) {
        return Err(broken(&path, "it names no architecture; it is not a model's config.json"));
    }
    if names.iter().any(|name| name.starts_with("adapter_model")) {
        return Err(broken(folder, "there is a LoRA adapter beside the weights; merge it or take it out"));
    }
    for name in names.iter().filter(|name| name.ends_with(".safetensors")) {
        safetensors::check(&folder.join(name))?;
    }
    Ok(config.get("vocab_size").and_then(Value::as_u64))
}

/// Reads a JSON file of bounded size.
fn json(path: &Path, bytes_max: u64) -> Result<Value, Fault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(broken(path, "the file is missing; import the model again with it"));
        }
        Err(error) => return Err(broken(path, format!("it cannot be read: {error}"))),
        Ok(_) => {}
    }
    if bytes.len() as u64 > bytes_max {
        return Err(broken(path, format!("it is larger than {} MiB", bytes_max >> 20)));
    }
    serde_json::from_slice(&bytes).map_err(|error| broken(path, format!("it is not valid JSON: {error}")))
}

fn broken(path: &Path, what: impl std::fmt::Display) -> Fault {
    let name = path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from);
    Fault::new(Code::ModelBroken, format!("{}: {what}", name.display()))
}
