//! Content never reaches a log, at any level, whatever happens to it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use lull_engine::scripted::{Mishap, Script, What, When};
use lull_node::{Node, NodeApi, NodeOptions};
use lull_types::{LendingView, Reason};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    asking::Pool,
    support::{broker::Evil, lending, org::Org, question, relay::Relay, until, whole},
};

const MARKER: &str = "XYZZY-MARKER-1234";

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_in_questions_and_answers_is_in_no_log() {
    let kept = Kept::default();
    let levels = tracing_subscriber::EnvFilter::new("lull_node=trace,lull_engine=trace,lull_net=trace,lull_seal=trace");
    let subscriber = tracing_subscriber::fmt().with_env_filter(levels).with_writer(kept.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let answer = Some(format!("so {MARKER} it is"));
    let panics = Mishap { at: When::Token(2), what: What::Panic };
    for (mishap, evil) in
        [(None, Evil::Honest), (None, Evil::SealingKey), (None, Evil::Cut), (Some(panics), Evil::Honest)]
    {
        let script = Script { answer: answer.clone(), mishap, length: 30, ..Script::default() };
        let pool = Pool::new(&script, evil).await;
        let events = whole(pool.asker.chat(question(MARKER, 50)).await.unwrap()).await;
        if let Some(lull_types::ChatEvent::Failed(fault)) = events.last() {
            assert!(!fault.message.contains(MARKER), "{fault}");
        }
        let mut bad = question(MARKER, 50);
        bad.sampling.stop = vec![MARKER.repeat(100)];
        assert!(!pool.asker.chat(bad).await.unwrap_err().message.contains(MARKER));
        pool.end().await;
    }
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("connected to the relay") && log.contains("a worker is ready"), "the log was heard: {log}");
    assert!(!log.contains("XYZZY"), "{log}");
}

#[tokio::test]
async fn a_dedicated_node_that_cannot_lend_says_why_once() {
    let org = Org::new();
    let relay = Relay::start(&org).await;
    let (home, _) = org.home(&relay.at(), "bare").await;
    let empty = tempfile::tempdir().unwrap();
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(kept.clone()).finish();
    let log = tracing::subscriber::set_default(subscriber);
    let options = NodeOptions { worker_program: None, worker_dir: Some(empty.path().into()), ..lending() };
    let node = Node::start(home.path(), options).await.unwrap();
    let status = until(&node, |status| matches!(status.lending, LendingView::Off { .. })).await;
    let LendingView::Off { reason: Reason::NoWorker { why: reason }, .. } = status.lending else { panic!("it lends") };
    node.shutdown().await;
    drop(log);
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("cannot lend")).collect();
    assert!(lines.len() == 1 && lines[0].contains("WARN") && lines[0].contains(&format!("{reason:?}")), "{log}");
}
