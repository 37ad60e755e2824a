//! Files below `/proc` and `/sys`, and devices, in trees of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    process::{Command, Stdio},
    time::Duration,
};

use lull_presence::{Config, Pace};
use lull_types::{Reading, Source};

use crate::{
    EVENT_MAX, POLLED_MAX, absent, calmly, clear,
    common::{Program, folder},
    config_in, in_use, onset, put, tree, unknown, unknown_for, used_by, watch,
};

#[test]
fn the_kernel_says_mains_or_battery() {
    let battery = "sys/class/power_supply/BAT0";
    let root = tree(&[
        ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ("sys/class/power_supply/BAT0/status", "Charging\n"),
        ("sys/class/power_supply/mouse/type", "Battery\n"),
        ("sys/class/power_supply/mouse/scope", "Device\n"),
        ("sys/class/power_supply/mouse/status", "Discharging\n"),
    ]);
    let (_watch, heard) = watch(&config_in(&root));
    let status = |text: &str| put(root.path(), &format!("{battery}/status"), text);
    heard.wait_for(Source::Power, clear);
    onset(&heard, POLLED_MAX, Source::Power, "unplugged (polled)", in_use, || status("Discharging\n"));
    onset(&heard, POLLED_MAX, Source::Power, "nonsense", unknown, || status("\u{1}?\n"));
    onset(&heard, POLLED_MAX, Source::Power, "plugged in", clear, || status("Not charging\n"));
    onset(&heard, POLLED_MAX, Source::Power, "it cannot say", in_use, || status("Unknown\n"));
    put(root.path(), "sys/class/power_supply/AC/online", "1\n");
    onset(&heard, POLLED_MAX, Source::Power, "it cannot say, but the wall can", clear, || {
        put(root.path(), "sys/class/power_supply/AC/type", "Mains\n");
    });
    onset(&heard, POLLED_MAX, Source::Power, "no battery", absent, || {
        std::fs::remove_dir_all(root.path().join(battery)).unwrap();
    });
}

#[test]
fn a_machine_gets_hot_and_cool_again() {
    let root = tree(&[
        ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("sys/class/thermal/thermal_zone0/temp", "40000\n"),
        ("sys/class/thermal/thermal_zone1/type", "iwlwifi_1\n"),
        ("sys/class/thermal/thermal_zone1/temp", "99000\n"),
        ("sys/class/hwmon/hwmon0/name", "k10temp\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "41000\n"),
        ("sys/class/hwmon/hwmon1/name", "nvme\n"),
        ("sys/class/hwmon/hwmon1/temp1_input", "99000\n"),
    ]);
    let (_watch, heard) = watch(&Config { hot_celsius: Some(78), ..config_in(&root) });
    let zone = |text: &str| put(root.path(), "sys/class/thermal/thermal_zone0/temp", text);
    let chip = |text: &str| put(root.path(), "sys/class/hwmon/hwmon0/temp1_input", text);
    heard.wait_for(Source::Heat, clear);
    onset(&heard, POLLED_MAX, Source::Heat, "hot", used_by("78 degrees"), || zone("78000\n"));
    onset(&heard, POLLED_MAX, Source::Heat, "a little cooler", used_by("73 degrees"), || zone("73000\n"));
    onset(&heard, POLLED_MAX, Source::Heat, "cool", clear, || zone("72999\n"));
    onset(&heard, POLLED_MAX, Source::Heat, "the other sensor", used_by("90 degrees"), || chip("90000\n"));
    onset(&heard, POLLED_MAX, Source::Heat, "one is broken", clear, || chip("-274000\n"));
    onset(&heard, POLLED_MAX, Source::Heat, "all are broken", unknown_for("lend.max_celsius"), || zone("hot\n"));
}

#[test]
fn a_machine_without_a_temperature_says_so_and_unasked_it_does_not_matter() {
    let root = folder();
    let (_watch, heard) = watch(&Config { hot_celsius: Some(78), ..config_in(&root) });
    heard.wait_for(Source::Heat, unknown_for("`lend.max_celsius = 0`"));
    let (_watch, heard) = watch(&Config { hot_celsius: None, ..config_in(&root) });
    heard.wait_for(Source::Heat, absent);
}

#[test]
fn a_temperature_that_never_comes_is_unknown() {
    let root = tree(&[("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n")]);
    let pipe = root.path().join("sys/class/thermal/thermal_zone0/temp");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (_watch, heard) = watch(&Config { hot_celsius: Some(78), ..config_in(&root) });
    heard.wait_for(Source::Heat, unknown_for("does not answer"));
    heard.wait_for(Source::Heat, unknown_for("does not answer"));
    heard.wait_for(Source::Power, |_| true);
    // Lets the thread that hangs in it go.
    drop(std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
}

#[test]
fn memory_that_runs_short_is_use() {
    let info = |left: u64| format!("MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: {left} kB\n");
    let stall = |avg10: &str, total: u64| {
        format!("some avg10={avg10} avg60=0.00 avg300=0.00 total={total}\nfull avg10=0.00 total=0\n")
    };
    let root = tree(&[("proc/meminfo", &info(9_000_000)), ("proc/pressure/memory", &stall("0.00", 0))]);
    let (_watch, heard) = watch(&config_in(&root));
    let meminfo = |text: &str| put(root.path(), "proc/meminfo", text);
    let pressure = |text: &str| put(root.path(), "proc/pressure/memory", text);
    let source = Source::Memory;
    heard.wait_for(source, clear);
    onset(&heard, POLLED_MAX, source, "little left", used_by("MiB left"), || meminfo(&info(700_000)));
    onset(&heard, POLLED_MAX, source, "enough", clear, || meminfo(&info(900_000)));
    onset(&heard, POLLED_MAX, source, "waiting", used_by("wait for it"), || pressure(&stall("12.00", 0)));
    onset(&heard, POLLED_MAX, source, "over", clear, || pressure(&stall("1.00", 0)));
    onset(&heard, POLLED_MAX, source, "a burst", used_by("wait for it"), || pressure(&stall("1.00", 400_000)));
    onset(&heard, POLLED_MAX, source, "nonsense", unknown, || pressure("\u{0}\u{0}"));
    std::fs::remove_file(root.path().join("proc/pressure/memory")).unwrap();
    onset(&heard, Duration::from_secs(5), source, "without pressure", clear, || {});
    onset(&heard, POLLED_MAX, source, "nonsense", unknown, || meminfo("MemAvailable: lots"));
}

#[test]
fn other_programs_work_is_use_and_nonsense_is_unknown() {
    let line = |ticks: u64| format!("cpu  {ticks} 0 0 0 0 0 0 0 0 0\n");
    let root = tree(&[("proc/stat", &line(0))]);
    let (_watch, heard) = watch(&config_in(&root));
    heard.wait_for(Source::Load, clear);
    let stat = |text: &str| put(root.path(), "proc/stat", text);
    onset(&heard, POLLED_MAX, Source::Load, "other work", used_by("cores"), || stat(&line(200)));
    onset(&heard, Duration::from_secs(3), Source::Load, "it ends", clear, || {});
    onset(&heard, POLLED_MAX, Source::Load, "nonsense", unknown, || stat("cpu x\n"));
}

#[test]
fn a_named_program_is_seen_when_it_starts_and_when_it_ends() {
    let root = tree(&[("proc/1/comm", "init\n"), ("proc/1/cmdline", "/sbin/init\0"), ("proc/loadavg", LOADS)]);
    let (_watch, heard) = watch(&Config { apps: vec!["zoom".into()], ..config_in(&root) });
    heard.wait_for(Source::Apps, clear);
    onset(&heard, POLLED_MAX, Source::Apps, "named program", used_by("zoom"), || {
        put(root.path(), "proc/31/comm", "ZoomLauncher\n");
        put(root.path(), "proc/31/cmdline", "/opt/zoom/Zoom\0--fast\0");
        put(root.path(), "proc/loadavg", "0.00 0.01 0.05 1/89 31\n");
    });
    onset(&heard, POLLED_MAX, Source::Apps, "it ends", clear, || {
        std::fs::remove_dir_all(root.path().join("proc/31")).unwrap();
    });
    // A process that has long been there becomes another program.
    let _long = heard.during(Duration::from_millis(3500), Source::Apps);
    onset(&heard, POLLED_MAX, Source::Apps, "an old process", used_by("zoom"), || {
        put(root.path(), "proc/1/comm", "zoom\n");
    });
    onset(&heard, POLLED_MAX, Source::Apps, "a dead one", clear, || put(root.path(), "proc/1/stat", "1 (zoom) Z 0"));
    std::fs::remove_dir_all(root.path().join("proc/1")).unwrap();
    put(root.path(), "proc/loadavg", "nonsense");
    onset(&heard, POLLED_MAX, Source::Apps, "no list", unknown_for("empty"), || {});
}

const LOADS: &str = "0.00 0.01 0.05 1/89 30\n";

#[test]
fn without_named_programs_none_is_looked_for() {
    let root = folder();
    let (_watch, heard) = watch(&config_in(&root));
    heard.wait_for(Source::Apps, absent);
}

#[test]
fn a_microphone_is_in_use_while_it_records() {
    let status = "proc/asound/card0/pcm0c/sub0/status";
    let running = "state: RUNNING\nowner_pid   : 77\ntrigger_time: 1.0\n";
    let root = tree(&[
        (status, "closed\n"),
        ("proc/asound/card0/pcm0p/sub0/status", "state: RUNNING\n"),
        ("proc/77/comm", "recorder\n"),
        ("dev/snd/pcmC0D0c", ""),
    ]);
    let (watch, heard) = watch(&config_in(&root));
    let source = Source::Microphone;
    heard.wait_for(source, clear);
    onset(&heard, POLLED_MAX, source, "recording (polled)", used_by("recorder"), || put(root.path(), status, running));
    onset(&heard, POLLED_MAX, source, "it ends", clear, || put(root.path(), status, "state: PREPARED\n"));
    calmly(&watch);
    let device = opened(&root.path().join("dev/snd/pcmC0D0c"));
    // It runs only a moment after it was opened.
    onset(&heard, EVENT_MAX, source, "recording (opened)", in_use, || put(root.path(), status, running));
    drop(device);
    watch.set_pace(Pace::Alert);
    onset(&heard, POLLED_MAX, source, "nonsense", unknown, || put(root.path(), status, "\u{7f}\n"));
    put(root.path(), status, "closed\n");
    heard.wait_for(source, clear);
    // One more is plugged in, and then all are taken away.
    put(root.path(), "proc/asound/card1/pcm0c/sub0/status", running);
    onset(&heard, POLLED_MAX, source, "a second one", in_use, || put(root.path(), "dev/snd/pcmC1D0c", ""));
    std::fs::remove_dir_all(root.path().join("proc/asound")).unwrap();
    std::fs::remove_file(root.path().join("dev/snd/pcmC0D0c")).unwrap();
    heard.wait_for(source, unknown_for("/proc/asound"));
    std::fs::remove_file(root.path().join("dev/snd/pcmC1D0c")).unwrap();
    heard.wait_for(source, absent);
}

/// A second process that holds a file open, and has opened it when this returns.
fn opened(path: &std::path::Path) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<\"$0\"; echo open; exec sleep 600"]).arg(path).stdout(Stdio::piped());
    let mut holder = Program::start("sh", "dash", &mut command);
    let mut line = String::new();
    BufReader::new(holder.child().stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    holder
}

#[test]
fn a_camera_is_in_use_while_a_program_holds_it() {
    let root = tree(&[("dev/null", "")]);
    symlink("/proc", root.path().join("proc")).unwrap();
    let camera = root.path().join("dev/video0");
    let (watch, heard) = watch(&config_in(&root));
    let source = Source::Camera;
    heard.wait_for(source, absent);
    calmly(&watch);
    onset(&heard, EVENT_MAX, source, "plugged in", clear, || put(root.path(), "dev/video0", ""));
    let mut holder = None;
    onset(&heard, EVENT_MAX, source, "opened", in_use, || holder = Some(opened(&camera)));
    heard.wait_for(source, used_by("a camera, "));
    onset(&heard, EVENT_MAX, source, "closed", clear, || drop(holder.take()));
    let _held = opened(&camera);
    let (_late, late) = crate::watch(&config_in(&root));
    let (_, first) = late.wait_for(source, |_| true);
    assert!(used_by("a camera, ")(&first), "held before we began: {first:?}");
    heard.wait_for(source, in_use);
    onset(&heard, EVENT_MAX, source, "pulled out", absent, || std::fs::remove_file(&camera).unwrap());
}

#[test]
fn a_camera_held_by_someone_who_cannot_be_seen_is_in_use() {
    let root = tree(&[("dev/video0", ""), ("proc/loadavg", LOADS)]);
    let camera = root.path().join("dev/video0");
    let (watch, heard) = watch(&config_in(&root));
    heard.wait_for(Source::Camera, clear);
    calmly(&watch);
    let mut held = None;
    onset(&heard, EVENT_MAX, Source::Camera, "opened unseen", in_use, || held = Some(opened(&camera)));
    watch.set_pace(Pace::Alert);
    let said = heard.during(Duration::from_millis(1500), Source::Camera);
    assert!(!said.is_empty() && said.iter().all(in_use), "{said:?}");
    calmly(&watch);
    onset(&heard, EVENT_MAX, Source::Camera, "closed unseen", clear, || drop(held.take()));
}

#[test]
fn a_camera_that_may_not_be_watched_is_unknown() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::getuid().is_root() {
        println!("root may watch everything: not checked");
        return;
    }
    let root = tree(&[("dev/video0", "")]);
    std::fs::set_permissions(root.path().join("dev/video0"), std::fs::Permissions::from_mode(0o0)).unwrap();
    let (_watch, heard) = watch(&config_in(&root));
    heard.wait_for(Source::Camera, unknown_for("group `video`"));
}

#[test]
fn no_contents_of_any_file_are_taken_for_clear_or_break_a_sensor() {
    let garbage: String = (0u8..=255).map(char::from).collect::<String>().repeat(300);
    for contents in ["", "\n", "-1", "99999999999999999999999", garbage.as_str()] {
        let root = tree(&[
            ("proc/stat", contents),
            ("proc/meminfo", contents),
            ("proc/pressure/memory", contents),
            ("proc/loadavg", contents),
            ("proc/asound/card0/pcm0c/sub0/status", contents),
            ("sys/class/power_supply/BAT0/type", contents),
            ("sys/class/power_supply/BAT0/status", contents),
            ("sys/class/thermal/thermal_zone0/temp", contents),
            ("sys/class/hwmon/hwmon0/name", contents),
            ("sys/class/hwmon/hwmon0/temp1_input", contents),
        ]);
        let config = Config { apps: vec!["zoom".into()], hot_celsius: Some(78), ..config_in(&root) };
        let (_watch, heard) = watch(&config);
        for source in [Source::Load, Source::Memory, Source::Apps, Source::Microphone, Source::Power, Source::Heat] {
            let (_, reading) = heard.wait_for(source, |_| true);
            let failed = Reading::unknown("the sensor failed");
            assert!(unknown(&reading) && reading != failed, "{source:?}: {reading:?}");
        }
    }
}
