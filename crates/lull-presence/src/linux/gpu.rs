//! What others do on NVIDIA's graphics processors, by NVML, which is loaded at run time where the driver brought it.
//!
//! A program counts when it keeps a processor busy, not for having a window: the display server and every desktop
//! program hold a context all the time. Graphics processors of other makers are not seen here, nor used by Lull.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    ffi::OsStr,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use nvml_wrapper::{Device, Nvml, error::NvmlError};

use super::slow::Slow;
use crate::voice::Voice;

/// The name that a driver's run-time package installs; the one without a number comes with its development files.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// Above this a program keeps the processor busy, in percent.
const BUSY_PERCENT: u32 = 10;
/// Where there is no library, it is looked for again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// More processors than these are not looked at.
const DEVICES_MAX: u32 = 16;

/// Watches all of NVIDIA's processors.
pub(crate) async fn watch(mut voice: Voice, slow: Slow) -> Result<Infallible, String> {
    let mut gpus = None;
    let mut looked: Option<Instant> = None;
    loop {
        if gpus.is_none() && looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            gpus = slow.run(&voice, "the graphics driver", Gpus::open).await??;
            looked = Some(Instant::now());
        }
        let reading = match gpus.take() {
            None => Reading::Absent,
            Some(mut open) => {
                let own = (voice.config.own_pids)().into_iter().collect();
                let (back, reading) = slow
                    .run(&voice, "the graphics driver", move || {
                        let reading = open.look(&own);
                        (open, reading)
                    })
                    .await?;
                gpus = Some(back);
                reading.map_err(|error| format!("the graphics driver cannot be asked ({error})"))?
            }
        };
        voice.say(Source::Gpu, reading);
        voice.beat().await;
    }
}

struct Gpus {
    nvml: Nvml,
    /// For each processor, the time of its latest sample, in the driver's microseconds.
    latest: Vec<u64>,
}

/// One program's share of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    pid: u32,
    percent: u32,
}

impl Gpus {
    /// `None`: no library, or no driver of NVIDIA's.
    fn open() -> Result<Option<Self>, String> {
        match Nvml::builder().lib_path(OsStr::new(LIBRARY)).init() {
            Ok(nvml) => Ok(Some(Self { nvml, latest: Vec::new() })),
            Err(NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound) => Ok(None),
            Err(error) => Err(format!("the graphics driver cannot be asked ({error})")),
        }
    }

    fn look(&mut self, own: &BTreeSet<u32>) -> Result<Reading, NvmlError> {
        let count = self.nvml.device_count()?.min(DEVICES_MAX);
        self.latest.resize(count as usize, 0);
        for (index, latest) in (0..count).zip(&mut self.latest) {
            let device = self.nvml.device_by_index(index)?;
            let shares = shares(&device, latest)?;
            let busy = match &shares {
                Some(shares) => busy(shares, own),
                None => device.utilization_rates()?.gpu > BUSY_PERCENT && others(&device, own)?,
            };
            if busy {
                return Ok(Reading::in_use());
            }
        }
        Ok(Reading::Clear { for_ms: 0 })
    }
}

fn busy(shares: &[Share], own: &BTreeSet<u32>) -> bool {
    shares.iter().any(|share| !own.contains(&share.pid) && share.percent > BUSY_PERCENT)
}

/// Each program's share since the last look; `None` where the driver does not say.
fn shares(device: &Device<'_>, latest: &mut u64) -> Result<Option<Vec<Share>>, NvmlError> {
    let samples = match device.process_utilization_stats(Some(*latest)) {
        Ok(samples) => samples,
        // Nobody used it since.
        Err(NvmlError::NotFound) => return Ok(Some(Vec::new())),
        Err(NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    *latest = samples.iter().map(|sample| sample.timestamp).fold(*latest, u64::max);
    let share = |percent: [u32; 3], pid| Share { pid, percent: percent.into_iter().max().unwrap_or_default() };
    Ok(Some(samples.iter().map(|s| share([s.sm_util, s.enc_util, s.dec_util], s.pid)).collect()))
}

/// Where shares are not told: whether anyone else computes on it, or draws on it while none of ours is there.
fn others(device: &Device<'_>, own: &BTreeSet<u32>) -> Result<bool, NvmlError> {
    let computing = device.running_compute_processes()?;
    if computing.iter().any(|process| !own.contains(&process.pid)) {
        return Ok(true);
    }
    Ok(computing.is_empty() && !device.running_graphics_processes()?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_others_who_keep_it_busy_count() {
        let own = BTreeSet::from([7]);
        let share = |pid, percent| Share { pid, percent };
        assert!(!busy(&[share(7, 99), share(8, 10)], &own));
        assert!(busy(&[share(7, 99), share(8, 11)], &own));
        assert!(!busy(&[], &own));
    }
}
