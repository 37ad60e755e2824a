//! GGUF files: the header by the format's rules, each tensor in a place of its own inside the file, and sizes that
//! belong to the tensors.

mod reader;
mod shape;

use std::{fs::File, io::BufReader, path::Path};

use lull_types::Fault;

use super::broken;
use reader::{Reader, Tensor, Value};

/// Keys or tensors that a header may announce.
const ENTRIES_MAX: u64 = 1 << 16;
/// The alignment of tensors where the header names none, in bytes.
const ALIGNMENT: u64 = 32;
/// The largest alignment, in bytes.
const ALIGNMENT_MAX: u32 = 1 << 16;

/// Checks a file; gives the rows of the token embedding.
pub(super) fn check(path: &Path) -> Result<u64, Fault> {
    let unreadable = |error: std::io::Error| broken(path, format!("it cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    check_header(&mut Reader::new(BufReader::new(file)), bytes).map_err(|what| broken(path, what))
}

/// Checks a file in memory.
pub(super) fn check_bytes(bytes: &[u8]) -> Result<u64, String> {
    check_header(&mut Reader::new(bytes), bytes.len() as u64)
}

fn check_header<R: std::io::Read>(reader: &mut Reader<R>, file_bytes: u64) -> Result<u64, String> {
    if &reader.bytes::<4>()? != b"GGUF" {
        return Err("it is not a GGUF file; it is damaged, or a download page was saved in its place".into());
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("it is GGUF version {version}, and this worker reads 2 and 3"));
    }
    let (count, keys) = (reader.u64()?, reader.u64()?);
    if count == 0 || count > ENTRIES_MAX || keys > ENTRIES_MAX {
        return Err(format!("its header announces {count} tensors and {keys} keys, which cannot be"));
    }
    let keys = reader.keys(keys)?;
    if keys.get("split.count").is_some_and(|count| !matches!(count, Value::Size(0..=1) | Value::Whole(0..=1))) {
        return Err("it is one part of several; join them into one file first".into());
    }
    let alignment = match keys.get("general.alignment") {
        None => ALIGNMENT,
        Some(&Value::Size(alignment)) if alignment.is_power_of_two() && alignment <= ALIGNMENT_MAX => alignment.into(),
        Some(_) => return Err("its alignment is not a power of two of 32 bits".into()),
    };
    let mut tensors = Vec::new();
    for _ in 0..count {
        tensors.push(reader.tensor()?);
    }
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(format!("tensor {} stands in it twice", pair[0].name));
    }
    check_places(&tensors, reader.at().next_multiple_of(alignment), alignment, file_bytes)?;
    shape::check(&keys, &tensors)
}

/// Whether each tensor has a place of its own inside the file.
fn check_places(tensors: &[Tensor], data: u64, alignment: u64, file_bytes: u64) -> Result<(), String> {
    let mut places = Vec::new();
    for tensor in tensors {
        let end = data.checked_add(tensor.offset).and_then(|from| from.checked_add(tensor.bytes));
        if tensor.offset % alignment != 0 {
            return Err(format!("tensor {} does not begin at a multiple of {alignment} bytes", tensor.name));
        }
        if end.is_none_or(|end| end > file_bytes) {
            return Err(format!("tensor {} does not fit the file; it is cut off; fetch it again", tensor.name));
        }
        places.push((tensor.offset, tensor.bytes, &tensor.name));
    }
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        Some(pair) => Err(format!("the tensors {} and {} lie in the same place", pair[0].2, pair[1].2)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
