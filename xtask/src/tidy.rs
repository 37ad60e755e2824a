//! The house rules that a compiler does not check; ARCHITECTURE.md says why each is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The longest source file, in lines.
const LINES_MAX: usize = 800;

/// Crates whose code may not touch the world, and what gives them away.
const PURE: [&str; 4] = ["lull-types", "lull-policy", "lull-core", "lull-desktop"];
const IMPURE: [&str; 14] = [
    "tokio",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "Zoned::now",
    "Timestamp::now",
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "HashMap",
    "HashSet",
];

/// The floor of the house each crate stands on; dependencies point down only.
const FLOORS: [(&str, u8); 23] = [
    ("lull-types", 0),
    ("lull-wire", 1),
    ("lull-policy", 1),
    ("lull-core", 1),
    ("lull-door", 2),
    ("lull-seal", 2),
    ("lull-net", 2),
    ("lull-oidc", 2),
    ("lull-presence", 2),
    ("lull-sandbox", 2),
    ("lull-engine", 2),
    ("lull-models", 2),
    ("lull-store", 2),
    ("lull-relay", 3),
    ("lull-node", 3),
    ("lull-worker", 3),
    ("lull-api", 4),
    ("lull-desktop", 4),
    ("lull-cli", 5),
    ("lull-ui", 5),
    ("lull-app", 5),
    ("lull-bench", 6),
    ("lull-tests", 6),
];

/// What must not be reachable, even indirectly: (crate, forbidden, why).
const FORBIDDEN: [(&str, &[&str], &str); 3] = [
    ("lull-relay", &["lull-seal", "hpke"], "the relay is blind"),
    (
        "lull-cli",
        &["mistralrs", "mistralrs-core", "candle-core", "llama-cpp-2"],
        "foreign content is parsed in workers only",
    ),
    ("lull-engine", &["mistralrs", "mistralrs-core", "candle-core", "llama-cpp-2"], "the seam links no engine"),
];

/// Words that say nothing in a name.
const EMPTY_NAMES: [&str; 4] = ["manager", "helper", "util", "utils"];

/// Checks everything and reports everything at once.
///
/// # Errors
/// When a rule is broken, or the tree cannot be read.
pub(crate) fn run() -> Result<()> {
    let files = sources()?;
    let mut broken = Vec::new();
    for file in &files {
        check_file(file, &mut broken)?;
    }
    check_crate_docs(&mut broken)?;
    let graph = Graph::load()?;
    graph.check_floors(&mut broken);
    graph.check_forbidden(&mut broken);
    check_faq(&mut broken)?;
    if !broken.is_empty() {
        broken.iter().for_each(|line| eprintln!("tidy: {line}"));
        bail!("{} house rules are broken", broken.len());
    }
    println!("tidy: {} source files in order", files.len());
    Ok(())
}

fn sources() -> Result<Vec<PathBuf>> {
    let listed =
        Command::new("git").args(["ls-files", "-co", "--exclude-standard", "*.rs", "*.sh", "*.py", "x"]).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    Ok(listed.lines().map(PathBuf::from).filter(|path| path.exists()).collect())
}

fn check_file(path: &Path, broken: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let shown = path.display();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        broken.push(format!("{shown} has {lines} lines, the most is {LINES_MAX}: split it by what changes together"));
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_lowercase();
    if stem.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word)) {
        broken.push(format!("{shown} has a name that says nothing: name it by what it is"));
    }
    let pure = PURE.iter().any(|name| path.starts_with(format!("crates/{name}/src")));
    if pure && !stem.contains("tests") {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            for word in IMPURE.iter().filter(|word| line.contains(*word)) {
                broken.push(format!("{shown} (code line {}) uses {word}: the core is pure, pass it in", number + 1));
            }
        }
    }
    Ok(())
}

/// The first words of each crate say what it is and what it must never know.
fn check_crate_docs(broken: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir("crates")? {
        let folder = entry?.path();
        let lib = folder.join("src/lib.rs");
        let path = if lib.exists() { lib } else { folder.join("src/main.rs") };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let docs: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        if !(docs.contains("must never") || docs.contains("never knows")) {
            broken.push(format!("{} does not open with what it is and what it must never know", path.display()));
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
        if !manifest.contains("[lints") {
            broken.push(format!("{}/Cargo.toml does not take part in the workspace's lints", folder.display()));
        }
    }
    Ok(())
}

/// Each question a heading, its answer the one paragraph below: the demo model and people both rely on it.
fn check_faq(broken: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string("docs/faq.md")?;
    let mut questions = BTreeSet::new();
    for part in text.split("\n### ").skip(1) {
        let (question, rest) = part.split_once('\n').unwrap_or((part, ""));
        let body = rest.split("\n## ").next().unwrap_or_default();
        let paragraphs = body.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()).count();
        if paragraphs != 1 {
            broken.push(format!("docs/faq.md: \"{question}\" has {paragraphs} paragraphs instead of one"));
        }
        if !questions.insert(question.trim().to_owned()) {
            broken.push(format!("docs/faq.md: \"{question}\" is asked twice"));
        }
    }
    if questions.len() < 120 {
        broken.push(format!("docs/faq.md has {} questions, at least 120 are wanted", questions.len()));
    }
    Ok(())
}

/// Who needs whom, build and test dependencies left out.
struct Graph {
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn load() -> Result<Self> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let output = Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).output()?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names: BTreeMap<String, String> =
            list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let name = |id: &Value| names.get(id.as_str().unwrap_or_default()).cloned().unwrap_or_default();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let normal = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let deps = list(&node["deps"]);
            let found = deps.iter().filter(normal).map(|dep| name(&dep["pkg"]));
            needs.entry(name(&node["id"])).or_default().extend(found);
        }
        Ok(Self { needs })
    }

    fn check_floors(&self, broken: &mut Vec<String>) {
        let floors: BTreeMap<&str, u8> = FLOORS.into_iter().collect();
        for (name, needs) in self.needs.iter().filter(|(name, _)| name.starts_with("lull-")) {
            let Some(floor) = floors.get(name.as_str()) else {
                broken.push(format!("{name} has no floor: add it to FLOORS in xtask/src/tidy.rs"));
                continue;
            };
            for need in needs.iter().filter(|need| floors.get(need.as_str()).is_some_and(|below| below > floor)) {
                broken.push(format!("{name} needs {need}, which stands above it"));
            }
        }
    }

    fn check_forbidden(&self, broken: &mut Vec<String>) {
        for (name, forbidden, why) in FORBIDDEN {
            let reached = self.reachable(name);
            if reached.len() < 2 {
                broken.push(format!("{name} is not in the workspace, so its rule ({why}) is not checked"));
            }
            for found in forbidden.iter().filter(|found| reached.contains(**found)) {
                broken.push(format!("{name} reaches {found}: {why}"));
            }
        }
    }

    fn reachable(&self, name: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if reached.insert(name.clone()) {
                open.extend(self.needs.get(&name).into_iter().flatten().cloned());
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Graph { needs: edges.iter().map(|(name, needs)| (name.to_string(), owned(needs))).collect() }
    }

    #[test]
    fn a_relay_that_could_read_is_found_even_behind_another_crate() {
        let graph = graph(&[
            ("lull-relay", &["lull-net"]),
            ("lull-net", &["lull-seal"]),
            ("lull-cli", &["lull-types"]),
            ("lull-engine", &["lull-types"]),
        ]);
        let mut broken = Vec::new();
        graph.check_forbidden(&mut broken);
        assert_eq!(broken, ["lull-relay reaches lull-seal: the relay is blind"]);
        broken.clear();
        graph.check_floors(&mut broken);
        assert!(broken.is_empty(), "equal floors may meet: {broken:?}");
    }

    #[test]
    fn dependencies_that_point_up_are_found() {
        let mut broken = Vec::new();
        graph(&[("lull-core", &["lull-node"])]).check_floors(&mut broken);
        assert_eq!(broken, ["lull-core needs lull-node, which stands above it"]);
    }
}
