//! What a machine's person has here whether it has joined an organisation or not: rules, keys, preferences, files, and
//! a look at how everything stands.

use std::path::PathBuf;

use lull_types::{Code, Event, Fault, Request, Response, RuleValue, Stored, StoredView};
use tokio::sync::broadcast;

use crate::{
    Home, Keys, NodeOptions,
    agreed::AgreedFiles,
    doctor::{self, Look},
    fault::off_thread,
    prefs,
    room::files_bytes,
};

/// The person's side of a home. Clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    home: Home,
    options: NodeOptions,
    files: AgreedFiles,
    keys: Keys,
    events: broadcast::Sender<Event>,
}

impl Own {
    pub(crate) fn open(home: Home, options: NodeOptions, events: broadcast::Sender<Event>) -> Result<Self, Fault> {
        let files = AgreedFiles::of(&home, &options)?;
        let keys = Keys::open(home.path())?;
        Ok(Self { home, options, files, keys, events })
    }

    pub(crate) const fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) const fn files(&self) -> &AgreedFiles {
        &self.files
    }

    /// Answers where no node runs; `why` there is none, for everything that needs one.
    pub(crate) async fn answer_alone(&self, request: Request, why: Fault) -> Result<Response, Fault> {
        match request {
            Request::Rules => {
                let files = self.files.clone();
                let view = off_thread(move || Ok(files.rules()));
                Ok(Response::Rules(Box::new(view.await?)))
            }
            Request::SetRule { key, value } => self.set_rule(key, value).await,
            // It counts as soon as there is a node.
            Request::Lend { on } => self.set_rule("lend.enabled".into(), Some(RuleValue::Switch(on))).await,
            Request::Doctor => Ok(Response::Doctor { findings: self.findings(Look::without(why)).await }),
            Request::Diagnostics => self.diagnostics(Look::without(why)).await,
            request => self.answer(request).await.unwrap_or(Err(why)),
        }
    }

    /// Answers what has nothing to do with a node; `None`: this has.
    pub(crate) async fn answer(&self, request: Request) -> Option<Result<Response, Fault>> {
        let (home, keys) = (self.home.clone(), self.keys.clone());
        Some(match request {
            Request::Keys => off_thread(move || keys.list()).await.map(|keys| Response::Keys { keys }),
            Request::CreateKey { name } => {
                off_thread(move || keys.create(&name)).await.map(|key| Response::Key { key })
            }
            Request::RevokeKey { name } => off_thread(move || keys.revoke(&name)).await.map(|()| Response::Done),
            Request::Prefs => off_thread(move || Ok(prefs::read(&home))).await.map(|prefs| Response::Prefs { prefs }),
            Request::SetPrefs { prefs } => {
                let kept = off_thread(move || prefs::write(&home, &prefs)).await;
                kept.map(|()| self.tell(Event::Prefs))
            }
            Request::Stored => off_thread(move || Ok(stored(&home))).await.map(|things| Response::Stored { things }),
            // Whether anybody draws a window is not for the node to know.
            Request::Show { page } => Ok(self.tell(Event::Show { page })),
            _ => return None,
        })
    }

    async fn set_rule(&self, key: String, value: Option<RuleValue>) -> Result<Response, Fault> {
        let files = self.files.clone();
        off_thread(move || files.set_rule(&key, value.as_ref(), "")).await?;
        Ok(self.tell(Event::Rules))
    }

    pub(crate) async fn findings(&self, look: Look) -> Vec<lull_types::Finding> {
        doctor::look(self.home.path(), &self.options, look).await
    }

    pub(crate) async fn diagnostics(&self, look: Look) -> Result<Response, Fault> {
        let (status, findings) = (look.status.clone(), self.findings(look).await);
        let (files, home) = (self.files.clone(), self.home.clone());
        let json =
            off_thread(move || doctor::diagnostics(&home, status.as_ref(), &findings, &files.rules(), stored(&home)));
        Ok(Response::Diagnostics { json: json.await? })
    }

    fn tell(&self, event: Event) -> Response {
        // Nobody may be listening.
        let _ = self.events.send(event);
        Response::Done
    }
}

/// What Lull keeps in a home, with its size.
fn stored(home: &Home) -> Vec<StoredView> {
    let within = |names: &[&str]| names.iter().map(|name| home.path().join(name)).collect::<Vec<PathBuf>>();
    let things = [
        (
            Stored::Identity,
            within(&[
                "node.json",
                "device.key",
                "member.key",
                "transport.json",
                "policy.signed",
                "policy.newest",
                "denied.signed",
            ]),
        ),
        (Stored::Settings, within(&["settings.toml", "pause.json", "prefs.json", "prefs.damaged"])),
        (Stored::Keys, within(&["keys.json"])),
        (Stored::Ran, within(&["ran.db", "ran.db-wal", "ran.db-shm", "ran.damaged"])),
        (Stored::Used, within(&["used.db", "used.db-wal", "used.db-shm", "used.damaged"])),
        (Stored::Models, vec![home.models()]),
    ];
    let view = |(what, places): (Stored, Vec<PathBuf>)| StoredView {
        what,
        path: places.first().map(|place| place.display().to_string()).unwrap_or_default(),
        bytes: places.iter().map(|place| files_bytes(place)).sum(),
    };
    things.into_iter().map(view).collect()
}

/// For a request that a node could not answer in this version.
pub(crate) fn unsupported() -> Fault {
    Fault::new(Code::Unsupported, "this node cannot do that; update Lull")
}

#[cfg(test)]
mod tests {
    use lull_types::{Page, Prefs};

    use super::*;

    fn own() -> (tempfile::TempDir, Own) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let machine_rules = Some(folder.path().join("policy.toml"));
        let options = NodeOptions { machine_rules, ..NodeOptions::default() };
        let (events, _) = broadcast::channel(16);
        (folder, Own::open(home, options, events).unwrap())
    }

    fn why() -> Fault {
        Fault::new(Code::NotEnrolled, "not yet")
    }

    async fn ask(own: &Own, request: Request) -> Result<Response, Fault> {
        own.answer_alone(request, why()).await
    }

    #[tokio::test]
    async fn a_machine_that_has_not_joined_has_rules_of_its_own() {
        let (folder, own) = own();
        let mut events = own.events.subscribe();
        let rules = async |own: &Own| match ask(own, Request::Rules).await.unwrap() {
            Response::Rules(view) => *view,
            other => panic!("{other:?}"),
        };
        let key = "lend.idle_minutes".to_owned();
        let idle = |minutes| Request::SetRule { key: key.clone(), value: Some(RuleValue::Number(minutes)) };
        assert_eq!(ask(&own, idle(9.0)).await, Ok(Response::Done));
        assert_eq!(events.try_recv(), Ok(Event::Rules));
        assert_eq!(rules(&own).await.rules[1].value, RuleValue::Number(9.0));
        assert_eq!(ask(&own, Request::Lend { on: true }).await, Ok(Response::Done));
        assert_eq!(events.try_recv(), Ok(Event::Rules));
        assert_eq!(rules(&own).await.rules[0].value, RuleValue::Switch(true));
        std::fs::write(folder.path().join("policy.toml"), "[lend]\nidle_minutes = 10\n").unwrap();
        assert_eq!(ask(&own, idle(8.0)).await.unwrap_err().code, Code::Forbidden);
        assert!(rules(&own).await.rules[1].locked);
        std::fs::write(folder.path().join("home/settings.toml"), "lend = 1").unwrap();
        let broken = rules(&own).await;
        assert!(broken.broken.is_some_and(|why| why.contains("settings.toml:1:8")));
        assert_eq!(broken.rules.len(), 17);
        assert_eq!(ask(&own, idle(11.0)).await.unwrap_err().code, Code::Storage);
        assert!(events.try_recv().is_err(), "nothing was changed");
    }

    #[tokio::test]
    async fn keys_prefs_and_the_window_need_no_node() {
        let (_folder, own) = own();
        let mut events = own.events.subscribe();
        let name = "notebook".to_owned();
        let made = ask(&own, Request::CreateKey { name: name.clone() }).await.unwrap();
        assert!(matches!(made, Response::Key { key } if key.starts_with("lull_sk_")));
        assert_eq!(ask(&own, Request::CreateKey { name: name.clone() }).await.unwrap_err().code, Code::BadRequest);
        assert!(matches!(ask(&own, Request::Keys).await, Ok(Response::Keys { keys }) if keys[0].name == name));
        assert_eq!(ask(&own, Request::RevokeKey { name: name.clone() }).await, Ok(Response::Done));
        assert_eq!(ask(&own, Request::RevokeKey { name }).await.unwrap_err().code, Code::BadRequest);
        let prefs = Prefs { welcomed: true, ..Prefs::default() };
        assert_eq!(ask(&own, Request::SetPrefs { prefs: prefs.clone() }).await, Ok(Response::Done));
        assert_eq!(ask(&own, Request::Prefs).await, Ok(Response::Prefs { prefs }));
        let page = Some(Page::Chat);
        assert_eq!(ask(&own, Request::Show { page }).await, Ok(Response::Done));
        assert_eq!(events.try_recv(), Ok(Event::Prefs));
        assert_eq!(events.try_recv(), Ok(Event::Show { page }));
        for needs_a_node in [Request::Status, Request::Models, Request::Usage, Request::Resume] {
            assert_eq!(ask(&own, needs_a_node).await, Err(why()));
        }
    }

    #[tokio::test]
    async fn what_is_stored_is_weighed() {
        let (folder, own) = own();
        std::fs::write(folder.path().join("home/pause.json"), "\"forever\"").unwrap();
        std::fs::create_dir_all(folder.path().join("home/models/blobs")).unwrap();
        std::fs::write(folder.path().join("home/models/blobs/a"), [0; 1_000]).unwrap();
        let Ok(Response::Stored { things }) = ask(&own, Request::Stored).await else { panic!() };
        let bytes: Vec<_> = things.iter().map(|thing| (thing.what, thing.bytes)).collect();
        assert!(bytes.contains(&(Stored::Settings, 9)) && bytes.contains(&(Stored::Models, 1_000)), "{bytes:?}");
        assert_eq!(things.len(), 6);
    }

    #[tokio::test]
    async fn diagnostics_name_nobody() {
        let (folder, own) = own();
        let Ok(Response::Diagnostics { json }) = ask(&own, Request::Diagnostics).await else { panic!() };
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["lull"], crate::VERSION);
        assert!(!json.contains(&folder.path().display().to_string()), "{json}");
        assert!(value["findings"].as_array().is_some_and(|findings| findings.len() > 3));
    }
}
