//! What the desktop app costs the person in front of it: until the tray, until a page, memory, processor, frames, size.
//! No peer stands beside it: LM Studio and Jan are downloads with a screen, which no bench here can install.

mod cost;
mod pages;
mod paint;
mod panel;
mod session;

use std::{fs, path::Path, thread::sleep, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{
    Options, machine,
    report::{Report, Row},
    stats,
};
use cost::{Cost, Rest};
use session::Session;

/// Starts of the app, and of the window.
const STARTS: usize = 9;
const STARTS_QUICK: usize = 5;
/// How long rest is watched, in seconds.
const REST_S: u64 = 60;
const REST_QUICK_S: u64 = 10;
/// From the start until it counts as rest.
const SETTLES_CLOSED: Duration = Duration::from_secs(20);
const SETTLES_OPEN: Duration = Duration::from_secs(10);
/// How long frames are watched, in seconds.
const FRAMES_S: u64 = 15;
const FRAMES_QUICK_S: u64 = 5;
/// The aims: with the window closed in MB and in percent of a core, of the pages in kB, of a frame in ms.
const PSS_CLOSED_MAX: f64 = 60.0;
const CPU_CLOSED_MAX: f64 = 0.2;
const BUNDLE_MAX: f64 = 250.0;
const FRAME_MAX: f64 = 50.0;

/// Runs it.
///
/// # Errors
/// When something is not built, does not start, or never shows itself.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("app");
    let load = machine::load().map_or_else(|| "unknown".into(), |load| format!("{load:.2}"));
    let (starts, rest_s, frames_s) =
        if options.quick { (STARTS_QUICK, REST_QUICK_S, FRAMES_QUICK_S) } else { (STARTS, REST_S, FRAMES_S) };
    let session = Session::start()?;
    let tray = tray_starts(&session, starts)?;
    let (rests, paints, now) = at_rest(&session, Duration::from_secs(rest_s), starts)?;
    let [closed, open] = &rests;
    let bundle = pages::gzip_bytes()?;
    let frames = pages::frames(frames_s)?;
    report.rows = vec![
        row("tray_start", stats::median(&tray), "ms", None),
        row("first_paint", stats::median(&paints), "ms", None),
        row("pss_closed", closed.pss_mb(), "MB", Some(PSS_CLOSED_MAX)),
        row("pss_open", open.pss_mb(), "MB", None),
        row("cpu_closed", closed.cpu_percent, "% core", Some(CPU_CLOSED_MAX)),
        row("cpu_open", open.cpu_percent, "% core", None),
        row("bundle_gzip", bundle as f64 / 1e3, "kB", Some(BUNDLE_MAX)),
        row("longest_frame", frames.longest_ms, "ms", Some(FRAME_MAX)),
        row("longest_task_cpu", frames.longest_task_ms, "ms", Some(FRAME_MAX)),
        row("tray_binary_bytes", bytes(&session.app_program())?, "B", None),
        row("window_binary_bytes", bytes(&session.window)?, "B", None),
    ];
    report.notes = vec![
        format!("load average at the start {load}, at the end {:.2}; the node while it was watched: {now}", end_load()),
        format!("{starts} starts each, the slowest: tray {:.0} ms, paint {:.0} ms", worst(&tray), worst(&paints)),
        "tray_start: start of lull-app to its icon's picture read over D-Bus. first_paint: start of lull-window to a \
         screen (Xvfb, software rendering) with more colours than an empty page has, looked at every 10 ms"
            .into(),
        format!("closed, MB: {}", closed.parts()),
        format!("open, MB: {}", open.parts()),
        format!(
            "frames: Debian's Chromium without a graphics processor, by the clock, which other programs on this machine \
             lengthen; {} of {} gaps over {FRAME_MAX} ms; longest_task_cpu is the page's longest task in processor time",
            frames.late, frames.count
        ),
        "no peer: LM Studio and Jan are downloads with a screen, not installable here".into(),
    ];
    Ok(report)
}

fn row(metric: &str, value: f64, unit: &'static str, limit: Option<f64>) -> Row {
    Row { metric: metric.into(), engine: None, value, unit, peer: None, peer_value: None, ratio: None, limit }
}

fn end_load() -> f64 {
    machine::load().unwrap_or(f64::NAN)
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

fn bytes(program: &Path) -> Result<f64> {
    let known = fs::metadata(program).with_context(|| format!("{} cannot be read", program.display()))?;
    Ok(known.len() as f64)
}

/// Milliseconds from the start of the app to an icon that can be drawn. The first start fills caches and is not counted.
fn tray_starts(session: &Session, rounds: usize) -> Result<Vec<f64>> {
    let mut taken = Vec::new();
    for round in 0..=rounds {
        let (mut app, took) = session.app()?;
        eprint!("\rtray: {:.0} ms   ", took.as_secs_f64() * 1e3);
        if round == 0 {
            session.welcomed()?;
        } else {
            taken.push(took.as_secs_f64() * 1e3);
            // It can be asked to stop when it answers; sooner, the signal just ends it.
            session.state()?;
        }
        ensure!(app.stop()?.success(), "the app did not end well: {}", app.log());
    }
    eprintln!();
    Ok(taken)
}

/// One app, watched with its window closed and open; between them, how soon a window of it paints, in milliseconds; and
/// what the node did meanwhile, in words.
fn at_rest(session: &Session, watched: Duration, starts: usize) -> Result<([Rest; 2], Vec<f64>, String)> {
    let (mut app, _) = session.app()?;
    eprintln!("rest with the window closed, {} s", (SETTLES_CLOSED + watched).as_secs());
    sleep(SETTLES_CLOSED);
    let closed = Cost::of(app.pid()).over(watched)?;
    let mut paints = Vec::new();
    for round in 0..=starts {
        let took = paint::first(session)?;
        eprint!("\rpaint: {took:.0} ms   ");
        if round > 0 {
            paints.push(took);
        }
    }
    eprintln!("\nrest with the window open, {} s", (SETTLES_OPEN + watched).as_secs());
    session.open_window()?;
    paint::seen(session)?;
    sleep(SETTLES_OPEN);
    let now = session.state()?;
    let open = Cost::of(app.pid()).over(watched)?;
    ensure!(open.processes() > closed.processes(), "the window has closed by itself: {}", app.log());
    ensure!(app.stop()?.success(), "the app did not end well: {}", app.log());
    Ok(([closed, open], paints, now))
}
