//! `./x demo`: an organisation on one machine, and real answers streamed across it.

mod report;

use std::{
    io::Write as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lull_tests::{Answer, Node, NodeRole, Org, Relay, ask, question};

/// An organisation, a relay and three nodes on this machine, and real answers streamed across them.
#[derive(Debug, Parser)]
struct Args {
    /// Leave it running, and print base URL and key for any OpenAI client
    #[arg(long)]
    serve: bool,
    /// With --serve: run a program against it (BASE_URL, KEY and MODEL in its environment), then end
    #[arg(long, num_args = 1.., allow_hyphen_values = true, requires = "serve")]
    then: Vec<String>,
}

/// Everything that runs.
struct Pool {
    relay: Relay,
    _lenders: Vec<Node>,
    asker: Node,
    org: Org,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async { if args.serve { serve(&args.then).await } else { show().await } })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn step(text: &str) {
    println!("\x1b[1m{text}\x1b[0m");
}

fn start() -> Result<Pool> {
    let org = Org::create("Acme")?;
    step("Acme is created: a root key, and a relay that runs without it.");
    std::fs::rename(org.dir().join("root"), org.path().join("root-kept-elsewhere"))?;
    let relay = org.relay()?;
    println!("  relay at {} (UDP), process {}", org.public, relay.process.pid());
    std::fs::rename(org.path().join("root-kept-elsewhere"), org.dir().join("root"))?;
    let lenders: Vec<Node> =
        ["oak", "birch"].iter().map(|name| org.node(name, NodeRole::Dedicated)).collect::<Result<_>>()?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    for node in &lenders {
        println!("  {} lends, process {}", node.name, node.process.pid());
    }
    println!("  {} only asks, process {}", asker.name, asker.process.pid());
    Ok(Pool { relay, _lenders: lenders, asker, org })
}

async fn show() -> Result<()> {
    let pool = start()?;
    let mut answers = Vec::new();
    for text in ["What is Lull?", "Can the relay read my prompts?", "What is yielding?"] {
        step(&format!("\nreed asks: {text}"));
        answers.push((text, shown(&pool.asker, text).await?));
    }
    step("\nTwo questions at once, so that both lenders work:");
    let (one, two) = ("Who is Lull for?", "What is a node?");
    let quiet = |text| ask(&pool.asker.home, question(text), |_| {});
    let (first, second) = tokio::join!(quiet(one), quiet(two));
    for (text, answer) in [(one, first?), (two, second?)] {
        println!("  {text} → {}", answer.text.trim());
        answers.push((text, answer));
    }
    report::relay_view(&pool.org, &pool.relay, &answers)?;
    report::table(&answers);
    if answers.iter().any(|(_, answer)| answer.text.trim().is_empty()) {
        bail!("an answer was empty");
    }
    Ok(())
}

/// Asks, and shows the answer as it streams in.
async fn shown(asker: &Node, text: &str) -> Result<Answer> {
    let answer = ask(&asker.home, question(text), |event| {
        print!("{}", event.text());
        let _ = std::io::stdout().flush();
    });
    let answer = answer.await?;
    println!("\n  \x1b[2m{}\x1b[0m", report::summary(&answer));
    Ok(answer)
}

async fn serve(then: &[String]) -> Result<()> {
    let pool = start()?;
    let key = pool.org.key(&pool.asker)?;
    // The first answer also tells that lenders are there.
    ask(&pool.asker.home, question("What is Lull?"), |_| {}).await?;
    let Some((program, args)) = then.split_first() else {
        step("\nReady. For any OpenAI client, until Ctrl-C:");
        println!("  base URL  {}\n  key       {key}\n  model     lull-demo", pool.asker.api);
        std::io::stdout().flush()?;
        tokio::signal::ctrl_c().await?;
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(args).env("BASE_URL", &pool.asker.api).env("KEY", &key).env("MODEL", "lull-demo");
    let status = tokio::task::spawn_blocking(move || command.status()).await?.context("the program cannot be run")?;
    if !status.success() {
        bail!("the program failed: {status}");
    }
    Ok(())
}
