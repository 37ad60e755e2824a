use std::{
    collections::{BTreeMap, HashSet},
    io::{self, BufReader, Read, Seek},
};

use lull_types::{Code, Fault};

use crate::{
    Facts,
    fault::{broken, unsupported},
    types::{ggml, value_bytes},
};

/// The longest header, in bytes.
const HEADER_BYTES_MAX: u64 = 256 << 20;
/// The most metadata entries.
const ENTRIES_MAX: u64 = 1 << 16;
/// The most tensors.
const TENSORS_MAX: u64 = 1 << 16;
/// The longest key or tensor name, in bytes.
const NAME_BYTES_MAX: u64 = 1024;
/// The most elements of one array: an engine needs up to 32 bytes of memory for each.
const ELEMENTS_MAX: u64 = 1 << 22;
/// The longest string that is kept, in bytes; longer ones are only skipped.
const KEPT_BYTES_MAX: u64 = 4096;
/// The most dimensions of a tensor.
const DIMENSIONS_MAX: u32 = 4;
/// The widest alignment, in bytes.
const ALIGNMENT_MAX: u64 = 1 << 16;
/// The alignment of files that name none, in bytes.
const ALIGNMENT_DEFAULT: u64 = 32;
/// What lies beyond is no number of layers, heads or features.
const SIZE_MAX: u64 = 1 << 24;
/// The networks that the engines here run from GGUF on a CPU.
const ARCHITECTURES: [&str; 7] = ["llama", "mistral3", "phi2", "phi3", "starcoder2", "qwen2", "qwen3"];
/// The entries that are kept, by the end of their key.
const KEPT: [&str; 9] = [
    "general.architecture",
    "general.license",
    "general.alignment",
    "split.count",
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".attention.head_count",
    ".feed_forward_length",
];

const KIND_STRING: u32 = 8;
const KIND_ARRAY: u32 = 9;

/// Reads a GGUF header of a file of `bytes` bytes and checks it, without reading or allocating any weights.
///
/// # Errors
/// [`Code::ModelBroken`] for a file that breaks its format or its bounds, [`Code::Unsupported`] for a sound one that
/// no engine here runs, [`Code::Storage`] when it cannot be read. The sentence does not name the file.
pub fn gguf_header(reader: impl Read + Seek, bytes: u64) -> Result<Facts, Fault> {
    let mut header = Header { reader: BufReader::with_capacity(64 << 10, reader), at: 0, end: bytes };
    let (tensors, entries) = opening(&mut header)?;
    let metadata = metadata(&mut header, entries)?;
    let architecture = architecture(&metadata)?;
    let context = sizes(&metadata, &architecture)?;
    let alignment = alignment(&metadata)?;
    let parameters = tensor_table(&mut header, tensors, alignment, bytes)?;
    let license = match metadata.get("general.license") {
        Some(Kept::Text(text)) => Some(text.clone()),
        _ => None,
    };
    Ok(Facts { architecture, parameters: Some(parameters), context, license })
}

/// A value worth keeping.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Text(String),
    Number(u64),
    Other,
}

/// Reads forwards, and never beyond the file's end.
struct Header<R> {
    reader: BufReader<R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Header<R> {
    fn claim(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.end - self.at {
            let (at, left) = (self.at, self.end - self.at);
            return Err(broken(format!(
                "the file ends too early: at byte {at} it claims {bytes} more bytes of header and has {left}; \
                 download or convert it again"
            )));
        }
        self.at += bytes;
        if self.at > HEADER_BYTES_MAX {
            return Err(broken(format!("the header is longer than {HEADER_BYTES_MAX} bytes; it is no usual model")));
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| unreadable(&error))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.take().map(u64::from_le_bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        self.claim(bytes)?;
        let bytes = i64::try_from(bytes).map_err(|_| broken("a value is too long"))?;
        self.reader.seek_relative(bytes).map_err(|error| unreadable(&error))
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, Fault> {
        self.claim(count)?;
        let mut bytes = Vec::new();
        self.reader.by_ref().take(count).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        Ok(bytes)
    }

    /// A key or tensor name.
    fn name(&mut self, what: &str) -> Result<String, Fault> {
        let at = self.at;
        let length = self.u64()?;
        if length == 0 || length > NAME_BYTES_MAX {
            return Err(broken(format!(
                "the {what} at byte {at} claims {length} bytes; 1 to {NAME_BYTES_MAX} are possible"
            )));
        }
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes).map_err(|_| broken(format!("the {what} at byte {at} is not UTF-8")))
    }
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::new(Code::Storage, format!("the header cannot be read: {error}; try again"))
}

/// Magic, version and the two counts.
fn opening<R: Read + Seek>(header: &mut Header<R>) -> Result<(u64, u64), Fault> {
    if header.end == 0 {
        return Err(broken("the file is empty; download or convert it again"));
    }
    let magic: [u8; 4] = header.take()?;
    if magic != *b"GGUF" {
        let seen = magic.map(|byte| format!("{byte:02x}")).join(" ");
        return Err(broken(format!("not a GGUF file: it begins with the bytes {seen}; give a .gguf file")));
    }
    match header.u32()? {
        2 | 3 => {}
        1 => return Err(unsupported("GGUF version 1 is too old; convert the model again to version 3")),
        version if matches!(version.swap_bytes(), 1..=3) => {
            return Err(unsupported("a big-endian GGUF file; get the little-endian one"));
        }
        version => return Err(unsupported(format!("GGUF version {version} is unknown; 2 and 3 are supported"))),
    }
    let (tensors, entries) = (header.u64()?, header.u64()?);
    if tensors == 0 || tensors > TENSORS_MAX {
        return Err(broken(format!("the header claims {tensors} tensors; a model has 1 to {TENSORS_MAX}")));
    }
    if entries == 0 || entries > ENTRIES_MAX {
        return Err(broken(format!("the header claims {entries} metadata entries; 1 to {ENTRIES_MAX} are possible")));
    }
    Ok((tensors, entries))
}

fn metadata<R: Read + Seek>(header: &mut Header<R>, entries: u64) -> Result<BTreeMap<String, Kept>, Fault> {
    let mut seen = HashSet::new();
    let mut kept = BTreeMap::new();
    for _ in 0..entries {
        let key = header.name("metadata key")?;
        let value = value(header, &key)?;
        if KEPT.iter().any(|end| key.ends_with(end)) {
            kept.insert(key.clone(), value);
        }
        if let Some(twice) = seen.replace(key) {
            return Err(broken(format!("the metadata key {twice:?} is there twice")));
        }
    }
    Ok(kept)
}

fn value<R: Read + Seek>(header: &mut Header<R>, key: &str) -> Result<Kept, Fault> {
    let kind = header.u32()?;
    match kind {
        KIND_STRING => {
            let length = header.u64()?;
            if length > KEPT_BYTES_MAX {
                header.skip(length)?;
                return Ok(Kept::Other);
            }
            let bytes = header.bytes(length)?;
            Ok(String::from_utf8(bytes).map_or(Kept::Other, Kept::Text))
        }
        KIND_ARRAY => array(header, key).map(|()| Kept::Other),
        0 => header.take::<1>().map(|[byte]| Kept::Number(byte.into())),
        2 => header.take().map(|bytes| Kept::Number(u16::from_le_bytes(bytes).into())),
        // A signed count is taken as it is written by some tools; a negative one becomes too large to pass.
        4 | 5 => header.u32().map(|number| Kept::Number(number.into())),
        10 | 11 => header.u64().map(Kept::Number),
        7 => match header.take()? {
            [0 | 1] => Ok(Kept::Other),
            [byte] => Err(broken(format!("{key:?} is neither true nor false but {byte}"))),
        },
        _ => match value_bytes(kind) {
            Some(bytes) => header.skip(bytes).map(|()| Kept::Other),
            None => Err(broken(format!("{key:?} has the unknown type {kind}"))),
        },
    }
}

fn array<R: Read + Seek>(header: &mut Header<R>, key: &str) -> Result<(), Fault> {
    let kind = header.u32()?;
    let count = header.u64()?;
    if count > ELEMENTS_MAX {
        return Err(broken(format!("{key:?} claims {count} elements; at most {ELEMENTS_MAX} are possible")));
    }
    if kind == KIND_STRING {
        for _ in 0..count {
            let length = header.u64()?;
            header.skip(length)?;
        }
        return Ok(());
    }
    match value_bytes(kind) {
        Some(bytes) => header.skip(bytes * count),
        None if kind == KIND_ARRAY => Err(unsupported(format!("{key:?} is a list of lists"))),
        None => Err(broken(format!("{key:?} is a list of the unknown type {kind}"))),
    }
}

fn architecture(metadata: &BTreeMap<String, Kept>) -> Result<String, Fault> {
    if let Some(Kept::Number(count)) = metadata.get("split.count")
        && *count > 1
    {
        return Err(unsupported(format!(
            "one of {count} parts of a split model; join them with: llama-gguf-split --merge"
        )));
    }
    let Some(Kept::Text(name)) = metadata.get("general.architecture") else {
        return Err(broken("general.architecture is missing; convert the model again"));
    };
    if name == "qwen3moe" {
        return Err(unsupported("qwen3moe cannot run on a CPU; take a model that is not a mixture of experts"));
    }
    if !ARCHITECTURES.contains(&name.as_str()) {
        let name: String = name.chars().take(80).collect();
        return Err(unsupported(format!("the architecture {name:?} is not one of {}", ARCHITECTURES.join(", "))));
    }
    Ok(name.clone())
}

/// Checks the network's sizes; gives its context, in tokens.
fn sizes(metadata: &BTreeMap<String, Kept>, architecture: &str) -> Result<u32, Fault> {
    let size = |name: &str| {
        let key = format!("{architecture}.{name}");
        match metadata.get(&key) {
            Some(Kept::Number(number)) if (1..=SIZE_MAX).contains(number) => Ok(*number),
            Some(Kept::Number(number)) => Err(broken(format!("{key} is {number}; 1 to {SIZE_MAX} are possible"))),
            Some(_) => Err(broken(format!("{key} is not a number"))),
            None => Err(broken(format!("{key} is missing; convert the model again"))),
        }
    };
    let (features, heads) = (size("embedding_length")?, size("attention.head_count")?);
    size("block_count")?;
    if heads > features {
        return Err(broken(format!("{heads} attention heads share {features} features")));
    }
    u32::try_from(size("context_length")?).map_err(|_| broken("the context is too long"))
}

fn alignment(metadata: &BTreeMap<String, Kept>) -> Result<u64, Fault> {
    match metadata.get("general.alignment") {
        None => Ok(ALIGNMENT_DEFAULT),
        Some(Kept::Number(bytes)) if bytes.is_power_of_two() && *bytes <= ALIGNMENT_MAX => Ok(*bytes),
        Some(Kept::Number(bytes)) => {
            Err(broken(format!("general.alignment is {bytes}; a power of two up to {ALIGNMENT_MAX} is possible")))
        }
        Some(_) => Err(broken("general.alignment is not a number")),
    }
}

/// Where a tensor lies behind the header, in bytes.
struct Extent {
    begin: u64,
    end: u64,
}

/// Checks every tensor against the file; gives the number of weights.
fn tensor_table<R: Read + Seek>(
    header: &mut Header<R>,
    tensors: u64,
    alignment: u64,
    bytes: u64,
) -> Result<u64, Fault> {
    let mut names = HashSet::new();
    let mut extents = Vec::new();
    let mut parameters = 0_u64;
    for _ in 0..tensors {
        let name = header.name("tensor name")?;
        let (weights, extent) = tensor(header, &name, alignment)?;
        parameters = parameters.saturating_add(weights);
        extents.push(extent);
        if let Some(twice) = names.replace(name) {
            return Err(broken(format!("the tensor {twice:?} is there twice")));
        }
    }
    if !names.contains("token_embd.weight") {
        return Err(broken("the tensor token_embd.weight is missing; this is no whole language model"));
    }
    let data = header.at.next_multiple_of(alignment);
    extents.sort_by_key(|extent| extent.begin);
    if extents.windows(2).any(|pair| pair[1].begin < pair[0].end) {
        return Err(broken("two tensors overlap; download or convert the file again"));
    }
    let last = extents.last().map_or(0, |extent| extent.end);
    match data.checked_add(last) {
        Some(needed) if needed <= bytes => Ok(parameters),
        _ => Err(broken(format!(
            "the tensors reach {last} bytes beyond the header, and the file has {} there; download it again",
            bytes.saturating_sub(data)
        ))),
    }
}

fn tensor<R: Read + Seek>(header: &mut Header<R>, name: &str, alignment: u64) -> Result<(u64, Extent), Fault> {
    let dimensions = header.u32()?;
    if dimensions == 0 || dimensions > DIMENSIONS_MAX {
        return Err(broken(format!(
            "the tensor {name:?} has {dimensions} dimensions; 1 to {DIMENSIONS_MAX} are possible"
        )));
    }
    let mut weights = 1_u64;
    let mut row = 0;
    for dimension in 0..dimensions {
        let length = header.u64()?;
        row = if dimension == 0 { length } else { row };
        weights = weights
            .checked_mul(length)
            .filter(|&weights| weights > 0)
            .ok_or_else(|| broken(format!("the size of the tensor {name:?} is impossible")))?;
    }
    let kind = header.u32()?;
    let begin = header.u64()?;
    let block = ggml(kind).ok_or_else(|| {
        unsupported(format!(
            "the tensor {name:?} has the type {kind}, which the engine cannot read; take a file in Q8_0 or Q4_K_M"
        ))
    })?;
    if row % block.numbers != 0 {
        return Err(broken(format!(
            "the rows of the tensor {name:?} have {row} numbers, not a multiple of {}",
            block.numbers
        )));
    }
    let extent = (weights / block.numbers)
        .checked_mul(block.bytes)
        .and_then(|length| Some(Extent { begin, end: begin.checked_add(length)? }))
        .ok_or_else(|| broken(format!("the tensor {name:?} lies beyond the end of any file")))?;
    if begin % alignment != 0 {
        return Err(broken(format!("the tensor {name:?} begins at {begin}, not a multiple of {alignment}")));
    }
    Ok((weights, extent))
}
