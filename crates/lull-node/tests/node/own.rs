//! What a person does with their own machine through its door: rules, models, usage, a look at it all.

use std::{path::PathBuf, sync::Arc};

use lull_engine::scripted::Script;
use lull_models::Store;
use lull_node::{Home, Host, Node, NodeApi, NodeOptions, enroll};
use lull_types::{
    AddingView, Code, Event, Health, LendingView, LinkView, ModelPlace, ModelView, Reason, Request, Response,
    RuleSource, RuleValue, RulesView,
};
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

use crate::{
    pool::{Org, model},
    support::{MODEL, PATIENCE, asking, fault, question, status, text, until, whole},
};

/// A node that has joined, with rules of its organisation in a file of its own.
struct Desk {
    node: Arc<Node>,
    machine_rules: PathBuf,
    settings: PathBuf,
    home: TempDir,
}

impl Desk {
    async fn new(org: &Org) -> Self {
        let home = tempfile::tempdir().unwrap();
        enroll(home.path(), &org.token(), Some("desk-of-eve".into()), false).await.unwrap();
        let machine_rules = home.path().join("machine.toml");
        let options = NodeOptions { machine_rules: Some(machine_rules.clone()), ..asking() };
        let node = Node::start(home.path(), options).await.unwrap();
        until(&node, |status| matches!(status.relay, LinkView::Up { .. })).await;
        Self { node, machine_rules, settings: home.path().join("settings.toml"), home }
    }

    async fn set(&self, key: &str, value: Option<RuleValue>) -> Result<Response, lull_types::Fault> {
        self.node.call(Request::SetRule { key: key.into(), value }).await
    }

    async fn rules(&self) -> RulesView {
        let Response::Rules(view) = self.node.call(Request::Rules).await.unwrap() else { panic!() };
        *view
    }

    async fn models(&self) -> (Vec<ModelView>, Vec<AddingView>) {
        let Response::Models { models, adding } = self.node.call(Request::Models).await.unwrap() else { panic!() };
        (models, adding)
    }
}

async fn hear(events: &mut Receiver<Event>, wished: Event) {
    let hearing = async { while events.recv().await.unwrap() != wished {} };
    tokio::time::timeout(PATIENCE, hearing).await.expect("the event never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_counts_as_soon_as_it_is_set_and_broken_files_are_shown() {
    let org = Org::new();
    let relay = org.relay().await;
    let desk = Desk::new(&org).await;
    let mut events = desk.node.events();

    let not_agreed = async || {
        let lending = status(&*desk.node).await.lending;
        matches!(lending, LendingView::Off { reason: Reason::NotAgreed, .. })
    };
    until(&desk.node, |status| matches!(status.lending, LendingView::Off { .. })).await;
    assert!(not_agreed().await);
    assert_eq!(desk.set("lend.enabled", Some(RuleValue::Switch(true))).await, Ok(Response::Done));
    assert!(!not_agreed().await, "it counts already");
    hear(&mut events, Event::Rules).await;
    let enabled = desk.rules().await.rules.swap_remove(0);
    assert_eq!((enabled.value, enabled.source), (RuleValue::Switch(true), RuleSource::Settings));
    let bad = desk.set("lend.idle_minutes", Some(RuleValue::Number(0.5))).await.unwrap_err();
    assert_eq!(bad.code, Code::BadRequest, "{bad}");

    std::fs::write(&desk.machine_rules, "[lend]\nidle_minutes = 15\n").unwrap();
    hear(&mut events, Event::Rules).await;
    assert!(desk.rules().await.rules[1].locked);
    let held = desk.set("lend.idle_minutes", Some(RuleValue::Number(5.0))).await.unwrap_err();
    assert!(held.code == Code::Forbidden && held.message.contains("Acme"), "{held}");
    assert_eq!(desk.set("lend.idle_minutes", Some(RuleValue::Number(30.0))).await, Ok(Response::Done));
    hear(&mut events, Event::Rules).await;
    assert_eq!(desk.rules().await.rules[1].value, RuleValue::Number(30.0));

    std::fs::write(&desk.settings, "[lend]\nenable = true\n").unwrap();
    hear(&mut events, Event::Rules).await;
    let broken = desk.rules().await.broken.expect("nobody said that it is broken");
    assert!(broken.contains("settings.toml:2:1") && broken.contains("did you mean `enabled`"), "{broken}");
    let shown = until(&desk.node, |status| {
        matches!(&status.lending, LendingView::Off { reason: Reason::RulesBroken { .. }, .. })
    });
    shown.await;
    let fault = desk.set("lend.idle_minutes", None).await.unwrap_err();
    assert_eq!(fault.code, Code::Storage, "{fault}");
    assert_eq!(std::fs::read_to_string(&desk.settings).unwrap(), "[lend]\nenable = true\n", "left to its owner");
    std::fs::remove_file(&desk.settings).unwrap();
    hear(&mut events, Event::Rules).await;
    assert_eq!(desk.rules().await.broken, None);

    assert_eq!(
        desk.node.call(Request::Join { token: "x".into(), name: None }).await.unwrap_err().code,
        Code::BadRequest
    );
    desk.node.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_added_and_removed_through_the_door() {
    let org = Org::new();
    let relay = org.relay().await;
    let desk = Desk::new(&org).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let stored = Store::open(elsewhere.path()).unwrap().ensure_demo().unwrap();
    let files = std::fs::read_dir(&stored.folder).unwrap().map(|file| file.unwrap().path());
    let path = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "gguf")).unwrap();
    let path = path.display().to_string();

    let mut events = desk.node.events();
    let wrong = format!("{path}.not");
    for path in [&path, &wrong] {
        let add = Request::AddModel { path: path.clone(), name: Some("mine".into()) };
        assert_eq!(desk.node.call(add).await, Ok(Response::Done));
    }
    let waiting = async {
        loop {
            let (models, adding) = desk.models().await;
            let here = models.iter().any(|model| model.name == "mine" && model.place == ModelPlace::Here);
            if here && matches!(&*adding, [AddingView { fault: Some(_), .. }]) {
                return;
            }
            hear(&mut events, Event::Models).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it never came, or the other never failed");
    assert_eq!(desk.node.call(Request::ForgetAdding { path: wrong }).await, Ok(Response::Done));
    assert_eq!(desk.models().await.1, []);
    assert_eq!(desk.node.call(Request::RemoveModel { name: "mine".into() }).await, Ok(Response::Done));
    let (models, _) = desk.models().await;
    assert!(models.iter().all(|model| model.name != "mine"), "{models:?}");
    let unknown = desk.node.call(Request::RemoveModel { name: "mine".into() }).await.unwrap_err();
    assert_eq!(unknown.code, Code::ModelUnknown, "{unknown}");
    desk.node.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_counted_by_day_and_model() {
    let org = Org::new();
    let relay = org.relay().await;
    let script = Script { answer: Some("yes".into()), length: 5, ..Script::default() };
    let lender = org.member("lender", Some(&script)).await;
    let desk = Desk::new(&org).await;
    model(&desk.node, |model| model.lenders == 1).await;
    for _ in 0..2 {
        text(&whole(desk.node.chat(question("well?", 50)).await.unwrap()).await);
    }
    let mut unknown = question("well?", 50);
    unknown.model = "no-such-model".into();
    fault(&whole(desk.node.chat(unknown).await.unwrap()).await);
    // A node that has stopped has counted everything.
    desk.node.shutdown().await;
    lender.node.shutdown().await;
    relay.shutdown().await;
    let node = Node::start(desk.home.path(), asking()).await.unwrap();
    let Response::Usage { days } = node.call(Request::Usage).await.unwrap() else { panic!() };
    let lines: Vec<_> = days.iter().map(|day| (day.model.as_str(), day.answered, day.unanswered)).collect();
    assert_eq!(lines, [("no-such-model", 0, 1), (MODEL, 2, 0)], "{days:?}");
    assert!(days[1].completion_tokens == 6 && days[1].prompt_tokens > 0, "{days:?}");
    assert_eq!(node.call(Request::EraseUsage).await, Ok(Response::Done));
    assert_eq!(node.call(Request::Usage).await, Ok(Response::Usage { days: Vec::new() }));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_everything_names_nobody_outside_of_the_machine() {
    let org = Org::new();
    let relay = org.relay().await;
    let desk = Desk::new(&org).await;
    let Response::Doctor { findings } = desk.node.call(Request::Doctor).await.unwrap() else { panic!() };
    for check in ["rules", "enrolled", "node", "relay", "certificate", "sensors", "worker", "freeze", "models", "disk"]
    {
        assert!(findings.iter().any(|finding| finding.check == check), "{check}: {findings:?}");
    }
    let health = |check: &str| findings.iter().find(|finding| finding.check == check).map(|finding| finding.health);
    assert_eq!((health("relay"), health("certificate")), (Some(Health::Good), Some(Health::Good)));
    assert!(findings.iter().all(|finding| finding.health == Health::Good || finding.remedy.is_some()), "{findings:?}");
    let Response::Diagnostics { json } = desk.node.call(Request::Diagnostics).await.unwrap() else { panic!() };
    let id = desk.node.id().to_string();
    for name in ["Acme", "desk-of-eve", &id, &Home::open(desk.home.path()).unwrap().path().display().to_string()] {
        assert!(!json.contains(name), "{name}: {json}");
    }
    assert!(json.contains("\"lend.idle_minutes\""), "{json}");
    desk.node.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostics_name_nobody_where_a_machine_has_joined_and_its_node_does_not_run() {
    let org = Org::new();
    let relay = org.relay().await;
    let home = tempfile::tempdir().unwrap();
    let host = Host::start(home.path(), asking()).await.unwrap();
    std::fs::create_dir(home.path().join("ran.db")).unwrap();
    let join = Request::Join { token: org.token().to_string(), name: Some("desk-of-eve".into()) };
    assert_eq!(host.call(join).await, Ok(Response::Done));
    assert_eq!(host.call(Request::Status).await.unwrap_err().code, Code::Storage);
    let Response::Doctor { findings } = host.call(Request::Doctor).await.unwrap() else { panic!() };
    let enrolled = findings.iter().find(|finding| finding.check == "enrolled").unwrap();
    assert!(enrolled.found.contains("Acme") && enrolled.found.contains("desk-of-eve"), "{enrolled:?}");
    let Response::Diagnostics { json } = host.call(Request::Diagnostics).await.unwrap() else { panic!() };
    assert!(!json.contains("Acme") && !json.contains("desk-of-eve"), "{json}");
    host.shutdown().await;
    relay.shutdown().await;
}
