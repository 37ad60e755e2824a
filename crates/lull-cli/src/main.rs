//! The command `lull`: arguments in, sentences and exit codes out. It must never know an engine, nor decide anything
//! that relay or node decide.

mod admin;
mod admin_policy;
mod args;
mod audit;
mod chat;
mod doctor;
mod keys;
mod login;
mod logs;
mod models;
mod node;
mod output;
mod owner;
mod policy;
mod ran;
mod relay;
mod status;
mod when;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use output::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    // Every command may hold questions, answers or keys.
    if let Err(error) = lull_sandbox::leave_no_dump() {
        return output::fail(&Failure::from(anyhow::Error::from(error).context("dumps cannot be turned off")));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&Failure::from(error)),
    };
    let result = runtime.block_on(run(args));
    // A chat that was interrupted may still have a reader waiting on standard input.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::fail(&failure),
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let home = || match &args.home {
        Some(home) => Ok(home.clone()),
        None => lull_node::Home::locate(),
    };
    match args.command {
        Command::Relay(command) => relay::run(command, args.log).await,
        Command::Admin { dir, command } => admin::run(&dir, command),
        Command::Node(command) => node::run(&home()?, command, args.log).await,
        Command::Key(command) => keys::run(&home()?, command),
        Command::Status { json } => status::run(&home()?, json).await,
        Command::Login => login::run(&home()?).await,
        Command::Doctor { json } => doctor::run(&home()?, json).await,
        Command::Lend(lend) => owner::lend(&home()?, lend).await,
        Command::Pause(pause) => owner::pause_now(&home()?, pause).await,
        Command::Resume { json } => owner::resume(&home()?, json).await,
        Command::Policy(command) => policy::run(&home()?, command).await,
        Command::Log(log) => ran::run(&home()?, log).await,
        Command::Chat(chat) => chat::run(&home()?, chat).await,
        Command::Models(command) => models::run(&home()?, command).await,
        Command::Completions { shell } => {
            args::completions(shell);
            Ok(())
        }
    }
}
