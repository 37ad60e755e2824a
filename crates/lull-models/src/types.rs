/// How tensors of one GGML type lie in a file: numbers in a block, and bytes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) numbers: u64,
    pub(crate) bytes: u64,
}

/// The GGML types that the engines here read; `None` for every other number.
pub(crate) const fn ggml(number: u32) -> Option<Block> {
    let (numbers, bytes) = match number {
        0 => (1, 4),      // F32
        1 | 30 => (1, 2), // F16, BF16
        2 => (32, 18),    // Q4_0
        3 => (32, 20),    // Q4_1
        6 => (32, 22),    // Q5_0
        7 => (32, 24),    // Q5_1
        8 => (32, 34),    // Q8_0
        9 => (32, 36),    // Q8_1
        10 => (256, 84),  // Q2_K
        11 => (256, 110), // Q3_K
        12 => (256, 144), // Q4_K
        13 => (256, 176), // Q5_K
        14 => (256, 210), // Q6_K
        15 => (256, 292), // Q8_K
        _ => return None,
    };
    Some(Block { numbers, bytes })
}

/// The length of a GGUF metadata value of fixed size, in bytes; `None` for strings, arrays and unknown types.
pub(crate) const fn value_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
