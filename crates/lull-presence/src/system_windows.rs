//! Windows. Never compiled nor run so far: it was written beside its documentation, to the signatures that Linux has.
//!
//! It must run in the session of the person it watches: Windows shows the latest input of its own session only. Most
//! of it can only be asked, so it is asked at every beat, on threads of its own; what is not written yet says
//! [`Reading::Unknown`], so nothing is lent before it is.
#![allow(unsafe_code, reason = "the system's functions are foreign functions")]

use std::{
    convert::Infallible,
    ffi::c_void,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use lull_types::{Reading, Source};
use tokio::{task::spawn_blocking, time::sleep};
use windows::{
    Win32::{
        Foundation::{ERROR_FILE_NOT_FOUND, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS},
        Networking::NetworkListManager::{INetworkCostManager, NetworkListManager},
        System::{
            Com::{CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx},
            Power::{CallNtPowerInformation, GetSystemPowerStatus, SYSTEM_POWER_STATUS, SystemExecutionState},
            Registry::{
                HKEY, HKEY_CURRENT_USER, KEY_READ, RRF_RT_REG_QWORD, RegCloseKey, RegEnumKeyExW, RegGetValueW,
                RegOpenKeyExW,
            },
            RemoteDesktop::{
                ProcessIdToSessionId, WTS_SESSION_INFOW, WTSActive, WTSClientProtocolType, WTSEnumerateSessionsW,
                WTSFreeMemory, WTSQuerySessionInformationW,
            },
            SystemInformation::{GetTickCount, GlobalMemoryStatusEx, MEMORYSTATUSEX},
        },
        UI::{
            Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO},
            Shell::{QUNS_ACCEPTS_NOTIFICATIONS, QUNS_APP, QUNS_NOT_PRESENT, SHQueryUserNotificationState},
        },
    },
    core::{HSTRING, PCWSTR, PWSTR},
};

use crate::{
    Config,
    supervise::{Line, Sensor},
    voice::Voice,
};

/// How often the latest input is looked at: Windows tells nobody of input without hooking the keyboard.
const INPUT: Duration = Duration::from_millis(50);
/// `ES_DISPLAY_REQUIRED`: some program keeps the screen on.
const SCREEN_KEPT_ON: u32 = 2;
/// Below this share of memory, in percent, or below this many bytes, it is short.
const MEMORY_LEFT: (u64, u64) = (5, 512 * 1024 * 1024);
/// A smaller step of the wall clock is the work of a time service.
const JUMP: Duration = Duration::from_secs(2);
/// Where Windows notes which program uses what.
const CONSENT: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore";
/// More programs than these are not looked at.
const PROGRAMS_MAX: u32 = 2048;

const CLEAR: Reading = Reading::Clear { for_ms: 0 };
const UNWRITTEN: &str = "this is not watched on Windows yet";

/// All sensors.
pub(crate) fn sensors(config: &Arc<Config>) -> Vec<Sensor> {
    let heat = if config.hot_celsius.is_none() { Reading::Absent } else { Reading::unknown(UNWRITTEN) };
    let apps = if config.apps.is_empty() { Reading::Absent } else { Reading::unknown(UNWRITTEN) };
    vec![
        Sensor::new(Line::Input, &[Source::WindowsIdle], input),
        asked(&[Source::Sessions], Source::Sessions, sessions),
        asked(&[Source::RemoteSessions], Source::RemoteSessions, remote),
        asked(&[Source::SystemInhibitors], Source::SystemInhibitors, kept_on),
        asked(&[Source::WindowsAttention], Source::WindowsAttention, attention),
        asked(&[Source::Power], Source::Power, power),
        asked(&[Source::Network], Source::Network, network),
        asked(&[Source::Memory], Source::Memory, memory),
        asked(&[Source::Microphone], Source::Microphone, || consent("microphone")),
        asked(&[Source::Camera], Source::Camera, || consent("webcam")),
        Sensor::new(Line::Rest, &[Source::Clock], clock),
        always(&[Source::Heat], Source::Heat, heat),
        always(&[Source::Apps], Source::Apps, apps),
        always(&[Source::Sleep], Source::Sleep, Reading::unknown(UNWRITTEN)),
        always(&[Source::Load], Source::Load, Reading::unknown(UNWRITTEN)),
        always(&[Source::Gpu], Source::Gpu, Reading::unknown(UNWRITTEN)),
    ]
}

type Answer = Result<Reading, String>;

fn asked(sources: &'static [Source], source: Source, ask: fn() -> Answer) -> Sensor {
    Sensor::new(Line::Rest, sources, move |mut voice| async move {
        loop {
            let reading = voice.answer("Windows", spawn_blocking(ask)).await??;
            voice.say(source, reading);
            voice.beat().await;
        }
    })
}

fn always(sources: &'static [Source], source: Source, reading: Reading) -> Sensor {
    Sensor::new(Line::Rest, sources, move |mut voice| {
        let reading = reading.clone();
        async move { voice.repeat(source, &reading).await }
    })
}

async fn input(mut voice: Voice) -> Result<Infallible, String> {
    let mut last = None;
    loop {
        let mut info = LASTINPUTINFO { cbSize: size_of::<LASTINPUTINFO>() as u32, dwTime: 0 };
        // SAFETY: the structure is as large as it says.
        let read = unsafe { GetLastInputInfo(&raw mut info) };
        if !read.as_bool() {
            return Err("Windows does not say when the latest input was".to_owned());
        }
        // SAFETY: without arguments. Both count milliseconds and begin anew every 49 days.
        let for_ms = unsafe { GetTickCount() }.wrapping_sub(info.dwTime);
        let new = last.replace(info.dwTime) != Some(info.dwTime);
        let reading = if new { Reading::in_use() } else { Reading::Clear { for_ms: u64::from(for_ms) } };
        voice.say(Source::WindowsIdle, reading);
        tokio::select! {
            () = sleep(INPUT) => {}
            () = voice.beat() => {}
        }
    }
}

/// The active sessions other than this process's, and whether each is from elsewhere.
fn others() -> Result<(bool, Vec<bool>), String> {
    let failed = |error| format!("Windows does not list its sessions ({error})");
    let (mut list, mut count, mut ours) = (std::ptr::null_mut::<WTS_SESSION_INFOW>(), 0, 0);
    // SAFETY: the places written to are ours and outlive the calls.
    unsafe {
        ProcessIdToSessionId(std::process::id(), &raw mut ours).map_err(failed)?;
        WTSEnumerateSessionsW(None, 0, 1, &raw mut list, &raw mut count).map_err(failed)?;
    }
    // SAFETY: Windows says that there are so many.
    let all = unsafe { std::slice::from_raw_parts(list, count as usize) }.to_vec();
    // SAFETY: nothing of it is used after this.
    unsafe { WTSFreeMemory(list.cast()) };
    let active = all.iter().filter(|session| session.State == WTSActive && session.SessionId != ours);
    let others = active.map(|session| is_remote(session.SessionId)).collect::<Result<_, _>>()?;
    Ok((is_remote(ours)?, others))
}

fn is_remote(session: u32) -> Result<bool, String> {
    let (mut buffer, mut bytes) = (PWSTR::null(), 0);
    // SAFETY: the places written to are ours, and Windows' buffer is freed once.
    unsafe {
        WTSQuerySessionInformationW(None, session, WTSClientProtocolType, &raw mut buffer, &raw mut bytes)
            .map_err(|error| format!("Windows does not say where a session comes from ({error})"))?;
        let protocol = (bytes >= 2 && !buffer.is_null()).then(|| buffer.0.read_unaligned());
        WTSFreeMemory(buffer.0.cast());
        protocol.map(|protocol| protocol != 0).ok_or_else(|| "Windows does not say where a session comes from".into())
    }
}

fn sessions() -> Answer {
    let (_, others) = others()?;
    let local = others.iter().any(|remote| !remote);
    Ok(if local { Reading::InUse { what: "another person's session".into() } } else { CLEAR })
}

fn remote() -> Answer {
    let (ours, others) = others()?;
    let remote = ours || others.contains(&true);
    Ok(if remote { Reading::InUse { what: "Remote Desktop".into() } } else { CLEAR })
}

fn kept_on() -> Answer {
    let mut state = 0u32;
    let place = (&raw mut state).cast::<c_void>();
    // SAFETY: the place is as large as said.
    let status = unsafe { CallNtPowerInformation(SystemExecutionState, None, 0, Some(place), size_of::<u32>() as u32) };
    if status.0 != 0 {
        return Err("Windows does not say whether a program keeps the screen on".into());
    }
    Ok(if state & SCREEN_KEPT_ON != 0 { Reading::in_use() } else { CLEAR })
}

fn attention() -> Answer {
    // SAFETY: without arguments.
    let state = unsafe { SHQueryUserNotificationState() };
    let state = state.map_err(|error| format!("Windows does not say whether its owner is busy ({error})"))?;
    let free = [QUNS_ACCEPTS_NOTIFICATIONS, QUNS_NOT_PRESENT, QUNS_APP].contains(&state);
    Ok(if free { CLEAR } else { Reading::in_use() })
}

fn power() -> Answer {
    let mut status = SYSTEM_POWER_STATUS::default();
    // SAFETY: the place is ours.
    unsafe { GetSystemPowerStatus(&raw mut status) }
        .map_err(|error| format!("Windows does not say where power comes from ({error})"))?;
    Ok(match (status.ACLineStatus, status.BatteryFlag) {
        (0, _) => Reading::in_use(),
        (1, 128) => Reading::Absent,
        (1, _) => CLEAR,
        _ => Reading::unknown("Windows does not know where power comes from"),
    })
}

fn network() -> Answer {
    let failed = |error| format!("Windows does not say what the network costs ({error})");
    let mut cost = 0;
    // SAFETY: the place is ours; a thread may be initialised again in the same way.
    unsafe {
        CoInitializeEx(None, COINIT_MULTITHREADED).ok().map_err(failed)?;
        let costs: INetworkCostManager = CoCreateInstance(&NetworkListManager, None, CLSCTX_ALL).map_err(failed)?;
        costs.GetCost(&raw mut cost, std::ptr::null()).map_err(failed)?;
    }
    // 1 is unrestricted; 0 is unknown; every other bit is a cost or a limit.
    Ok(match cost {
        0 => {
            Reading::unknown("Windows does not know what the network costs; `lend.metered = true` lends on any network")
        }
        1 => CLEAR,
        _ => Reading::in_use(),
    })
}

fn memory() -> Answer {
    let mut status = MEMORYSTATUSEX { dwLength: size_of::<MEMORYSTATUSEX>() as u32, ..Default::default() };
    // SAFETY: the structure is as large as it says.
    unsafe { GlobalMemoryStatusEx(&raw mut status) }
        .map_err(|error| format!("Windows does not say how much memory is left ({error})"))?;
    let (percent, bytes) = MEMORY_LEFT;
    let left = status.ullAvailPhys;
    let short = left < bytes || left < status.ullTotalPhys / 100 * percent;
    Ok(if short { Reading::InUse { what: format!("{} MiB left", left >> 20) } } else { CLEAR })
}

/// A program uses what it began to use and has not stopped using.
fn consent(what: &str) -> Answer {
    let packaged = format!(r"{CONSENT}\{what}");
    let user = programs(&packaged)?.or(programs(&format!(r"{packaged}\NonPackaged"))?);
    Ok(user.map_or(CLEAR, |program| {
        let name = program.rsplit(['#', '\\']).next().unwrap_or_default();
        Reading::InUse { what: format!("{what}, {name}") }
    }))
}

/// The first program below a key whose use has not ended.
fn programs(key: &str) -> Result<Option<String>, String> {
    let failed = || format!("{key} in the registry cannot be read");
    let mut open = HKEY::default();
    // SAFETY: the strings and places outlive the calls, sizes are true, and the key is closed once.
    unsafe {
        match RegOpenKeyExW(HKEY_CURRENT_USER, &HSTRING::from(key), None, KEY_READ, &raw mut open) {
            ERROR_SUCCESS => {}
            ERROR_FILE_NOT_FOUND => return Ok(None),
            _ => return Err(failed()),
        }
        let mut found = Ok(None);
        for index in 0..PROGRAMS_MAX {
            let (mut name, mut length) = ([0u16; 512], 512);
            let place = Some(PWSTR(name.as_mut_ptr()));
            match RegEnumKeyExW(open, index, place, &raw mut length, None, None, None, None) {
                ERROR_SUCCESS => {}
                ERROR_NO_MORE_ITEMS => break,
                _ => {
                    found = Err(failed());
                    break;
                }
            }
            let (mut stopped, mut bytes) = (u64::MAX, size_of::<u64>() as u32);
            let place = Some((&raw mut stopped).cast::<c_void>());
            let value = HSTRING::from("LastUsedTimeStop");
            let key = PCWSTR(name.as_ptr());
            let read = RegGetValueW(open, key, &value, RRF_RT_REG_QWORD, None, place, Some(&raw mut bytes));
            if read == ERROR_SUCCESS && stopped == 0 {
                let name = name.get(..length as usize).unwrap_or_default();
                found = Ok(Some(String::from_utf16_lossy(name)));
                break;
            }
        }
        let _ = RegCloseKey(open);
        found
    }
}

async fn clock(mut voice: Voice) -> Result<Infallible, String> {
    let (mut wall, mut steady) = (SystemTime::now(), Instant::now());
    loop {
        let (now, steady_now) = (SystemTime::now(), Instant::now());
        let expected = wall + steady_now.duration_since(steady);
        let off = now.duration_since(expected).unwrap_or_else(|before| before.duration());
        (wall, steady) = (now, steady_now);
        let set = off > JUMP;
        voice.say(Source::Clock, if set { Reading::InUse { what: "the clock was set".into() } } else { CLEAR });
        voice.beat().await;
    }
}
