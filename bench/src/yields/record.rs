//! What a record of the kernel's says. Pure: bytes in, meaning out.

use super::slices::Switch;

/// `PERF_RECORD_LOST`.
const LOST: u32 = 2;
/// `PERF_RECORD_SWITCH`.
const SWITCH: u32 = 14;
/// `PERF_RECORD_MISC_SWITCH_OUT`.
const OUT: u16 = 1 << 13;
/// At the end of every record: process and thread, four bytes each, the time in eight, the processor in eight.
const SAMPLE_ID_BYTES: usize = 24;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// The thread was put on a processor or taken off.
    Switch(Switch),
    /// So many records had no room.
    Lost(u64),
    /// Nothing that matters here.
    Other,
}

/// Reads a record's body; `None` if it is too short to be what it says.
pub(super) fn read(kind: u32, misc: u16, body: &[u8]) -> Option<Record> {
    match kind {
        SWITCH => {
            let id = body.len().checked_sub(SAMPLE_ID_BYTES).and_then(|start| body.get(start..))?;
            let at_ns = u64::from_ne_bytes(*id.get(8..)?.first_chunk()?);
            Some(Record::Switch(Switch { at_ns, on: misc & OUT == 0 }))
        }
        // An id, then the number.
        LOST => Some(Record::Lost(u64::from_ne_bytes(*body.get(8..)?.first_chunk()?))),
        _ => Some(Record::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_id(process: u32, thread: u32, time: u64, processor: u64) -> Vec<u8> {
        let halves = [process, thread].into_iter().flat_map(u32::to_ne_bytes);
        halves.chain([time, processor].into_iter().flat_map(u64::to_ne_bytes)).collect()
    }

    #[test]
    fn switches_both_ways() {
        let body = sample_id(7, 9, 1_234, 1);
        let switch = |on| Some(Record::Switch(Switch { at_ns: 1_234, on }));
        assert_eq!(read(SWITCH, 0, &body), switch(true));
        assert_eq!(read(SWITCH, OUT, &body), switch(false));
        // Which mode the processor was in (the lowest bits) does not matter.
        assert_eq!(read(SWITCH, 2, &body), switch(true));
        // Preempted rather than asleep (bit 14) is off all the same.
        assert_eq!(read(SWITCH, OUT | 1 << 14, &body), switch(false));
    }

    #[test]
    fn lost_records_are_counted_and_short_ones_refused() {
        let body = [5_u64, 42].into_iter().flat_map(u64::to_ne_bytes).chain(sample_id(7, 9, 1, 0)).collect::<Vec<_>>();
        assert_eq!(read(LOST, 0, &body), Some(Record::Lost(42)));
        assert_eq!(read(LOST, 0, &body[..15]), None);
        assert_eq!(read(SWITCH, 0, &sample_id(7, 9, 1, 0)[..23]), None);
        assert_eq!(read(9, 0, &[]), Some(Record::Other));
    }
}
