//! Reads JSON of strangers: bounded in bytes, values and depth, and without the same key twice, of which one program
//! would read the first and another the last.

use std::{cell::Cell, fmt, fs::File, io::Read, path::Path};

use lull_types::Fault;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::broken;

/// What a file may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes.
    pub(super) bytes: u64,
    /// Numbers, texts, lists and tables together. Each takes less than a hundred bytes of memory beside its text.
    pub(super) values: u64,
}

/// For `tokenizer.json`: the largest in use has 2.5 million values in 33 MB.
pub(super) const TOKENIZER: Bounds = Bounds { bytes: 64 << 20, values: 5 << 20 };
/// For all other files of a model.
pub(super) const SETTINGS: Bounds = Bounds { bytes: 8 << 20, values: 1 << 19 };
/// How deep lists and tables may nest.
const DEPTH_MAX: u32 = 24;

/// Reads a file.
pub(super) fn read(path: &Path, bounds: Bounds) -> Result<Value, Fault> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(bounds.bytes + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(broken(path, "the file is missing; import the model again with it"));
        }
        Err(error) => return Err(broken(path, format!("it cannot be read: {error}"))),
        Ok(_) => {}
    }
    if bytes.len() as u64 > bounds.bytes {
        return Err(broken(path, format!("it is larger than {} MiB", bounds.bytes >> 20)));
    }
    parse(&bytes, bounds).map_err(|error| broken(path, format!("it is not valid JSON: {error}")))
}

/// Reads bytes; their number is the caller's to bound.
pub(super) fn parse(bytes: &[u8], bounds: Bounds) -> serde_json::Result<Value> {
    let left = Cell::new(bounds.values);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded { left: &left, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    left: &'a Cell<u64>,
    depth: u32,
}

impl Bounded<'_> {
    fn one_more<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("it holds too many values"))?;
        self.left.set(left);
        Ok(())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom("it nests too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.one_more()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(deeper)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut values = Map::new();
        while let Some(key) = table.next_key::<String>()? {
            let value = table.next_value_seed(deeper)?;
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands in it twice"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEW: Bounds = Bounds { bytes: 100, values: 10 };

    #[test]
    fn what_is_bounded_is_refused() {
        for (json, says) in [
            ("{\"a\":1,\"b\":2,\"a\":3}", "twice"),
            ("[1,2,3,4,5,6,7,8,9,10]", "too many"),
            (&"[".repeat(30), "too deep"),
            ("[1] 2", "trailing"),
            ("1e999", "out of range"),
            ("\"\u{1}\"", "control character"),
        ] {
            let error = parse(json.as_bytes(), Bounds { values: if says == "too deep" { 99 } else { 10 }, ..FEW });
            let error = error.unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), format!("\"{}\"", "x".repeat(99))).unwrap();
        assert!(read(path.path(), FEW).unwrap_err().message.contains("larger than"));
    }

    proptest! {
        #[test]
        fn what_serde_json_reads_is_read_alike(
            bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:0-9.eE\\u truefalsn\xff".to_vec()), 0..40),
        ) {
            let ours = parse(&bytes, SETTINGS);
            match serde_json::from_slice::<Value>(&bytes) {
                Ok(theirs) => if let Ok(ours) = ours { prop_assert_eq!(ours, theirs) },
                Err(_) => prop_assert!(ours.is_err()),
            }
        }
    }
}
