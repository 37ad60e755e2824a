//! Landlock: what of the file system, of the network and of other processes can be reached. Each layer is a rule set of
//! its own, taken whole or not at all, so that none goes missing because of another.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::Profile;

/// The versions of Landlock whose rights over files are known here, the newest first.
const VERSIONS: [ABI; 6] = [ABI::V9, ABI::V5, ABI::V3, ABI::V2, ABI::V1, ABI::Unsupported];

/// The places that NVIDIA's driver reads, beside the model.
const CUDA_READ: [&str; 9] =
    ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/opt", "/proc", "/sys"];
/// How the names of NVIDIA's devices begin.
const CUDA_DEVICES: &str = "nvidia";

/// Reading the model, and nothing else.
pub(super) fn files(profile: Profile, model: &Path) -> Result<(), String> {
    let rules = all_files()?;
    let mut rules = allow(rules, model, AccessFs::ReadFile | AccessFs::ReadDir)?;
    if profile == Profile::Cuda {
        rules = cuda(rules)?;
    }
    enforce(rules)
}

/// No file at all.
pub(super) fn nothing() -> Result<(), String> {
    enforce(all_files()?)
}

/// No TCP port, neither to listen on nor to go to.
pub(super) fn ports() -> Result<(), String> {
    let access = AccessNet::BindTcp | AccessNet::ConnectTcp;
    let rules = strict().handle_access(access).and_then(Ruleset::create);
    enforce(rules.map_err(|error| too_old(&error, "6.7"))?)
}

/// No signal to others, and none of their abstract sockets.
pub(super) fn scope() -> Result<(), String> {
    let scope = Scope::AbstractUnixSocket | Scope::Signal;
    let rules = strict().scope(scope).and_then(Ruleset::create);
    enforce(rules.map_err(|error| too_old(&error, "6.12"))?)
}

fn strict() -> Ruleset {
    Ruleset::default().set_compatibility(CompatLevel::HardRequirement)
}

/// Every right over files that this kernel knows, denied.
fn all_files() -> Result<RulesetCreated, String> {
    let mut last = None;
    for version in VERSIONS {
        match strict().handle_access(AccessFs::from_all(version)).and_then(Ruleset::create) {
            Ok(rules) if version != ABI::Unsupported => return Ok(rules),
            Ok(_) => {}
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| "this kernel has no Landlock".into(), |error| too_old(&error, "5.13")))
}

fn allow(rules: RulesetCreated, path: &Path, access: impl Into<BitFlags<AccessFs>>) -> Result<RulesetCreated, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{} cannot be allowed: {error}", path.display());
    let folder = PathFd::new(path).map_err(|error| failed(&error))?;
    rules.add_rule(PathBeneath::new(folder, access)).map_err(|error| failed(&error))
}

/// What NVIDIA's driver needs. What is not there is left out.
fn cuda(mut rules: RulesetCreated) -> Result<RulesetCreated, String> {
    for path in CUDA_READ.map(Path::new).into_iter().filter(|path| path.exists()) {
        let code = AccessFs::ReadFile | AccessFs::Execute;
        rules = allow(rules, path, if path.is_dir() { code | AccessFs::ReadDir } else { code })?;
    }
    // The driver names its threads.
    rules = allow(rules, Path::new("/proc/self"), AccessFs::WriteFile)?;
    let devices = std::fs::read_dir("/dev").map_err(|error| format!("/dev cannot be read: {error}"))?.flatten();
    for device in devices.filter(|entry| entry.file_name().to_string_lossy().starts_with(CUDA_DEVICES)) {
        let path = device.path();
        let use_it = AccessFs::ReadFile | AccessFs::WriteFile;
        rules = allow(rules, &path, if path.is_dir() { use_it | AccessFs::ReadDir } else { use_it })?;
    }
    Ok(rules)
}

fn enforce(rules: RulesetCreated) -> Result<(), String> {
    let status = rules.no_new_privs(true).restrict_self().map_err(|error| format!("Landlock refuses: {error}"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        less => Err(format!("Landlock took the rules, but says {less:?}")),
    }
}

fn too_old(error: &RulesetError, kernel: &str) -> String {
    format!("it takes Landlock as in Linux {kernel} or newer, switched on: {error}")
}
