use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use lull_types::{Code, Fault};

use crate::{
    Format,
    fault::{broken, io, unsupported},
    inspect::is_gguf,
    manifest::{FILES_MAX, is_plain},
};

/// Taken along with any model if they are there.
const SIDE_FILES: [&str; 5] = [
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
];
/// The most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// Which files make up a model, before any of them is copied.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) format: Format,
    pub(crate) parts: Vec<Part<'a>>,
    /// Whether somebody no longer wants it.
    pub(crate) given_up: Option<&'a AtomicBool>,
}

/// One file to be.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) source: Source<'a>,
}

/// Where a file's content comes from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    File(PathBuf),
    Bytes(&'a [u8]),
}

impl<'a> Plan<'a> {
    /// The same as long as nobody says that it is given up.
    pub(crate) const fn unless(mut self, given_up: &'a AtomicBool) -> Self {
        self.given_up = Some(given_up);
        self
    }
}

impl Plan<'static> {
    /// The model that `path` is: a `.gguf` file, or a folder with one or with safetensors.
    pub(crate) fn of(path: &Path) -> Result<Self, Fault> {
        let metadata = fs::metadata(path).map_err(|error| io("read", path, &error))?;
        if metadata.is_dir() {
            return Self::of_folder(path);
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let advice = "give a .gguf file, or the folder with config.json and the .safetensors files";
        if !metadata.is_file() {
            return Err(broken(format!("{}: neither a file nor a folder; {advice}", path.display())));
        }
        if name.ends_with(".safetensors") {
            let code = Code::BadRequest;
            return Err(Fault::new(code, format!("{}: one file of a model; give its folder", path.display())));
        }
        if !is_gguf(name) || !is_plain(name) {
            return Err(Fault::new(Code::BadRequest, format!("{}: not a model; {advice}", path.display())));
        }
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or_else(|| Path::new("."));
        Self::of_gguf(folder, name)
    }

    /// A folder with the test engine's `scripted.json`.
    pub(crate) fn of_script(folder: &Path) -> Result<Self, Fault> {
        let names = ["scripted.json"].into_iter().chain(present(folder, &SIDE_FILES));
        Ok(Self::new(Format::Scripted, folder, names.map(String::from).collect()))
    }

    fn new(format: Format, folder: &Path, names: BTreeSet<String>) -> Self {
        let part = |name: String| Part { source: Source::File(folder.join(&name)), name };
        Self { format, parts: names.into_iter().map(part).collect(), given_up: None }
    }

    fn of_gguf(folder: &Path, name: &str) -> Result<Self, Fault> {
        let side: Vec<&str> = present(folder, &SIDE_FILES).collect();
        if !side.contains(&"tokenizer.json") {
            return Err(missing_tokenizer(folder, name));
        }
        let names = side.into_iter().chain([name]).map(String::from).collect();
        Ok(Self::new(Format::Gguf, folder, names))
    }

    fn of_folder(folder: &Path) -> Result<Self, Fault> {
        let names = file_names(folder)?;
        let gguf: Vec<&String> = names.iter().filter(|name| is_gguf(name)).collect();
        let weights = weights(folder, &names)?;
        match gguf.as_slice() {
            [] => {}
            [one] if weights.is_empty() => return Self::of_gguf(folder, one),
            _ => {
                let list = gguf.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                let message = format!("{}: more than one model ({list}); give one of the files", folder.display());
                return Err(Fault::new(Code::BadRequest, message));
            }
        }
        if weights.is_empty() {
            return Err(broken(format!(
                "{}: no model here; it needs a .gguf file, or config.json with model.safetensors",
                folder.display()
            )));
        }
        for needed in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            if !names.contains(needed) {
                return Err(broken(format!(
                    "{}: {needed} is missing; put the one from the model's own page there",
                    folder.display()
                )));
            }
        }
        let side = ["config.json", "model.safetensors.index.json"].into_iter().chain(SIDE_FILES);
        let side = side.filter(|name| names.contains(*name)).map(String::from);
        let chosen: BTreeSet<String> = side.chain(weights).collect();
        if chosen.len() > FILES_MAX {
            return Err(broken(format!("{}: more than {FILES_MAX} files of one model", folder.display())));
        }
        Ok(Self::new(Format::Safetensors, folder, chosen))
    }
}

impl Plan<'_> {
    pub(crate) fn names(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.name.clone()).collect()
    }
}

fn missing_tokenizer(folder: &Path, name: &str) -> Fault {
    broken(format!(
        "{}: a tokenizer is missing beside {name}; put tokenizer.json (and tokenizer_config.json) of the original \
         model into that folder and add it again",
        folder.display()
    ))
}

/// Which of these files are in the folder; whether they can be read shows later.
fn present<'n>(folder: &Path, names: &'n [&'n str]) -> impl Iterator<Item = &'n str> {
    names.iter().copied().filter(move |name| fs::symlink_metadata(folder.join(name)).is_ok())
}

fn file_names(folder: &Path) -> Result<BTreeSet<String>, Fault> {
    let entries = fs::read_dir(folder).map_err(|error| io("read", folder, &error))?;
    let mut names = BTreeSet::new();
    for (count, entry) in entries.enumerate() {
        if count == ENTRIES_MAX {
            return Err(broken(format!(
                "{}: more than {ENTRIES_MAX} files; give the model's folder",
                folder.display()
            )));
        }
        let entry = entry.map_err(|error| io("read", folder, &error))?;
        names.extend(entry.file_name().into_string().ok().filter(|name| is_plain(name)));
    }
    Ok(names)
}

/// The weight files that the engine will read: `…model.safetensors`, or all of `…model-I-of-N.safetensors`.
/// Adapters and a second copy of the weights in another layout are left out.
fn weights(folder: &Path, names: &BTreeSet<String>) -> Result<Vec<String>, Fault> {
    let left_out = |name: &str| ["adapter", "xlora", "consolidated"].iter().any(|start| name.starts_with(start));
    let tensors = || names.iter().filter(|name| name.ends_with(".safetensors") && !left_out(name));
    let known: Vec<String> =
        tensors().filter(|name| name.ends_with("model.safetensors") || shard(name).is_some()).cloned().collect();
    if let (true, Some(other)) = (known.is_empty(), tensors().next()) {
        let folder = folder.display();
        return Err(unsupported(format!(
            "{folder}: the engine would not find {other}; name it model.safetensors, if it holds the whole model"
        )));
    }
    let shards: BTreeSet<(u32, u32)> = known.iter().filter_map(|name| shard(name)).collect();
    if let Some(&(_, of)) = shards.first() {
        let whole = shards.len() == known.len()
            && shards.iter().all(|&(_, other)| other == of)
            && (1..=of).take(FILES_MAX).all(|number| shards.contains(&(number, of)));
        if !whole {
            return Err(broken(format!(
                "{}: not all of the model's {of} parts are there, or other weights are among them; download all of \
                 model-….safetensors into a folder of their own",
                folder.display()
            )));
        }
    }
    Ok(known)
}

/// Which part of how many a file's name says it is.
fn shard(name: &str) -> Option<(u32, u32)> {
    let (_, numbers) = name.strip_suffix(".safetensors")?.rsplit_once("model-")?;
    let (number, of) = numbers.split_once("-of-")?;
    Some((number.parse().ok()?, of.parse().ok()?))
}
