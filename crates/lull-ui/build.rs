//! Puts the built window, `ui/dist`, into this crate, file by file, if it is there.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let missing = |_| io::Error::other("cargo says where things are");
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(missing)?).join("../../ui/dist");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(missing)?);
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        collect(&dist, "", &mut files)?;
    }
    files.sort();
    let copies = out.join("window");
    fs::create_dir_all(&copies)?;
    let mut table = String::from("pub(crate) const FILES: &[(&str, &[u8])] = &[\n");
    for (number, name) in files.iter().enumerate() {
        // A copy: the window may be built anew while this crate is compiled.
        let copy = copies.join(number.to_string());
        fs::write(&copy, fs::read(dist.join(name))?)?;
        table.push_str(&format!("    ({name:?}, include_bytes!({copy:?})),\n"));
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table)
}

fn collect(folder: &Path, below: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
