use std::{
    collections::HashSet,
    fmt,
    io::{BufReader, Read},
};

use lull_types::{Code, Fault};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{fault::broken, json};

/// The longest header, in bytes: the format's own bound.
const HEADER_BYTES_MAX: u64 = 100_000_000;
/// The most tensors in one file.
const TENSORS_MAX: usize = 1 << 18;
/// The longest tensor name, in bytes.
const NAME_BYTES_MAX: usize = 512;
/// The most dimensions of a tensor.
const DIMENSIONS_MAX: usize = 8;

/// What a safetensors file's header says, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafetensorsHeader {
    /// The names of its tensors.
    pub tensors: HashSet<String>,
    /// How many weights it holds.
    pub parameters: u64,
}

/// Reads the header of a safetensors file of `bytes` bytes and checks it, without reading any weights.
///
/// # Errors
/// [`Code::ModelBroken`] for a file that breaks its format or its bounds, [`Code::Storage`] when it cannot be read.
/// The sentence does not name the file.
pub fn safetensors_header(reader: impl Read, bytes: u64) -> Result<SafetensorsHeader, Fault> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    if bytes < 8 {
        return Err(broken(format!("the file has {bytes} bytes, too few for a safetensors file; download it again")));
    }
    let mut length = [0; 8];
    let unreadable = |error| Fault::new(Code::Storage, format!("the header cannot be read: {error}; try again"));
    reader.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_BYTES_MAX || length > bytes - 8 {
        return Err(broken(format!(
            "not a safetensors file, or cut off: it claims a header of {length} bytes, has {}, and at most \
             {HEADER_BYTES_MAX} are possible; download it again",
            bytes - 8
        )));
    }
    let table: Table = json::read(reader.take(length))?;
    let mut extents = table.extents;
    extents.sort_unstable();
    let mut at = 0;
    for (begin, end) in extents {
        if begin != at {
            return Err(broken(format!("at byte {at} of the data tensors overlap or leave a hole; download it again")));
        }
        at = end;
    }
    if at != bytes - 8 - length {
        let have = bytes - 8 - length;
        return Err(broken(format!("the tensors need {at} bytes of data, the file has {have}; download it again")));
    }
    Ok(SafetensorsHeader { tensors: table.names, parameters: table.parameters })
}

#[derive(Default)]
struct Table {
    names: HashSet<String>,
    extents: Vec<(u64, u64)>,
    parameters: u64,
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
        let mut table = Table::default();
        let mut metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                if std::mem::replace(&mut metadata, true) {
                    return Err(A::Error::custom("__metadata__ is there twice"));
                }
                map.next_value::<Texts>()?;
                continue;
            }
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(A::Error::custom(format!("a tensor's name has {} bytes", name.len())));
            }
            let entry: Entry = map.next_value()?;
            let (weights, bytes) = entry.size().ok_or_else(|| A::Error::custom("a tensor's size is impossible"))?;
            let (begin, end) = entry.data_offsets;
            if end.checked_sub(begin) != Some(bytes) {
                return Err(A::Error::custom(format!("the tensor {name:?} needs {bytes} bytes, not {begin} to {end}")));
            }
            table.parameters = table.parameters.saturating_add(weights);
            table.extents.push((begin, end));
            if table.extents.len() > TENSORS_MAX {
                return Err(A::Error::custom(format!("more than {TENSORS_MAX} tensors")));
            }
            if let Some(twice) = table.names.replace(name) {
                return Err(A::Error::custom(format!("the tensor {twice:?} is there twice")));
            }
        }
        if table.names.is_empty() { Err(A::Error::custom("there are no tensors")) } else { Ok(table) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

impl Entry {
    /// Numbers and bytes.
    fn size(&self) -> Option<(u64, u64)> {
        let numbers = self.shape.0.iter().try_fold(1_u64, |product, &length| product.checked_mul(length))?;
        Some((numbers, numbers.checked_mul(self.dtype.bytes())?))
    }
}

/// The types that the engines here read.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Dtype {
    #[serde(rename = "BOOL", alias = "U8", alias = "I8", alias = "F8_E4M3")]
    One,
    #[serde(rename = "F16", alias = "BF16", alias = "I16")]
    Two,
    #[serde(rename = "F32", alias = "I32", alias = "U32")]
    Four,
    #[serde(rename = "F64", alias = "I64", alias = "U64")]
    Eight,
}

impl Dtype {
    const fn bytes(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// A few lengths; more are refused before they take memory.
struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lengths;
        impl<'de> Visitor<'de> for Lengths {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of lengths")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut lengths = Vec::new();
                while let Some(length) = seq.next_element()? {
                    if lengths.len() == DIMENSIONS_MAX {
                        return Err(A::Error::custom(format!("more than {DIMENSIONS_MAX} dimensions")));
                    }
                    lengths.push(length);
                }
                Ok(Shape(lengths))
            }
        }
        deserializer.deserialize_seq(Lengths)
    }
}

/// An object whose values are texts, of which nothing is kept.
struct Texts;

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                while map.next_entry::<IgnoredAny, String>()?.is_some() {}
                Ok(Texts)
            }
        }
        deserializer.deserialize_map(Each)
    }
}
