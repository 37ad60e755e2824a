//! A program that confines itself as a worker does and then, as asked, tries to get out, or computes without end.
//!
//! `inmate --try-to-escape --unconfined|--loading|--running NAME`, a stage on standard input; `inmate --sandbox-report`; `inmate --spin SCRATCH`; or
//! `inmate --fall panic|abort|overflow|memory SCRATCH`, which ends as a broken worker does.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a program for tests")]

use lull_sandbox::{Confine, enter, escape};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "--try-to-escape" => std::process::exit(escape::program(rest)),
        Some((first, [])) if first == "--sandbox-report" => println!("{}", lull_sandbox::report().unwrap()),
        Some((first, [how, scratch])) if first == "--fall" => fall(how, scratch),
        Some((first, [scratch])) if first == "--spin" => spin(scratch),
        _ => panic!("--try-to-escape, --sandbox-report, --spin or --fall"),
    }
}

fn fall(how: &str, scratch: &str) {
    let mut confined = enter(&confine(scratch)).unwrap();
    confined.seal().unwrap();
    let fall = how.to_owned();
    // As where engines compute: on a thread that is started late.
    let ended = std::thread::spawn(move || match fall.as_str() {
        "panic" => panic!("as it should"),
        "abort" => std::process::abort(),
        "overflow" => assert!(dig(1) > 0),
        "memory" => assert!(vec![1_u8; 1 << 40].len() > 1),
        _ => panic!("how?"),
    });
    std::process::exit(if ended.join().is_err() { 101 } else { 0 });
}

#[expect(unconditional_recursion, reason = "it is to overflow the stack")]
fn dig(depth: u64) -> u64 {
    std::hint::black_box(dig(depth + 1)) + depth
}

fn confine(scratch: &str) -> Confine {
    Confine { model: scratch.into(), scratch: scratch.into(), memory_max: Some(1 << 30), ..Confine::default() }
}

fn spin(scratch: &str) {
    let confine = confine(scratch);
    let mut confined = enter(&confine).unwrap();
    let memory = vec![1_u8; 64 << 20];
    std::thread::spawn(loop_for_ever);
    confined.seal().unwrap();
    println!("{:?} {:?}", confined.layers(), confined.shortfalls());
    loop_for_ever();
    drop(memory);
}

fn loop_for_ever() {
    let mut x = 1_u64;
    while std::hint::black_box(x) > 0 {
        x = x.wrapping_mul(31) | 1;
    }
}
