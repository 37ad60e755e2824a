//! The filters on system calls: what is not on a list is refused with EPERM.

mod cpu;
mod cuda;
#[cfg(target_arch = "aarch64")]
#[path = "arm64.rs"]
mod old;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod old;

use std::collections::{BTreeMap, btree_map::Entry};

use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    net::{AddressFamily, SocketType},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use crate::Profile;

/// System calls that are to look unknown rather than forbidden: libraries then take an older one, of which the filter
/// can see all arguments.
const UNKNOWN: [libc::c_long; 9] = [
    libc::SYS_clone3,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_epoll_pwait2,
    libc::SYS_faccessat2,
    libc::SYS_futex_waitv,
    libc::SYS_openat2,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
];

/// One thing that must be so with an argument: its place, the bits that count, and what these must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    place: u8,
    mask: u64,
    value: u64,
}

/// The argument is this number, as far as the kernel looks at it as an `int`.
pub(super) const fn is(place: u8, value: u32) -> Bits {
    Bits { place, mask: u32::MAX as u64, value: value as u64 }
}

/// None of these bits is set.
pub(super) const fn none(place: u8, mask: u32) -> Bits {
    Bits { place, mask: mask as u64, value: 0 }
}

/// Of these bits, just those are set.
pub(super) const fn bits(place: u8, mask: u32, value: u32) -> Bits {
    Bits { place, mask: mask as u64, value: value as u64 }
}

/// The argument points nowhere.
pub(super) const fn null(place: u8) -> Bits {
    Bits { place, mask: u64::MAX, value: 0 }
}

/// What is allowed.
#[derive(Debug, Default)]
pub(super) struct Allowed(BTreeMap<libc::c_long, Vec<Vec<Bits>>>);

impl Allowed {
    /// Whatever the arguments are.
    pub(super) fn freely(&mut self, calls: &[libc::c_long]) {
        self.0.extend(calls.iter().map(|call| (*call, Vec::new())));
    }

    /// If all of these are so. Said twice of one call: if either is. What is allowed freely stays so.
    pub(super) fn when(&mut self, call: libc::c_long, all: &[Bits]) {
        match self.0.entry(call) {
            Entry::Vacant(new) => _ = new.insert(vec![all.to_vec()]),
            Entry::Occupied(ways) if ways.get().is_empty() => {}
            Entry::Occupied(mut ways) => ways.get_mut().push(all.to_vec()),
        }
    }

    fn compile(self) -> Result<BpfProgram, seccompiler::Error> {
        let mut rules = BTreeMap::new();
        for (call, ways) in self.0 {
            let ways = ways.into_iter().map(|all| {
                let all = all.into_iter().map(condition).collect::<Result<Vec<_>, _>>()?;
                SeccompRule::new(all)
            });
            rules.insert(call, ways.collect::<Result<Vec<_>, _>>()?);
        }
        let refuse = SeccompAction::Errno(libc::EPERM as u32);
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?;
        let mut program = affinity_of_others();
        program.extend(unknown());
        program.extend(BpfProgram::try_from(filter)?);
        Ok(program)
    }
}

fn condition(bits: Bits) -> Result<SeccompCondition, seccompiler::BackendError> {
    let (length, full) = if bits.mask > u64::from(u32::MAX) {
        (SeccompCmpArgLen::Qword, u64::MAX)
    } else {
        (SeccompCmpArgLen::Dword, u64::from(u32::MAX))
    };
    let compare = if bits.mask == full { SeccompCmpOp::Eq } else { SeccompCmpOp::MaskedEq(bits.mask) };
    SeccompCondition::new(bits.place, length, compare, bits.value)
}

/// What answers ENOSYS to the question on which processors another thread may run. The C library asks it about each new
/// thread, takes that word for "no such question here", and would give up on any other.
fn affinity_of_others() -> BpfProgram {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where the first argument's lower half is in what a filter sees; both architectures have it first.
    const FIRST_ARGUMENT: u32 = 16;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 3, libc::SYS_sched_getaffinity as u32),
        step(LOAD, 0, 0, FIRST_ARGUMENT),
        step(JUMP_IF_EQUAL, 1, 0, 0),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]
}

/// The next part of a filter, which answers ENOSYS for [`UNKNOWN`] and lets all others pass on to what follows. It looks
/// at numbers alone: what calls by the numbers of another architecture is ended by what follows, or gets no further.
fn unknown() -> BpfProgram {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    let mut program = vec![step(LOAD, 0, 0)];
    for (before, call) in UNKNOWN.iter().enumerate() {
        let to_answer = (UNKNOWN.len() - before) as u8;
        program.push(step(JUMP_IF_EQUAL, to_answer, *call as u32));
    }
    program.push(step(JUMP, 0, 1));
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32));
    program
}

/// Puts up the first filter, and sees that it holds.
pub(super) fn load(profile: Profile) -> Result<(), String> {
    let mut allowed = match profile {
        Profile::Cpu => cpu::load(),
        Profile::Cuda => cuda::load(),
    };
    may_still_confine(&mut allowed);
    install(allowed)?;
    match rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None) {
        Err(Errno::PERM) => Ok(()),
        other => Err(format!("the filter is there, but a socket can be had: {other:?}")),
    }
}

/// Puts up the second filter, on all threads, and sees that it holds.
pub(super) fn run(profile: Profile) -> Result<(), String> {
    install(match profile {
        Profile::Cpu => cpu::run(),
        Profile::Cuda => cuda::run(),
    })?;
    match rustix::fs::openat(CWD, "/", OFlags::RDONLY | OFlags::PATH, Mode::empty()) {
        Err(Errno::PERM) => Ok(()),
        _ if profile == Profile::Cuda => Ok(()),
        other => Err(format!("the filter is there, but files can be opened: {other:?}")),
    }
}

/// Only ever more of it.
fn may_still_confine(allowed: &mut Allowed) {
    let filter = libc::SECCOMP_SET_MODE_FILTER;
    allowed.when(libc::SYS_seccomp, &[is(0, filter), is(1, libc::SECCOMP_FILTER_FLAG_TSYNC as u32)]);
    allowed.when(libc::SYS_prctl, &[is(0, libc::PR_SET_NO_NEW_PRIVS as u32), is(1, 1)]);
    allowed.freely(&[libc::SYS_landlock_create_ruleset, libc::SYS_landlock_restrict_self]);
}

fn install(allowed: Allowed) -> Result<(), String> {
    let program = allowed.compile().map_err(|error| format!("the filter cannot be made: {error}"))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| format!("the kernel refuses the filter: {error}"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
