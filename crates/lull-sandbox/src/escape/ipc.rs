//! What a test prepares outside that has no file: shared memory and queues.

use std::{ffi::CString, io};

use super::calls::{at, call, put, text};

/// System V and POSIX objects with a secret, until they are dropped.
#[derive(Debug)]
pub struct Ipc {
    /// Of shared memory that begins with the secret.
    pub shm_key: i32,
    /// Of a queue with messages.
    pub msg_key: i32,
    /// Of a semaphore.
    pub sem_key: i32,
    /// The name of a POSIX queue.
    pub mq: String,
    shm: usize,
    msg: usize,
    sem: usize,
}

/// More messages than are ever read.
const MESSAGES: usize = 16;
/// Bytes of the shared memory.
const SHM_BYTES: usize = 4096;
/// What only this user may read and write.
const OWN: usize = 0o600;

impl Ipc {
    /// Makes them.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn new(secret: &str) -> io::Result<Self> {
        let key = (std::process::id() | 0x4c00_0000) as i32;
        let make = OWN | libc::IPC_CREAT as usize;
        let shm = call(libc::SYS_shmget, &[key as usize, SHM_BYTES, make])?;
        put(call(libc::SYS_shmat, &[shm, 0, 0])?, secret.as_bytes());
        let msg = call(libc::SYS_msgget, &[key as usize, make])?;
        let message = [1_u64, 0];
        for _ in 0..MESSAGES {
            call(libc::SYS_msgsnd, &[msg, at(&message), 8, libc::IPC_NOWAIT as usize])?;
        }
        let sem = call(libc::SYS_semget, &[key as usize, 1, make])?;
        let mq = format!("lull-{}", std::process::id());
        let name = CString::new(mq.as_str())?;
        let open = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC;
        call(libc::SYS_mq_open, &[text(&name), open as usize, OWN, 0])?;
        Ok(Self { shm_key: key, msg_key: key, sem_key: key, mq, shm, msg, sem })
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        let _ = call(libc::SYS_shmctl, &[self.shm, libc::IPC_RMID as usize, 0]);
        let _ = call(libc::SYS_msgctl, &[self.msg, libc::IPC_RMID as usize, 0]);
        let _ = call(libc::SYS_semctl, &[self.sem, 0, libc::IPC_RMID as usize, 0]);
        if let Ok(name) = CString::new(self.mq.as_str()) {
            let _ = call(libc::SYS_mq_unlink, &[text(&name)]);
        }
    }
}
