//! The store keeps what it was given, whoever crashes or writes at the same time.

#![cfg(test)]

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use lull_models::{DEMO_NAME, Format, Progress, Store};
use lull_types::{Code, ModelHash};
use support::{Gguf, write_gguf, write_safetensors};
use tempfile::TempDir;

fn quiet() -> impl FnMut(Progress<'_>) {
    |_: Progress<'_>| {}
}

struct Place {
    home: TempDir,
    models: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { home: tempfile::tempdir().unwrap(), models: tempfile::tempdir().unwrap() };
        write_gguf(&place.models.path().join("g"), "Tiny (Q8_0).gguf");
        write_safetensors(&place.models.path().join("s"));
        place
    }

    fn store(&self) -> Store {
        Store::open(self.home.path()).unwrap()
    }

    fn gguf(&self) -> PathBuf {
        self.models.path().join("g/Tiny (Q8_0).gguf")
    }

    fn safetensors(&self) -> PathBuf {
        self.models.path().join("s")
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.home.path().join("models").join(path)
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.inside("blobs")).unwrap().count()
    }
}

fn names(store: &Store) -> Vec<String> {
    store.list().unwrap().into_iter().map(|listed| listed.name).collect()
}

/// Replaces a stored file; its name is not the only one, and it is read-only.
fn overwrite(path: &Path, content: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_gguf_file_becomes_a_folder_that_a_worker_can_load() {
    let place = Place::new();
    let store = place.store();
    let mut last = (0, 0);
    let model = store
        .add(&place.gguf(), None, &mut |progress| match progress {
            Progress::Waiting => panic!("nobody else writes"),
            Progress::File { done, total, .. } => last = (done, total),
        })
        .unwrap();
    assert_eq!(model.name(), "tiny--q8_0");
    assert_eq!(last, (model.bytes(), model.bytes()));
    let manifest = &model.manifest;
    assert_eq!((manifest.format, manifest.architecture.as_str(), manifest.context), (Format::Gguf, "llama", 256));
    assert_eq!((manifest.parameters, manifest.license.as_deref()), (Some(320), Some("MIT")));
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Tiny (Q8_0).gguf", "tokenizer.json", "tokenizer_config.json"]);
    for file in &manifest.files {
        let blob = place.inside("blobs").join(file.blake3.to_string());
        assert_eq!(fs::read(blob).unwrap(), fs::read(model.folder.join(&file.path)).unwrap());
    }
    assert_eq!(store.get("tiny--q8_0").unwrap(), model);
    assert_eq!(store.by_hash(&model.hash).unwrap().as_ref(), Some(&model));
    assert_eq!(store.by_hash(&ModelHash([0; 32])).unwrap(), None);
    assert_eq!(store.verify("tiny--q8_0", &mut quiet()).unwrap(), model);
}

#[test]
fn a_safetensors_folder_leaves_adapters_and_strangers_behind() {
    let place = Place::new();
    let folder = place.safetensors();
    for name in ["adapter_model.safetensors", "README.md", "consolidated.safetensors", ".hidden"] {
        fs::write(folder.join(name), "x").unwrap();
    }
    let index = r#"{"metadata":{"total_size":96},"weight_map":{"model.norm.weight":"model.safetensors"}}"#;
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    fs::write(folder.join("chat_template.jinja"), "{{ x }}").unwrap();
    let model = place.store().add(&folder, Some("mine"), &mut quiet()).unwrap();
    let paths: Vec<&str> = model.manifest.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(paths, expected);
    assert_eq!((model.manifest.format, model.manifest.parameters), (Format::Safetensors, Some(40)));
}

#[test]
fn shards_are_taken_whole() {
    let place = Place::new();
    let folder = place.safetensors();
    fs::rename(folder.join("model.safetensors"), folder.join("model-00001-of-00002.safetensors")).unwrap();
    let header = r#"{"lm_head.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
    fs::write(folder.join("model-00002-of-00002.safetensors"), support::safetensors(header, 4)).unwrap();
    let model = place.store().add(&folder, None, &mut quiet()).unwrap();
    assert_eq!(model.manifest.parameters, Some(42));
}

#[test]
fn the_same_content_is_stored_once_and_known_by_one_hash() {
    let place = Place::new();
    let store = place.store();
    let one = store.add(&place.gguf(), Some("one"), &mut quiet()).unwrap();
    let two = store.add(&place.gguf(), Some("two"), &mut quiet()).unwrap();
    assert_eq!((one.hash, place.blobs()), (two.hash, 3));
    assert_eq!(store.add(&place.gguf(), Some("one"), &mut quiet()).unwrap(), one);
    let fault = store.add(&place.safetensors(), Some("one"), &mut quiet()).unwrap_err();
    assert_eq!(fault.code, Code::BadRequest);
    assert!(fault.message.contains("another name"), "{fault}");
    store.add(&place.safetensors(), Some("three"), &mut quiet()).unwrap();
    assert_eq!(place.blobs(), 5, "the tokenizer is shared");

    store.remove("one").unwrap();
    assert_eq!((names(&store), place.blobs()), (vec!["three".into(), "two".into()], 5));
    store.verify("two", &mut quiet()).unwrap();
    store.remove("two").unwrap();
    store.remove("three").unwrap();
    assert_eq!((names(&store).len(), place.blobs()), (0, 0));
    assert_eq!(store.remove("two").unwrap_err().code, Code::ModelUnknown);
    for name in ["../blobs", "", "two"] {
        assert_eq!(store.get(name).unwrap_err().code, Code::ModelUnknown, "{name:?}");
        assert_eq!(store.remove(name).unwrap_err().code, Code::ModelUnknown, "{name:?}");
    }
    let fault = store.add(&place.gguf(), Some("Bad Name"), &mut quiet()).unwrap_err();
    assert_eq!(fault.code, Code::BadRequest);
}

#[test]
fn a_broken_model_hides_no_other_and_is_repaired_by_adding_it_again() {
    let place = Place::new();
    let store = place.store();
    store.add(&place.gguf(), Some("sound"), &mut quiet()).unwrap();
    type Spoil = fn(&Path);
    let spoils: [(Spoil, &str); 7] = [
        (|folder| fs::remove_file(folder.join("tokenizer.json")).unwrap(), "tokenizer.json"),
        (|folder| overwrite(&folder.join("tokenizer.json"), b"short"), "5 bytes instead of"),
        (|folder| fs::remove_file(folder.join("manifest.json")).unwrap(), "manifest.json"),
        (|folder| overwrite(&folder.join("manifest.json"), b"{"), "manifest.json"),
        (|folder| overwrite(&folder.join("manifest.json"), b""), "empty"),
        (
            |folder| {
                let path = folder.join("manifest.json");
                let text = fs::read_to_string(&path).unwrap().replace("tokenizer.json", "../../../../etc/hosts");
                overwrite(&path, text.as_bytes());
            },
            "not a plain file name",
        ),
        (
            |folder| {
                fs::remove_file(folder.join("tokenizer.json")).unwrap();
                fs::create_dir(folder.join("tokenizer.json")).unwrap();
            },
            "not a file",
        ),
    ];
    for (spoil, says) in spoils {
        let model = store.add(&place.gguf(), Some("hurt"), &mut quiet()).unwrap();
        spoil(&model.folder);
        let listed = store.list().unwrap();
        assert_eq!(listed.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["hurt", "sound"]);
        let fault = listed[0].model.as_ref().unwrap_err();
        assert_eq!(fault.code, Code::ModelBroken);
        assert!(fault.message.contains(says) && fault.message.contains("add it again"), "{fault}");
        assert!(listed[1].model.is_ok());
        assert_eq!(store.get("hurt").unwrap_err(), *fault);
        let again = store.add(&place.gguf(), Some("hurt"), &mut quiet()).unwrap();
        assert_eq!(store.verify("hurt", &mut quiet()).unwrap(), again);
        store.verify("sound", &mut quiet()).unwrap();
    }
}

#[test]
fn verify_finds_a_flipped_bit_that_sizes_do_not_show() {
    let place = Place::new();
    let store = place.store();
    let model = store.add(&place.gguf(), Some("m"), &mut quiet()).unwrap();
    let weights = model.folder.join("Tiny (Q8_0).gguf");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    // In place: the blob, which is the same file, changes too.
    let mut permissions = fs::metadata(&weights).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test alone")]
    permissions.set_readonly(false);
    fs::set_permissions(&weights, permissions).unwrap();
    fs::write(&weights, bytes).unwrap();
    assert!(store.get("m").is_ok());
    let fault = store.verify("m", &mut quiet()).unwrap_err();
    assert_eq!(fault.code, Code::ModelBroken);
    assert!(fault.message.contains("Q8_0).gguf") && fault.message.contains("remove the model m"), "{fault}");
    // The advice works even though another model keeps the spoilt blob in use.
    let other = store.add(&place.gguf(), Some("other"), &mut quiet()).unwrap();
    store.remove("m").unwrap();
    store.add(&place.gguf(), Some("m"), &mut quiet()).unwrap();
    store.verify("m", &mut quiet()).unwrap();
    assert_eq!(store.verify("other", &mut quiet()).unwrap(), other);
}

#[test]
fn leftovers_of_a_crash_at_any_step_are_cleaned_or_undone() {
    let place = Place::new();
    let model = place.store().add(&place.gguf(), Some("m"), &mut quiet()).unwrap();
    // While copying, after the blobs and while taking a model away.
    fs::create_dir_all(place.inside("tmp/new")).unwrap();
    fs::write(place.inside("tmp/new/half.gguf"), "half").unwrap();
    fs::write(place.inside("blobs").join("ab".repeat(32)), "nobody's").unwrap();
    fs::create_dir_all(place.inside("tmp/gone")).unwrap();
    fs::write(place.inside("tmp/gone/manifest.json"), "{}").unwrap();
    let store = place.store();
    assert_eq!((names(&store), place.blobs()), (vec!["m".into()], 3));
    assert_eq!(fs::read_dir(place.inside("tmp")).unwrap().count(), 0);

    // Between the two renames of a replacement: the old one comes back.
    fs::create_dir_all(place.inside("tmp/old")).unwrap();
    fs::rename(place.inside("index/m"), place.inside("tmp/old/m")).unwrap();
    assert_eq!(place.store().verify("m", &mut quiet()).unwrap(), model);

    // After them: the new one stays.
    fs::create_dir_all(place.inside("tmp/old/m")).unwrap();
    fs::write(place.inside("tmp/old/m/manifest.json"), "old").unwrap();
    assert_eq!(place.store().verify("m", &mut quiet()).unwrap(), model);
    assert_eq!(fs::read_dir(place.inside("tmp")).unwrap().count(), 0);
}

#[test]
fn opening_leaves_a_writer_at_work_alone() {
    let place = Place::new();
    let store = place.store();
    let mut opened = false;
    let model = store.add(&place.gguf(), Some("m"), &mut |_| {
        place.store();
        opened = true;
    });
    assert!(opened);
    model.unwrap();
    store.verify("m", &mut quiet()).unwrap();
}

#[test]
fn scripted_models_come_only_by_their_own_way() {
    let place = Place::new();
    let folder = place.models.path().join("script");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("scripted.json"), r#"{"context":99,"anything":[]}"#).unwrap();
    let store = place.store();
    assert_eq!(store.add(&folder, Some("m"), &mut quiet()).unwrap_err().code, Code::ModelBroken);
    let model = store.add_scripted(&folder, "m").unwrap();
    assert_eq!((model.manifest.format, model.manifest.context), (Format::Scripted, 99));
    assert!(model.folder.join("scripted.json").is_file());
    assert_eq!(store.add_scripted(&place.safetensors(), "x").unwrap_err().code, Code::Storage);
}

/// Not a test of its own: what [`two_processes_add_at_once`] runs in each process.
#[test]
fn child_adds() {
    let (Some(home), Some(models)) = (std::env::var_os("CHILD_HOME"), std::env::var_os("CHILD_MODELS")) else { return };
    let own = std::env::var("CHILD_NAME").unwrap();
    for round in 0..20 {
        let store = Store::open(Path::new(&home)).unwrap();
        store.add(Path::new(&models), Some("shared"), &mut |_| {}).unwrap();
        store.add(Path::new(&models), Some(&own), &mut |_| {}).unwrap();
        store.verify(&own, &mut |_| {}).unwrap();
        if round % 2 == 0 {
            store.remove(&own).unwrap();
        }
    }
}

#[test]
fn two_processes_add_at_once() {
    let place = Place::new();
    let child = |name: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_adds"])
            .env("CHILD_HOME", place.home.path())
            .env("CHILD_MODELS", place.gguf())
            .env("CHILD_NAME", name)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut children = [child("left"), child("right")];
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let store = place.store();
    assert_eq!((names(&store), place.blobs()), (vec!["left".into(), "right".into(), "shared".into()], 3));
    for name in ["left", "right", "shared"] {
        store.verify(name, &mut quiet()).unwrap();
    }
}

/// Not a test of its own: adds and removes until it is killed, and says so at every step.
#[test]
fn child_churns() {
    let (Some(home), Some(models)) = (std::env::var_os("CHURN_HOME"), std::env::var_os("CHURN_MODELS")) else { return };
    let step = |what: &str| eprintln!("{what}");
    let store = Store::open(Path::new(&home)).unwrap();
    loop {
        store.add(Path::new(&models), Some("churned"), &mut |_| step("copying")).unwrap();
        step("added");
        // Broken on purpose, so that the next one replaces it.
        fs::remove_file(store.get("churned").unwrap().folder.join("tokenizer.json")).unwrap();
        step("broken");
        store.add(Path::new(&models), Some("churned"), &mut |_| step("copying")).unwrap();
        step("replaced");
        store.remove("churned").unwrap();
        step("removed");
    }
}

#[test]
fn a_store_whose_writer_is_killed_is_old_or_new() {
    let place = Place::new();
    let kept = place.store().add(&place.gguf(), Some("kept"), &mut quiet()).unwrap();
    let mut seen = BTreeSet::new();
    for kill_after in 1..=40 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_churns", "--nocapture"])
            .env("CHURN_HOME", place.home.path())
            .env("CHURN_MODELS", place.gguf())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let steps = BufReader::new(child.stderr.take().unwrap()).lines();
        let last = steps.map(Result::unwrap).nth(kill_after).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        seen.insert(last);

        let store = place.store();
        assert_eq!(store.verify("kept", &mut quiet()).unwrap(), kept);
        assert_eq!(fs::read_dir(place.inside("tmp")).unwrap().count(), 0);
        assert_eq!(place.blobs(), 3, "no blob without a user");
        match store.get("churned") {
            Ok(_) => assert_eq!(store.verify("churned", &mut quiet()).unwrap().hash, kept.hash),
            Err(fault) if fault.code == Code::ModelUnknown => {}
            Err(fault) => assert!(fault.message.contains("tokenizer.json"), "only what the child broke: {fault}"),
        }
    }
    assert!(seen.len() >= 4, "killed at different steps: {seen:?}");
}

#[test]
fn the_demo_models_own_files_can_be_added_both_ways() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(demo.join(name), folder.path().join(name)).unwrap();
    }
    let place = Place::new();
    let store = place.store();
    let whole = store.add(folder.path(), Some("whole"), &mut quiet()).unwrap();
    let small = store.add(&demo.join("lull-demo.Q8_0.gguf"), Some("small"), &mut quiet()).unwrap();
    assert_eq!((whole.manifest.format, small.manifest.format), (Format::Safetensors, Format::Gguf));
    assert_eq!(whole.manifest.context, small.manifest.context);
    assert_eq!(store.ensure_demo().unwrap().hash, small.hash);
}

#[test]
fn a_place_that_cannot_be_written_is_said_plainly() {
    // A file where a folder should be: refused whoever runs the test.
    let place = Place::new();
    fs::write(place.home.path().join("models"), "in the way").unwrap();
    let fault = Store::open(place.home.path()).unwrap_err();
    assert_eq!(fault.code, Code::Storage);
    assert!(fault.message.contains("models"), "{fault}");
}

#[test]
fn a_source_that_is_spoilt_stays_out_and_the_store_stays_usable() {
    let place = Place::new();
    let store = place.store();
    let broken = Gguf { data_bytes: 1, ..Gguf::default() };
    fs::write(place.gguf(), broken.bytes()).unwrap();
    store.add(&place.gguf(), Some("m"), &mut quiet()).unwrap_err();
    fs::write(place.gguf(), Gguf::default().bytes()).unwrap();
    store.add(&place.gguf(), Some("m"), &mut quiet()).unwrap();
}

#[test]
fn the_demo_model_is_installed_once_and_renewed() {
    let place = Place::new();
    let store = place.store();
    store.add(&place.gguf(), Some(DEMO_NAME), &mut quiet()).unwrap();
    let demo = store.ensure_demo().unwrap();
    assert_eq!((demo.name(), demo.manifest.architecture.as_str()), ("lull-demo", "llama"));
    let made = fs::metadata(demo.folder.join("manifest.json")).unwrap().modified().unwrap();
    assert_eq!(store.ensure_demo().unwrap(), demo);
    assert_eq!(fs::metadata(demo.folder.join("manifest.json")).unwrap().modified().unwrap(), made);
    assert_eq!(place.blobs(), 3);
    store.verify(DEMO_NAME, &mut quiet()).unwrap();
}

#[cfg(unix)]
#[test]
fn only_its_user_can_enter_or_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    // Two levels deep, so that every folder on the way is made, too.
    let store = Store::open(&home.path().join("lull")).unwrap();
    store.ensure_demo().unwrap();
    let mut folders = vec![home.path().join("lull")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
            seen += 1;
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 8, "{seen}");
}
