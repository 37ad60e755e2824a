//! What is asked of the node, and what its answers mean to the controller.

use std::path::Path;

use jiff::Zoned;
use lull_desktop::Event;
use lull_node::{AgreedFiles, Paused};
use lull_types::{Code, Fault, Request, Response};

use crate::seat::Found;

/// Asks, and says what came of it; `None`: nothing that the controller has to know.
pub(crate) async fn call(found: Option<Found>, home: &Path, request: Request) -> Option<Event> {
    let answer = match found {
        Some(Ok(node)) => node.call(request.clone()).await,
        Some(Err(fault)) => Err(fault),
        None => Err(Fault::new(Code::NotRunning, "the node of this machine is still starting; try again in a moment")),
    };
    match answer {
        Ok(Response::Status(status)) => Some(Event::Status(status)),
        Ok(Response::Log { jobs }) => Some(Event::Ran(jobs)),
        Ok(Response::Prefs { prefs }) => Some(Event::Prefs(prefs)),
        // Whatever it changed, the node says so by itself.
        Ok(_) => None,
        Err(fault) => match &request {
            Request::Pause { pause, .. } if write_pause(home, *pause).is_ok() => {
                tracing::warn!(code = %fault.code, reason = fault.message, "the pause was left in its file for the node");
                Some(Event::Node(lull_types::Event::Status))
            }
            _ => Some(Event::CallFailed { request, fault }),
        },
    }
}

/// Leaves a pause where the node will find it, even one that answers nobody now.
fn write_pause(home: &Path, pause: lull_types::Pause) -> Result<(), Fault> {
    AgreedFiles::open(home)?.pause(Paused::begin(pause, &Zoned::now())?)
}
