//! Nothing of a job rests on the machine that ran it or on the relay: after many jobs and crashes, every place to which
//! something could have been written is searched for words from the prompts. Each kind of place has a control.
//!
//! `LULL_PRIVACY_JOBS` and `LULL_PRIVACY_CRASHES` make it longer: `./x soak privacy`.

#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, bail, ensure};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, NodeRole, Org, ask, children, long_question, memory_holds, question, signal};
use lull_types::ChatEvent;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Words that are looked for.
const MARKERS: usize = 20;
/// Jobs and crashes unless the environment says otherwise.
const JOBS: usize = 100;
const CRASHES: usize = 5;
/// Questions asked at once.
const AT_ONCE: usize = 4;
/// Where systems keep dumps and temporary files, apart from the folders of the processes themselves.
const PLACES: [&str; 7] =
    ["/tmp", "/var/tmp", "/dev/shm", "/var/crash", "/var/lib/systemd/coredump", "/run", "/var/log"];
/// A file that is larger is searched only so far, in bytes.
const SEARCHED_MAX: usize = 1 << 30;
/// Signals on which a process leaves a dump if it can. Not SEGV: Rust's own handler takes the first one for a stack
/// that is used up. Not QUIT: a shell without job control has what it starts in the background ignore it.
const DUMPING: [&str; 4] = ["ABRT", "SYS", "TRAP", "XCPU"];
/// How often one crash is tried.
const TRIES_MAX: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn after_jobs_and_crashes_no_word_of_a_prompt_is_on_any_disk() -> Result<()> {
    let (jobs, crashes) = (count("LULL_PRIVACY_JOBS", JOBS)?, count("LULL_PRIVACY_CRASHES", CRASHES)?);
    let began = SystemTime::now();
    let search = Search::new()?;
    dumps_are_allowed()?;
    let mut org = Org::create("Acme")?;
    org.log = "trace";
    let temporary = org.path().join("tmp");
    fs::create_dir_all(&temporary)?;
    search.control(&temporary)?;
    let relay = org.relay()?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    let enrolled = org.enroll("oak")?;
    let mut lender = start(&org, &enrolled, &temporary)?;
    let mut done = 0;
    for crash in 0..crashes {
        let until = jobs * (crash + 1) / crashes;
        many(&asker, &search, done..until).await?;
        done = until;
        let mut tries = 0;
        while !crash_midway(&asker, &lender, &search, crash).await? {
            tries += 1;
            ensure!(tries < TRIES_MAX, "every answer was whole before its worker could be made to crash");
        }
        if crash % 5 == 4 {
            // The node itself, with whatever it had in its hands.
            signal(lender.process.pid(), DUMPING[crash / 5 % DUMPING.len()])?;
            drop(lender);
            lender = start(&org, &enrolled, &temporary)?;
        }
    }
    many(&asker, &search, done..jobs).await?;
    let held =
        search.needles.iter().take(MARKERS).filter(|needle| memory_holds(asker.process.pid(), needle).unwrap_or(false));
    println!("control: the asker's memory still holds {} of {MARKERS} markers", held.count());
    for (name, pid) in [("relay", relay.process.pid()), ("lender", lender.process.pid())] {
        ensure!(!can_dump(pid)?, "the {name} can leave a dump");
    }
    let log = lender.process.log().len() + relay.process.log().len();
    ensure!(log > 10_000, "control: only {log} bytes were logged at the most talkative level");
    drop((relay, lender, asker));
    let searched = search.places(&org, began)?;
    println!(
        "{jobs} jobs, {crashes} crashes; {} markers in {} forms; {} files, {} MiB searched, {}; 0 found",
        MARKERS,
        search.needles.len() / MARKERS,
        searched.files,
        searched.bytes >> 20,
        searched.swap
    );
    Ok(())
}

fn count(variable: &str, default: usize) -> Result<usize> {
    std::env::var(variable).map_or(Ok(default), |text| text.parse().with_context(|| format!("{variable}={text}")))
}

/// Children inherit it: whoever leaves no dump does so by itself.
fn dumps_are_allowed() -> Result<()> {
    let mut limit = getrlimit(Resource::Core);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Core, limit)?)
}

fn start(org: &Org, enrolled: &Enrolled, temporary: &Path) -> Result<Node> {
    org.start_with(enrolled, |command| {
        command.arg("--dedicated").env("TMPDIR", temporary).current_dir(temporary);
    })
}

/// Asks so many questions, each with a marker in it.
async fn many(asker: &Node, search: &Search, jobs: std::ops::Range<usize>) -> Result<()> {
    let home = &asker.home;
    stream::iter(jobs)
        .map(|job| async move {
            let mut request = question(&format!("{} What is Lull? {}", search.marker(job), search.marker(job + 7)));
            request.sampling.max_tokens = 12;
            ask(home, request, |_| {}).await.map(drop).with_context(|| format!("job {job}"))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Has the worker die of a signal that would leave a dump, in the middle of an answer.
/// `false`: on a busy machine the answer was whole before the signal came.
async fn crash_midway(asker: &Node, lender: &Node, search: &Search, crash: usize) -> Result<bool> {
    let text = format!("{} What is a node?", search.marker(crash));
    let mut chat = RemoteNode::connect(&asker.home).await?.chat(long_question(&text, 1900)).await?;
    let mut tokens = 0;
    while tokens < 3 {
        match chat.next().await.context("the answer ended early")? {
            ChatEvent::Token(_) => tokens += 1,
            ChatEvent::Failed(fault) => bail!("{fault}"),
            _ => {}
        }
    }
    let workers = children(lender.process.pid());
    ensure!(!workers.is_empty(), "the lender has a worker");
    for pid in workers {
        ensure!(!can_dump(pid)?, "the worker can leave a dump");
        signal(pid, DUMPING[crash % DUMPING.len()])?;
    }
    while let Some(event) = chat.next().await {
        if event.is_last() {
            return Ok(matches!(event, ChatEvent::Failed(_)));
        }
    }
    bail!("no last word")
}

/// Whether the kernel would write a dump of this process, or hand one to a program.
fn can_dump(pid: u32) -> Result<bool> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no core limit")?;
    Ok(!core.split_whitespace().skip(4).take(2).all(|limit| limit == "0"))
}

struct Search {
    needles: Vec<Vec<u8>>,
    automaton: AhoCorasick,
    markers: Vec<String>,
}

#[derive(Default)]
struct Searched {
    files: usize,
    bytes: usize,
    swap: String,
}

impl Search {
    fn new() -> Result<Self> {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64;
        // Put together here, so that the test's own text and program do not hold them.
        let marker =
            |at: usize| format!("q{:016x}k{at}z", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(at as u64));
        let markers: Vec<String> = (0..MARKERS).map(marker).collect();
        let mut needles: Vec<Vec<u8>> = markers.iter().map(|marker| marker.as_bytes().to_vec()).collect();
        needles.extend(markers.iter().map(|marker| marker.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        needles.extend(
            markers
                .iter()
                .map(|marker| marker.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
        );
        Ok(Self { automaton: AhoCorasick::new(&needles)?, needles, markers })
    }

    fn marker(&self, at: usize) -> &str {
        &self.markers[at % MARKERS]
    }

    /// A file with a marker is found, and so is a dump, where this system writes dumps as files.
    fn control(&self, folder: &Path) -> Result<()> {
        for needle in &self.needles {
            let file = folder.join("control");
            fs::write(&file, [b"xx", needle.as_slice(), b"yy"].concat())?;
            ensure!(self.file(&file, &mut Searched::default())?, "control: a marker in a file is not found");
            fs::remove_file(file)?;
        }
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern")?;
        if pattern.starts_with('|') || pattern.contains('/') {
            println!("dumps go elsewhere on this machine ({}): no control for them", pattern.trim());
            return Ok(());
        }
        let dumps = folder.join("control-dump");
        fs::create_dir_all(&dumps)?;
        let script = format!("WORD={}; kill -SEGV $$; sleep 9", self.markers[0]);
        let died = Command::new("sh").args(["-c", &script]).current_dir(&dumps).status()?;
        ensure!(!died.success(), "control: the shell lives");
        let found = fs::read_dir(&dumps)?
            .flatten()
            .any(|entry| self.file(&entry.path(), &mut Searched::default()).unwrap_or(false));
        ensure!(found, "control: a program's dump is not found");
        Ok(fs::remove_dir_all(dumps)?)
    }

    /// Looks everywhere; a find is an error that names the place and not the word.
    fn places(&self, org: &Org, began: SystemTime) -> Result<Searched> {
        let mut searched = Searched::default();
        self.folder(org.path(), SystemTime::UNIX_EPOCH, &mut searched)?;
        for place in PLACES {
            self.folder(Path::new(place), began, &mut searched)?;
        }
        if let Some(home) = std::env::var_os("HOME") {
            self.folder(&PathBuf::from(home), began, &mut searched)?;
        }
        self.folder(&std::env::current_dir()?, began, &mut searched)?;
        searched.swap = self.swap()?;
        Ok(searched)
    }

    /// Files that were written since then. What cannot be read is another user's and was not written by ours.
    fn folder(&self, folder: &Path, since: SystemTime, searched: &mut Searched) -> Result<()> {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.path().symlink_metadata()) else { continue };
            if metadata.is_dir() {
                self.folder(&path, since, searched)?;
            } else if metadata.is_file()
                && metadata.modified().is_ok_and(|modified| modified >= since)
                && self.file(&path, searched).unwrap_or(false)
            {
                bail!("a marker from a prompt is in {}", path.display());
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path, searched: &mut Searched) -> Result<bool> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(fs::File::open(path)?, SEARCHED_MAX as u64), &mut bytes)?;
        searched.files += 1;
        searched.bytes += bytes.len();
        Ok(self.automaton.is_match(&bytes))
    }

    /// Swap as it is on the disk.
    fn swap(&self) -> Result<String> {
        let swaps = fs::read_to_string("/proc/swaps")?;
        let used: Vec<&str> = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        for path in &used {
            ensure!(!self.file(Path::new(path), &mut Searched::default())?, "a marker from a prompt is in {path}");
        }
        Ok(if used.is_empty() {
            "this machine has no swap".into()
        } else {
            format!("swap {} searched", used.join(", "))
        })
    }
}
