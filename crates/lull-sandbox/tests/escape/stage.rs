//! What there is to be found outside.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::{
        fd::AsRawFd as _,
        linux::net::SocketAddrExt as _,
        unix::{
            fs::symlink,
            net::{SocketAddr, UnixListener},
            process::ExitStatusExt as _,
        },
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard},
};

use lull_sandbox::{
    Layers,
    escape::{Ipc, Outcome, SYSTEM_CALLS, Stage, Told},
};
use rustix::io::FdFlags;
use tempfile::TempDir;

/// The most memory of a confined program, in bytes.
const MEMORY_MAX: u64 = 512 << 20;

/// A process can be traced by one other, and there is one parent: one stage at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A stage that has been set.
pub(crate) struct Set {
    program: PathBuf,
    secret: String,
    abstract_name: String,
    shm: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
    victim: Child,
    inherited: File,
    ipc: Ipc,
    _abstract: UnixListener,
    _folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// The program that tries: this crate's own, which lies beside the tests, or the one that is named.
fn program() -> PathBuf {
    env::var_os("LULL_ESCAPE_PROGRAM").map_or_else(inmate, PathBuf::from)
}

/// This crate's own program.
pub(crate) fn inmate() -> PathBuf {
    let own = env::current_exe().unwrap();
    let program = own.ancestors().nth(2).unwrap().join("examples/inmate");
    assert!(program.exists(), "{} is missing: cargo build -p lull-sandbox --examples", program.display());
    program
}

impl Set {
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let id = std::process::id();
        let secret = format!("lull-secret-{id}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inherited");
        fs::write(&path, &secret).unwrap();
        let inherited = File::open(path).unwrap();
        rustix::io::fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
        let shm = PathBuf::from(format!("/dev/shm/lull-{id}"));
        fs::write(&shm, &secret).unwrap();
        let abstract_name = format!("lull-abstract-{id}");
        let abstract_socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap());
        Self {
            program: program(),
            ipc: Ipc::new(&secret).unwrap(),
            secret,
            abstract_name,
            shm,
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            victim: Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap(),
            inherited,
            _abstract: abstract_socket.unwrap(),
            _folder: folder,
            _alone: alone,
        }
    }

    /// Has the program make an attempt, in a home, with a model and a scratch folder of its own.
    pub(crate) fn run(&self, how: &str, skip: &Layers, attempt: &str) -> BTreeMap<String, Outcome> {
        let folder = tempfile::tempdir().unwrap();
        let [home, model, scratch] = ["home", "model", "scratch"].map(|name| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        });
        fs::create_dir(home.join(".ssh")).unwrap();
        for name in ["secret", ".ssh/id_ed25519", ".bashrc"] {
            fs::write(home.join(name), &self.secret).unwrap();
        }
        let _sockets = ["bus", "x11"].map(|name| UnixListener::bind(home.join(name)).unwrap());
        fs::write(model.join("model.bin"), [0; 8192]).unwrap();
        symlink(home.join("secret"), model.join("out")).unwrap();
        let stage = Stage {
            model,
            scratch: scratch.clone(),
            skip: skip.clone(),
            memory_max: MEMORY_MAX,
            home,
            secret: self.secret.clone(),
            abstract_name: self.abstract_name.clone(),
            tcp: self.tcp.local_addr().unwrap().port(),
            udp: self.udp.local_addr().unwrap().port(),
            parent: std::process::id() as i32,
            parent_address: self.secret.as_ptr().expose_provenance() as u64,
            victim: self.victim.id() as i32,
            victim_file: 0,
            inherited: self.inherited.as_raw_fd(),
            shm: self.shm.file_name().unwrap().to_string_lossy().into_owned(),
            shm_key: self.ipc.shm_key,
            msg_key: self.ipc.msg_key,
            sem_key: self.ipc.sem_key,
            mq: self.ipc.mq.clone(),
        };
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(&scratch).args(["--try-to-escape", how, attempt]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&serde_json::to_vec(&stage).unwrap()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // What never came as far as the attempt shows nothing.
        assert_ne!(output.status.code(), Some(2), "{attempt} {how}: {said}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let told = lines.lines().map(|line| serde_json::from_str::<Told>(line).expect(line));
        let mut told: BTreeMap<_, _> = told.map(|told| (told.name, told.outcome)).collect();
        if told.is_empty() {
            let end = output.status.signal().map(|signal| format!("ended by signal {signal}"));
            let end = end.unwrap_or_else(|| panic!("{attempt} {how} said nothing: {:?} {said}", output.status));
            told.insert(attempt.into(), Outcome::Stopped(end));
        }
        assert!(attempt == SYSTEM_CALLS || told.contains_key(attempt), "{attempt} {how}: {told:?}");
        told
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_file(&self.shm);
    }
}
