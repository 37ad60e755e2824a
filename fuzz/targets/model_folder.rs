//! A whole model folder: any of its files, with any bytes in each, as the store and the worker look at it.
#![no_main]

use std::sync::OnceLock;

use lull_engine::check::{self, Checked};
use lull_fuzz::{Scratch, assert_gguf_fits, assert_safetensors_fits, assert_short, bounded, parts};
use lull_models::{Format, fuzzing::inspect};

/// The names that mean something.
const NAMES: [&str; 13] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "manifest.json",
    "model.safetensors",
    "m.gguf",
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
    "adapter_model.safetensors",
    "chat_template.json",
    "params.json",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    let scratch = SCRATCH.get_or_init(Scratch::new);
    let mut names = Vec::new();
    for (number, bytes) in parts(data) {
        let name = NAMES[usize::from(number) % NAMES.len()];
        scratch.put(name, bytes);
        names.push(name.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    let (checked, stored) = bounded(data.len(), || {
        let format = if names.iter().any(|name| name == "m.gguf") { Format::Gguf } else { Format::Safetensors };
        let files: Vec<String> = names.iter().filter(|name| *name != "manifest.json").cloned().collect();
        (check::folder(scratch.path()), inspect(scratch.path(), format, &files))
    });
    match checked {
        Ok(checked) => assert_sound(scratch, &checked),
        Err(fault) => assert_short(Some(fault.message)),
    }
    assert_short(stored.err().map(|fault| fault.message));
    names.iter().for_each(|name| scratch.remove(name));
});

fn assert_sound(scratch: &Scratch, checked: &Checked) {
    assert!(checked.tokens.added.iter().all(|added| added.id < checked.tokens.size));
    match &checked.format {
        check::Format::Gguf { file } => assert_gguf_fits(&scratch.get(file)),
        check::Format::Safetensors => {
            if let Some(file) = scratch.find("model.safetensors") {
                assert_safetensors_fits(&file);
            }
        }
    }
}
