//! Broken files and folders, one row each: the code, and what the sentence must say.

#![cfg(test)]

#[path = "support/mod.rs"]
mod support;

use std::{fs, io::Cursor, path::Path};

use lull_models::{Store, gguf_header};
use lull_types::{Code, Fault};
use support::{
    CONFIG, Gguf, SAFETENSORS_HEADER, TOKENIZER, Tensor, entry, number, safetensors, text, write_gguf,
    write_safetensors,
};

type Row<T> = (&'static str, fn(&mut T), Code, &'static str);

const BROKEN: Code = Code::ModelBroken;
const UNSUPPORTED: Code = Code::Unsupported;

fn set(gguf: &mut Gguf, key: &str, with: Vec<u8>) {
    let start = text(key);
    let at = gguf.entries.iter().position(|entry| entry.starts_with(&start)).unwrap();
    gguf.entries[at] = with;
}

fn drop_key(gguf: &mut Gguf, key: &str) {
    let start = text(key);
    gguf.entries.retain(|entry| !entry.starts_with(&start));
}

const GGUF_ROWS: &[Row<Gguf>] = &[
    ("magic", |g| g.magic = *b"PK\x03\x04", BROKEN, "50 4b 03 04"),
    ("old version", |g| g.version = 1, UNSUPPORTED, "convert the model again"),
    ("new version", |g| g.version = 4, UNSUPPORTED, "version 4"),
    ("big-endian", |g| g.version = 3_u32.swap_bytes(), UNSUPPORTED, "big-endian"),
    ("no tensors", |g| g.tensor_count = Some(0), BROKEN, "0 tensors"),
    ("tensors without end", |g| g.tensor_count = Some(u64::MAX), BROKEN, "tensors"),
    ("one tensor too many", |g| (g.tensor_count, g.data_bytes) = (Some(3), 0), BROKEN, ""),
    ("no entries", |g| g.entry_count = Some(0), BROKEN, "0 metadata entries"),
    ("entries without end", |g| g.entry_count = Some(1 << 40), BROKEN, "metadata entries"),
    ("no architecture", |g| drop_key(g, "general.architecture"), BROKEN, "general.architecture is missing"),
    (
        "unknown architecture",
        |g| set(g, "general.architecture", entry("general.architecture", 8, &text("bert"))),
        UNSUPPORTED,
        "\"bert\" is not one of llama",
    ),
    (
        "mixture of experts",
        |g| set(g, "general.architecture", entry("general.architecture", 8, &text("qwen3moe"))),
        UNSUPPORTED,
        "cannot run on a CPU",
    ),
    (
        "architecture as number",
        |g| set(g, "general.architecture", number("general.architecture", 1)),
        BROKEN,
        "missing",
    ),
    ("split", |g| g.entries.push(entry("split.count", 2, &[3, 0])), UNSUPPORTED, "--merge"),
    ("no context", |g| drop_key(g, "llama.context_length"), BROKEN, "llama.context_length is missing"),
    ("context 0", |g| set(g, "llama.context_length", number("llama.context_length", 0)), BROKEN, "is 0"),
    ("no layers", |g| drop_key(g, "llama.block_count"), BROKEN, "block_count"),
    (
        "negative layers",
        |g| set(g, "llama.block_count", entry("llama.block_count", 5, &[255; 4])),
        BROKEN,
        "is 4294967295",
    ),
    (
        "layers as text",
        |g| set(g, "llama.block_count", entry("llama.block_count", 8, &text("2"))),
        BROKEN,
        "not a number",
    ),
    (
        "more heads than features",
        |g| set(g, "llama.attention.head_count", number("llama.attention.head_count", 65)),
        BROKEN,
        "65 attention heads",
    ),
    ("key twice", |g| g.entries.push(number("llama.block_count", 2)), BROKEN, "there twice"),
    ("endless key", |g| g.entries[1][..8].fill(0xff), BROKEN, "metadata key"),
    ("empty key", |g| g.entries.push(number("", 2)), BROKEN, "claims 0 bytes"),
    ("key not UTF-8", |g| g.entries[1][8] = 0xff, BROKEN, "not UTF-8"),
    ("unknown value type", |g| g.entries.push(entry("x", 13, &[0; 8])), BROKEN, "unknown type 13"),
    ("bool 2", |g| g.entries.push(entry("x", 7, &[2])), BROKEN, "neither true nor false"),
    (
        "endless string",
        |g| g.entries.push(entry("x", 8, &u64::MAX.to_le_bytes())),
        BROKEN,
        "claims 18446744073709551615",
    ),
    (
        "endless array",
        |g| g.entries.push(entry("x", 9, &[&4_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat())),
        BROKEN,
        "elements",
    ),
    (
        "array longer than the file",
        |g| g.entries.push(entry("x", 9, &[&4_u32.to_le_bytes()[..], &(1_u64 << 20).to_le_bytes()].concat())),
        BROKEN,
        "ends too early",
    ),
    (
        "list of lists",
        |g| g.entries.push(entry("x", 9, &[&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes()].concat())),
        UNSUPPORTED,
        "list of lists",
    ),
    ("alignment 0", |g| g.entries.push(number("general.alignment", 0)), BROKEN, "power of two"),
    ("alignment 48", |g| g.entries.push(number("general.alignment", 48)), BROKEN, "power of two"),
    ("no dimensions", |g| g.tensors[0].dimensions.clear(), BROKEN, "0 dimensions"),
    ("five dimensions", |g| g.tensors[0].dimensions = vec![32, 1, 1, 1, 1], BROKEN, "5 dimensions"),
    ("size 0", |g| g.tensors[0].dimensions = vec![32, 0], BROKEN, "impossible"),
    ("size overflow", |g| g.tensors[0].dimensions = vec![1 << 40, 1 << 40], BROKEN, "impossible"),
    ("bytes overflow", |g| g.tensors[1].dimensions = vec![1 << 62], BROKEN, "beyond the end of any file"),
    ("row not a multiple", |g| g.tensors[0].dimensions = vec![33, 4], BROKEN, "multiple of 32"),
    ("unknown tensor type", |g| g.tensors[0].kind = 16, UNSUPPORTED, "type 16"),
    ("offset not aligned", |g| g.tensors[1].offset = 289, BROKEN, "not a multiple of 32"),
    ("offset overflow", |g| g.tensors[1].offset = u64::MAX - 31, BROKEN, "beyond the end"),
    ("overlap", |g| g.tensors[1].offset = 256, BROKEN, "overlap"),
    ("data cut off", |g| g.data_bytes -= 1, BROKEN, "download it again"),
    ("tensor twice", |g| g.tensors[1].name = "token_embd.weight", BROKEN, "there twice"),
    ("no embedding", |g| g.tensors[0].name = "token_embd.bias", BROKEN, "token_embd.weight is missing"),
    (
        "endless tensor name",
        |g| g.tensors.push(Tensor { name: LONG, dimensions: vec![1], kind: 0, offset: 0 }),
        BROKEN,
        "tensor name",
    ),
];

const LONG: &str = match std::str::from_utf8(&[b'x'; 1025]) {
    Ok(text) => text,
    Err(_) => "",
};

fn refused(path: &Path, case: &str) -> Fault {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let fault = store.add(path, Some("m"), &mut |_| {}).expect_err(case);
    assert!(store.list().unwrap().is_empty(), "{case}");
    assert_eq!(fs::read_dir(home.path().join("models/blobs")).unwrap().count(), 0, "{case}");
    fault
}

fn check(fault: &Fault, case: &str, code: Code, says: &str) {
    assert_eq!(fault.code, code, "{case}: {fault}");
    assert!(fault.message.contains(says), "{case}: {fault}");
}

#[test]
fn broken_gguf_files_are_refused_by_their_header() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.gguf");
    write_gguf(folder.path(), "m.gguf");
    for (case, spoil, code, says) in GGUF_ROWS {
        let mut gguf = Gguf::default();
        spoil(&mut gguf);
        fs::write(&file, gguf.bytes()).unwrap();
        let fault = refused(&file, case);
        check(&fault, case, *code, says);
        assert!(fault.message.contains("m.gguf"), "{case}: {fault}");
    }
    let whole = Gguf::default().bytes();
    for length in 0..whole.len() {
        let fault = gguf_header(Cursor::new(&whole[..length]), length as u64).unwrap_err();
        check(&fault, "cut off", BROKEN, if length == 0 { "empty" } else { "again" });
    }
}

fn with_header(header: &str) -> Vec<u8> {
    safetensors(header, 96)
}

#[test]
fn broken_safetensors_files_are_refused_by_their_header() {
    let sound = SAFETENSORS_HEADER;
    let spoil = |from: &str, to: &str| {
        assert!(sound.contains(from));
        with_header(&sound.replacen(from, to, 1))
    };
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("too short", vec![0; 7], "too few"),
        ("endless header", [&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "cut off"),
        ("header beyond the bound", [&100_000_001_u64.to_le_bytes()[..], b"{}"].concat(), "at most 100000000"),
        ("header beyond the file", [&99_u64.to_le_bytes()[..], b"{}"].concat(), "has 2"),
        ("no JSON", safetensors("no JSON", 96), "not the JSON"),
        ("a list", safetensors("[]", 96), "table of tensors"),
        ("no tensors", safetensors("{}", 96), "no tensors"),
        ("JSON cut off", safetensors(&sound[..sound.len() - 1], 96), "JSON"),
        ("more after the JSON", safetensors(&format!("{sound}x"), 96), "JSON"),
        ("unknown dtype", spoil("\"F16\"", "\"F17\""), "F17"),
        ("dtype without kernels", spoil("\"F16\"", "\"F4\""), "F4"),
        ("negative shape", spoil("[4,8]", "[-4,8]"), "JSON"),
        ("shape overflow", spoil("[4,8]", "[4294967296,4294967296]"), "impossible"),
        ("nine dimensions", spoil("[4,8]", "[1,1,1,1,1,1,1,4,8]"), "dimensions"),
        ("wrong size", spoil("[4,8]", "[4,9]"), "needs 72 bytes"),
        ("backwards", spoil("[0,64]", "[64,0]"), "needs 64 bytes"),
        ("hole", spoil("[64,96]", "[68,100]"), "hole"),
        ("overlap", spoil("[64,96]", "[32,64]"), "overlap"),
        ("begins late", safetensors(&sound.replace("[0,64]", "[96,160]"), 160), "hole"),
        ("data cut off", safetensors(sound, 95), "has 95"),
        ("data too long", safetensors(sound, 97), "has 97"),
        ("unknown field", spoil("\"dtype\":\"F16\"", "\"x\":1,\"dtype\":\"F16\""), "JSON"),
        ("missing field", spoil("\"dtype\":\"F16\",", ""), "dtype"),
        ("tensor twice", spoil("model.norm.weight", "model.embed_tokens.weight"), "twice"),
        ("metadata twice", spoil("{\"__metadata__\"", "{\"__metadata__\":{},\"__metadata__\""), "twice"),
        ("metadata not text", spoil("\"pt\"", "1"), "JSON"),
        ("empty name", spoil("model.norm.weight", ""), "name"),
        ("deep", safetensors(&"[".repeat(100_000), 0), "JSON"),
        ("empty", Vec::new(), "empty"),
    ];
    let folder = tempfile::tempdir().unwrap();
    write_safetensors(folder.path());
    for (case, bytes, says) in rows {
        fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        let fault = refused(folder.path(), case);
        check(&fault, case, BROKEN, says);
        assert!(fault.message.contains("model.safetensors"), "{case}: {fault}");
    }
}

type Spoil = Box<dyn Fn(&Path)>;
type FolderRow = (&'static str, Spoil, Code, &'static str);

fn write(name: &'static str, text: &'static str) -> Spoil {
    Box::new(move |folder| fs::write(folder.join(name), text).unwrap())
}

fn remove(name: &'static str) -> Spoil {
    Box::new(move |folder| fs::remove_file(folder.join(name)).unwrap())
}

fn rename(to: &'static str) -> Spoil {
    Box::new(move |folder| fs::rename(folder.join("model.safetensors"), folder.join(to)).unwrap())
}

fn config(from: &'static str, to: &'static str) -> Spoil {
    assert!(CONFIG.contains(from));
    Box::new(move |folder| fs::write(folder.join("config.json"), CONFIG.replacen(from, to, 1)).unwrap())
}

fn weight_rows() -> Vec<FolderRow> {
    vec![
        ("no config", remove("config.json"), BROKEN, "config.json is missing"),
        ("no tokenizer", remove("tokenizer.json"), BROKEN, "tokenizer.json is missing"),
        ("no settings", remove("tokenizer_config.json"), BROKEN, "tokenizer_config.json is missing"),
        ("no weights", remove("model.safetensors"), BROKEN, "no model here"),
        ("weights the engine misses", rename("weights.safetensors"), UNSUPPORTED, "name it model.safetensors"),
        ("only an adapter", rename("adapter_model.safetensors"), BROKEN, "no model here"),
        ("a part is missing", rename("model-00001-of-00002.safetensors"), BROKEN, "2 parts"),
        ("part 0", rename("model-00000-of-00001.safetensors"), BROKEN, "parts"),
        ("endless parts", rename("model-1-of-4294967295.safetensors"), BROKEN, "parts"),
        (
            "weights twice",
            Box::new(|folder| {
                fs::copy(folder.join("model.safetensors"), folder.join("other-model.safetensors")).unwrap();
            }),
            BROKEN,
            "is in model.safetensors and in other-model",
        ),
    ]
}

fn config_rows() -> Vec<FolderRow> {
    vec![
        ("config no JSON", write("config.json", "{"), BROKEN, "config.json"),
        ("config a list", write("config.json", "[1]"), BROKEN, "config.json"),
        ("config empty", write("config.json", ""), BROKEN, "empty"),
        (
            "config too long",
            Box::new(|folder| fs::write(folder.join("config.json"), vec![b' '; (1 << 20) + 1]).unwrap()),
            BROKEN,
            "at most 1048576",
        ),
        ("no architecture", config("\"LlamaForCausalLM\"", ""), BROKEN, "exactly one"),
        ("two architectures", config("[\"L", "[\"x\",\"L"), BROKEN, "exactly one"),
        ("unknown architecture", config("LlamaFor", "BertFor"), UNSUPPORTED, "BertForCausalLM"),
        ("no vocabulary", config("\"vocab_size\":4,", ""), BROKEN, "vocab_size"),
        ("vocabulary 0", config("\"vocab_size\":4", "\"vocab_size\":0"), BROKEN, "is 0"),
        ("negative layers", config("layers\":1", "layers\":-1"), BROKEN, "JSON"),
        ("endless features", config("hidden_size\":8", "hidden_size\":99999999999"), BROKEN, "99999999999"),
        ("features not divisible", config("hidden_size\":8", "hidden_size\":7"), BROKEN, "7 features"),
        ("heads not divisible", config("key_value_heads\":1", "key_value_heads\":3"), BROKEN, "3 key-value"),
        ("no key-value heads", config("key_value_heads\":1", "key_value_heads\":0"), BROKEN, "is 0"),
        ("no context", config("\"max_position_embeddings\":128", "\"x\":1"), BROKEN, "max_position"),
    ]
}

fn side_rows() -> Vec<FolderRow> {
    vec![
        ("tokenizer no JSON", write("tokenizer.json", "tokens"), BROKEN, "tokenizer.json"),
        ("tokenizer without model", write("tokenizer.json", "{\"version\":\"1.0\"}"), BROKEN, "no \"model\""),
        ("tokenizer's model a text", write("tokenizer.json", "{\"model\":\"BPE\"}"), BROKEN, "JSON"),
        (
            "deep tokenizer",
            Box::new(|folder| {
                fs::write(folder.join("tokenizer.json"), format!("{{\"model\":{}", "{\"a\":".repeat(9999))).unwrap()
            }),
            BROKEN,
            "tokenizer.json",
        ),
        ("settings a list", write("tokenizer_config.json", "[]"), BROKEN, "tokenizer_config.json"),
        ("settings empty", write("tokenizer_config.json", ""), BROKEN, "empty"),
        ("template empty", write("chat_template.jinja", ""), BROKEN, "chat_template.jinja"),
        (
            "index names a missing file",
            write("model.safetensors.index.json", r#"{"weight_map":{"a":"model-00009-of-00009.safetensors"}}"#),
            BROKEN,
            "model-00009",
        ),
        (
            "index leads outside",
            write("model.safetensors.index.json", r#"{"weight_map":{"a":"../../secret"}}"#),
            BROKEN,
            "outside the folder",
        ),
        (
            "index names a missing tensor",
            write("model.safetensors.index.json", r#"{"weight_map":{"gone":"model.safetensors"}}"#),
            BROKEN,
            "\"gone\"",
        ),
        ("index without map", write("model.safetensors.index.json", "{}"), BROKEN, "weight_map"),
        (
            "gguf and safetensors",
            Box::new(|folder| fs::write(folder.join("m.gguf"), b"GGUF").unwrap()),
            Code::BadRequest,
            "more than one model",
        ),
    ]
}

#[test]
fn broken_folders_are_refused_with_what_to_do() {
    for (case, spoil, code, says) in weight_rows().into_iter().chain(config_rows()).chain(side_rows()) {
        let folder = tempfile::tempdir().unwrap();
        write_safetensors(folder.path());
        spoil(folder.path());
        check(&refused(folder.path(), case), case, code, says);
    }
}

#[test]
fn paths_that_are_no_models_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("m.txt"), "x").unwrap();
    fs::write(at("model.safetensors"), safetensors(SAFETENSORS_HEADER, 96)).unwrap();
    fs::write(at("lone.gguf"), Gguf::default().bytes()).unwrap();
    fs::create_dir(at("two")).unwrap();
    fs::write(at("two/a.gguf"), "x").unwrap();
    fs::write(at("two/b.gguf"), "x").unwrap();
    check(&refused(&at("gone.gguf"), "gone"), "gone", Code::Storage, "check the path");
    check(&refused(&at("m.txt"), "text"), "text", Code::BadRequest, "not a model");
    check(&refused(&at("model.safetensors"), "one file"), "one file", Code::BadRequest, "give its folder");
    check(&refused(&at("lone.gguf"), "lone"), "lone", BROKEN, "put tokenizer.json");
    check(&refused(&at("two"), "two"), "two", Code::BadRequest, "a.gguf, b.gguf");
}

#[cfg(unix)]
#[test]
fn links_in_circles_and_things_that_are_no_files_are_refused() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(at("loop.gguf"), at("loop.gguf")).unwrap();
    check(&refused(&at("loop.gguf"), "loop"), "loop", Code::Storage, "circle");
    let _socket = UnixListener::bind(at("socket.gguf")).unwrap();
    check(&refused(&at("socket.gguf"), "socket"), "socket", BROKEN, "neither a file nor a folder");
    check(&refused(Path::new("/dev/zero"), "device"), "device", BROKEN, "neither a file nor a folder");

    write_gguf(folder.path(), "m.gguf");
    fs::remove_file(at("tokenizer.json")).unwrap();
    symlink(at("nowhere"), at("tokenizer.json")).unwrap();
    check(&refused(&at("m.gguf"), "dangling"), "dangling", Code::Storage, "tokenizer.json");
    fs::remove_file(at("tokenizer.json")).unwrap();
    fs::create_dir(at("tokenizer.json")).unwrap();
    check(&refused(&at("m.gguf"), "folder"), "folder", BROKEN, "not a file");
    fs::remove_dir(at("tokenizer.json")).unwrap();
    fs::write(at("elsewhere"), TOKENIZER).unwrap();
    symlink(at("elsewhere"), at("tokenizer.json")).unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.add(&at("m.gguf"), None, &mut |_| {}).expect("links to real files are followed");
}
