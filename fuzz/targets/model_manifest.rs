//! manifest.json of a stored model, and names of models.
#![no_main]

use std::path::Path;

use lull_fuzz::bounded;
use lull_models::{Manifest, ModelName};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bounded(data.len(), || {
        if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
            let written = serde_json::to_vec(&manifest).expect("a manifest can be written");
            let read: Manifest = serde_json::from_slice(&written).expect("what was written can be read");
            assert_eq!(read, manifest);
            assert_eq!(read.hash(), manifest.hash());
            let _ = manifest.bytes();
            if manifest.check().is_ok() {
                let plain = |path: &str| Path::new("a").join(path).parent() == Some(Path::new("a"));
                assert!(manifest.files.iter().all(|file| plain(&file.path)), "a file leads elsewhere");
            }
        }
        if let Ok(text) = std::str::from_utf8(data) {
            for name in [text.parse::<ModelName>(), ModelName::from_path(Path::new(text))].into_iter().flatten() {
                assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
                assert!(!name.as_str().contains(['/', '\\', '\0']) && !name.as_str().starts_with('.'));
            }
        }
    });
});
