use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use anyhow::{Context as _, Result};

/// How much of a process's memory is looked at in one piece, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Whether `needle` is anywhere in a running process's memory (Linux: `/proc/PID/mem`).
///
/// # Errors
/// When the process is gone or may not be looked at.
pub fn memory_holds(pid: u32, needle: &[u8]) -> Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the process is gone")?;
    let mut memory = File::open(format!("/proc/{pid}/mem"))?;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with('r'))) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let Some((from, to)) = range else { continue };
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        if region_holds(&mut memory, from, to, needle) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks through one region in pieces that overlap by the needle's length. What cannot be read (a device, a guard
/// page, a region that has gone since) ends the region.
fn region_holds(memory: &mut File, from: u64, to: u64, needle: &[u8]) -> bool {
    let mut piece = vec![0; PIECE_BYTES + needle.len()];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).unwrap_or(usize::MAX).min(piece.len());
        if memory.seek(SeekFrom::Start(at)).is_err() || memory.read_exact(&mut piece[..want]).is_err() {
            return false;
        }
        if contains(&piece[..want], needle) {
            return true;
        }
        at += PIECE_BYTES as u64;
    }
    false
}

/// Whether `needle` is in any file of a folder, whatever its name. Gives the number of bytes searched too.
///
/// # Errors
/// When the folder cannot be read.
pub fn files_hold(folder: &Path, needle: &[u8]) -> Result<(bool, usize)> {
    let (mut found, mut bytes) = (false, 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let (inside, searched) = if path.is_dir() {
            files_hold(&path, needle)?
        } else {
            let content = fs::read(&path).unwrap_or_default();
            (contains(&content, needle), content.len())
        };
        found |= inside;
        bytes += searched;
    }
    Ok((found, bytes))
}

pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((&first, _)) = needle.split_first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
