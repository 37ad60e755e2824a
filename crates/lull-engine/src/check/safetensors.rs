//! Safetensors files: the header by the format's rules, the data without a hole or an overlap, and shards that are all
//! there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::Path,
};

use lull_types::Fault;
use serde_json::Value;

use super::{broken, has, json, shown};

/// The longest header, in bytes. A model of 400 billion parameters has one of 0.2 MB in each file.
const HEADER_BYTES_MAX: u64 = 16 << 20;
/// Tensors of all files together.
const TENSORS_MAX: usize = 1 << 17;
/// Sides of a tensor.
const SIDES_MAX: usize = 8;
/// The longest name of a tensor, in bytes.
const NAME_BYTES_MAX: usize = 512;
/// What a header may hold.
const BOUNDS: json::Bounds = json::Bounds { bytes: HEADER_BYTES_MAX, values: 1 << 20 };

/// The shapes of all tensors of a folder.
pub(super) type Shapes = BTreeMap<String, Vec<u64>>;

/// Checks all files; gives the shapes of their tensors.
pub(super) fn check(folder: &Path, names: &[String]) -> Result<Shapes, Fault> {
    let mut shapes = Shapes::new();
    let mut homes = BTreeMap::new();
    for name in names.iter().filter(|name| name.ends_with(".safetensors")) {
        let path = folder.join(name);
        for (tensor, shape) in file(&path)? {
            if let Some(other) = homes.insert(tensor.clone(), name) {
                return Err(broken(&path, format!("tensor {tensor} stands in {other}, too")));
            }
            shapes.insert(tensor, shape);
        }
        if shapes.len() > TENSORS_MAX {
            return Err(broken(folder, format!("it holds more than {TENSORS_MAX} tensors")));
        }
    }
    index(folder, names, &homes)?;
    Ok(shapes)
}

/// Whether the files that an index names hold what it says.
fn index(folder: &Path, names: &[String], homes: &BTreeMap<String, &String>) -> Result<(), Fault> {
    if !has(names, INDEX) {
        return Ok(());
    }
    let path = folder.join(INDEX);
    let index = json::read(&path, json::SETTINGS)?;
    let map = index.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| broken(&path, "it does not say where the tensors are (weight_map)"))?;
    for (tensor, file) in map {
        let file = file.as_str().unwrap_or_default();
        if !has(names, file) {
            return Err(broken(
                &path,
                format!("the file \"{}\" that it names is missing; fetch it again", shown(file)),
            ));
        }
        if homes.get(tensor).is_none_or(|home| *home != file) {
            return Err(broken(&path, format!("tensor {} is not where it says", shown(tensor))));
        }
    }
    Ok(())
}

const INDEX: &str = "model.safetensors.index.json";

fn file(path: &Path) -> Result<Vec<(String, Vec<u64>)>, Fault> {
    let unreadable = |error| broken(path, format!("it cannot be read: {error}"));
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| broken(path, "it is cut off before its header; fetch it again"))?;
    let length = u64::from_le_bytes(length);
    if length > bytes - 8 {
        return Err(broken(path, "its header is longer than the file; it is cut off or not safetensors"));
    }
    if length > HEADER_BYTES_MAX {
        return Err(broken(path, format!("its header is longer than {} MiB", HEADER_BYTES_MAX >> 20)));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(unreadable)?;
    tensors(&header, bytes - 8 - length).map_err(|what| broken(path, what))
}

/// The tensors of a header, whose data is `data_bytes` long.
pub(super) fn tensors(header: &[u8], data_bytes: u64) -> Result<Vec<(String, Vec<u64>)>, String> {
    let header = json::parse(header, BOUNDS)
        .map_err(|error| format!("its header is not JSON ({error}); it is damaged or not safetensors"))?;
    let table = header.as_object().ok_or("its header is not a table of tensors")?;
    let mut found = Vec::new();
    let mut places = BTreeSet::new();
    for (name, tensor) in table {
        if name == "__metadata__" {
            let texts = |table: &serde_json::Map<_, Value>| table.values().all(Value::is_string);
            if !tensor.is_null() && !tensor.as_object().is_some_and(texts) {
                return Err("its metadata is not a table of texts".into());
            }
            continue;
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err("a tensor has no proper name; it is damaged".into());
        }
        let (from, to, shape) = place(tensor).map_err(|what| format!("tensor {}: {what}", shown(name)))?;
        if to > data_bytes {
            return Err(format!("tensor {} does not fit the file; it is cut off; fetch it again", shown(name)));
        }
        places.insert((from, to, name));
        found.push((name.clone(), shape));
    }
    if found.is_empty() {
        return Err("it holds no tensors".into());
    }
    let mut end = 0;
    for (from, to, name) in places {
        if from != end {
            let what = if from < end { "lies where another one lies" } else { "comes after a hole in the data" };
            return Err(format!("tensor {} {what}; it is damaged", shown(name)));
        }
        end = to;
    }
    if end != data_bytes {
        return Err(format!("{} bytes at its end belong to no tensor; it is damaged", data_bytes - end));
    }
    Ok(found)
}

/// Where a tensor begins and ends in the data, and its shape.
fn place(tensor: &Value) -> Result<(u64, u64, Vec<u64>), &'static str> {
    let offset = |end: usize| tensor.get("data_offsets")?.as_array().filter(|list| list.len() == 2)?[end].as_u64();
    let (from, to) = offset(0).zip(offset(1)).ok_or("it does not say where its data is")?;
    let width = match tensor.get("dtype").and_then(Value::as_str).unwrap_or_default() {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => 1,
        _ => return Err("it is of an unknown type"),
    };
    let sides = tensor.get("shape").and_then(Value::as_array).filter(|sides| sides.len() <= SIDES_MAX);
    let sides = sides.ok_or("it has no proper shape")?;
    let shape: Option<Vec<u64>> = sides.iter().map(|side| side.as_u64().filter(|&side| side > 0)).collect();
    let shape = shape.ok_or("it has no proper shape")?;
    let size =
        shape.iter().try_fold(width, |size: u64, &side| size.checked_mul(side)).ok_or("its shape is impossible")?;
    if from.checked_add(size) != Some(to) {
        return Err("its data is not as long as its shape");
    }
    Ok((from, to, shape))
}
