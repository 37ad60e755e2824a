use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use lull_types::{Code, Fault, ModelHash};

use crate::{
    Manifest, ModelName, Progress, disk,
    fault::{at, broken},
    inspect::inspect,
    plan::Plan,
    stage::{Writer, read_manifest},
};

/// The models on this machine, under `<LULL_HOME>/models`.
///
/// `blobs/<BLAKE3>` holds every file once; `index/<name>/` is a folder that a worker can load: `manifest.json` and
/// the files under their own names. Readers need no lock: a model appears and goes by one rename.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A model that is whole, as far as names and sizes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredModel {
    /// What it is.
    pub manifest: Manifest,
    /// Its identity everywhere.
    pub hash: ModelHash,
    /// The folder with all of its files.
    pub folder: PathBuf,
}

impl StoredModel {
    /// Its name on this machine.
    #[must_use]
    pub fn name(&self) -> &str {
        self.manifest.name.as_str()
    }

    /// The length of its files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.bytes()
    }
}

/// A model in the store, or why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name on this machine.
    pub name: String,
    /// The model, or its fault.
    pub model: Result<StoredModel, Fault>,
}

/// What happens to a model that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    IfBroken,
    Always,
}

impl Store {
    /// Opens the store in a node's home, made if it is not there, and cleans what a crash may have left.
    ///
    /// # Errors
    /// [`Code::Storage`] when the folder cannot be made or written.
    pub fn open(home: &Path) -> Result<Self, Fault> {
        let root = home.join("models");
        ["blobs", "index", "tmp"].iter().try_for_each(|name| disk::create_dir(&root.join(name)))?;
        Writer::clean(&root)?;
        Ok(Self { root })
    }

    /// Checks and copies a model: a `.gguf` file with `tokenizer.json` beside it, or a folder with one model.
    /// Adding the same content under the same name again changes nothing. Blocks while another process writes.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] and [`Code::Unsupported`] for files that cannot be used, [`Code::BadRequest`] for a bad
    /// or taken name or a path that is no model, [`Code::Storage`] for what the disk refuses.
    pub fn add(
        &self,
        path: &Path,
        name: Option<&str>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StoredModel, Fault> {
        self.add_unless(path, name, &AtomicBool::new(false), progress)
    }

    /// The same, unless somebody gives it up meanwhile; what was copied is removed then. While another process writes,
    /// that is noticed only when it is done.
    ///
    /// # Errors
    /// [`Code::Cancelled`] when it was given up, and those of [`Store::add`].
    pub fn add_unless(
        &self,
        path: &Path,
        name: Option<&str>,
        given_up: &AtomicBool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StoredModel, Fault> {
        let name = match name {
            Some(name) => parse_name(name)?,
            None => ModelName::from_path(&fs::canonicalize(path).unwrap_or_else(|_| path.into()))
                .map_err(|error| Fault::new(Code::BadRequest, format!("{error}; give a name of your own")))?,
        };
        let plan = Plan::of(path)?;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or_else(|| Path::new(".")) };
        inspect(folder, plan.format, &plan.names())?;
        let plan = plan.unless(given_up);
        self.install(&plan, name, Replace::IfBroken, progress).map_err(|fault| {
            let cancelled = || Fault::new(Code::Cancelled, "adding this model was given up; nothing of it stays here");
            if given_up.load(Ordering::Relaxed) { cancelled() } else { fault }
        })
    }

    /// Adds a folder with the test engine's `scripted.json`; [`Store::add`] never does.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn add_scripted(&self, folder: &Path, name: &str) -> Result<StoredModel, Fault> {
        let plan = Plan::of_script(folder)?;
        self.install(&plan, parse_name(name)?, Replace::IfBroken, &mut |_| {})
    }

    pub(crate) fn install(
        &self,
        plan: &Plan<'_>,
        name: ModelName,
        replace: Replace,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StoredModel, Fault> {
        let writer = Writer::begin(&self.root, progress)?;
        let staged = writer.stage(plan, name, progress)?;
        match self.whole(staged.manifest.name.as_str()) {
            Ok(existing) if existing.hash == staged.manifest.hash() => return Ok(existing),
            Ok(existing) if replace == Replace::IfBroken => return Err(name_taken(&existing)),
            Ok(_) | Err(_) => {}
        }
        writer.commit(&staged)?;
        self.get(staged.manifest.name.as_str())
    }

    /// Every model here, by name; a broken one with its fault.
    ///
    /// # Errors
    /// [`Code::Storage`] when the store itself cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Fault> {
        let names = disk::names_in(&self.root.join("index"))?;
        Ok(names.into_iter().map(|name| Listed { model: self.whole(&name), name }).collect())
    }

    /// The model of this name.
    ///
    /// # Errors
    /// [`Code::ModelUnknown`] when there is none, [`Code::ModelBroken`] when it is not whole.
    pub fn get(&self, name: &str) -> Result<StoredModel, Fault> {
        self.whole(parse_name(name).map_err(|_| unknown(name))?.as_str())
    }

    /// The whole model with this content, whatever it is called here.
    ///
    /// # Errors
    /// [`Code::Storage`] when the store cannot be read.
    pub fn by_hash(&self, hash: &ModelHash) -> Result<Option<StoredModel>, Fault> {
        let models = self.list()?.into_iter().filter_map(|listed| listed.model.ok());
        Ok(models.into_iter().find(|model| model.hash == *hash))
    }

    /// Removes a model, whole or not, and frees what no other model uses. A worker that has it loaded keeps it.
    ///
    /// # Errors
    /// [`Code::ModelUnknown`] when there is none, [`Code::Storage`] for what the disk refuses.
    pub fn remove(&self, name: &str) -> Result<(), Fault> {
        let parsed = parse_name(name).map_err(|_| unknown(name))?;
        let writer = Writer::begin(&self.root, &mut |_| {})?;
        if fs::symlink_metadata(self.folder(parsed.as_str())).is_err() {
            return Err(unknown(name));
        }
        writer.remove(&parsed)
    }

    /// Reads every byte of a model again and compares it with its manifest.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] naming the file that has changed; [`Code::ModelUnknown`], [`Code::Storage`].
    pub fn verify(&self, name: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<StoredModel, Fault> {
        let model = self.get(name)?;
        let total = model.bytes();
        let mut done = 0;
        for file in &model.manifest.files {
            let path = model.folder.join(&file.path);
            let mut on_bytes = |bytes: u64| {
                done += bytes;
                progress(Progress::File { name: &file.path, done, total });
            };
            let (_, found) = disk::hash_file(&path, &mut on_bytes)?;
            if found != file.blake3 {
                return Err(broken(format!(
                    "{}: the content has changed since it was added; remove the model {name} and add it again",
                    path.display()
                )));
            }
        }
        Ok(model)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join("index").join(name)
    }

    /// The model in one folder of the index, if names and sizes are right.
    fn whole(&self, name: &str) -> Result<StoredModel, Fault> {
        let folder = self.folder(name);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(broken(format!("{}: not a folder; remove it", folder.display()))),
            Err(_) => return Err(unknown(name)),
        }
        let remedy = |fault: &Fault| broken(format!("{}; remove the model {name:?} and add it again", fault.message));
        let manifest = read_manifest(&folder).map_err(|fault| remedy(&fault))?;
        if manifest.name.as_str() != name {
            return Err(remedy(&broken(format!("{}: its manifest is of {}", folder.display(), manifest.name))));
        }
        for file in &manifest.files {
            let path = folder.join(&file.path);
            let fault = match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_file() && metadata.len() == file.bytes => continue,
                Ok(metadata) if metadata.is_file() => {
                    broken(format!("{} bytes instead of {}", metadata.len(), file.bytes))
                }
                Ok(_) => broken("not a file"),
                Err(error) => broken(error.to_string()),
            };
            return Err(remedy(&at(path.display(), &fault)));
        }
        Ok(StoredModel { hash: manifest.hash(), manifest, folder })
    }
}

fn parse_name(name: &str) -> Result<ModelName, Fault> {
    name.parse().map_err(|error: crate::ModelNameError| Fault::new(Code::BadRequest, error.to_string()))
}

fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(80).collect();
    Fault::new(Code::ModelUnknown, format!("there is no model {name:?} here; see: lull models list"))
}

fn name_taken(existing: &StoredModel) -> Fault {
    let name = existing.name();
    Fault::new(
        Code::BadRequest,
        format!("the name {name:?} belongs to another model; give another name, or remove that model first"),
    )
}
