//! The way of the fuzz targets to what is private. No part of the API.

use crate::padding::{pad, unpad};

/// What any bytes hold once they are unsealed: where they are a padded message, no other bytes say the same.
///
/// # Panics
/// When that is not so.
pub fn assert_padding(plain: &[u8]) {
    if let Ok(message) = unpad(plain) {
        assert_eq!(pad(message).as_deref().map(Vec::as_slice), Ok(plain), "one message, two paddings");
    }
}
