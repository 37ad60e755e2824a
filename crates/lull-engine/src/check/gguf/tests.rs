use proptest::prelude::*;

use super::check_bytes as checked;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn key(name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [text(name), kind.to_le_bytes().into(), value.into()].concat()
}

fn size(name: &str, size: u32) -> Vec<u8> {
    key(&format!("llama.{name}"), 4, &size.to_le_bytes())
}

/// A header's keys and tensors (name, shape), all of 32-bit fractions.
fn file(keys: &[Vec<u8>], tensors: &[(&str, &[u64])]) -> Vec<u8> {
    let counts = [(tensors.len() as u64).to_le_bytes(), (keys.len() as u64).to_le_bytes()].concat();
    let mut bytes = [&b"GGUF"[..], &3_u32.to_le_bytes(), &counts].concat();
    bytes.extend(keys.concat());
    let mut offset = 0_u64;
    for (name, shape) in tensors {
        bytes.extend([text(name), (shape.len() as u32).to_le_bytes().into()].concat());
        shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
        bytes.extend([&0_u32.to_le_bytes()[..], &offset.to_le_bytes()].concat());
        offset += (shape.iter().product::<u64>() * 4).next_multiple_of(32);
    }
    bytes.resize(bytes.len().next_multiple_of(32) + offset as usize, 0);
    bytes
}

fn keys() -> Vec<Vec<u8>> {
    vec![
        key("general.architecture", 8, &text("llama")),
        size("embedding_length", 16),
        size("block_count", 1),
        size("attention.head_count", 4),
        size("attention.head_count_kv", 2),
        size("rope.dimension_count", 4),
        size("context_length", 64),
        key("llama.attention.layer_norm_rms_epsilon", 6, &1e-5_f32.to_le_bytes()),
        key("a.list", 9, &[6_u32.to_le_bytes(), 2_u32.to_le_bytes(), [0; 4], [0; 4], [0; 4]].concat()),
    ]
}

const TENSORS: [(&str, &[u64]); 11] = [
    ("token_embd.weight", &[16, 5]),
    ("output_norm.weight", &[16]),
    ("blk.0.attn_norm.weight", &[16]),
    ("blk.0.attn_q.weight", &[16, 16]),
    ("blk.0.attn_k.weight", &[16, 8]),
    ("blk.0.attn_v.weight", &[16, 8]),
    ("blk.0.attn_output.weight", &[16, 16]),
    ("blk.0.ffn_norm.weight", &[16]),
    ("blk.0.ffn_gate.weight", &[16, 32]),
    ("blk.0.ffn_up.weight", &[16, 32]),
    ("blk.0.ffn_down.weight", &[32, 16]),
];

#[test]
fn a_good_file_passes_and_every_shorter_one_fails() {
    let good = file(&keys(), &TENSORS);
    assert_eq!(checked(&good), Ok(5));
    for length in 0..good.len() {
        assert!(checked(&good[..length]).is_err(), "cut off at {length}");
    }
}

#[test]
fn each_size_is_held_against_the_tensors() {
    for (name, value, says) in [
        ("embedding_length", 0, "cannot be"),
        ("embedding_length", 32, "another size"),
        ("block_count", 0, "cannot be"),
        ("block_count", 2, "blk.1.attn_norm.weight is missing"),
        ("block_count", u32::MAX, "cannot be"),
        ("attention.head_count", 0, "cannot be"),
        ("attention.head_count", 3, "cannot share"),
        ("attention.head_count", 8, "cannot be"),
        ("attention.head_count_kv", 0, "cannot be"),
        ("attention.head_count_kv", 4, "the shape"),
        ("attention.head_count_kv", 3, "cannot share"),
        ("rope.dimension_count", 0, "cannot be"),
        ("rope.dimension_count", 3, "cannot be"),
        ("rope.dimension_count", 6, "cannot be"),
        ("context_length", 0, "lacks"),
        ("context_length", u32::MAX, "more than this worker"),
        ("attention.key_length", 5, "no size that fits"),
        ("vocab_size", 6, "another size"),
        ("feed_forward_length", 31, "another size"),
        ("expert_count", 100_000, "cannot be"),
    ] {
        let mut keys = keys();
        let name = text(&format!("llama.{name}"));
        keys.retain(|key| !key.starts_with(&name));
        keys.push([name.clone(), 4_u32.to_le_bytes().into(), value.to_le_bytes().into()].concat());
        let said = checked(&file(&keys, &TENSORS)).unwrap_err();
        assert!(said.contains(says), "{} = {value}: {said}", String::from_utf8_lossy(&name[8..]));
    }
}

#[test]
fn what_stands_twice_or_lies_elsewhere_is_refused() {
    let twice = [keys(), vec![size("block_count", 1)]].concat();
    assert!(checked(&file(&twice, &TENSORS)).unwrap_err().contains("stands in it twice"));
    let tensors = [&TENSORS[..], &TENSORS[..1]].concat();
    assert!(checked(&file(&keys(), &tensors)).unwrap_err().contains("stands in it twice"));
    let mut overlapping = file(&keys(), &TENSORS);
    let name = text("output_norm.weight");
    let at = overlapping.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    // Dimensions, one side and the type stand before the offset.
    overlapping[at + 16..at + 24].copy_from_slice(&0_u64.to_le_bytes());
    assert!(checked(&overlapping).unwrap_err().contains("in the same place"));
    overlapping[at + 16..at + 24].copy_from_slice(&8_u64.to_le_bytes());
    assert!(checked(&overlapping).unwrap_err().contains("multiple of 32"));
    let nested = [9_u32.to_le_bytes(), 1_u32.to_le_bytes(), [0; 4]].concat();
    let nested = [keys(), vec![key("nested", 9, &nested)]].concat();
    assert!(checked(&file(&nested, &TENSORS)).unwrap_err().contains("holds lists"));
    let hidden = [keys(), vec![key("llama.block_count\0", 4, &[0; 4])]].concat();
    assert!(checked(&file(&hidden, &TENSORS)).unwrap_err().contains("not plain text"));
}

proptest! {
    #[test]
    fn any_harm_gives_an_answer(harm in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = file(&keys(), &TENSORS);
        for (at, byte) in harm {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(said) = checked(&bytes) {
            prop_assert!(said.len() < 400, "{}", said);
        }
    }
}
