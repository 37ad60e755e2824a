use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use lull_types::Fault;

use super::broken;

/// Keys or tensors that a header may announce.
const ENTRIES_MAX: u64 = 1 << 16;
/// The longest text in a header, in bytes.
const TEXT_BYTES_MAX: u64 = 16 << 20;
/// The longest header, in bytes.
const HEADER_BYTES_MAX: u64 = 256 << 20;
/// Elements of all lists in a header together.
const ELEMENTS_MAX: u64 = 32 << 20;
/// Architectures that mistral.rs can run on a CPU.
const ARCHITECTURES: [&str; 7] = ["llama", "mistral3", "phi2", "phi3", "starcoder2", "qwen2", "qwen3"];

/// Checks a header and that every tensor lies inside the file; gives the rows of the token embedding.
pub(super) fn check(path: &Path) -> Result<Option<u64>, Fault> {
    let unreadable = |error: std::io::Error| broken(path, format!("it cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut header = Header { reader: BufReader::new(file), at: 0, elements: 0 };
    header.check(bytes).map_err(|what| broken(path, what))
}

struct Header {
    reader: BufReader<File>,
    at: u64,
    elements: u64,
}

/// A value that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(u64),
    Other,
}

/// A tensor's place: where it begins after the header, and its size, in bytes.
struct Place {
    name: String,
    offset: u64,
    bytes: u64,
}

impl Header {
    fn check(&mut self, file_bytes: u64) -> Result<Option<u64>, String> {
        if &self.bytes::<4>()? != b"GGUF" {
            return Err("it is not a GGUF file; it is damaged, or a download page was saved in its place".into());
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(format!("it is GGUF version {version}, and this worker reads 2 and 3"));
        }
        let (tensors, keys) = (self.u64()?, self.u64()?);
        if tensors == 0 || tensors > ENTRIES_MAX || keys > ENTRIES_MAX {
            return Err(format!("its header announces {tensors} tensors and {keys} keys, which cannot be"));
        }
        let alignment = self.check_keys(keys)?;
        let (mut places, mut rows) = (Vec::new(), None);
        for _ in 0..tensors {
            let (place, shape) = self.tensor()?;
            if place.name == "token_embd.weight" {
                rows = shape.get(1).copied();
            }
            places.push(place);
        }
        let data = self.at.next_multiple_of(alignment);
        for place in places {
            let end = data.checked_add(place.offset).and_then(|from| from.checked_add(place.bytes));
            if place.offset % alignment != 0 || end.is_none_or(|end| end > file_bytes) {
                return Err(format!("tensor {} does not fit the file; it is cut off; fetch it again", place.name));
            }
        }
        rows.map(Some).ok_or_else(|| "it has no token embedding; it is not a language model".into())
    }

    /// Reads the keys; gives the alignment of tensors.
    fn check_keys(&mut self, keys: u64) -> Result<u64, String> {
        let mut found = HashMap::new();
        for _ in 0..keys {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0)?;
            found.insert(key, value);
        }
        let Some(Value::Text(architecture)) = found.get("general.architecture") else {
            return Err("its header names no architecture".into());
        };
        if !ARCHITECTURES.contains(&architecture.as_str()) {
            let name: String = architecture.chars().take(40).collect();
            return Err(format!("the architecture \"{name}\" is not one that mistral.rs can run here"));
        }
        for key in ["block_count", "embedding_length", "attention.head_count", "context_length"] {
            if !matches!(found.get(&format!("{architecture}.{key}")), Some(Value::Number(1..))) {
                return Err(format!("its header lacks {architecture}.{key}"));
            }
        }
        match found.get("general.alignment") {
            None => Ok(32),
            Some(&Value::Number(alignment)) if alignment.is_power_of_two() && alignment <= 1 << 20 => Ok(alignment),
            Some(_) => Err("its alignment is not a power of two".into()),
        }
    }

    fn tensor(&mut self) -> Result<(Place, Vec<u64>), String> {
        let name: String = self.text()?.chars().take(80).collect();
        let count = self.u32()?;
        if !(1..=4).contains(&count) {
            return Err(format!("tensor {name} has {count} dimensions"));
        }
        let shape = (0..count).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        let kind = self.u32()?;
        let (block, block_bytes) =
            block(kind).ok_or_else(|| format!("tensor {name} is of a type ({kind}) that mistral.rs cannot read"))?;
        let elements = shape.iter().try_fold(1_u64, |product, &side| product.checked_mul(side));
        let bytes = elements
            .filter(|&elements| elements > 0 && shape[0] % block == 0)
            .and_then(|elements| (elements / block).checked_mul(block_bytes))
            .ok_or_else(|| format!("tensor {name} has an impossible shape"))?;
        Ok((Place { name, offset: self.u64()?, bytes }, shape))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, String> {
        Ok(match kind {
            0 | 7 => Value::Number(u64::from(self.bytes::<1>()?[0])),
            2 => Value::Number(u16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Number(self.u32()?.into()),
            10 => Value::Number(self.u64()?),
            // Signed numbers are sizes here too, where they are not negative.
            5 => u64::try_from(i32::from_le_bytes(self.bytes()?)).map_or(Value::Other, Value::Number),
            11 => u64::try_from(i64::from_le_bytes(self.bytes()?)).map_or(Value::Other, Value::Number),
            1 => self.skip::<1>()?,
            3 => self.skip::<2>()?,
            6 => self.skip::<4>()?,
            12 => self.skip::<8>()?,
            8 => Value::Text(self.text()?),
            9 if depth == 0 => self.list()?,
            _ => return Err(format!("a value in its header is of an unknown type ({kind})")),
        })
    }

    fn list(&mut self) -> Result<Value, String> {
        let (kind, length) = (self.u32()?, self.u64()?);
        self.elements = self.elements.saturating_add(length);
        if self.elements > ELEMENTS_MAX {
            return Err("its header is too long".into());
        }
        for _ in 0..length {
            self.value(kind, 1)?;
        }
        Ok(Value::Other)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u64()?;
        if length > TEXT_BYTES_MAX || self.at > HEADER_BYTES_MAX {
            return Err("a text in its header is too long".into());
        }
        let mut bytes = Vec::new();
        (&mut self.reader).take(length).read_to_end(&mut bytes).map_err(cut_off)?;
        if (bytes.len() as u64) < length {
            return Err("it is cut off inside its header; fetch it again".into());
        }
        self.at += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip<const N: usize>(&mut self) -> Result<Value, String> {
        self.bytes::<N>().map(|_| Value::Other)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(cut_off)?;
        self.at += N as u64;
        Ok(bytes)
    }
}

fn cut_off(_: std::io::Error) -> String {
    "it is cut off inside its header; fetch it again".into()
}

/// Elements and bytes of a block of a tensor type.
const fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    /// A tiny file that passes: one tensor of 4 rows of 32 numbers.
    fn good() -> Vec<u8> {
        let mut bytes = [&b"GGUF"[..], &3_u32.to_le_bytes(), &1_u64.to_le_bytes(), &6_u64.to_le_bytes()].concat();
        bytes.extend([text("general.architecture"), 8_u32.to_le_bytes().into(), text("llama")].concat());
        for key in ["block_count", "embedding_length", "attention.head_count", "context_length"] {
            bytes.extend(
                [text(&format!("llama.{key}")), 4_u32.to_le_bytes().into(), 7_u32.to_le_bytes().into()].concat(),
            );
        }
        let list = [9_u32.to_le_bytes(), 6_u32.to_le_bytes(), 2_u32.to_le_bytes(), [0; 4]].concat();
        bytes.extend([text("a.list"), list, vec![0; 8]].concat());
        let shape = [32_u64.to_le_bytes(), 4_u64.to_le_bytes()].concat();
        let place = [8_u32.to_le_bytes().as_slice(), &0_u64.to_le_bytes()].concat();
        bytes.extend([text("token_embd.weight"), 2_u32.to_le_bytes().into(), shape, place].concat());
        bytes.resize(bytes.len().next_multiple_of(32) + 4 * 34, 0);
        bytes
    }

    fn checked(bytes: &[u8]) -> Result<Option<u64>, Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check(file.path())
    }

    #[test]
    fn a_good_file_passes_and_every_shorter_one_fails() {
        let good = good();
        assert_eq!(checked(&good).unwrap(), Some(4));
        for length in 0..good.len() {
            assert!(checked(&good[..length]).is_err(), "cut off at {length}");
        }
    }

    proptest! {
        #[test]
        fn any_harm_gives_an_answer(harm in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            let mut bytes = good();
            for (at, byte) in harm {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Err(fault) = checked(&bytes) {
                prop_assert!(fault.message.len() < 400, "{}", fault);
            }
        }
    }
}
