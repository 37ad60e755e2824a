//! `xtask demo-model`: trains `lull-demo` on `docs/faq.md`, or checks the committed one.

mod corpus;
mod eval;
mod faq;
mod files;
mod net;
mod ops;
mod phrases;
mod report;
mod rng;
mod tokens;
mod train;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;

use eval::Score;
use faq::Entry;
use net::{Net, Shape};
use report::Scores;
use tokens::Codec;
use train::Recipe;

const HELP: &str = "\
Trains the demo model on docs/faq.md, in a few minutes on two cores.

Usage: xtask demo-model [--out DIR] [--steps N]
       xtask demo-model --check [--out DIR]

  --out DIR   where the model is (default: crates/lull-models/demo)
  --steps N   how long to train
  --check     trains nothing; fails if the model in DIR answers less than 90 % of the FAQ word for word

Example: ./x demo-model --check";

const SEED: u64 = 5855;
const STEPS: usize = 1200;
/// The share of the FAQ, in percent, that must come back word for word.
const FLOOR_PERCENT: f64 = 90.0;
/// How many questions in other words are asked, for the record.
const VARIANTS_SEED: u64 = 7;
/// All files together, in bytes.
const MAX_FOLDER_BYTES: u64 = 4_000_000;

struct Options {
    out: PathBuf,
    steps: usize,
    check: bool,
}

/// Runs the command with the arguments that follow its name.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        return run_with_own_threads();
    }
    let options = parse(args)?;
    let text = std::fs::read_to_string(root().join("docs/faq.md")).context("cannot read docs/faq.md")?;
    let entries = faq::parse(&text)?;
    if options.check {
        return check(&options.out, &entries);
    }
    make(&options, &entries)
}

/// Training brings its own threads, and candle reads from the environment that it shall not.
fn run_with_own_threads() -> Result<()> {
    let status = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env("RAYON_NUM_THREADS", "1")
        .status()?;
    if status.success() {
        return Ok(());
    }
    // The child has said what is wrong.
    std::process::exit(status.code().unwrap_or(1))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { out: root().join("crates/lull-models/demo"), steps: STEPS, check: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--out" => options.out = value()?.into(),
            "--steps" => options.steps = value()?.parse().context("--steps needs a number")?,
            "--check" => options.check = true,
            other => bail!("unknown option {other}; see `xtask demo-model --help`"),
        }
    }
    ensure!(options.steps > 0, "--steps must be at least 1");
    Ok(options)
}

fn make(options: &Options, entries: &[Entry]) -> Result<()> {
    let codec = Codec::train(corpus::tokenizer_texts(entries).into_iter())?;
    faq::check_lengths(entries, |text| Ok(codec.encode(text)?.len()))?;
    let shape = Shape::demo(codec.len());
    let recipe = Recipe { seed: SEED, steps: options.steps };
    let intro = format!(
        "lull-demo: {} parameters, {} tokens in the vocabulary, {} entries, seed {SEED}, {} steps",
        shape.parameters(),
        codec.len(),
        entries.len(),
        recipe.steps
    );
    eprintln!("{intro}");
    let trained = train::train(&shape, &codec, entries, &recipe)?;
    files::write(&options.out, &shape, &codec, &trained.weights)?;
    let scores = measure(&options.out, &shape, &codec, entries)?;
    let outcome = scores.to_string();
    eprint!("{outcome}");
    std::fs::write(options.out.join("training.log"), format!("{intro}\n{}{outcome}", trained.log))?;
    report::write(&options.out, &shape, &recipe, trained.time, entries, &scores)?;
    judge(&options.out, &scores)
}

fn check(dir: &Path, entries: &[Entry]) -> Result<()> {
    report::check_manifest(dir)?;
    let shape = files::read_shape(dir)?;
    let json = std::fs::read(dir.join("tokenizer.json")).context("cannot read tokenizer.json")?;
    let codec = Codec::from_json(&json)?;
    faq::check_lengths(entries, |text| Ok(codec.encode(text)?.len()))?;
    let scores = measure(dir, &shape, &codec, entries)?;
    print!("{scores}");
    for question in &scores.q8_0.missed {
        println!("not word for word: {question}");
    }
    judge(dir, &scores)
}

/// Measures the files in `dir`, not what is in memory.
fn measure(dir: &Path, shape: &Shape, codec: &Codec, entries: &[Entry]) -> Result<Scores> {
    let config = files::read_json(&dir.join("tokenizer_config.json"))?;
    let template = config["chat_template"].as_str().context("tokenizer_config.json has no chat_template")?;
    let score = |net: &Net, entries: &[Entry]| -> Result<Score> { eval::score(net, codec, template, entries) };
    let quantised = files::read_gguf(dir, shape)?;
    let mut rng = rng::Rng::new(VARIANTS_SEED);
    let variant = |e: &Entry| Entry { question: corpus::vary(&e.question, &mut rng), ..e.clone() };
    let variants: Vec<Entry> = entries.iter().map(variant).collect();
    Ok(Scores {
        f16: score(&files::read_safetensors(dir, shape, DType::F16)?, entries)?,
        bf16: score(&files::read_safetensors(dir, shape, DType::BF16)?, entries)?,
        q8_0: score(&quantised, entries)?,
        variants: score(&quantised, &variants)?,
    })
}

fn judge(dir: &Path, scores: &Scores) -> Result<()> {
    let worst = scores.f16.percent().min(scores.q8_0.percent());
    ensure!(
        worst >= FLOOR_PERCENT,
        "only {worst} % of the FAQ comes back word for word, and {FLOOR_PERCENT} % is the floor; train longer"
    );
    let mut bytes = 0;
    for file in std::fs::read_dir(dir)? {
        bytes += file?.metadata()?.len();
    }
    ensure!(bytes <= MAX_FOLDER_BYTES, "the folder has {bytes} bytes; {MAX_FOLDER_BYTES} are allowed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let args = ["--out", "x", "--steps", "7"].map(str::to_owned);
        let options = parse(&args).unwrap();
        assert_eq!((options.out, options.steps, options.check), (PathBuf::from("x"), 7, false));
        for bad in [vec!["--steps"], vec!["--steps", "0"], vec!["--what"]] {
            let bad: Vec<String> = bad.into_iter().map(str::to_owned).collect();
            assert!(parse(&bad).is_err());
        }
    }
}
