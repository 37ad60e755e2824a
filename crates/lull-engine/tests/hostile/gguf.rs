//! GGUF files: the demo model's, taken apart and put together wrongly.

use crate::corpus::{Case, Dice, Expect, GGUF, original};

/// A header in its parts.
#[derive(Clone)]
struct Parts {
    start: Vec<u8>,
    keys: Vec<Key>,
    tensors: Vec<Tensor>,
    data: Vec<u8>,
}

#[derive(Clone)]
struct Key {
    name: Vec<u8>,
    kind: u32,
    value: Vec<u8>,
}

#[derive(Clone)]
struct Tensor {
    name: Vec<u8>,
    shape: Vec<u64>,
    kind: u32,
    offset: u64,
}

fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

impl Parts {
    /// Takes the demo model's file apart.
    fn original() -> Self {
        let bytes = original(GGUF);
        let mut at = 24;
        let number = |at: &mut usize, width: usize| {
            let mut number = [0; 8];
            number[..width].copy_from_slice(&bytes[*at..*at + width]);
            *at += width;
            u64::from_le_bytes(number)
        };
        let name = |at: &mut usize| {
            let length = number(at, 8) as usize;
            *at += length;
            bytes[*at - length..*at].to_vec()
        };
        let (count, keys) = (number(&mut 8, 8), number(&mut 16, 8));
        let width = |kind| match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            _ => 8,
        };
        let keys = (0..keys).map(|_| {
            let name = name(&mut at);
            let kind = number(&mut at, 4) as u32;
            let from = at;
            let skip =
                |kind, at: &mut usize| if kind == 8 { *at += number(at, 8) as usize } else { *at += width(kind) };
            if kind == 9 {
                let (kind, length) = (number(&mut at, 4) as u32, number(&mut at, 8));
                (0..length).for_each(|_| skip(kind, &mut at));
            } else {
                skip(kind, &mut at);
            }
            Key { name, kind, value: bytes[from..at].to_vec() }
        });
        let keys = keys.collect();
        let tensors = (0..count).map(|_| {
            let name = name(&mut at);
            let shape = (0..number(&mut at, 4)).map(|_| number(&mut at, 8)).collect();
            Tensor { name, shape, kind: number(&mut at, 4) as u32, offset: number(&mut at, 8) }
        });
        let tensors = tensors.collect();
        let data = bytes[at.next_multiple_of(32)..].to_vec();
        Self { start: bytes[..8].to_vec(), keys, tensors, data }
    }

    /// Puts it together, and says where each key and tensor begins.
    fn write(&self) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = self.start.clone();
        let mut places = vec![0, 4, 8, 16, 24];
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for key in &self.keys {
            places.push(bytes.len());
            bytes.extend(text(&key.name));
            places.push(bytes.len());
            bytes.extend([&key.kind.to_le_bytes()[..], &key.value].concat());
        }
        for tensor in &self.tensors {
            places.push(bytes.len());
            bytes.extend([text(&tensor.name), (tensor.shape.len() as u32).to_le_bytes().into()].concat());
            tensor.shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
            bytes.extend([&tensor.kind.to_le_bytes()[..], &tensor.offset.to_le_bytes()].concat());
        }
        places.push(bytes.len());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(&self.data);
        (bytes, places)
    }

    fn key(&mut self, name: &str) -> &mut Key {
        self.keys.iter_mut().find(|key| key.name == name.as_bytes()).unwrap()
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let good = Parts::original();
    assert_eq!(good.write().0, original(GGUF), "taken apart and put together it is the same");
    let mut cases =
        [cut_off(&good), starts(&good), keys(&good), sizes(&good), tensors(&good), lists(&good)].concat_cases();
    let mut dice = Dice::new(4);
    let (bytes, places) = good.write();
    let header = *places.last().unwrap();
    for number in 0..60 {
        cases.push(Case::gguf(format!("bytes changed {number}"), dice.harm(&bytes, header), Expect::Anything));
    }
    for number in 0..10 {
        let harmed = dice.harm(&bytes, bytes.len());
        cases.push(Case::gguf(format!("weights changed {number}"), harmed, Expect::Anything));
    }
    cases
}

trait Concat {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> Concat for [Vec<Case>; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

fn case(name: String, good: &Parts, change: impl FnOnce(&mut Parts)) -> Case {
    let mut parts = good.clone();
    change(&mut parts);
    Case::gguf(name, parts.write().0, Expect::Broken)
}

/// Cut off where anything begins.
fn cut_off(good: &Parts) -> Vec<Case> {
    let (bytes, places) = good.write();
    let header = places.last().unwrap().next_multiple_of(32);
    let data = good.tensors.iter().map(|tensor| header + tensor.offset as usize);
    let places = places.iter().copied().chain(data).chain([bytes.len() - 1]);
    places.map(|at| Case::gguf(format!("cut off at {at}"), bytes[..at].to_vec(), Expect::Broken)).collect()
}

/// Magic, version and counts.
fn starts(good: &Parts) -> Vec<Case> {
    let bytes = good.write().0;
    let patch = |name: String, at: usize, patch: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        Case::gguf(name, bytes, Expect::Broken)
    };
    let mut cases = Vec::new();
    for magic in [b"GGML", b"FUGG", b"\0\0\0\0", b"PK\x03\x04", b"\x7fELF", b"{\"a\""] {
        cases.push(patch(format!("magic {magic:?}"), 0, magic));
    }
    for version in [0, 1, 4, 99, 3 << 24, u32::MAX] {
        cases.push(patch(format!("version {version}"), 4, &version.to_le_bytes()));
    }
    for count in [0, 28, 30, 1 << 16, (1 << 16) + 1, 1 << 32, 1 << 63, u64::MAX] {
        cases.push(patch(format!("{count} tensors"), 8, &count.to_le_bytes()));
        cases.push(patch(format!("{count} keys"), 16, &count.to_le_bytes()));
    }
    cases
}

const NEEDED: [&str; 8] = [
    "general.architecture",
    "llama.context_length",
    "llama.embedding_length",
    "llama.block_count",
    "llama.attention.head_count",
    "llama.attention.head_count_kv",
    "llama.attention.layer_norm_rms_epsilon",
    "llama.rope.dimension_count",
];

/// Names, types and lengths of keys.
fn keys(good: &Parts) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in NEEDED {
        cases.push(case(format!("{name} left out"), good, |p| p.keys.retain(|key| key.name != name.as_bytes())));
        cases.push(case(format!("{name} twice"), good, |p| {
            let key = p.key(name).clone();
            p.keys.push(key);
        }));
        cases.push(case(format!("{name} is a text"), good, |p| {
            (p.key(name).kind, p.key(name).value) = (8, text(b"5"));
        }));
        cases.push(case(format!("{name} is a list"), good, |p| {
            (p.key(name).kind, p.key(name).value) =
                (9, [4_u32.to_le_bytes(), [1, 0, 0, 0], [0; 4], [5, 0, 0, 0]].concat());
        }));
    }
    for (number, key) in good.keys.iter().enumerate() {
        let name = String::from_utf8_lossy(&key.name);
        cases.push(case(format!("{name} of type 13"), good, |p| p.keys[number].kind = 13));
    }
    for length in [(4 << 20) + 1, 1 << 30, 1 << 32, 1 << 63, u64::MAX] {
        for name in ["general.name", "tokenizer.chat_template"] {
            cases.push(case(format!("{name} of {length} bytes"), good, |p| {
                p.key(name).value[..8].copy_from_slice(&length.to_le_bytes());
            }));
        }
    }
    for name in [&b""[..], b"llama.block_count\0", b"\xff\xfe", b"a b", &[b'x'; 300]] {
        cases.push(case(format!("a key named {:?}", String::from_utf8_lossy(name)), good, |p| {
            p.keys[1].name = name.into()
        }));
    }
    for name in [&b"lluma"[..], b"", b"llama\0", b"LLAMA", b"qwen3moe", b"gpt2", b"../llama", &[b'x'; 5000]] {
        cases.push(case(format!("architecture {:.20?}", String::from_utf8_lossy(name)), good, |p| {
            p.key("general.architecture").value = text(name);
        }));
    }
    for (kind, value) in [
        (4, &[0, 0, 0, 0][..]),
        (4, &[3, 0, 0, 0]),
        (4, &[0, 0, 0, 0x80]),
        (10, &[32, 0, 0, 0, 0, 0, 0, 0]),
        (8, &[0; 8]),
    ] {
        let key = Key { name: b"general.alignment".to_vec(), kind, value: value.into() };
        cases.push(case(format!("alignment {value:?} of type {kind}"), good, |p| p.keys.push(key)));
    }
    let split = Key { name: b"split.count".to_vec(), kind: 2, value: vec![2, 0] };
    cases.push(case("one part of two".into(), good, |p| p.keys.push(split)));
    cases.push(case("neither true nor false".into(), good, |p| p.key("tokenizer.ggml.add_bos_token").value = vec![7]));
    cases
}

/// Sizes that are not those of the tensors.
fn sizes(good: &Parts) -> Vec<Case> {
    let sizes: &[(&str, &[u32])] = &[
        ("embedding_length", &[0, 1, 159, 161, 320, u32::MAX]),
        ("block_count", &[0, 4, 1000, 100_000, u32::MAX]),
        ("feed_forward_length", &[0, 447, 896, u32::MAX]),
        ("attention.head_count", &[0, 1, 4, 6, 10, 1 << 20, u32::MAX]),
        ("attention.head_count_kv", &[0, 1, 2, 4, 10, u32::MAX]),
        ("attention.key_length", &[0, 16, 31, 64, u32::MAX]),
        ("attention.value_length", &[0, 16, 31, 64, u32::MAX]),
        ("rope.dimension_count", &[0, 1, 31, 34, 64, 1 << 30, u32::MAX]),
        ("context_length", &[0, 1 << 24, u32::MAX]),
        ("vocab_size", &[1025, u32::MAX]),
    ];
    let mut cases = Vec::new();
    for (name, values) in sizes {
        for value in *values {
            cases.push(case(format!("{name} {value}"), good, |p| {
                p.key(&format!("llama.{name}")).value = value.to_le_bytes().into()
            }));
        }
    }
    for (name, values) in [
        ("attention.layer_norm_rms_epsilon", [-1.0, 2.0, f32::NAN, f32::INFINITY]),
        ("rope.freq_base", [0.0, -1.0, f32::NAN, f32::INFINITY]),
    ] {
        for value in values {
            cases.push(case(format!("{name} {value}"), good, |p| {
                p.key(&format!("llama.{name}")).value = value.to_le_bytes().into()
            }));
        }
    }
    for (name, value) in [("expert_count", 8_u32), ("expert_count", u32::MAX), ("expert_used_count", 2)] {
        let key = Key { name: format!("llama.{name}").into_bytes(), kind: 4, value: value.to_le_bytes().into() };
        cases.push(case(format!("{name} {value}"), good, |p| p.keys.push(key)));
    }
    cases
}

/// Tensors of impossible shape, type or place.
fn tensors(good: &Parts) -> Vec<Case> {
    type Change = fn(&mut Tensor);
    let changes: &[(&str, Change)] = &[
        ("no dimensions", |t| t.shape.clear()),
        ("five dimensions", |t| t.shape.resize(5, 1)),
        ("a thousand dimensions", |t| t.shape.resize(1000, 1)),
        ("a side of nothing", |t| t.shape[0] = 0),
        ("an overflowing shape", |t| t.shape = vec![1 << 63, 2]),
        ("an overflowing size", |t| t.shape = vec![1 << 62, 1]),
        ("a shape beyond the file", |t| t.shape = vec![1 << 20, 1 << 20]),
        ("one row too many", |t| *t.shape.last_mut().unwrap() += 32),
        ("type 4", |t| t.kind = 4),
        ("type 9", |t| t.kind = 9),
        ("type 99", |t| t.kind = 99),
        ("type u32::MAX", |t| t.kind = u32::MAX),
        ("an odd place", |t| t.offset += 1),
        ("a place beyond the file", |t| t.offset = 1 << 40),
        ("the last place of all", |t| t.offset = u64::MAX - 31),
        ("the place of another", |t| t.offset = if t.offset == 0 { 174_080 } else { 0 }),
        ("another name", |t| t.name = b"never.heard.of.it".to_vec()),
        ("an empty name", |t| t.name.clear()),
        ("a name in two bytes", |t| t.name = b"\xc3\x28".to_vec()),
    ];
    let mut cases = Vec::new();
    for number in [0, 1, 2, 5, 9, 28] {
        let name = String::from_utf8_lossy(&good.tensors[number].name).into_owned();
        for (what, change) in changes {
            cases.push(case(format!("{name} with {what}"), good, |p| change(&mut p.tensors[number])));
        }
        cases.push(case(format!("{name} twice"), good, |p| p.tensors.push(p.tensors[number].clone())));
        cases.push(case(format!("{name} left out"), good, |p| drop(p.tensors.remove(number))));
    }
    cases.push(case("a transposed tensor".into(), good, |p| p.tensors[9].shape.reverse()));
    cases.push(case("sixty thousand tensors in one place".into(), good, |p| {
        for number in 0..60_000 {
            p.tensors.push(Tensor { name: format!("t{number}").into_bytes(), ..p.tensors[0].clone() });
        }
    }));
    cases
}

/// Lists that are longer or deeper than anything.
fn lists(good: &Parts) -> Vec<Case> {
    let list = |kind: u32, length: u64, rest: &[u8]| [&kind.to_le_bytes()[..], &length.to_le_bytes(), rest].concat();
    let nested = (0..5000).fold(list(0, 0, &[]), |inner, _| list(9, 1, &inner));
    let mut cases = Vec::new();
    for (what, value) in [
        ("u64::MAX bytes", list(0, u64::MAX, &[])),
        ("u64::MAX texts", list(8, u64::MAX, &[])),
        ("2^40 numbers", list(4, 1 << 40, &[0; 64])),
        ("five million bytes", list(0, 5 << 20, &vec![0; 5 << 20])),
        ("an unknown type", list(77, 1, &[0; 8])),
        ("an unknown type and no elements", list(77, 0, &[])),
        ("lists", list(9, 2, &[list(0, 1, &[1]), list(0, 1, &[1])].concat())),
        ("lists of lists, 5000 deep", nested),
        ("texts that are longer than the file", list(8, 1, &(1_u64 << 21).to_le_bytes())),
    ] {
        let key = Key { name: b"a.list".to_vec(), kind: 9, value };
        cases.push(case(format!("a list of {what}"), good, |p| p.keys.push(key)));
    }
    cases
}
