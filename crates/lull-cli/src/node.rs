use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use lull_api::Place;
use lull_node::{Host, Keys, NodeApi, NodeOptions, RemoteNode, Senses, Timing};
use lull_types::{Code, Event, Fault, Request, Response};
use lull_ui::Ui;
use lull_wire::Token;
use tokio::{net::TcpListener, sync::broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{LogFormat, Node, Rehearsal},
    logs, output,
    output::Failure,
};

pub(crate) async fn run(home: &Path, command: Node, log: Option<LogFormat>) -> Result<(), Failure> {
    match command {
        Node::Enroll { token, name, force } => {
            let refused = |error: lull_wire::TokenError| Fault::new(Code::Unauthorized, error.to_string());
            let token: Token = token.parse().map_err(refused)?;
            // The app runs before it has joined: then it is the one to join.
            match RemoteNode::connect(home).await {
                Ok(running) if !force => join(&running, &token, name).await,
                _ => {
                    let enrolled = lull_node::enroll(home, &token, name, force).await?;
                    output::line(&format!("{} has joined {}. Next: lull node run", enrolled.name, enrolled.org))
                }
            }
        }
        Node::Run { dedicated, api, ui, threads, rehearsal } => {
            logs::start(log);
            let options = options(dedicated, threads, rehearsal);
            let node = Host::start(home, options).await?;
            // Without a window there is nowhere to join; with IT's invitation it joins by itself.
            if ui.is_none() && !node.is_invited() {
                node.joined()?;
            }
            let door = lull_node::serve(node.clone(), home).await?;
            let result = serve(home, &node, api, ui).await;
            door.close().await;
            node.shutdown().await;
            result
        }
    }
}

/// Has the node that runs here join.
async fn join(running: &RemoteNode, token: &Token, name: Option<String>) -> Result<(), Failure> {
    running.call(Request::Join { token: token.to_string(), name }).await?;
    match running.call(Request::Status).await? {
        Response::Status(status) => output::line(&format!("{} has joined {}, and runs", status.name, status.org)),
        _ => output::line("This machine has joined, and runs"),
    }
}

fn options(dedicated: bool, threads: Option<u16>, rehearsal: Rehearsal) -> NodeOptions {
    let Rehearsal { senses_root, machine_rules, sandbox_skip, idle_ms, grace_ms, bump_ms, settle_ms } = rehearsal;
    let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
    let mut senses = Senses::default();
    senses.root = senses_root.unwrap_or(senses.root);
    let timing = Timing { idle: ms(idle_ms), grace: ms(grace_ms), bump: ms(bump_ms), settle: ms(settle_ms) };
    let sandbox_skip = sandbox_skip.into_iter().collect();
    NodeOptions { dedicated, threads, machine_rules, sandbox_skip, timing, senses, ..NodeOptions::default() }
}

/// Opens the local API, and the window if it is asked for, and waits for the end.
async fn serve(
    home: &Path,
    node: &Arc<Host>,
    api: Option<SocketAddr>,
    ui: Option<Option<SocketAddr>>,
) -> Result<(), Failure> {
    let listener = listen(api, lull_api::API).await?;
    let window = match ui {
        Some(asked) => Some(listen(asked, WINDOW).await?),
        None => None,
    };
    let url = format!("http://{}/v1", listener.local_addr()?);
    node.set_api_url(url.clone());
    eprintln!("The local API is at {url} (a key: lull key create NAME).");
    let keys = Keys::open(home)?;
    let stop = CancellationToken::new();
    let ending = stop.clone().drop_guard();
    let door: Arc<dyn NodeApi> = node.clone();
    let mut api = tokio::spawn(lull_api::serve(listener, door.clone(), keys, stop.clone().cancelled_owned()));
    let mut window = tokio::spawn(show(window, door, stop));
    tokio::select! {
        () = logs::asked_to_stop() => {}
        () = node.stopped() => {}
        ended = &mut api => return Err(Failure::new(1, format!("the local API ended: {ended:?}"))),
        ended = &mut window => return Err(Failure::new(1, format!("the window ended: {ended:?}"))),
    }
    drop(ending);
    // Open streams end with their node; nobody waits for a client that does not hang up.
    let ends = async { (api.await, window.await) };
    let _ = tokio::time::timeout(Duration::from_secs(1), ends).await;
    Ok(())
}

/// Shows the window, if there is a place for it, until the end. Each time somebody asks to see it, its address is told
/// with a fresh token.
async fn show(place: Option<TcpListener>, node: Arc<dyn NodeApi>, stop: CancellationToken) -> std::io::Result<()> {
    let Some(listener) = place else {
        stop.cancelled().await;
        return Ok(());
    };
    let address = listener.local_addr()?;
    let mut events = node.events();
    let ui = Ui::new(node);
    if !lull_ui::has_window() {
        eprintln!("This build of Lull has no window: build it with ./x build.");
    }
    let told = ui.clone();
    let tell = async move {
        loop {
            let minutes = lull_ui::TOKEN_MAX.as_secs() / 60;
            eprintln!("Lull's window is at {} (for one browser, within {minutes} minutes).", told.url(address)?);
            loop {
                match events.recv().await {
                    Ok(Event::Show { .. }) => break,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return std::future::pending().await,
                }
            }
        }
    };
    tokio::select! {
        ended = lull_ui::serve(listener, ui, stop.cancelled_owned()) => ended,
        failed = tell => failed,
    }
}

/// Where the window is.
const WINDOW: Place = Place { what: "the window", port: 5856, argument: "--ui" };

async fn listen(asked: Option<SocketAddr>, place: Place) -> Result<TcpListener, Failure> {
    let (listener, is_wanted) = lull_api::listen(asked, place).await?;
    if !is_wanted {
        let Place { what, port, argument } = place;
        eprintln!(
            "port {port} is taken, perhaps by another node: {what} gets a free one (choose one with {argument})."
        );
    }
    Ok(listener)
}
