use std::path::Path;

use lull_node::Keys;

use crate::{args::Key, output, output::Failure};

pub(crate) fn run(home: &Path, command: Key) -> Result<(), Failure> {
    let keys = Keys::open(home)?;
    match command {
        Key::Create { name } => {
            let key = keys.create(&name)?;
            eprintln!("The key \"{name}\", shown this once:");
            output::line(&key)
        }
        Key::List { json } => {
            let names = keys.list()?;
            if json {
                return output::json(&names);
            }
            if names.is_empty() {
                eprintln!("There are no keys. Create one with: lull key create NAME");
            }
            names.iter().try_for_each(|key| output::line(&key.name))
        }
        Key::Revoke { name } => {
            keys.revoke(&name)?;
            eprintln!("The key \"{name}\" no longer works.");
            Ok(())
        }
    }
}
