//! A first look at a model folder, before any engine sees it: bounded, and believing no length in a file, so that a
//! broken file gives a clear sentence instead of a crash, or an answer that is wrong, deep inside an engine.

mod chat;
mod config;
mod gguf;
mod json;
mod safetensors;
mod steps;
mod tokenizer;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use lull_types::{Code, Fault};

use crate::template::Chat;

pub use tokenizer::{Added, Tokens};

/// What an engine must know of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How its weights are stored.
    pub format: Format,
    /// What its tokeniser says.
    pub tokens: Tokens,
    /// How it makes a text of a conversation.
    pub chat: Chat,
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

/// Files that a folder may hold.
const FILES_MAX: usize = 1000;
/// Blocks (layers) that a model may have.
const BLOCKS_MAX: u64 = 1024;
/// Heads that a block may have.
const HEADS_MAX: u64 = 1024;
/// The widest model, in numbers of a token's state.
const WIDTH_MAX: u64 = 1 << 17;
/// What an engine may prepare for the positions of a context, in bytes: enough for a million tokens.
const ROPE_BYTES_MAX: u64 = 1 << 30;
/// Weights beside safetensors that an engine would run programs for, or prefer.
const OTHER_WEIGHTS: [&str; 6] = [".bin", ".pt", ".pth", ".pkl", ".ckpt", ".uqff"];

/// Looks at a model folder.
///
/// # Errors
/// [`Code::ModelBroken`] with the file, what is wrong with it and what to do.
pub fn folder(folder: &Path) -> Result<Checked, Fault> {
    let names = names(folder)?;
    let format = format(folder, &names)?;
    let (tokens, texts) = tokenizer::check(folder, &names)?;
    let chat = chat::check(folder, &names, &texts)?;
    drop(texts);
    let rows = match &format {
        Format::Gguf { file } => gguf::check(&folder.join(file))?,
        Format::Safetensors => config::check(folder, &names)?,
    };
    config::check_generation(folder, &names, tokens.size)?;
    if u64::from(tokens.size) > rows {
        return Err(broken(
            &folder.join("tokenizer.json"),
            format!("it has {} tokens, and the weights only {rows}; it belongs to another model", tokens.size),
        ));
    }
    Ok(Checked { format, tokens, chat })
}

/// A kind of file that [`bytes`] checks.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole GGUF file.
    Gguf,
    /// The header of a safetensors file, without its length.
    Safetensors,
    /// `tokenizer.json`.
    Tokenizer,
    /// `config.json`.
    Config,
}

/// Checks bytes as if they were a file; for fuzz targets and tests of properties.
///
/// # Errors
/// What is wrong with them.
#[doc(hidden)]
pub fn bytes(kind: Kind, bytes: &[u8]) -> Result<(), String> {
    let parsed = |bounds| json::parse(bytes, bounds).map_err(|error| error.to_string());
    match kind {
        Kind::Gguf => gguf::check_bytes(bytes).map(drop),
        Kind::Safetensors => safetensors::tensors(bytes, u64::MAX / 2).map(drop),
        Kind::Tokenizer => tokenizer::tokens(&parsed(json::TOKENIZER)?).map(drop),
        Kind::Config => config::alone(&parsed(json::SETTINGS)?),
    }
}

/// The names of all files, of which none makes its reader wait.
fn names(folder: &Path) -> Result<Vec<String>, Fault> {
    let unreadable = |error| broken(folder, format!("the folder cannot be read: {error}"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if names.len() == FILES_MAX {
            return Err(broken(folder, format!("it holds more than {FILES_MAX} files")));
        }
        // Follows links: a stored model may be one.
        match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() || metadata.is_dir() => names.push(name),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
            _ => return Err(broken(&entry.path(), "it is not an ordinary file; take it out")),
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn format(folder: &Path, names: &[String]) -> Result<Format, Fault> {
    let said = if has(names, "manifest.json") {
        let path = folder.join("manifest.json");
        let manifest = json::read(&path, json::SETTINGS)?;
        match manifest.get("format") {
            None | Some(serde_json::Value::Null) if manifest.is_object() => None,
            Some(serde_json::Value::String(format)) => Some(format.clone()),
            _ => return Err(broken(&path, "it is not a manifest")),
        }
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
            Err(broken(folder, format!("this worker cannot run models of the format \"{}\"", shown(other))))
        }
        _ => Err(broken(folder, "there is neither a .gguf nor a .safetensors file; import the model again")),
    }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|found| found == name)
}

/// A text of a file as a sentence may quote it.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect()
}

fn broken(path: &Path, what: impl std::fmt::Display) -> Fault {
    let name = path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from);
    Fault::new(Code::ModelBroken, format!("{}: {what}", name.display()))
}

#[cfg(test)]
mod tests;
