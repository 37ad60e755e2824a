use super::*;

#[test]
fn every_list_becomes_a_filter_the_kernel_can_take() {
    for allowed in [cpu::load(), cpu::run(), cuda::load(), cuda::run()] {
        let program = allowed.compile().unwrap();
        // BPF_MAXINSNS.
        assert!(program.len() < 4096, "{}", program.len());
    }
}

#[test]
fn what_looks_unknown_is_on_no_list() {
    for allowed in [cpu::load(), cpu::run()] {
        assert!(UNKNOWN.iter().all(|call| !allowed.0.contains_key(call)));
    }
}

#[test]
fn running_takes_away_the_opening_of_files() {
    let (load, run) = (cpu::load(), cpu::run());
    assert!(run.0.keys().all(|call| load.0.contains_key(call)), "nothing comes back");
    for call in [libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_seccomp, libc::SYS_ioctl] {
        assert!(!run.0.contains_key(&call), "{call}");
    }
}
