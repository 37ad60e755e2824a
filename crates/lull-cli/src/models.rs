use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
};

use lull_models::{Listed, Progress, Store, StoredModel};
use lull_node::{AgreedFiles, Home, NodeApi as _, RemoteNode, check_room};
use lull_types::{Code, ModelPlace, ModelView, Request, Response};

use crate::{args::Models, output, output::Failure};

pub(crate) async fn run(home: &Path, command: Models) -> Result<(), Failure> {
    match command {
        Models::List { json } => list(home, json).await,
        Models::Add { path, name } => add(home, &path, name.as_deref()).await,
        Models::Remove { name } => {
            Store::open(home)?.remove(&name)?;
            rescan(home).await;
            eprintln!("{name} is gone from this machine.");
            Ok(())
        }
    }
}

/// A running node must look again; one that does not run will when it starts.
async fn rescan(home: &Path) {
    if let Ok(node) = RemoteNode::connect(home).await {
        let _ = node.call(Request::Rescan).await;
    }
}

async fn add(home: &Path, path: &Path, name: Option<&str>) -> Result<(), Failure> {
    let store = Store::open(home)?;
    let room_gib = AgreedFiles::open(home)?.effective()?.disk_gib.value;
    check_room(&Home::open(home)?.models(), path, room_gib)?;
    let show = std::io::stderr().is_terminal();
    let model = store.add(path, name, &mut |progress| {
        if show {
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", describe(&progress));
        }
    });
    if show {
        eprint!("\r\x1b[K");
    }
    let model = model?;
    rescan(home).await;
    eprintln!("{} is here: {}, checked and copied.", model.name(), output::bytes(model.bytes()));
    Ok(())
}

fn describe(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Waiting => "another process is changing the models here; waiting".into(),
        Progress::File { name, done, total } => {
            format!("{name}: {} of {}", output::bytes(*done), output::bytes(*total))
        }
    }
}

async fn list(home: &Path, json: bool) -> Result<(), Failure> {
    let models = match RemoteNode::connect(home).await {
        Ok(node) => match node.call(Request::Models).await {
            Ok(Response::Models { models, .. }) => models,
            Ok(_) => return Err(Failure::new(1, "the node gave an answer that does not fit the question")),
            // It waits to be told to join; what lies here is known all the same.
            Err(fault) if fault.code == Code::NotEnrolled => stored(home)?,
            Err(fault) => return Err(fault.into()),
        },
        Err(_) => stored(home)?,
    };
    if json {
        return output::json(&models);
    }
    let headings = ["NAME", "WHERE", "LENDERS", "SIZE HERE", "CONTEXT", "SPEED (MEASURED)"].map(String::from).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(headings).chain(models.iter().map(row)).collect();
    output::table(&rows)?;
    for model in models.iter().filter(|model| model.name == "lull-demo") {
        eprintln!("{} is a tiny demo: it answers questions about Lull, and nothing else.", model.name);
    }
    Ok(())
}

/// Without a running node, only what lies on this machine can be told.
fn stored(home: &Path) -> Result<Vec<ModelView>, Failure> {
    eprintln!("No node of an organisation runs here: showing only this machine's own models.");
    let models = Store::open(home)?.list()?;
    Ok(models.into_iter().map(view).collect())
}

fn view(listed: Listed) -> ModelView {
    let (found, fault) = match listed.model {
        Ok(model) => (Some(model), None),
        Err(fault) => (None, Some(fault)),
    };
    ModelView {
        name: listed.name,
        hash: found.as_ref().map(|model| model.hash),
        place: ModelPlace::Here,
        lenders: 0,
        bytes: found.as_ref().map(StoredModel::bytes),
        context: found.as_ref().map(|model| model.manifest.context),
        decode_tps: None,
        fault,
    }
}

fn row(model: &ModelView) -> Vec<String> {
    let place = match model.place {
        ModelPlace::Here => "here",
        ModelPlace::Pool => "pool",
        ModelPlace::Both => "here and pool",
        ModelPlace::Nowhere => "nobody offers it now",
    };
    let number = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let mut cells = vec![
        model.name.clone(),
        place.into(),
        model.lenders.to_string(),
        number(model.bytes.map(output::bytes)),
        number(model.context.map(|tokens| format!("{tokens} tokens"))),
        number(model.decode_tps.map(|speed| format!("{speed:.0} tokens/s"))),
    ];
    cells.extend(model.fault.as_ref().map(|fault| format!("cannot be used: {fault}")));
    cells
}
