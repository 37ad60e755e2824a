//! What the fuzz targets share: a bound on memory, round trips, and second opinions on what a check let through.
//! It must never know how an input was made: bytes in, and an abort when a promise is broken.

mod folder;
mod frames;
mod gguf;
mod memory;
mod safetensors;

pub use folder::{Scratch, parts};
pub use frames::{raw_signed, round_trip};
pub use gguf::assert_gguf_fits;
pub use memory::{bounded, bounded_beyond, ending_beyond};
pub use safetensors::{assert_safetensors_fits, assert_short};
