use std::{
    fs::{self, File},
    hint::black_box,
    io::Write as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lull_wire::SecretKey;

use crate::{machine, stats::median};

/// Signatures that are made and checked.
const SIGNATURES: u32 = 2_000;

/// What one Ed25519 signature costs one core to make and to check, in microseconds.
pub(crate) fn ed25519_us() -> (f64, f64) {
    let (key, text) = (SecretKey::generate(), [7; 512]);
    let (public, signature) = (key.public(), key.sign(&text));
    let each = |began: Instant| began.elapsed().as_secs_f64() * 1e6 / f64::from(SIGNATURES);
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        black_box(key.sign(black_box(&text)));
    }
    let sign = each(began);
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        black_box(public.verifies(black_box(&text), &signature));
    }
    (sign, each(began))
}

/// How long `count` small files take to be replaced, each synced, from all cores at once: what the disk allows.
pub(crate) fn kept_files(folder: &Path, count: usize) -> Result<Duration> {
    fs::create_dir_all(folder)?;
    let threads = usize::from(machine::threads()) * 8;
    let began = Instant::now();
    thread::scope(|scope| {
        let work = |own: usize| {
            for at in (own..count).step_by(threads) {
                let (fresh, path) = (folder.join(format!("{at}.new")), folder.join(format!("{at}.signed")));
                let mut file = File::create(&fresh)?;
                file.write_all(&[0; 400])?;
                file.sync_all()?;
                fs::rename(&fresh, &path)?;
                File::open(folder)?.sync_all()?;
            }
            std::io::Result::Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|own| scope.spawn(move || work(own))).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done.map_err(anyhow::Error::from),
            Err(_) => anyhow::bail!("a thread ended"),
        })
    })?;
    Ok(began.elapsed())
}

/// How long the command takes that does nothing, in milliseconds.
pub(crate) fn command_ms(program: &Path) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        ensure!(Command::new(program).arg("--version").output()?.status.success(), "`lull --version` failed");
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&times))
}
