//! Safetensors files: the demo model's header, written anew with lies in it.

use serde_json::{Map, Value, json};

use crate::corpus::{Case, Dice, Expect, TENSORS, original};

/// Header and data.
fn parts() -> (Map<String, Value>, Vec<u8>) {
    let bytes = original(TENSORS);
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..end]).unwrap(), bytes[end..].to_vec())
}

fn put(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

fn case(name: impl Into<String>, bytes: Vec<u8>) -> Case {
    Case { expect: Expect::Broken, ..Case::file(name, "safetensors", TENSORS, bytes) }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = [lengths(), headers(), places(), shards()].into_iter().flatten().collect::<Vec<_>>();
    let bytes = original(TENSORS);
    let header = bytes.len() - parts().1.len();
    let mut dice = Dice::new(5);
    for number in 0..40 {
        let harmed = dice.harm(&bytes, header);
        cases.push(Case { expect: Expect::Anything, ..case(format!("bytes changed {number}"), harmed) });
    }
    cases
}

/// Files cut off, and headers that are longer than they are.
fn lengths() -> Vec<Case> {
    let bytes = original(TENSORS);
    let header = bytes.len() - parts().1.len();
    let mut cases = Vec::new();
    for at in [0, 1, 7, 8, 9, header / 2, header - 1, header, header + 1, bytes.len() / 2, bytes.len() - 1] {
        cases.push(case(format!("cut off at {at}"), bytes[..at].to_vec()));
    }
    for length in [0, 1, 2, header - 9, header - 7, bytes.len(), 17 << 20, 1 << 40, usize::MAX >> 1, usize::MAX] {
        let mut bytes = bytes.clone();
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        cases.push(case(format!("a header of {length} bytes"), bytes));
    }
    cases.push(case("more at its end", [&bytes[..], &[0; 100]].concat()));
    cases
}

/// Headers that are no table of tensors.
fn headers() -> Vec<Case> {
    let (table, data) = parts();
    let text = Value::Object(table.clone()).to_string();
    let inner = &text[1..text.len() - 1];
    let first = table.iter().find(|(name, _)| name.starts_with("model")).unwrap();
    let first = format!("\"{}\":{}", first.0, first.1);
    let nested = |depth: usize| format!("{{\"__metadata__\":{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut cases: Vec<Case> = [
        ("nothing", String::new()),
        ("null", "null".into()),
        ("a list", format!("[{text}]")),
        ("a text", "\"model\"".into()),
        ("an empty table", "{}".into()),
        ("only metadata", "{\"__metadata__\":{\"format\":\"pt\"}}".into()),
        ("metadata of numbers", format!("{{\"__metadata__\":{{\"a\":1}},{inner}}}")),
        ("metadata that is a list", format!("{{\"__metadata__\":[],{inner}}}")),
        ("lists 100 deep", format!("{},{inner}}}", nested(100))),
        ("lists 100000 deep", format!("{},{inner}}}", nested(100_000))),
        ("tables without end", "{\"a\":".repeat(100_000)),
        ("a tensor twice", format!("{{{inner},{first}}}")),
        ("a comma too many", format!("{{{inner},}}")),
        ("no closing brace", format!("{{{inner}")),
        ("zeros after it", format!("{text}\0\0\0\0\0\0\0\0")),
        ("a tensor of many megabytes of sides", format!("{{{inner},\"x\":{{\"shape\":[{}1]}}}}", "1,".repeat(1 << 21))),
        ("a name without end", format!("{{{inner},\"{}\":{{}}}}", "x".repeat(4 << 20))),
        ("a million tensors of nothing", many_tensors()),
    ]
    .map(|(name, header)| case(name, put(header.as_bytes(), &data)))
    .into();
    cases.push(case("a header that is not text", put(b"{\"\xff\":1}", &data)));
    cases
}

fn many_tensors() -> String {
    let each = |n: u32| format!("\"{n}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    format!("{{{}}}", (0..150_000).map(each).collect::<Vec<_>>().join(","))
}

/// Tensors in impossible places.
fn places() -> Vec<Case> {
    type Change = fn(&mut Value);
    let changes: &[(&str, Change)] = &[
        ("no type", |t| drop(t.as_object_mut().unwrap().remove("dtype"))),
        ("type F4", |t| t["dtype"] = json!("F4")),
        ("type 7", |t| t["dtype"] = json!(7)),
        ("a wider type", |t| t["dtype"] = json!("F32")),
        ("no shape", |t| drop(t.as_object_mut().unwrap().remove("shape"))),
        ("a shape of texts", |t| t["shape"] = json!(["1"])),
        ("a negative side", |t| t["shape"][0] = json!(-1)),
        ("half a side", |t| t["shape"][0] = json!(1.5)),
        ("a side of nothing", |t| t["shape"][0] = json!(0)),
        ("an overflowing shape", |t| t["shape"] = json!([u64::MAX, u64::MAX])),
        ("a shape that wraps around", |t| t["shape"] = json!([1_u64 << 63, 2])),
        ("one row too many", |t| t["shape"][0] = json!(t["shape"][0].as_u64().unwrap() + 1)),
        ("a thousand sides", |t| t["shape"] = json!(vec![1; 1000])),
        ("no place", |t| drop(t.as_object_mut().unwrap().remove("data_offsets"))),
        ("three places", |t| t["data_offsets"] = json!([0, 1, 2])),
        ("its end before its beginning", |t| t["data_offsets"].as_array_mut().unwrap().reverse()),
        ("a place beyond the file", |t| t["data_offsets"] = json!([1_u64 << 40, (1_u64 << 40) + 2])),
        ("a negative place", |t| t["data_offsets"][0] = json!(-2)),
        ("the last place of all", |t| t["data_offsets"] = json!([u64::MAX - 1, u64::MAX])),
        ("something else in its place", |t| *t = json!([1, 2, 3])),
    ];
    let (table, data) = parts();
    let mut cases = Vec::new();
    for tensor in ["model.embed_tokens.weight", "model.norm.weight"] {
        for (what, change) in changes {
            let mut table = table.clone();
            change(&mut table[tensor]);
            cases.push(case(format!("{tensor} with {what}"), put(Value::Object(table).to_string().as_bytes(), &data)));
        }
    }
    let mut shifted = table.clone();
    shifted["model.norm.weight"]["data_offsets"] = shifted["model.embed_tokens.weight"]["data_offsets"].clone();
    cases.push(case("two tensors in one place", put(Value::Object(shifted).to_string().as_bytes(), &data)));
    for tensor in ["model.embed_tokens.weight", "model.norm.weight", "model.layers.1.mlp.up_proj.weight"] {
        let mut table = table.clone();
        let moved = table.remove(tensor).unwrap();
        table.insert("renamed".into(), moved);
        cases.push(case(format!("{tensor} renamed"), put(Value::Object(table).to_string().as_bytes(), &data)));
    }
    cases
}

/// Files beside it that say otherwise.
fn shards() -> Vec<Case> {
    let with = |name: &str, file: &'static str, bytes: Vec<u8>| Case {
        expect: Expect::Broken,
        ..Case::file(name, "safetensors", file, bytes)
    };
    let index = |name: &str, index: Value| with(name, "model.safetensors.index.json", index.to_string().into_bytes());
    vec![
        index("an index of a missing file", json!({"weight_map": {"a": "model-00002-of-00002.safetensors"}})),
        index("an index to the outside", json!({"weight_map": {"a": "../../etc/passwd"}})),
        index("an index of a missing tensor", json!({"weight_map": {"never": TENSORS}})),
        index("an index without a map", json!({"metadata": {}})),
        index("an index of numbers", json!({"weight_map": {"model.norm.weight": 7}})),
        with("the same tensors in another file", "model-00001-of-00002.safetensors", original(TENSORS)),
        with("a second file that is none", "model-00001-of-00002.safetensors", vec![0; 64]),
        with("a pickle beside it", "pytorch_model-00001-of-00001.bin", b"\x80\x04cos\nsystem\n(S'id'\ntR.".to_vec()),
        with("another config", "params.json", b"{}".to_vec()),
        with("an adapter", "adapter_model.safetensors", original(TENSORS)),
    ]
}
