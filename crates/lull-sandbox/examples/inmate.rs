//! A program that confines itself as a worker does and then, as asked, tries to get out, or computes without end.
//!
//! `inmate --try-to-escape --unconfined|--loading|--running NAME`, a stage on standard input; or `inmate --spin SCRATCH`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a program for tests")]

use lull_sandbox::{Confine, enter, escape};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "--try-to-escape" => std::process::exit(escape::program(rest)),
        Some((first, [scratch])) if first == "--spin" => spin(scratch),
        _ => panic!("--try-to-escape or --spin"),
    }
}

fn spin(scratch: &str) {
    let confine = Confine { model: scratch.into(), scratch: scratch.into(), ..Confine::default() };
    let mut confined = enter(&confine).unwrap();
    let memory = vec![1_u8; 256 << 20];
    std::thread::spawn(|| loop_for_ever());
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
