use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use lull_types::{Code, Fault};

use crate::{
    ContentHash, MANIFEST_FILE, Manifest, ModelFile, ModelName, Progress,
    disk::{self, Lock},
    fault,
    inspect::inspect,
    json,
    manifest::MANIFEST_BYTES_MAX,
    plan::{Plan, Source},
};

/// The store while it is being changed: by one process, and cleaned of what a crash may have left.
///
/// A new model is built in `tmp/new` and becomes visible by one rename. An old one steps aside to `tmp/old` first;
/// if a crash comes between, [`Writer::recover`] puts it back.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    root: &'a Path,
    _lock: Lock,
}

impl<'a> Writer<'a> {
    pub(crate) fn begin(root: &'a Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Self, Fault> {
        let writer = Self { root, _lock: Lock::take(root, progress)? };
        writer.recover()?;
        Ok(writer)
    }

    /// Cleans up if nobody writes now.
    pub(crate) fn clean(root: &'a Path) -> Result<(), Fault> {
        match Lock::try_take(root)? {
            Some(lock) => Self { root, _lock: lock }.recover(),
            None => Ok(()),
        }
    }

    fn recover(&self) -> Result<(), Fault> {
        let old = self.root.join("tmp").join("old");
        for name in disk::names_in(&old)? {
            let place = self.root.join("index").join(&name);
            if fs::symlink_metadata(&place).is_err() {
                disk::rename(&old.join(&name), &place)?;
            }
        }
        disk::remove_all(&self.root.join("tmp"))?;
        disk::create_dir(&self.root.join("tmp"))?;
        self.free_unused()
    }

    /// Copies a plan's files into a new folder and checks them there, where nobody else changes them.
    pub(crate) fn stage(
        &self,
        plan: &Plan<'_>,
        name: ModelName,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Staged, Fault> {
        let folder = self.root.join("tmp").join("new");
        disk::remove_all(&folder)?;
        disk::create_dir(&folder)?;
        let total = plan.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(length(&part.source)));
        let mut done = 0;
        let mut files = Vec::new();
        for part in &plan.parts {
            let mut on_bytes = |bytes: u64| {
                done += bytes;
                progress(Progress::File { name: &part.name, done, total });
            };
            let mut reader = Unless { given_up: plan.given_up, reader: open(&part.source)? };
            let (bytes, blake3) = disk::write_new(&folder.join(&part.name), &mut reader, &mut on_bytes)?;
            files.push(ModelFile { path: part.name.clone(), bytes, blake3 });
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let facts = inspect(&folder, plan.format, &plan.names())?;
        let manifest = Manifest {
            name,
            format: plan.format,
            architecture: facts.architecture,
            parameters: facts.parameters,
            context: facts.context,
            license: facts.license,
            files,
        };
        manifest.check()?;
        Ok(Staged { folder, manifest })
    }

    /// Makes a staged model visible, in place of whatever has its name.
    pub(crate) fn commit(&self, staged: &Staged) -> Result<(), Fault> {
        let json = serde_json::to_vec_pretty(&staged.manifest)
            .map_err(|error| Fault::new(Code::Internal, format!("the manifest cannot be written: {error}")))?;
        disk::write_new(&staged.folder.join(MANIFEST_FILE), &mut json.as_slice(), &mut |_| {})?;
        for file in &staged.manifest.files {
            self.share(&staged.folder.join(&file.path), &file.blake3)?;
        }
        disk::sync_dir(&self.root.join("blobs"))?;
        disk::sync_dir(&staged.folder)?;
        self.step_aside(&staged.manifest.name)?;
        let index = self.root.join("index");
        disk::rename(&staged.folder, &index.join(staged.manifest.name.as_str()))?;
        disk::sync_dir(&index)?;
        disk::remove_all(&self.root.join("tmp").join("old"))?;
        self.free_unused()
    }

    /// Takes a model away, and every blob that no other model uses.
    pub(crate) fn remove(&self, name: &ModelName) -> Result<(), Fault> {
        let gone = self.root.join("tmp").join("gone");
        let index = self.root.join("index");
        disk::remove_all(&gone)?;
        disk::rename(&index.join(name.as_str()), &gone)?;
        disk::sync_dir(&index)?;
        disk::remove_all(&gone)?;
        self.free_unused()
    }

    fn step_aside(&self, name: &ModelName) -> Result<(), Fault> {
        let place = self.root.join("index").join(name.as_str());
        if fs::symlink_metadata(&place).is_err() {
            return Ok(());
        }
        let old = self.root.join("tmp").join("old");
        disk::create_dir(&old)?;
        disk::rename(&place, &old.join(name.as_str()))?;
        disk::sync_dir(&old)
    }

    /// Gives a staged file its name in `blobs`; or, if the same content is there, the file that name.
    fn share(&self, file: &Path, hash: &ContentHash) -> Result<(), Fault> {
        let blob = self.root.join("blobs").join(hash.to_string());
        let sound = blob.exists() && disk::hash_file(&blob, &mut |_| {}).is_ok_and(|(_, found)| found == *hash);
        if !sound {
            disk::remove_all(&blob)?;
            return disk::link_or_copy(file, &blob);
        }
        disk::remove_all(file)?;
        disk::link_or_copy(&blob, file)
    }

    /// Removes every blob that no manifest names. A broken model's files are safe: its folder has names of its own.
    fn free_unused(&self) -> Result<(), Fault> {
        let index = self.root.join("index");
        let mut used = HashSet::new();
        for name in disk::names_in(&index)? {
            if let Ok(manifest) = read_manifest(&index.join(name)) {
                used.extend(manifest.files.iter().map(|file| file.blake3.to_string()));
            }
        }
        let blobs = self.root.join("blobs");
        for name in disk::names_in(&blobs)? {
            if !used.contains(&name) {
                disk::remove_all(&blobs.join(name))?;
            }
        }
        Ok(())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next writer.
        let _ = disk::remove_all(&self.root.join("tmp").join("new"));
    }
}

/// A model whose files are copied, hashed and checked, and that nobody sees yet.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: PathBuf,
    pub(crate) manifest: Manifest,
}

/// Reads and checks the manifest in a stored model's folder.
pub(crate) fn read_manifest(folder: &Path) -> Result<Manifest, Fault> {
    let path = folder.join(MANIFEST_FILE);
    let manifest: Manifest = json::read_file(&path, MANIFEST_BYTES_MAX)?;
    manifest.check().map_err(|found| fault::at(path.display(), &found))?;
    Ok(manifest)
}

fn length(source: &Source<'_>) -> u64 {
    match source {
        Source::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
        Source::Bytes(bytes) => bytes.len() as u64,
    }
}

/// A file that ends with an error as soon as nobody wants its content any more.
struct Unless<'a> {
    given_up: Option<&'a AtomicBool>,
    reader: Box<dyn Read + 'a>,
}

impl Read for Unless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given_up.is_some_and(|given_up| given_up.load(Ordering::Relaxed)) {
            return Err(io::Error::other("given up"));
        }
        self.reader.read(buffer)
    }
}

fn open<'s>(source: &'s Source<'_>) -> Result<Box<dyn Read + 's>, Fault> {
    match source {
        Source::Bytes(bytes) => Ok(Box::new(*bytes)),
        Source::File(path) => {
            let (_, _) = json::open(path, u64::MAX)?;
            File::open(path).map(|file| Box::new(file) as _).map_err(|error| fault::io("read", path, &error))
        }
    }
}
