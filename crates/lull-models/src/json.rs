use std::{
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use lull_types::{Code, Fault};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::fault::{self, broken};

/// The longest file of settings, such as config.json, in bytes.
pub(crate) const SETTINGS_BYTES_MAX: u64 = 1 << 20;
/// The longest tokenizer or its settings, in bytes.
pub(crate) const TOKENIZER_BYTES_MAX: u64 = 256 << 20;
/// The longest chat template, in bytes.
pub(crate) const TEMPLATE_BYTES_MAX: u64 = 1 << 20;
/// The longest table of shards, in bytes.
pub(crate) const INDEX_BYTES_MAX: u64 = 64 << 20;

/// Reads one JSON value and nothing after it.
pub(crate) fn read<T: DeserializeOwned>(reader: impl Read) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let value = T::deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        if error.is_io() {
            return Fault::new(Code::Storage, format!("it cannot be read: {error}; try again"));
        }
        broken(format!("not the JSON it should be: {error}; download the file again"))
    })
}

/// Reads a JSON file of at most `bytes_max` bytes.
pub(crate) fn read_file<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> Result<T, Fault> {
    let (file, bytes) = open(path, bytes_max)?;
    read(BufReader::new(file.take(bytes))).map_err(|fault| fault::at(path.display(), &fault))
}

/// Opens a file that is neither empty nor longer than `bytes_max`; gives its length too.
pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<(File, u64), Fault> {
    let metadata = std::fs::metadata(path).map_err(|error| fault::io("read", path, &error))?;
    if !metadata.is_file() {
        return Err(broken(format!("{}: not a file; give a regular file", path.display())));
    }
    let bytes = metadata.len();
    if bytes == 0 {
        return Err(broken(format!("{}: the file is empty; download it again", path.display())));
    }
    if bytes > bytes_max {
        return Err(broken(format!("{}: {bytes} bytes; at most {bytes_max} are possible", path.display())));
    }
    let file = File::open(path).map_err(|error| fault::io("read", path, &error))?;
    Ok((file, bytes))
}

/// Any JSON object, of which nothing is kept.
pub(crate) struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// What every tokenizer.json has, of which nothing is kept.
pub(crate) struct Tokenizer;

impl<'de> Deserialize<'de> for Tokenizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Tokenizer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tokenizer")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokenizer, A::Error> {
                let mut model = false;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "model" {
                        model = true;
                        map.next_value::<Object>()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                if model { Ok(Tokenizer) } else { Err(A::Error::custom("it has no \"model\"")) }
            }
        }
        deserializer.deserialize_map(Each)
    }
}
