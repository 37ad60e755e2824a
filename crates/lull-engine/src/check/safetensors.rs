use std::{fs::File, io::Read, path::Path};

use lull_types::Fault;
use serde_json::Value;

use super::broken;

/// The longest header, in bytes.
const HEADER_BYTES_MAX: u64 = 100 << 20;

/// Checks that every tensor lies inside the file.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    let unreadable = |error| broken(path, format!("it cannot be read: {error}"));
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| broken(path, "it is cut off before its header; fetch it again"))?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_BYTES_MAX || length + 8 > bytes {
        return Err(broken(path, "its header is longer than the file; it is cut off or not safetensors"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(unreadable)?;
    let header: Value = serde_json::from_slice(&header)
        .map_err(|_| broken(path, "its header is not JSON; it is damaged or not safetensors"))?;
    let tensors = header.as_object().ok_or_else(|| broken(path, "its header is not a table of tensors"))?;
    let mut any = false;
    for (name, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        any = true;
        if !fits(tensor, bytes - 8 - length) {
            let name: String = name.chars().take(80).collect();
            return Err(broken(path, format!("tensor {name} does not fit the file; it is cut off; fetch it again")));
        }
    }
    if any { Ok(()) } else { Err(broken(path, "it holds no tensors")) }
}

fn fits(tensor: &Value, data_bytes: u64) -> bool {
    let fits = || {
        let from = tensor.pointer("/data_offsets/0")?.as_u64()?;
        let to = tensor.pointer("/data_offsets/1")?.as_u64()?;
        let width = match tensor.get("dtype")?.as_str()? {
            "F64" | "I64" | "U64" => 8,
            "F32" | "I32" | "U32" => 4,
            "F16" | "BF16" | "I16" | "U16" => 2,
            "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => 1,
            _ => return None,
        };
        let shape = tensor.get("shape")?.as_array()?;
        let size = shape.iter().try_fold(width, |size: u64, side| size.checked_mul(side.as_u64()?))?;
        Some(from.checked_add(size)? == to && to <= data_bytes)
    };
    fits().unwrap_or(false)
}
