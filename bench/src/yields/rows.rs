//! From what was measured to rows and notes.

use super::{
    Measured,
    echo::Echoes,
    figures::{MISS_MS, Trial, Trials, Void, max, quantile},
    memory::{BACK_MAX, BACK_SHARE, GROWN_SHARE, Kills, Way},
    slices::ENTRY_MAX_NS,
};
use crate::{
    machine,
    report::{Report, Row},
};

/// Nothing that can be installed beside Lull measures this: what is quoted was read in BOINC's sources.
const QUOTED: &str = "BOINC (quoted)";
/// From BOINC's sources: a loop of 1 s sees the input, a timer of 0.1 s stops the work.
const BOINC_STOP_MS: f64 = 1_100.0;
/// From BOINC's sources: a task that is told to quit is killed after 60 s.
const BOINC_MEMORY_MS: f64 = 60_000.0;

/// What is told of many times.
const SHARES: [(&str, f64); 3] = [("p50", 0.50), ("p99", 0.99), ("max", 1.0)];

type Figure = fn(&Trial) -> f64;
type Times = fn(&Kills) -> &Vec<f64>;

/// Adds all rows and notes.
pub(super) fn add(report: &mut Report, measured: &Measured) {
    stops(report, measured);
    memory(report, measured);
    echo(report, &measured.echoes);
    rest(report, measured);
    floors(report, measured);
    notes(report, measured);
}

fn row(metric: &str, of: Option<String>, value: f64, unit: &'static str) -> Row {
    Row { metric: metric.into(), engine: of, value, unit, peer: None, peer_value: None, ratio: None, limit: None }
}

fn stops(report: &mut Report, measured: &Measured) {
    let mut all = Trials::default();
    measured.stops.iter().for_each(|condition| all.extend(&condition.trials));
    let floor: Vec<f64> = measured.floors.iter().flat_map(|(_, floor)| floor.iter().copied()).collect();
    let figures: [(&str, &str, Figure); 2] =
        [("stop", "misses", |trial| trial.work_ms), ("stop_any", "misses_any", |trial| trial.any_ms)];
    for (name, misses, figure) in figures {
        for (what, share) in SHARES {
            let quoted = share > 0.5;
            report.rows.push(Row {
                peer: quoted.then_some(QUOTED),
                peer_value: quoted.then_some(BOINC_STOP_MS),
                limit: Some(quantile(&floor, share)),
                ..row(&format!("{name}_{what}"), None, quantile(&all.of(figure), share), "ms")
            });
        }
        report.rows.push(Row { limit: Some(0.0), ..row(misses, None, all.misses(figure) as f64, "trials") });
    }
    report.rows.push(row("trials", None, all.good.len() as f64, "trials"));
    report.rows.push(row("unnoticed", None, all.good.iter().filter(|trial| !trial.noticed).count() as f64, "trials"));
    for condition in &measured.stops {
        let trials = &condition.trials;
        let of = Some(format!("{}, {} busy/core", condition.phase.name(), condition.load));
        let mut add = |metric: &str, value: f64, unit| report.rows.push(row(metric, of.clone(), value, unit));
        for (name, misses, figure) in figures {
            let values = trials.of(figure);
            add(&format!("{name}_p50"), quantile(&values, 0.50), "ms");
            add(&format!("{name}_p99"), quantile(&values, 0.99), "ms");
            add(&format!("{name}_max"), max(&values), "ms");
            add(misses, trials.misses(figure) as f64, "trials");
        }
        add("noticed_p99", quantile(&trials.of(|trial| trial.seen_ms), 0.99), "ms");
        add("ordered_p99", quantile(&trials.of(|trial| trial.frozen_ms), 0.99), "ms");
        add("on_cpu_at_input", trials.ran_share() * 100.0, "%");
    }
}

fn memory(report: &mut Report, measured: &Measured) {
    let figures: [(&str, Times); 2] = [("ram_back", |kills| &kills.back_ms), ("worker_gone", |kills| &kills.gone_ms)];
    for (name, figure) in figures {
        let all: Vec<f64> = of_way(measured, Way::Ours).flat_map(|kills| figure(kills).iter().copied()).collect();
        for (what, share) in SHARES {
            let quoted = share > 0.5 && name == "ram_back";
            report.rows.push(Row {
                peer: quoted.then_some(QUOTED),
                peer_value: quoted.then_some(BOINC_MEMORY_MS),
                limit: (name == "ram_back").then_some(measured.munmap_ms),
                ..row(&format!("{name}_{what}"), None, quantile(&all, share), "ms")
            });
        }
    }
    for way in Way::ALL {
        let suffix = match way {
            Way::Ours => "",
            Way::Unfrozen => "_unfrozen",
            Way::KillOnly => "_kill_only",
        };
        for kills in of_way(measured, way) {
            let of = Some(format!("{} kills, {} busy/core", kills.back_ms.len(), kills.load));
            for (name, figure) in figures {
                for (what, share) in SHARES {
                    let value = quantile(figure(kills), share);
                    report.rows.push(row(&format!("{name}{suffix}_{what}"), of.clone(), value, "ms"));
                }
            }
        }
    }
}

fn of_way(measured: &Measured, way: Way) -> impl Iterator<Item = &Kills> {
    measured.kills.iter().filter(move |kills| kills.way == way)
}

fn echo(report: &mut Report, echoes: &[Echoes]) {
    let p99 = |values: &[f64]| quantile(values, 0.99);
    let added = |echoes: &Echoes| p99(&echoes.handed_back) - p99(&echoes.not_lent);
    let worst = max(&echoes.iter().map(added).collect::<Vec<_>>());
    report.rows.push(Row { limit: Some(0.0), ..row("echo_added_p99", None, worst, "ms") });
    for echoes in echoes {
        let of = Some(format!("{} echoes, {} busy/core", echoes.handed_back.len(), echoes.load));
        let mut add = |metric: &str, value: f64| {
            report.rows.push(Row {
                peer: Some("nothing lent"),
                peer_value: Some(p99(&echoes.not_lent)),
                ..row(metric, of.clone(), value, "ms")
            });
        };
        add("echo_added_p99", added(echoes));
        add("echo_lent_added_p99", p99(&echoes.lent) - p99(&echoes.not_lent));
    }
}

fn rest(report: &mut Report, measured: &Measured) {
    let (costs, _) = &measured.rest;
    let most = max(&costs.iter().map(|cost| cost.own).collect::<Vec<_>>());
    report.rows.push(row("idle_cpu", None, most, "% of a core"));
    for cost in costs {
        let of = Some(format!("{}, {:.0} words/s", cost.pace, cost.heard));
        report.rows.push(row("idle_cpu", of.clone(), cost.own, "% of a core"));
        report.rows.push(row("idle_cpu_x_server", of, cost.server, "% of a core"));
    }
}

fn floors(report: &mut Report, measured: &Measured) {
    for (load, times) in &measured.floors {
        for (what, share) in SHARES {
            let of = Some(format!("{load} busy/core"));
            report.rows.push(row(&format!("two_wake_ups_{what}"), of, quantile(times, share), "ms"));
        }
    }
}

fn notes(report: &mut Report, measured: &Measured) {
    let mut say = |note: String| report.notes.push(note);
    let load = measured.load_at_start.map_or_else(|| "unknown".into(), |load| format!("{load:.2}"));
    let root = if rustix::process::getuid().is_root() { "root" } else { "an ordinary user" };
    say(format!(
        "load average at the start {load}; run as {root}; {}; {} s in all; busy/core: ordinary processes that compute \
         for ever",
        measured.method, measured.took_s
    ));
    say(format!(
        "the path: XTest from a process of its own -> Xvfb -> lull-presence's X11 sensor in this process -> \
         lull-sandbox's freeze -> the real worker through lull-engine, {} threads; node, relay and lending machine are \
         not in it; the sensor is told that nobody is there after 100 ms instead of 1,000 ms, so that its look every \
         400 ms catches little of what an alarm misses",
        machine::threads()
    ));
    say(format!(
        "stop = from just before the XTest request to the last instant at which any thread of the worker did work of \
         its own, from the kernel's records of every switch; stop_any = the same with visits of at most {} us that \
         began after the freeze had been ordered: a sleeping or waiting thread that is fetched into the kernel's \
         freezer when its turn comes, at idle priority (that none of its instructions runs is proved each time, see \
         entries); miss = later than {MISS_MS} ms",
        ENTRY_MAX_NS / 1_000
    ));
    let entries = measured.entries;
    say(format!(
        "entries: a process that notes the time without pause was frozen {} times beside busy programs, and came onto a \
         processor {} times afterwards; {} times its program had noted a later time than its last work (must be 0)",
        entries.freezes, entries.entries, entries.broken
    ));
    let voids = Void::ALL.map(|why| {
        let count: usize = measured.stops.iter().map(|condition| condition.trials.voided(why)).sum();
        format!("{} {count}", why.words())
    });
    let good = || measured.stops.iter().flat_map(|condition| &condition.trials.good);
    say(format!(
        "trials that say nothing and were repeated: {}; trials in which not every thread was in the freezer in the end: \
         {}; the most processor time on the worker's accounts from 100 ms after an input until its thaw: {} us",
        voids.join(", "),
        good().filter(|trial| !trial.settled).count(),
        good().map(|trial| trial.crept_us).max().unwrap_or(0)
    ));
    say("noticed = the sensor's word has come; ordered = the call that freezes has returned; on_cpu_at_input = share of \
         trials in which a thread of the worker was on a processor at the input: beside busy programs an idle-priority \
         worker seldom is"
        .into());
    memory_notes(measured, &mut say);
    say("echo: two processes of the owner's ask each other something every 5 ms; added = p99 of their round trips in \
         the 200 ms after an input that freezes a worker in prefill, minus the same with a worker that has stood still \
         before; rounds alternate; echo_lent: the worker goes on instead"
        .into());
    say(format!(
        "idle_cpu: all threads of this process while {} sources are watched, at the dearer of two paces, with one X \
         server and without buses",
        measured.rest.1
    ));
    say("BOINC's figures are quoted from its sources, not measured: there is no peer that can be installed and \
         measures this. limit of stop: two wake-ups of ordinary threads in a row under the same loads, which any way \
         from input through an X server needs"
        .into());
}

fn memory_notes(measured: &Measured, say: &mut impl FnMut(String)) {
    let mib = |pick: fn(&Kills) -> &Vec<u64>| measured.kills.iter().flat_map(pick).max().map_or(0, |bytes| bytes >> 20);
    let grown: Vec<f64> = measured.kills.iter().flat_map(|kills| kills.grown.iter().copied()).collect();
    say(format!(
        "ram_back = from the word to kill until what the system can give has grown by {} % of the worker's own memory, \
         looked at every ms: MemAvailable and the free pages on the processors' own lists, which MemAvailable does not \
         count; worker_gone = until its last thread has ended, which beside busy programs comes later at idle priority, \
         its memory taken long before; {} s: not by then; the worker had {} MiB of its own and {} MiB of files; plain \
         names: frozen, then ended as a node does; unfrozen: the same without freezing first; kill_only: SIGKILL alone; \
         limit: this process gives as much back",
        BACK_SHARE * 100.0,
        BACK_MAX.as_secs(),
        mib(|kills| &kills.own),
        mib(|kills| &kills.files),
    ));
    say(format!(
        "with the worker gone, what the system can give had grown by {:.3} of the worker's own memory (median); kills \
         repeated because it had not grown by {} to {} of it, so that other programs must have taken or given some: {}",
        quantile(&grown, 0.5),
        GROWN_SHARE.start(),
        GROWN_SHARE.end(),
        measured.kills.iter().map(|kills| kills.void).sum::<usize>()
    ));
}
