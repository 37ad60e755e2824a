//! The way of the fuzz targets to what is private. No part of the API.

use std::path::Path;

use lull_types::Fault;

use crate::{Facts, Format, inspect};

/// Checks the files `names` in `folder` as a model of this format, as before they enter the store.
///
/// # Errors
/// What is wrong with one of them.
pub fn inspect(folder: &Path, format: Format, names: &[String]) -> Result<Facts, Fault> {
    inspect::inspect(folder, format, names)
}
