//! The main job: a question asked on one machine, answered word for word on another.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lull_engine::{GenerateRequest, Step, Worker, WorkerSpec};
use lull_tests::{NodeRole, Org, ask, faq, question};
use lull_types::{ChatRequest, Sampling, Tier};

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_answers_the_faq_word_for_word() -> Result<()> {
    let org = Org::create("Acme")?;
    // The relay never needs root once the machines have joined.
    let relay = org.relay()?;
    let lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    std::fs::rename(org.dir().join("root"), org.path().join("elsewhere"))?;
    let entries = faq()?;
    let mut wrong = Vec::new();
    for (text, expected) in &entries {
        let answer = ask(&asker.home, question(text), |_| {}).await?;
        ensure!(answer.by.name == lender.name, "answered by {}", answer.by.name);
        let said = answer.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if said != *expected {
            wrong.push(text.clone());
        }
    }
    let right = entries.len() - wrong.len();
    println!("{right} of {} FAQ answers word for word; wrong: {wrong:?}", entries.len());
    ensure!(right * 10 >= entries.len() * 9, "only {right} of {} answers are word for word", entries.len());
    ensure!(relay.process.log().contains("oak"), "the relay logs who is there");
    Ok(())
}

/// The same question, asked of a worker without any pool.
async fn direct(worker: &Worker, request: &ChatRequest) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    let asked =
        GenerateRequest { messages: request.messages.clone(), sampling: request.sampling.clone(), prefix: Vec::new() };
    let mut generation = worker.generate(asked).await;
    while let Some(step) = generation.next().await {
        if let Step::Token(token) = step? {
            ids.push(token.id);
        }
    }
    Ok(ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_gives_the_same_tokens_through_the_pool_as_from_the_worker() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let model = lull_models::Store::open(&lender.home)?.get("lull-demo")?.folder;
    let program = lull_engine::cpu::program_for_this_cpu(&org.programs.workers, lull_engine::cpu::EngineKind::Llama)?;
    let worker = Worker::spawn(spec(program.as_path(), &model, org.path())).await?;
    let mut different = 0;
    for seed in 0..12 {
        let mut request = question("How do I pause lending?");
        // Hot enough that the answers differ from seed to seed.
        request.sampling = Sampling { temperature: 1.8, top_p: 0.98, seed, max_tokens: 80, ..request.sampling.clone() };
        let pooled = ask(&asker.home, request.clone(), |_| {}).await?;
        let alone = direct(&worker, &request).await?;
        ensure!(pooled.ids == alone, "seed {seed}: {:?} in the pool, {alone:?} alone", pooled.ids);
        request.sampling.seed = seed + 1000;
        different += usize::from(direct(&worker, &request).await? != alone);
    }
    ensure!(different > 0, "the seed changes nothing: this test could not fail");
    Ok(())
}

fn spec(program: &Path, model: &Path, scratch: &Path) -> WorkerSpec {
    WorkerSpec {
        program: program.into(),
        model: model.into(),
        threads: 1,
        context_max: 2048,
        memory_max: None,
        scratch: scratch.join("scratch"),
        limits: lull_engine::Limits::default(),
        demand: Tier::Basic.into(),
        leash: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_stops_the_worker() -> Result<()> {
    use lull_node::{NodeApi as _, RemoteNode};
    use lull_types::ChatEvent;

    let org = Org::create("Acme")?;
    let relay = org.relay()?;
    let _lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let node = RemoteNode::connect(&asker.home).await?;
    let mut chat = node.chat(lull_tests::long_question("What is Lull?", 1800)).await?;
    let mut tokens = 0;
    while tokens < 3 {
        let event = chat.next().await.context("the answer ended early")?;
        tokens += u32::from(matches!(event, ChatEvent::Token(_)));
    }
    drop(chat);
    // The one slot is free again only when the worker has stopped: the next answer proves it.
    tokio::time::timeout(Duration::from_secs(60), ask(&asker.home, question("What is a node?"), |_| {})).await??;
    drop(relay);
    let rows: serde_json::Value = serde_json::from_str(&org.admin(&["usage", "--json"])?)?;
    let made: u64 = rows.as_array().context("rows")?.iter().filter_map(|row| row["completion_tokens"].as_u64()).sum();
    ensure!(made < 1800, "the abandoned answer went on to its end: {made} tokens in all");
    Ok(())
}
