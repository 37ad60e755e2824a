use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use lull_node::{Keys, Node as RunningNode, NodeApi, NodeOptions, Senses, Timing};
use lull_types::{Code, Fault};
use lull_wire::Token;
use tokio::net::TcpListener;

use crate::{
    args::{LogFormat, Node, Rehearsal},
    logs, output,
    output::Failure,
};

/// The keys of "LULL" on a telephone.
const API_PORT: u16 = 5855;

pub(crate) async fn run(home: &Path, command: Node, log: Option<LogFormat>) -> Result<(), Failure> {
    match command {
        Node::Enroll { token, name, force } => {
            let refused = |error: lull_wire::TokenError| Fault::new(Code::Unauthorized, error.to_string());
            let token: Token = token.parse().map_err(refused)?;
            let enrolled = lull_node::enroll(home, &token, name, force).await?;
            output::line(&format!("{} has joined {}. Next: lull node run", enrolled.name, enrolled.org))
        }
        Node::Run { dedicated, api, threads, rehearsal } => {
            logs::start(log);
            let options = options(dedicated, threads, rehearsal);
            let node = RunningNode::start(home, options).await?;
            let door = lull_node::serve(node.clone(), home).await?;
            let result = serve(home, &node, api).await;
            door.close().await;
            node.shutdown().await;
            result
        }
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

/// Opens the local API and waits for the end.
async fn serve(home: &Path, node: &Arc<RunningNode>, api: Option<SocketAddr>) -> Result<(), Failure> {
    let listener = listen(api).await?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}/v1");
    node.set_api_url(url.clone());
    eprintln!("The local API is at {url} (a key: lull key create NAME).");
    let keys = Keys::open(home)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let door: Arc<dyn NodeApi> = node.clone();
    let mut api = tokio::spawn(lull_api::serve(listener, door, keys, async {
        let _ = stopped.await;
    }));
    tokio::select! {
        () = logs::asked_to_stop() => {}
        () = node.stopped() => {}
        ended = &mut api => return Err(Failure::new(1, format!("the local API ended: {ended:?}"))),
    }
    let _ = stop.send(());
    // Open streams end with their node; nobody waits for a client that does not hang up.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), api).await;
    Ok(())
}

async fn listen(asked: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    if let Some(address) = asked {
        if !address.ip().is_loopback() {
            let text =
                format!("the local API is for this machine only: {address} is not a loopback address, use 127.0.0.1");
            return Err(Fault::new(Code::BadRequest, text).into());
        }
        let sentence = |error| format!("the local API cannot listen on {address} ({error}): choose another with --api");
        let fault = |error| Failure::from(Fault::new(Code::BadRequest, sentence(error)));
        return TcpListener::bind(address).await.map_err(fault);
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT));
    if let Ok(listener) = TcpListener::bind(usual).await {
        return Ok(listener);
    }
    eprintln!("{usual} is taken, perhaps by another node: using a free port instead (choose one with --api).");
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}
