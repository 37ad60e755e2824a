//! Measures freezing, ending and waking on this machine, idle and beside busy programs. To be run as the user whose
//! promise it is: `scripts/as-user.sh $CARGO_TARGET_DIR/release/examples/measure`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made stops")]

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        env,
        fs::File,
        io::{BufRead as _, BufReader},
        os::{fd::AsFd, unix::fs::FileExt as _},
        process::{Child, Command, Stdio},
        sync::{Arc, mpsc},
        thread,
        time::{Duration, Instant},
    };

    use lull_sandbox::{Freezer, hurry};
    use rustix::{
        event::{EventfdFlags, eventfd},
        process::{Signal, set_parent_process_death_signal},
    };

    /// `THREADS,MIB`: what the busy program is to be.
    const VARIABLE: &str = "LULL_MEASURE_SPIN";
    const THREADS: usize = 4;
    const FREEZES: usize = 200;
    const ENDS: usize = 10;
    const ENDS_MIB: usize = 1024;
    const WAKES: usize = 1000;
    const HOGS: [usize; 2] = [0, 4];
    const GUARD: Duration = Duration::from_secs(60);

    pub(crate) fn main() {
        if let Ok(asked) = env::var(VARIABLE) {
            return spin(&asked);
        }
        let mut seed = 7_u32;
        for hogs in HOGS {
            let _hogs: Vec<Spin> = (0..hogs).map(|_| Spin::start(1, 0)).collect();
            println!("-- beside {hogs} busy programs");
            for freezer in [Freezer::new(), Freezer::signals_only()] {
                println!("{}", freezer.method());
                freezes(&freezer, &mut seed);
                ends(&freezer);
            }
            for in_a_hurry in [false, true, false, true] {
                wakes(in_a_hurry, &mut seed);
            }
        }
    }

    fn freezes(freezer: &Freezer, seed: &mut u32) {
        let spin = Spin::start(THREADS, 0);
        let _adopted = freezer.adopt(spin.child.id()).unwrap();
        let (mut call, mut last, mut settled, mut ran) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..FREEZES {
            let at_thaw = now_ns();
            assert!(freezer.thaw(freezer.ticket()));
            pause(seed);
            let (start, start_ns) = (Instant::now(), now_ns());
            freezer.freeze();
            call.push(start.elapsed());
            assert!(freezer.settled(GUARD));
            settled.push(start.elapsed());
            let seen = spin.last();
            ran += usize::from(seen > at_thaw);
            last.push(Duration::from_nanos(seen.saturating_sub(start_ns)));
        }
        show("  freeze() returns", call);
        show("  last computing instant of any thread", last);
        show("  settled", settled);
        println!("  (had computed since the thaw: {ran} of {FREEZES})");
        freezer.thaw(freezer.ticket());
    }

    fn ends(freezer: &Freezer) {
        for frozen in [false, true] {
            let took = (0..ENDS).map(|_| {
                let spin = Spin::start(THREADS, ENDS_MIB);
                let adopted = freezer.adopt(spin.child.id()).unwrap();
                if frozen {
                    freezer.freeze();
                }
                let ended = adopted.end();
                assert!(ended.released);
                freezer.thaw(freezer.ticket());
                ended.took
            });
            show(&format!("  end of {ENDS_MIB} MiB, frozen before: {frozen}"), took.collect());
        }
    }

    fn wakes(in_a_hurry: bool, seed: &mut u32) {
        let event = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
        let (woken, times) = mpsc::channel();
        let sleeper = Arc::clone(&event);
        thread::spawn(move || {
            if in_a_hurry {
                hurry();
            }
            let mut count = [0; 8];
            while rustix::io::read(sleeper.as_fd(), &mut count).is_ok() && woken.send(now_ns()).is_ok() {}
        });
        let added = (0..WAKES).map(|_| {
            pause(seed);
            let start = now_ns();
            rustix::io::write(event.as_fd(), &1_u64.to_ne_bytes()).unwrap();
            Duration::from_nanos(times.recv().unwrap() - start)
        });
        let added = added.collect();
        show(&format!("wake-up of a sleeping thread, in a hurry: {in_a_hurry}"), added);
    }

    fn show(what: &str, mut all: Vec<Duration>) {
        all.sort_unstable();
        let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
        println!("{what}: p50 {:.2?}  p99 {:.2?}  max {:.2?}  (n={})", at(0.5), at(0.99), at(1.0), all.len());
    }

    /// 2 to 12 ms, not in step with anything.
    fn pause(seed: &mut u32) {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(Duration::from_micros(2_000 + u64::from(*seed >> 16) % 10_000));
    }

    fn now_ns() -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    struct Spin {
        child: Child,
        stamps: File,
        threads: usize,
    }

    impl Spin {
        fn start(threads: usize, mib: usize) -> Self {
            let stamps = tempfile::NamedTempFile::new().unwrap();
            let mut child = Command::new(env::current_exe().unwrap())
                .env(VARIABLE, format!("{threads},{mib},{}", stamps.path().display()))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
            Self { child, stamps: stamps.into_file(), threads }
        }

        fn last(&self) -> u64 {
            let stamp = |at: usize| {
                let mut bytes = [0; 8];
                self.stamps.read_exact_at(&mut bytes, (at * 8) as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
            };
            (0..self.threads).map(stamp).max().unwrap_or(0)
        }
    }

    impl Drop for Spin {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn spin(asked: &str) {
        set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
        let mut asked = asked.splitn(3, ',');
        let mut number = || asked.next().unwrap().parse::<usize>().unwrap();
        let (threads, mib) = (number(), number());
        let stamps = Arc::new(File::options().write(true).open(asked.next().unwrap()).unwrap());
        let memory = vec![1_u8; mib << 20];
        for at in 0..threads {
            let stamps = Arc::clone(&stamps);
            thread::spawn(move || {
                let mut x = 1_u64;
                loop {
                    (0..2000).for_each(|i| x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(i)));
                    stamps.write_all_at(&now_ns().to_ne_bytes(), (at * 8) as u64).unwrap();
                }
            });
        }
        println!("ready");
        thread::park_timeout(GUARD * 60);
        drop(memory);
    }
}
