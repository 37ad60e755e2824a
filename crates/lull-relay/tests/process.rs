//! The relay as a process of its own: killed, restarted, and weighed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Device, Node, offer, running, soon};
use lull_net::TransportIdentity;
use lull_relay::{
    Relay, RelayOptions,
    admin::{self, TokenWish},
    init,
};
use lull_wire::{control::FromNode, job::Side};

const DIR: &str = "LULL_TEST_RELAY_DIR";
const LISTEN: &str = "LULL_TEST_RELAY_LISTEN";

/// Not a test: what the child process does. Without the environment that a test gives it, it does nothing.
#[test]
#[ignore = "the child process of the other tests"]
fn relay_process() {
    let (Ok(dir), Ok(listen)) = (std::env::var(DIR), std::env::var(LISTEN)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = RelayOptions { listen: listen.parse().unwrap(), admin: None };
        let relay = Relay::start(Path::new(&dir), options).await.unwrap();
        println!("\nlistening {}", relay.addr());
        relay.join().await;
    });
}

/// Not a test either: an `init` whose rights and limits the test has set.
#[test]
#[ignore = "the child process of another test"]
fn init_process() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let made = init(Path::new(&dir), "Example", "127.0.0.1:5855");
    assert!(made.is_ok(), "{}", made.unwrap_err());
}

/// Runs `init` after `first` in a shell: whether it went through, and what it said.
#[cfg(unix)]
fn init_after(first: &str, dir: &Path) -> (bool, String) {
    let arguments = "--ignored --exact init_process --nocapture --test-threads=1";
    let script = format!("{first}; exec \"$0\" {arguments}");
    let output = Command::new("sh").arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(DIR, dir).output();
    let output = output.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn an_organisation_is_private_whatever_the_umask_and_made_whole_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("org");
    // No file may grow beyond a few KiB, as on a full disk: the database cannot be made, the keys can.
    let (made, text) = init_after("trap '' XFSZ; ulimit -f 8", &dir);
    assert!(!made && text.contains("relay.db"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!init_after("trap '' XFSZ; ulimit -f 8", &dir).0);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);

    let dir = folder.path().join("a/b");
    let (made, text) = init_after("umask 000", &dir);
    assert!(made, "{text}");
    for path in [folder.path().join("a"), dir.clone(), dir.join("root"), dir.join("relay")] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
}

struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(dir: &Path, listen: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "relay_process", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .env(LISTEN, listen.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut found = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("listening ")?.parse().ok());
        let address = found.next().expect("the child process says where it listens");
        // Keep reading, or its next line would end it.
        std::thread::spawn(move || found.count());
        Self { child, address }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Memory that is really there, in KiB.
    #[cfg(target_os = "linux")]
    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects again and again until it works, as a node does.
async fn come_back(relay: &str, device: &Device, identity: &TransportIdentity) -> Node {
    loop {
        let tried = tokio::time::timeout(
            Duration::from_millis(500),
            lull_net::connect(relay, device.ca_sha256, Some(identity)),
        );
        if let Ok(Ok(connection)) = tried.await {
            let (send, recv) = connection.open_bi().await.unwrap();
            let mut node = Node { device: device.clone(), connection, send, recv };
            node.say(&device.hello()).await;
            if node.hear().await.is_some() {
                return node;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_relay_has_every_node_back_within_five_seconds_and_its_ledger_whole() {
    const NODES: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    init(&dir, "Example", "127.0.0.1:5855").unwrap();
    let relay = Process::start(&dir, ([127, 0, 0, 1], 0).into());
    let address = relay.address;
    let text = address.to_string();
    let token = admin::token_create(
        &dir,
        &TokenWish { uses: u32::try_from(NODES).unwrap(), ttl_s: 3_600, ..TokenWish::default() },
    )
    .unwrap();
    let mut nodes = Vec::new();
    for n in 0..NODES {
        let device = Device::new(&token, &format!("n{n}"));
        let identity = Arc::new(device.enrol(&text).await.unwrap());
        nodes.push((Node::connect(&text, device, &identity).await, identity));
    }
    let [(submitter, _), (lender, _), ..] = nodes.as_mut_slice() else { unreachable!() };
    lender.say(&FromNode::Offer(offer("m", 2, 20.0))).await;
    submitter.sees("m").await;
    let (_near, _far, job) = running(submitter, lender).await;
    lender.say(&lender.device.receipt(job, Side::Lender, 30)).await;
    let books = soon(async {
        loop {
            let rows = admin::usage(&dir).unwrap();
            if rows.len() == 2 {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;

    relay.kill();
    let start = Instant::now();
    let relay = Process::start(&dir, address);
    let back = nodes.into_iter().map(|(node, identity)| {
        let text = text.clone();
        tokio::spawn(async move {
            node.connection.closed().await;
            come_back(&text, &node.device, &identity).await
        })
    });
    let back = soon(futures::future::join_all(back)).await;
    let took = start.elapsed();
    assert!(back.iter().all(Result::is_ok));
    println!("{NODES} nodes back after {took:?}");
    // A guard, not the promise (5 s, printed): sooner than QUIC itself would notice, so the reset has told them.
    assert!(took < lull_net::IDLE_MAX, "{took:?}");
    assert_eq!(admin::usage(&dir).unwrap(), books);
    assert_eq!(admin::nodes(&dir).unwrap().iter().filter(|node| node.connected == Some(true)).count(), NODES);
    drop(relay);
}

/// `cargo test -p lull-relay --release --test process -- --ignored --nocapture idle`
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: 1,000 connections"]
async fn idle_connections_are_weighed() {
    const NODES: u32 = 1_000;
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), "Example", "127.0.0.1:5855").unwrap();
    let relay = Process::start(folder.path(), ([127, 0, 0, 1], 0).into());
    let text = relay.address.to_string();
    let token =
        admin::token_create(folder.path(), &TokenWish { uses: NODES + 1, ttl_s: 3_600, ..TokenWish::default() })
            .unwrap();
    let mut members = Vec::new();
    for n in 0..=NODES {
        let device = Device::new(&token, &format!("n{n}"));
        let identity = device.enrol(&text).await.unwrap();
        members.push((device, identity));
    }
    relay.kill();
    // A fresh process: what enrolment needed for a moment does not count.
    let relay = Process::start(folder.path(), ([127, 0, 0, 1], 0).into());
    let text = relay.address.to_string();
    let mut nodes = Vec::new();
    let mut before = 0;
    let start = Instant::now();
    for (device, identity) in members {
        nodes.push(Node::connect(&text, device, &identity).await);
        if nodes.len() == 1 {
            before = relay.resident_kib();
        }
    }
    println!("{NODES} connected one after the other in {:?}", start.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = relay.resident_kib();
    println!(
        "{before} KiB before, {after} KiB after: {:.1} KiB per idle node",
        (after - before) as f64 / f64::from(NODES)
    );
    assert!(nodes.iter().all(|node| node.connection.close_reason().is_none()));
}

/// Seconds of processor time, in hundredths, that a process has used.
#[cfg(target_os = "linux")]
fn cpu_centis(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Lends until its connection ends: one frame for every job.
#[cfg(target_os = "linux")]
fn lend(node: Node) {
    let Node { device, connection, send, mut recv } = node;
    let (say, mut said) = tokio::sync::mpsc::channel::<FromNode>(256);
    let mut send = send;
    tokio::spawn(async move {
        while let Some(message) = said.recv().await {
            if lull_wire::frame::write(&mut send, &message, lull_wire::control::BYTES_MAX).await.is_err() {
                return;
            }
        }
    });
    let accepts = say.clone();
    tokio::spawn(async move {
        while let Ok(Some(message)) = lull_wire::frame::read(&mut recv, lull_wire::control::BYTES_MAX).await {
            if let lull_wire::control::FromRelay::Reserve(reserve) = message {
                let accept = FromNode::Accept { job: reserve.job, epoch: reserve.epoch, nonce: [1; 16] };
                accepts.send(accept).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let (device, say) = (device.clone(), say.clone());
            tokio::spawn(async move {
                let limit = lull_wire::job::HEADER_BYTES_MAX;
                let Ok(Some(header)) = lull_wire::frame::read::<lull_wire::job::JobHeader, _>(&mut recv, limit).await
                else {
                    return;
                };
                let job = header.grant.claims().unwrap().job;
                let _ = send.write_all(&[60, 0, 0, 0]).await;
                let _ = send.write_all(&[0; 60]).await;
                let _ = send.finish();
                let _ = say.send(device.receipt(job, Side::Lender, 1)).await;
            });
        }
    });
}

/// `cargo test -p lull-relay --release --test process -- --ignored --nocapture jobs_are`
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: jobs through a real relay"]
async fn jobs_are_counted_per_core() {
    const LENDERS: u32 = 8;
    const SUBMITTERS: u32 = 32;
    const SECONDS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), "Example", "127.0.0.1:5855").unwrap();
    let relay = Process::start(folder.path(), ([127, 0, 0, 1], 0).into());
    let text = relay.address.to_string();
    let token = admin::token_create(
        folder.path(),
        &TokenWish { uses: LENDERS + SUBMITTERS, ttl_s: 3_600, ..TokenWish::default() },
    )
    .unwrap();
    let mut submitters = Vec::new();
    for n in 0..LENDERS + SUBMITTERS {
        let device = Device::new(&token, &format!("n{n}"));
        let identity = device.enrol(&text).await.unwrap();
        let mut node = Node::connect(&text, device, &identity).await;
        if n < LENDERS {
            node.say(&FromNode::Offer(offer("m", 15, 20.0))).await;
            lend(node);
        } else {
            submitters.push(node);
        }
    }
    submitters[0].sees("m").await;
    let (cpu, end) = (cpu_centis(&relay), Instant::now() + Duration::from_secs(SECONDS));
    let tasks = submitters.into_iter().map(|mut node| {
        tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let submit = common::submit("m");
                let start = Instant::now();
                node.say(&FromNode::Submit(submit.clone())).await;
                let grant = node.granted().await;
                times.push(start.elapsed());
                let mut stream = node.open(&grant).await;
                stream.send.finish().unwrap();
                assert_eq!(soon(stream.recv.read_to_end(100)).await.unwrap().len(), 64);
                let receipt = node.device.receipt(submit.job, Side::Submitter, 1);
                node.say(&receipt).await;
            }
            times
        })
    });
    let all = futures::future::join_all(tasks).await;
    let mut times: Vec<Duration> = all.into_iter().flat_map(Result::unwrap).collect();
    let cpu = cpu_centis(&relay) - cpu;
    times.sort_unstable();
    let count = times.len() as u64;
    println!("{} jobs/s here; {} jobs per second of the relay's processor time", count / SECONDS, count * 100 / cpu);
    println!("grant p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}
