//! Code of one's own: without it, a fault in a worker can only be made to do what the worker's own code does.

use std::fs::File;

use super::{
    Attempt,
    Control::{Depends, Succeeds},
    Stage, Stopped,
    calls::{self, at, call, text},
    files::done,
    not,
};

/// What the code gives that is run from data.
const ANSWER: u32 = 42;
/// `return 42`.
#[cfg(target_arch = "x86_64")]
const FUNCTION: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];
/// `return 42`.
#[cfg(target_arch = "aarch64")]
const FUNCTION: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
const PAGE_BYTES: usize = 64 << 10;

pub(super) const ALL: &[Attempt] = &[
    Attempt { name: "run_a_program", control: Succeeds, act: |_| exec("run_a_program", libc::SYS_execve, &[]) },
    Attempt {
        name: "run_a_program_by_execveat",
        control: Succeeds,
        act: |_| exec("run_a_program_by_execveat", libc::SYS_execveat, &[libc::AT_FDCWD as usize]),
    },
    Attempt { name: "run_a_program_in_memory", control: Succeeds, act: memfd },
    Attempt {
        name: "run_a_program_in_a_child",
        control: Succeeds,
        act: |_| done(std::process::Command::new("/bin/true").status()),
    },
    Attempt { name: "run_data", control: Succeeds, act: |_| run_data(true) },
    Attempt { name: "run_data_made_code_later", control: Succeeds, act: |_| run_data(false) },
    Attempt { name: "run_data_by_pkey", control: Depends, act: |_| by_pkey() },
    Attempt { name: "load_a_library", control: Succeeds, act: load_a_library },
    Attempt { name: "run_the_models_bytes", control: Succeeds, act: map_the_model },
    Attempt {
        name: "write_over_own_code",
        control: Succeeds,
        act: |_| done(File::options().write(true).open("/proc/self/mem")),
    },
    Attempt {
        name: "have_all_data_run",
        control: Succeeds,
        act: |_| done(call(libc::SYS_personality, &[0x0040_0000])),
    },
    Attempt { name: "call_by_the_old_door", control: Depends, act: |_| old_door() },
    Attempt {
        name: "call_by_other_numbers",
        control: Depends,
        act: |_| done(call(0x4000_0000 + libc::SYS_getpid, &[])),
    },
];

/// Starts a shell that says the attempt has succeeded.
fn exec(name: &str, number: libc::c_long, before: &[usize]) -> Result<String, Stopped> {
    let line = super::line(name, super::Outcome::Succeeded("a shell".into())).map_err(not)?;
    let script = std::ffi::CString::new(format!("printf '%s\\n' '{}'", line.trim()))?;
    let arguments = [text(c"sh"), text(c"-c"), text(&script), 0];
    done(call(number, &[before, &[text(c"/bin/sh"), at(&arguments), at(&[0_usize])]].concat()))
}

fn memfd(_: &Stage) -> Result<String, Stopped> {
    let file = call(libc::SYS_memfd_create, &[text(c"program"), 0])?;
    let line = super::line("run_a_program_in_memory", super::Outcome::Succeeded("a script".into())).map_err(not)?;
    let script = format!("#!/bin/sh\nprintf '%s\\n' '{}'\n", line.trim());
    call(libc::SYS_write, &[file, at(script.as_bytes()), script.len()])?;
    let arguments = [text(c"program"), 0];
    done(call(libc::SYS_execveat, &[file, text(c""), at(&arguments), at(&[0_usize]), libc::AT_EMPTY_PATH as usize]))
}

fn map(protection: i32) -> std::io::Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call(libc::SYS_mmap, &[0, PAGE_BYTES, protection as usize, flags as usize, usize::MAX, 0])
}

fn run_data(at_once: bool) -> Result<String, Stopped> {
    let (write, execute) = (libc::PROT_READ | libc::PROT_WRITE, libc::PROT_READ | libc::PROT_EXEC);
    let memory = map(if at_once { write | execute } else { write })?;
    calls::put(memory, FUNCTION);
    if !at_once {
        call(libc::SYS_mprotect, &[memory, PAGE_BYTES, execute as usize])?;
    }
    answered(memory)
}

fn by_pkey() -> Result<String, Stopped> {
    let memory = map(libc::PROT_READ | libc::PROT_WRITE)?;
    calls::put(memory, FUNCTION);
    let execute = libc::PROT_READ | libc::PROT_EXEC;
    call(libc::SYS_pkey_mprotect, &[memory, PAGE_BYTES, execute as usize, usize::MAX])?;
    answered(memory)
}

fn answered(code: usize) -> Result<String, Stopped> {
    match calls::jump(code) {
        ANSWER => Ok("it ran".into()),
        other => Err(not(format!("it ran and gave {other}"))),
    }
}

/// Maps the program's own file as code, as loading a library does.
fn load_a_library(_: &Stage) -> Result<String, Stopped> {
    let file = File::open("/proc/self/exe")?;
    map_code(&file)
}

fn map_the_model(stage: &Stage) -> Result<String, Stopped> {
    let file = File::open(stage.model.join("model.bin"))?;
    map_code(&file)
}

fn map_code(file: &File) -> Result<String, Stopped> {
    let number = std::os::fd::AsRawFd::as_raw_fd(file) as usize;
    let execute = libc::PROT_READ | libc::PROT_EXEC;
    done(call(libc::SYS_mmap, &[0, 4096, execute as usize, libc::MAP_PRIVATE as usize, number, 0]))
}

#[cfg(target_arch = "x86_64")]
fn old_door() -> Result<String, Stopped> {
    match calls::by_the_old_door() {
        pid if pid as u32 == std::process::id() => Ok("it is open".into()),
        other => Err(not(format!("it gave {other}"))),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn old_door() -> Result<String, Stopped> {
    Err(not("this processor has none"))
}
