use std::time::Duration;

/// How long a worker may take for what, before it counts as hung and is killed.
///
/// A worker's own word that it lives would prove nothing: only results count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the start of the process to its first frame.
    pub hello: Duration,
    /// Loading, whatever the size.
    pub load: Duration,
    /// Loading, for each MiB of model files.
    pub load_per_mib: Duration,
    /// From a request to its accepted prompt.
    pub tokenize: Duration,
    /// Prefill, whatever the length.
    pub prefill: Duration,
    /// Prefill, for each token of prompt and prefix, until this worker's own speed is known.
    pub prefill_per_token: Duration,
    /// From one token to the next.
    pub token: Duration,
    /// From the word to stop until a worker has stopped, or exited.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(20),
            load: Duration::from_secs(60),
            load_per_mib: Duration::from_millis(100),
            tokenize: Duration::from_secs(20),
            prefill: Duration::from_secs(30),
            prefill_per_token: Duration::from_secs(2),
            token: Duration::from_secs(60),
            stop: Duration::from_secs(60),
        }
    }
}
