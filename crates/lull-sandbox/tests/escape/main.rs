//! A worker that has been taken over tries to get out, as an ordinary user: nothing may succeed, and each attempt's
//! control, the same without walls, must.
//!
//! `LULL_ESCAPE_PROGRAM` names another program than the small one of this crate: the worker that is shipped.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod falls;
mod stage;

use std::collections::BTreeMap;

use lull_sandbox::{
    Layer, Layers,
    escape::{self, Control, Outcome},
};
use stage::Set;

/// The least attempts that are stopped inside and succeed outside.
const ESCAPES_MIN: usize = 40;
/// The least system calls that are stopped inside and reach the kernel outside.
const CALLS_MIN: usize = 60;
/// What only a user namespace bounds: the threads of one worker.
const NEEDS_OWN_USER: &str = "bomb_with_threads";

/// Where namespaces are not to be had.
fn basic() -> Layers {
    Layers::from([Layer::OwnRoot, Layer::OwnNetwork, Layer::OwnIpc])
}

/// Every way in which a worker is confined at some time.
fn every_way() -> [(&'static str, Layers); 4] {
    [("--running", Layers::new()), ("--loading", Layers::new()), ("--running", basic()), ("--loading", basic())]
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn success(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Succeeded(what) => Some(what),
        Outcome::Stopped(_) => None,
    }
}

/// Checks what the controls gave; gives those that count.
fn counted<'a>(what: impl IntoIterator<Item = (&'a str, Control)>, given: &BTreeMap<String, Outcome>) -> Vec<&'a str> {
    let (mut counted, mut wrong) = (Vec::new(), Vec::new());
    for (name, control) in what {
        let outcome = &given[name];
        let succeeded = success(outcome).is_some();
        match control {
            Control::Succeeds if !succeeded => wrong.push(format!("{name} does not work without walls: {outcome:?}")),
            Control::Never if succeeded && !is_root() => wrong.push(format!("{name} is for anybody: {outcome:?}")),
            Control::Depends if !succeeded => println!("not counted here: {name}: {outcome:?}"),
            _ => {}
        }
        if succeeded && control != Control::Never {
            counted.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    counted
}

#[test]
fn no_way_out_is_open() {
    let set = Set::new();
    let attempts = escape::attempts();
    let controls = attempts.iter().map(|attempt| {
        let told = set.run("--unconfined", &Layers::new(), attempt.name);
        (attempt.name.to_owned(), told[attempt.name].clone())
    });
    let controls: BTreeMap<_, _> = controls.collect();
    let counted = counted(attempts.iter().map(|attempt| (attempt.name, attempt.control)), &controls);
    let mut out = Vec::new();
    for (how, skip) in every_way() {
        for attempt in &attempts {
            let is_bounded = skip.is_empty() && !is_root();
            if attempt.name == NEEDS_OWN_USER && !is_bounded {
                println!("not tried: {NEEDS_OWN_USER}, {how} without {skip:?}, as root {}", is_root());
                continue;
            }
            let told = set.run(how, &skip, attempt.name);
            if let Some(what) = success(&told[attempt.name]) {
                out.push(format!("{} {how} without {skip:?}: {what}", attempt.name));
            }
        }
    }
    println!("{} attempts, {} of them possible without walls, {} got out", attempts.len(), counted.len(), out.len());
    assert!(out.is_empty(), "{out:#?}");
    assert!(counted.len() >= ESCAPES_MIN, "{}", counted.len());
}

#[test]
fn no_system_call_off_the_list_reaches_the_kernel() {
    let set = Set::new();
    let calls = escape::system_calls();
    let controls = set.run("--unconfined", &Layers::new(), escape::SYSTEM_CALLS);
    let counted = counted(calls.iter().copied(), &controls);
    let mut out = Vec::new();
    for (how, skip) in every_way() {
        let told = set.run(how, &skip, escape::SYSTEM_CALLS);
        assert_eq!(told.len(), calls.len());
        let through = told.iter().filter_map(|(name, outcome)| Some((name, success(outcome)?)));
        out.extend(through.map(|(name, what)| format!("{name} {how} without {skip:?}: {what}")));
    }
    println!("{} calls, {} of them possible without walls, {} got through", calls.len(), counted.len(), out.len());
    assert!(out.is_empty(), "{out:#?}");
    assert!(counted.len() >= CALLS_MIN, "{}", counted.len());
}

/// What each layer stops when it is the only one.
const ALONE: [(Layer, &[&str]); 11] = [
    (
        Layer::Limits,
        &[
            "take_more_memory",
            "take_memory_by_brk",
            "take_memory_for_page_tables",
            "pin_memory",
            "fill_the_disk",
            "open_more_files",
            "raise_the_limit",
            "dump_what_it_knows",
        ],
    ),
    (Layer::Descriptors, &["read_an_inherited_file"]),
    (Layer::NoDump, &["write_over_own_code"]),
    (
        Layer::OwnRoot,
        &[
            "read_a_file_at_home",
            "read_the_list_of_users",
            "ask_the_session_bus",
            "write_to_scratch",
            "change_the_model",
            "go_up_from_the_model",
            "read_the_parents_environment",
            "run_a_program",
        ],
    ),
    (Layer::OwnNetwork, &["connect_by_tcp", "leak_by_dns", "connect_to_an_abstract_socket"]),
    (Layer::OwnIpc, &["read_sysv_shared_memory", "read_a_sysv_queue", "read_a_sysv_semaphore", "read_a_posix_queue"]),
    (
        Layer::Files,
        &[
            "read_a_file_at_home",
            "list_home",
            "write_to_scratch",
            "follow_a_link_of_the_model",
            "change_the_model",
            "run_a_program",
        ],
    ),
    (Layer::Ports, &["connect_by_tcp", "listen_by_tcp"]),
    (Layer::Scope, &["signal_the_parent", "signal_by_tkill", "connect_to_an_abstract_socket"]),
    (
        Layer::LoadFilter,
        &[
            "run_a_program",
            "run_data",
            "run_data_made_code_later",
            "start_a_process",
            "bomb_with_processes",
            "send_by_udp",
            "signal_the_parent",
            "read_the_parents_memory",
            "write_to_scratch",
            "read_sysv_shared_memory",
            "take_shared_memory",
            "take_memory_as_stack",
            "ask_netlink",
            "keep_a_key",
            "be_dumped_again",
            "outlive_the_node",
        ],
    ),
    (Layer::RunFilter, &["read_a_file_at_home", "list_home", "run_a_program"]),
];

#[test]
fn each_layer_stops_something_by_itself() {
    let set = Set::new();
    let mut out = Vec::new();
    for (layer, attempts) in ALONE {
        let skip = Layer::ALL.into_iter().filter(|other| *other != layer).collect();
        // What root may do, limits and rights over its own files do not stop.
        if is_root() && matches!(layer, Layer::NoDump | Layer::Limits) {
            println!("not tried as root: {layer}");
            continue;
        }
        for attempt in attempts {
            if let Some(what) = success(&set.run("--running", &skip, attempt)[*attempt]) {
                out.push(format!("{attempt} with {layer} alone: {what}"));
            }
        }
    }
    assert!(out.is_empty(), "{out:#?}");
}
