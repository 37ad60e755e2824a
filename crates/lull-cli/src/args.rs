use std::{net::SocketAddr, path::PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use lull_types::{Label, Layer};

use crate::{
    owner::{LendArgs, PauseArgs, duration_s},
    ran::LogArgs,
};

/// Lull turns an organisation's idle machines into one private AI network.
#[derive(Debug, Parser)]
#[command(name = "lull", version, arg_required_else_help = true, after_help = EXITS)]
pub(crate) struct Args {
    /// Where this machine's node keeps everything [default: the system's own data folder]
    #[arg(long = "home", env = "LULL_HOME", global = true, value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// How to write logs, on standard error [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum, env = "LULL_LOG_FORMAT", hide_env_values = true)]
    pub log: Option<LogFormat>,
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "\
Exit codes: 0 done · 1 failed · 2 wrong arguments · 3 not there (node not running, not enrolled, no such thing) · \
4 not allowed (key, token, revoked) · 5 not now (relay unreachable, nobody lends, busy) · 6 broken on the way (lender \
or worker lost)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The organisation's relay: it matches jobs to machines and cannot read them
    #[command(subcommand)]
    Relay(Relay),
    /// For whoever runs the relay: tokens, nodes, usage
    Admin {
        /// The folder that `lull relay init` made
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        #[command(subcommand)]
        command: Admin,
    },
    /// This machine's part in the network
    #[command(subcommand)]
    Node(Node),
    /// Keys for tools that use the local API
    #[command(subcommand)]
    Key(Key),
    /// Sign in at your organisation's provider, where it has one
    #[command(after_help = "Example: lull login\n\nIt prints a page to open in a browser on this machine, and waits.")]
    Login,
    /// What this machine is and does now, and why
    #[command(after_help = "Example: lull status")]
    Status {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Look for what keeps this machine from lending and asking well, and say what to do
    #[command(
        after_help = "Example: lull doctor\n\nIt changes nothing, needs no rights, and works with and without a \
        running node. It ends with 1 if something is broken."
    )]
    Doctor {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Agree to lend this machine to the pool, or take that back
    Lend(LendArgs),
    /// Take this machine back at once, and do not lend it for a while
    Pause(PauseArgs),
    /// End a pause
    #[command(after_help = "Example: lull resume")]
    Resume {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// The rules that count on this machine, and whose word each is
    #[command(subcommand)]
    Policy(Policy),
    /// What ran on this machine: no content, and nobody's name
    Log(LogArgs),
    /// Ask the pool a question
    Chat(Chat),
    /// Models on this machine and in the pool
    #[command(subcommand)]
    Models(Models),
    /// Print a script that completes commands in a shell
    #[command(after_help = "Example: lull completions bash > ~/.local/share/bash-completion/completions/lull")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Relay {
    /// Create an organisation: its root key and its relay's own keys
    #[command(after_help = "Example: lull relay init org --org Acme --public relay.acme.example:5855\n\n\
        DIR/root is needed only to create tokens: keep it off the relay. DIR/relay is what the relay runs from.")]
    Init {
        /// A new folder
        dir: PathBuf,
        /// The organisation's name
        #[arg(long, value_name = "NAME")]
        org: String,
        /// Where nodes reach the relay, as host:port
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5855")]
        public: String,
    },
    /// Run the relay until it is told to stop
    #[command(after_help = "Example: lull relay run org")]
    Run {
        /// The folder that `lull relay init` made
        dir: PathBuf,
        /// Where to listen (UDP)
        #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:5855")]
        listen: SocketAddr,
        /// Where to serve /healthz and /metrics (TCP)
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
        admin: SocketAddr,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Invitations
    #[command(subcommand)]
    Token(Token),
    /// The organisation's rules: who may ask what of whom, and when machines lend
    #[command(subcommand)]
    Policy(AdminPolicy),
    /// List the machines
    #[command(after_help = "Example: lull admin --dir org nodes")]
    Nodes {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Cut a machine off at once
    #[command(after_help = "Example: lull admin --dir org revoke 3f9a1c07d2b84e5590a1b2c3d4e5f607")]
    Revoke {
        /// The machine's name, id, or the beginning of its id
        node: String,
    },
    /// Let a machine back that was quarantined for answers that are not the model's
    #[command(
        after_help = "Example: lull admin --dir org release oak\n\n`lull admin nodes` lists who is quarantined, and why."
    )]
    Release {
        /// The machine's name, id, or the beginning of its id
        node: String,
    },
    /// Who did what, and whether anything of it was changed since
    #[command(
        after_help = "Example: lull admin --dir org audit\n\nIt prints the log's newest hash at the end. Note it somewhere \
        else: `--since HASH` shows what came after it, and ends with 1 if the log no longer holds it, or does not hold \
        together."
    )]
    Audit {
        /// Only what came after the entry with this hash, which must still be there
        #[arg(long, value_name = "HASH")]
        since: Option<String>,
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Tokens used, by machine, model and day
    #[command(after_help = "Example: lull admin --dir org usage --json")]
    Usage {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Create an invitation; the token is printed alone on the last line
    #[command(after_help = "Example: lull admin --dir org token create --group research --uses 20 --ttl 7d")]
    Create {
        /// A group its machines belong to; may be given several times
        #[arg(long = "group", value_name = "G")]
        groups: Vec<String>,
        /// How many machines may join with it
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        uses: u32,
        /// How long it can be used: a number and s, m, h or d
        #[arg(long, default_value = "1h", value_parser = ttl_s)]
        ttl: u64,
        /// A machine that may join with it, by its name, once; may be given several times. Without it, any may
        #[arg(long = "machine", value_name = "NAME")]
        machines: Vec<String>,
        /// Who works at its machines, as quotas count them [default: each machine for itself]
        #[arg(long, value_name = "PERSON")]
        user: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminPolicy {
    /// Sign a file of rules and hand it to every machine
    #[command(
        after_help = "Example: lull admin --dir org policy push policy.toml\n\nTry it before, without the root key: \
        lull policy validate policy.toml"
    )]
    Push {
        /// The rules; - for a pipe
        file: std::path::PathBuf,
        /// For how many days they count: a machine that hears of no newer ones lends no longer than this
        #[arg(long, default_value_t = lull_relay::admin::POLICY_DAYS)]
        days: u32,
        /// How long to wait for the machines that are connected: a number and s, m, h or d
        #[arg(long, default_value = "10s", value_parser = ttl_s)]
        wait: u64,
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// The rules that count, as they were signed
    #[command(after_help = "Example: lull admin --dir org policy show > policy.toml")]
    Show {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// Join an organisation
    #[command(visible_alias = "enrol", after_help = "Example: lull node enroll lull1-…")]
    Enroll {
        /// The last line of `lull admin --dir DIR token create`
        token: String,
        /// This machine's name [default: its host name]
        #[arg(long)]
        name: Option<String>,
        /// Leave the organisation that this machine belongs to now
        #[arg(long)]
        force: bool,
    },
    /// Run the node until it is told to stop
    #[command(
        after_help = "Example: lull node run --dedicated\n\nWithout --dedicated the node lends while nobody uses the machine, once its owner agreed: lull lend on."
    )]
    Run {
        /// This machine has no owner to yield to: lend it always
        #[arg(long)]
        dedicated: bool,
        /// Where to serve the local API (TCP, loopback) [default: 127.0.0.1:5855, or a free port if that is taken]
        #[arg(long, value_name = "ADDR:PORT")]
        api: Option<SocketAddr>,
        /// Show Lull's window in a browser, at an address of this machine (TCP, loopback); a machine that has not joined
        /// can join there [default address: 127.0.0.1:5856, or a free port if that is taken]
        #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1)]
        #[expect(clippy::option_option, reason = "not given, given, given with an address")]
        ui: Option<Option<SocketAddr>>,
        /// Processor threads for inference [default: the physical cores]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
}

/// What tests and measurements set otherwise than people want it. It can loosen nothing that the organisation set.
#[derive(Debug, clap::Args)]
pub(crate) struct Rehearsal {
    #[arg(long, hide = true, value_name = "DIR")]
    pub senses_root: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    pub machine_rules: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "LAYER[,LAYER]", value_delimiter = ',', value_parser = layer)]
    pub sandbox_skip: Vec<Layer>,
    #[arg(long, hide = true)]
    pub idle_ms: Option<u64>,
    #[arg(long, hide = true)]
    pub grace_ms: Option<u64>,
    #[arg(long, hide = true)]
    pub bump_ms: Option<u64>,
    #[arg(long, hide = true)]
    pub settle_ms: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Create a key; it is printed alone on the last line, once
    #[command(after_help = "Example: lull key create editor")]
    Create {
        /// What the key is for
        name: String,
    },
    /// List the keys' names
    #[command(after_help = "Example: lull key list")]
    List {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Take a key back
    #[command(after_help = "Example: lull key revoke editor")]
    Revoke {
        /// The key's name
        name: String,
    },
}

/// Ask the pool a question.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: lull chat \"What is Lull?\"\n\nThe answer goes to standard output as it comes; who \
    answered, and how fast, to standard error. `-` as PROMPT reads standard input.")]
pub(crate) struct Chat {
    /// The question
    pub prompt: String,
    /// The model [default: the best that somebody lends now]
    #[arg(short, long, env = "LULL_MODEL", hide_env_values = true)]
    pub model: Option<String>,
    /// Which machines may see it: public, internal, confidential, or a label of your organisation
    #[arg(long, default_value = "internal")]
    pub label: Label,
    /// Instructions for the whole conversation
    #[arg(long)]
    pub system: Option<String>,
    /// Two runs with one seed choose alike [default: random]
    #[arg(long)]
    pub seed: Option<u64>,
    /// 0 always takes the likeliest token
    #[arg(long, default_value_t = 0.7, value_parser = temperature)]
    pub temperature: f32,
    /// The longest answer, in tokens
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub max_tokens: u32,
    /// Print every event as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Print nothing but the answer
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List the models here and in the pool
    #[command(after_help = "Example: lull models list")]
    List {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Add a model from files on this machine: a .gguf file, or a folder with safetensors
    #[command(after_help = "Example: lull models add ~/models/qwen3-4b-q4_k_m.gguf --name qwen3-4b\n\n\
        The files are checked, then copied into the store. A .gguf file needs tokenizer.json and tokenizer_config.json beside it.")]
    Add {
        /// The file or folder
        path: PathBuf,
        /// The name in the pool [default: from the file's name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a model from this machine
    #[command(after_help = "Example: lull models remove qwen3-4b")]
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List every rule that counts here: its value, whose word that is, and what it overrode
    #[command(
        after_help = "Example: lull policy list\n\nIt works with and without a running node. It ends with 1 if a file \
        of rules cannot be followed: nothing is lent then."
    )]
    List {
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Check an organisation's file of rules before it is rolled out, without a node and without the network
    #[command(
        after_help = "Example: lull policy validate policy.toml\n\nIt prints what the file decides. It ends with 2 where \
        the file cannot be followed, and says the line and the column."
    )]
    Validate {
        /// The file; `-` reads what is piped in
        file: PathBuf,
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
    /// Say what one rule means, whose word it is, and what may be chosen
    #[command(after_help = "Example: lull policy explain lend.idle_minutes")]
    Explain {
        /// Table and key; the key alone will do
        key: String,
        /// Print data for programs
        #[arg(long)]
        json: bool,
    },
}

fn layer(text: &str) -> Result<Layer, String> {
    Layer::of_name(text).ok_or_else(|| {
        let known: Vec<&str> = Layer::ALL.iter().map(|layer| layer.name()).collect();
        format!("\"{text}\" is no layer of the sandbox; there are: {}", known.join(", "))
    })
}

fn temperature(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=2.0).contains(&value) { Ok(value) } else { Err("it must lie between 0 and 2".into()) }
}

/// The longest life of an invitation, in seconds.
const TTL_MAX_S: u64 = 366 * 86_400;

fn ttl_s(text: &str) -> Result<u64, String> {
    duration_s(text, TTL_MAX_S)
}

pub(crate) fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Args::command(), "lull", &mut std::io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().filter(|sub| sub.get_name() != "help").for_each(check);
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example: lull "), "{} has no example", command.get_name());
            }
        }
        check(&Args::command());
    }
}
