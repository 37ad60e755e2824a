//! Reads the header of a GGUF file, believing no length in it.

use std::{collections::HashMap, io::Read};

/// The longest header, in bytes: 260,000 tokens with their merges take 15 MB.
const HEADER_BYTES_MAX: u64 = 128 << 20;
/// The longest text in a header, in bytes.
const TEXT_BYTES_MAX: u64 = 4 << 20;
/// The longest name of a key or tensor, in bytes.
const NAME_BYTES_MAX: u64 = 256;
/// Elements of all lists in a header together. An engine may take a hundred bytes for each.
const ELEMENTS_MAX: u64 = 4 << 20;
/// The text of values that are kept, in bytes.
const KEPT_BYTES_MAX: usize = 256;

/// A value of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// An unsigned number of 32 bits, which is what sizes are by the format's rules.
    Size(u32),
    /// Another whole number that is not negative.
    Whole(u64),
    /// A number with a fraction.
    Real(f64),
    /// A short text.
    Text(String),
    /// A list, with its length.
    List(u64),
    /// Anything else.
    Other,
}

/// A tensor as its header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) name: String,
    /// The shortest stride first, as the format has it.
    pub(super) shape: Vec<u64>,
    /// Where it begins after the header, in bytes.
    pub(super) offset: u64,
    /// Its size, in bytes.
    pub(super) bytes: u64,
}

/// A header that is being read.
pub(super) struct Reader<R> {
    reader: R,
    at: u64,
    elements: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, at: 0, elements: 0 }
    }

    /// How many bytes have been read.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// The keys with their values.
    pub(super) fn keys(&mut self, count: u64) -> Result<HashMap<String, Value>, String> {
        let mut keys = HashMap::new();
        for _ in 0..count {
            let name = self.name()?;
            let kind = self.u32()?;
            let value = self.value(kind, false)?;
            if let Some((name, _)) = keys.get_key_value(&name) {
                return Err(format!("the key {name} stands in it twice"));
            }
            keys.insert(name, value);
        }
        Ok(keys)
    }

    pub(super) fn tensor(&mut self) -> Result<Tensor, String> {
        let name = self.name()?;
        let count = self.u32()?;
        if !(1..=4).contains(&count) {
            return Err(format!("tensor {name} has {count} dimensions, and 1 to 4 are possible"));
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
        Ok(Tensor { name, shape, offset: self.u64()?, bytes })
    }

    fn value(&mut self, kind: u32, in_list: bool) -> Result<Value, String> {
        let whole = |number: i64| u64::try_from(number).map_or(Value::Other, Value::Whole);
        Ok(match kind {
            0 => Value::Whole(u64::from(self.bytes::<1>()?[0])),
            1 => whole(i8::from_le_bytes(self.bytes()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.bytes()?).into()),
            3 => whole(i16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Size(self.u32()?),
            5 => whole(i32::from_le_bytes(self.bytes()?).into()),
            6 => Value::Real(f32::from_le_bytes(self.bytes()?).into()),
            7 if self.bytes::<1>()?[0] <= 1 => Value::Other,
            7 => return Err("a value in its header is neither true nor false".into()),
            8 => Value::Text(self.text(TEXT_BYTES_MAX, KEPT_BYTES_MAX)?),
            9 if in_list => return Err("a list in its header holds lists, which no model needs".into()),
            9 => self.list()?,
            10 => Value::Whole(self.u64()?),
            11 => whole(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Real(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(format!("a value in its header is of an unknown type ({kind})")),
        })
    }

    fn list(&mut self) -> Result<Value, String> {
        let (kind, length) = (self.u32()?, self.u64()?);
        self.elements = self.elements.saturating_add(length);
        if self.elements > ELEMENTS_MAX {
            return Err(format!("the lists in its header are longer than {ELEMENTS_MAX} elements"));
        }
        if kind > 12 {
            return Err(format!("a list in its header is of an unknown type ({kind})"));
        }
        for _ in 0..length {
            self.value(kind, true)?;
        }
        Ok(Value::List(length))
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.text(NAME_BYTES_MAX, NAME_BYTES_MAX as usize)?;
        // Of two names that differ in what nobody sees an engine may take the other one.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a name in its header is empty or not plain text; it is damaged".into());
        }
        Ok(name)
    }

    /// Reads a text and keeps its beginning.
    fn text(&mut self, bytes_max: u64, kept: usize) -> Result<String, String> {
        let length = self.u64()?;
        if length > bytes_max {
            return Err(format!("a text in its header is too long ({length} bytes, and {bytes_max} are possible)"));
        }
        self.advance(length)?;
        let mut bytes = Vec::new();
        let mut source = (&mut self.reader).take(length);
        (&mut source).take(kept as u64).read_to_end(&mut bytes).map_err(cut_off)?;
        let rest = std::io::copy(&mut source, &mut std::io::sink()).map_err(cut_off)?;
        if bytes.len() as u64 + rest < length {
            return Err(CUT_OFF.into());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.advance(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(cut_off)?;
        Ok(bytes)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), String> {
        self.at += bytes;
        if self.at > HEADER_BYTES_MAX {
            return Err(format!("its header is longer than {} MiB", HEADER_BYTES_MAX >> 20));
        }
        Ok(())
    }
}

const CUT_OFF: &str = "it is cut off inside its header; fetch it again";

fn cut_off(_: std::io::Error) -> String {
    CUT_OFF.into()
}

/// Elements and bytes of a block of a tensor type, for those types that files hold.
const fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        _ => return None,
    })
}
