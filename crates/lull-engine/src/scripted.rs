//! An engine without a model, for tests and measurements: it writes words that depend on every id before them, at a
//! chosen pace, and misbehaves on demand. Its "model" is a folder with a `scripted.json`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lull_types::{Code, Fault, Layer, Layers, Message, Role, Shortfall};
use serde::{Deserialize, Serialize};

use crate::{Confine, Confined, Engine, EngineInfo, Load, Next, Steps, Vocabulary, guard};

/// The file that makes a folder a scripted model.
pub const FILE: &str = "scripted.json";
/// Ends an answer.
pub const END: u32 = 256;
/// Stands between prompt and answer.
pub const ANSWER: u32 = 257;
/// Tokens of the vocabulary: 256 bytes, `END`, `ANSWER`.
pub const VOCABULARY: u32 = 258;

/// What is in `scripted.json`; everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// From one token to the next, in microseconds.
    pub pace_us: u64,
    /// Prefill, for each token of the prompt and the prefix, in microseconds.
    pub prefill_us: u64,
    /// Loading, in microseconds.
    pub load_us: u64,
    /// The longest prompt and answer together, in tokens.
    pub context: u32,
    /// How long an answer is, in tokens.
    pub length: u32,
    /// The answer; without one, words that depend on every id before them.
    pub answer: Option<String>,
    /// Layers of the sandbox that it says it lacks. It is not confined at all, and says that it has all others.
    pub lacks: Layers,
    /// What goes wrong, and when.
    pub mishap: Option<Mishap>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mishap {
    /// When.
    pub at: When,
    /// What.
    pub what: What,
}

/// When something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first frame.
    Start,
    /// While loading.
    Load,
    /// While tokenising.
    Tokenize,
    /// Before the token at this position.
    Token(u32),
}

/// What goes wrong then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A panic whose text holds content.
    Panic,
    /// Nothing, for ever.
    Hang,
    /// An abort, as by a fault in C code.
    Abort,
    /// More and more memory.
    Memory,
    /// A fault, properly said.
    Fault,
    /// An exit with this status.
    Exit(i32),
    /// These bytes on the pipe.
    Bytes(Vec<u8>),
}

impl Default for Script {
    fn default() -> Self {
        Self {
            pace_us: 0,
            prefill_us: 0,
            load_us: 0,
            context: 4096,
            length: 64,
            answer: None,
            lacks: Layers::new(),
            mishap: None,
        }
    }
}

impl Script {
    /// Writes the script as a model folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join(FILE), serde_json::to_vec_pretty(self)?)
    }

    /// Reads a model folder's script.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] when there is none or it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(FILE);
        let broken = |error: &dyn std::fmt::Display| {
            Fault::new(Code::ModelBroken, format!("{} cannot be read: {error}", path.display()))
        };
        let bytes = std::fs::read(&path).map_err(|error| broken(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| broken(&error))
    }

    /// The tokens of every scripted model.
    #[must_use]
    pub fn vocabulary() -> Vocabulary {
        let mut bytes: Vec<Box<[u8]>> = (0..=255_u8).map(|byte| Box::from([byte])).collect();
        bytes.resize(VOCABULARY as usize, Box::default());
        Vocabulary::new(bytes, vec![END])
    }
}

/// The sandbox that a scripted worker says it has.
#[derive(Debug)]
pub struct Pretended {
    model: PathBuf,
    layers: Layers,
    lacks: Layers,
}

impl Pretended {
    /// As the script in the model's folder wants it. Memory is really bounded.
    ///
    /// # Errors
    /// When memory cannot be.
    pub fn put_up(wanted: &Confine) -> std::io::Result<Box<dyn Confined>> {
        if let Some(bytes) = wanted.memory_max {
            guard::bound_memory(bytes)?;
        }
        let mut lacks = Script::read(&wanted.model).map_or_else(|_| Layers::new(), |script| script.lacks);
        lacks.extend(&wanted.skip);
        let is_up = |layer: &Layer| *layer != Layer::RunFilter && !lacks.contains(layer);
        let layers = Layer::ALL.into_iter().filter(is_up).collect();
        Ok(Box::new(Self { model: wanted.model.clone(), layers, lacks }))
    }
}

impl Confined for Pretended {
    fn model(&self) -> &Path {
        &self.model
    }

    fn layers(&self) -> Layers {
        self.layers.clone()
    }

    fn shortfalls(&self) -> Vec<Shortfall> {
        let shortfall = |layer: &Layer| Shortfall { layer: *layer, why: "its script says so".into() };
        self.lacks.iter().map(shortfall).collect()
    }

    fn seal(&mut self) -> std::io::Result<()> {
        if !self.lacks.contains(&Layer::RunFilter) {
            self.layers.insert(Layer::RunFilter);
        }
        Ok(())
    }
}

/// The engine.
pub struct Scripted<W> {
    script: Script,
    vocabulary: Arc<Vocabulary>,
    pipe: W,
}

impl<W: Write + Clone + Send + 'static> Scripted<W> {
    /// Loads the script of a model folder. `pipe` is where misplaced bytes go.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] as [`Script::read`], or on demand.
    pub fn load(load: &Load, mut pipe: W) -> Result<Box<dyn Engine>, Fault> {
        let script = Script::read(&load.model)?;
        wait(script.load_us);
        script.mishap(When::Load, &mut pipe)?;
        Ok(Box::new(Self { script, vocabulary: Arc::new(Script::vocabulary()), pipe }))
    }
}

impl<W: Write + Clone + Send + 'static> Engine for Scripted<W> {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "scripted".into(), context: self.script.context }
    }

    fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.vocabulary)
    }

    fn tokenize(&mut self, messages: &[Message]) -> Result<Vec<u32>, Fault> {
        self.script.mishap(When::Tokenize, &mut self.pipe)?;
        let mut ids = Vec::new();
        for message in messages {
            let role: &[u8] = match message.role {
                Role::System => b"\x01",
                Role::User => b"\x02",
                Role::Assistant => b"\x03",
            };
            ids.extend(role.iter().chain(message.content.as_bytes()).map(|&byte| u32::from(byte)));
        }
        ids.push(ANSWER);
        Ok(ids)
    }

    fn run(&mut self, mut ids: Vec<u32>, mut steps: Box<dyn Steps>) -> Result<(), Fault> {
        let prompt = ids.iter().rposition(|&id| id == ANSWER).map_or(0, |at| at + 1);
        wait(self.script.prefill_us.saturating_mul(ids.len() as u64));
        let mut due = Instant::now();
        loop {
            let position = (ids.len() - prompt) as u32;
            self.script.mishap(When::Token(position), &mut self.pipe)?;
            let mut logits = self.script.logits(&ids, position);
            if is_cheating() && hash(&ids).is_multiple_of(ALTERED_ONE_IN) {
                logits[usize::from(b'!')] = 100.0;
            }
            match steps.next(&logits) {
                Next::Token(id) => ids.push(id),
                Next::Stop => return Ok(()),
            }
            due += Duration::from_micros(self.script.pace_us);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// A worker whose program's name ends like this alters one token of [`ALTERED_ONE_IN`].
pub const CHEATING: &str = "-cheating";
/// Of so many tokens a cheating worker alters one.
pub const ALTERED_ONE_IN: u64 = 50;

fn is_cheating() -> bool {
    std::env::args().next().is_some_and(|program| program.ends_with(CHEATING))
}

fn hash(ids: &[u32]) -> u64 {
    ids.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &id| (hash ^ u64::from(id)).wrapping_mul(0x0100_0000_01b3).rotate_left(23))
}

impl Script {
    fn logits(&self, ids: &[u32], position: u32) -> Vec<f32> {
        let hash = hash(ids);
        let likeliest = match &self.answer {
            _ if position >= self.length => END,
            Some(answer) => answer.as_bytes().get(position as usize).map_or(END, |&byte| byte.into()),
            None if position % 6 == 5 => b' '.into(),
            None => u32::from(b'a') + (hash >> 20) as u32 % 26,
        };
        let mut logits = vec![-20.0; VOCABULARY as usize];
        // Some others are likely enough for sampling to have a choice.
        for (at, logit) in logits[usize::from(b'a')..=usize::from(b'z')].iter_mut().enumerate() {
            *logit = (hash >> (at % 13)) as f32 % 64.0 / 16.0;
        }
        logits[likeliest as usize] = 6.0;
        logits
    }

    /// Does what goes wrong at this time, if anything.
    ///
    /// # Errors
    /// If that is a fault.
    pub fn mishap(&self, now: When, pipe: &mut impl Write) -> Result<(), Fault> {
        match self.mishap.as_ref().filter(|mishap| mishap.at == now).map(|mishap| &mishap.what) {
            None => Ok(()),
            Some(What::Panic) => panic!("a panic's text may quote the prompt: CONTENT"),
            Some(What::Abort) => std::process::abort(),
            Some(What::Exit(status)) => guard::exit(*status, "told to exit by its script"),
            Some(What::Fault) => Err(Fault::new(Code::Internal, "a fault from the script")),
            Some(What::Memory) => eat(),
            Some(What::Bytes(bytes)) => {
                let _ = pipe.write_all(bytes).and_then(|()| pipe.flush());
                Ok(())
            }
            Some(What::Hang) => loop {
                std::thread::park();
            },
        }
    }
}

fn eat() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 16 << 20]);
    }
}

fn wait(us: u64) {
    if us > 0 {
        std::thread::sleep(Duration::from_micros(us));
    }
}
