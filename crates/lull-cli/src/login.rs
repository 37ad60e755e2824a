//! `lull login`: a person says who they are, at their organisation's own provider.

use std::path::Path;

use lull_node::NodeApi as _;
use lull_types::{PersonView, Request, Response};

use crate::{chat, output, output::Failure};

pub(crate) async fn run(home: &Path) -> Result<(), Failure> {
    let node = chat::started(home).await?;
    let mut events = node.events();
    let Response::Login { url } = node.call(Request::Login).await? else {
        return Err(Failure::new(1, "the node gave an answer that does not fit the question"));
    };
    eprintln!("Open this page in a browser on this machine:");
    output::line(&url)?;
    loop {
        let Response::Status(status) = node.call(Request::Status).await? else {
            return Err(Failure::new(1, "the node gave an answer that does not fit the question"));
        };
        match status.person {
            Some(PersonView::Known { user, groups, .. }) => {
                let groups = if groups.is_empty() { String::new() } else { format!(", in {}", groups.join(", ")) };
                eprintln!("You are {user}{groups}.");
                return Ok(());
            }
            Some(PersonView::Refused { fault }) => return Err(fault.into()),
            Some(PersonView::Waiting { url: now }) if now != url => {
                return Err(Failure::new(1, "another login was begun on this machine"));
            }
            Some(PersonView::Waiting { .. }) | None => {}
        }
        // What was missed is in the next status.
        let _ = events.recv().await;
    }
}
