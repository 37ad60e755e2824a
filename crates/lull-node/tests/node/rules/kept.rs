//! What happens to the kept policy on the disk, and to a machine that is kept from hearing of one.

use std::fs;

use lull_types::{Code, LendingView, RuleValue};
use lull_wire::{Signed, policy::PolicyDocument};

use super::{Machine, changed, packed, put, text_of};
use crate::support::{org::now_s, question, status};

/// What somebody puts in the kept policy's place.
struct Swap {
    name: &'static str,
    put: fn(&Machine),
    why: &'static str,
}

/// Root's word for this machine, from before the version that its invitation demands.
fn older(machine: &Machine) -> Signed<PolicyDocument> {
    machine.by_root(&machine.policy(2, &text_of(2)))
}

const SWAPS: &[Swap] = &[
    Swap {
        name: "nothing",
        put: |machine| fs::remove_file(machine.kept()).unwrap(),
        why: "or later) has not come yet",
    },
    Swap {
        name: "an older one of root's",
        put: |machine| machine.place(&older(machine)),
        why: "it is version 2, and version",
    },
    Swap {
        name: "another root's",
        put: |machine| {
            let policy = machine.policy(9, "");
            machine.place(&Signed::sign(&policy, &lull_wire::SecretKey::generate()).unwrap());
        },
        why: "not signed by the organisation's root key",
    },
    Swap {
        name: "another organisation's",
        put: |machine| {
            let policy = PolicyDocument { org: "Other".into(), ..machine.policy(9, "") };
            machine.place(&machine.by_root(&policy));
        },
        why: "it is the policy of \"Other\"",
    },
    Swap {
        name: "a changed one",
        put: |machine| {
            let signed = machine.by_root(&machine.policy(9, ""));
            machine.place(&changed(&signed, |parts| parts.body[20] ^= 1));
        },
        why: "not signed by the organisation's root key",
    },
    Swap {
        name: "half of one",
        put: |machine| {
            let bytes = packed(&machine.by_root(&machine.policy(9, "")));
            put(&machine.kept(), &bytes[..bytes.len() / 2]);
        },
        why: "policy.signed",
    },
    Swap { name: "an empty file", put: |machine| put(&machine.kept(), b""), why: "policy.signed" },
    Swap {
        name: "rules nobody signed",
        put: |machine| put(&machine.kept(), text_of(9).as_bytes()),
        why: "policy.signed",
    },
    Swap { name: "a file without end", put: |machine| put(&machine.kept(), &vec![0; 10 << 20]), why: "far too long" },
    Swap { name: "root's other word", put: |machine| machine.place(&machine.org.statement), why: "not signed by" },
    Swap {
        name: "a folder",
        put: |machine| {
            fs::remove_file(machine.kept()).unwrap();
            fs::create_dir(machine.kept()).unwrap();
        },
        why: "policy.signed",
    },
    #[cfg(unix)]
    Swap {
        name: "a link to an older one",
        put: |machine| {
            let elsewhere = machine.file.with_file_name("old.signed");
            fs::write(&elsewhere, packed(&older(machine))).unwrap();
            link(&elsewhere, machine);
        },
        why: "it is version 2, and version",
    },
    #[cfg(unix)]
    Swap {
        name: "a link to nothing",
        put: |machine| link(&machine.file.with_file_name("gone"), machine),
        why: "or later) has not come yet",
    },
    #[cfg(unix)]
    Swap {
        name: "a link to zeros without end",
        put: |machine| link(std::path::Path::new("/dev/zero"), machine),
        why: "policy.signed",
    },
    #[cfg(unix)]
    Swap {
        name: "a pipe that nobody writes to",
        put: |machine| {
            fs::remove_file(machine.kept()).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(machine.kept()).status().unwrap().success());
        },
        why: "policy.signed",
    },
    #[cfg(unix)]
    Swap {
        name: "a file that may not be read",
        put: |machine| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(machine.kept(), fs::Permissions::from_mode(0o000)).unwrap();
            if fs::read(machine.kept()).is_ok() {
                // This user may read everything: a loop of links cannot be read by anybody.
                link(&machine.kept(), machine);
            }
        },
        why: "policy.signed",
    },
];

#[cfg(unix)]
fn link(to: &std::path::Path, machine: &Machine) {
    fs::remove_file(machine.kept()).unwrap();
    std::os::unix::fs::symlink(to, machine.kept()).unwrap();
}

/// Whatever lies there, away with it.
fn clear(machine: &Machine) {
    let kept = machine.kept();
    if fs::symlink_metadata(&kept).is_ok_and(|found| found.is_dir()) {
        fs::remove_dir(kept).unwrap();
    } else {
        let _ = fs::remove_file(kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_takes_the_kept_policys_place_stops_lending() {
    assert_eq!(SWAPS.len(), if cfg!(unix) { 16 } else { 11 });
    let mut machine = Machine::new(3).await;
    machine.push(5).await;
    for swap in SWAPS {
        println!("{}", swap.name);
        (swap.put)(&machine);
        machine.lends_nothing(swap.why).await;
        clear(&machine);
        machine.say(machine.by_root(&machine.policy(5, &text_of(5))));
        machine.lends_under(5).await;
    }
    machine.stop().await;
}

/// The same where it happens while the node does not run.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_no_way_around() {
    let mut machine = Machine::new(3).await;
    machine.push(5).await;
    for swap in SWAPS {
        println!("{}", swap.name);
        machine.stop().await;
        (swap.put)(&machine);
        machine.start().await;
        machine.lends_nothing(swap.why).await;
        let asked = lull_node::NodeApi::chat(&**machine.node(), question("hello", 4)).await;
        assert_eq!(asked.err().map(|fault| fault.code), Some(Code::Forbidden), "only public ones are sent");
        clear(&machine);
        machine.say(machine.by_root(&machine.policy(5, &text_of(5))));
        machine.lends_under(5).await;
    }
    machine.stop().await;
}

/// An older policy of root's that the invitation would allow, put where the followed one lies.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchanged_policy_is_noticed_while_the_node_runs() {
    let mut machine = Machine::new(3).await;
    machine.push(5).await;
    machine.place(&machine.by_root(&machine.policy(4, &text_of(4))));
    machine.lends_nothing("it is version 4, and version 5 is known already").await;
    // Nor does the relay bring it back where it was deleted.
    clear(&machine);
    machine.lends_nothing("has not come yet").await;
    machine.say(machine.by_root(&machine.policy(4, &text_of(4))));
    machine.complains_of("it is version 4, and version 5 is known already").await;
    machine.lends_nothing("has not come yet").await;
    machine.push(5).await;
    // Nor while nothing runs, with or without a number that can be read.
    let number = machine.home.path().join("policy.newest");
    for kept in [fs::read(&number).unwrap(), b"?".to_vec()] {
        machine.stop().await;
        machine.place(&machine.by_root(&machine.policy(4, &text_of(4))));
        put(&number, &kept);
        machine.start().await;
        machine.lends_nothing(if kept == b"?" { "policy.newest is damaged" } else { "version 5 is known" }).await;
        machine.push(5).await;
    }
    // Not defended: whoever takes both away. Until the relay speaks, their choice counts, within what the invitation
    // demands and until that policy ends.
    machine.stop().await;
    machine.place(&machine.by_root(&machine.policy(4, &text_of(4))));
    fs::remove_file(&number).unwrap();
    machine.start().await;
    machine.lends_under(4).await;
    machine.push(5).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_kept_from_hearing_lends_nothing() {
    let mut machine = Machine::new(3).await;
    machine.lends_nothing("(version 3 or later) has not come yet").await;
    // The relay has one, but from before.
    machine.say(machine.by_root(&machine.policy(2, &text_of(2))));
    machine.complains_of("it is version 2, and version 3 is known already").await;
    machine.lends_nothing("(version 3 or later) has not come yet").await;
    assert!(!machine.kept().exists());
    // Whoever asks meanwhile waits for it.
    let asking = lull_node::NodeApi::chat(&**machine.node(), question("hello", 4));
    let coming = async {
        tokio::task::yield_now().await;
        machine.say(machine.by_root(&machine.policy(3, &text_of(3))));
    };
    let (asked, ()) = tokio::join!(asking, coming);
    assert_eq!(asked.err(), None, "the policy came while it waited");
    machine.push(3).await;
    machine.stop().await;
}

/// A relay that has gone silent about rules: what counts ends by itself, live.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_ends_by_itself() {
    let mut machine = Machine::new(1).await;
    let policy = PolicyDocument { not_after_s: now_s() + 4, ..machine.policy(1, &text_of(1)) };
    machine.say(machine.by_root(&policy));
    machine.lends_under(1).await;
    machine.lends_nothing("it ended, and no newer one has come").await;
    assert!(now_s() >= policy.not_after_s, "not before its end");
    machine.stop().await;
    machine.start().await;
    machine.lends_nothing("it ended, and no newer one has come").await;
    machine.push(2).await;
    machine.stop().await;
}

/// Each of the three places is broken in turn, the others being right.
#[tokio::test(flavor = "multi_thread")]
async fn every_layer_must_be_right() {
    let mut machine = Machine::new(1).await;
    machine.push(5).await;
    fs::write(&machine.file, "[lend]\nmax_celsius = 70\n").unwrap();
    let settings = machine.home.path().join("settings.toml");
    fs::write(&settings, "[lend]\nidle_minutes = 20\n").unwrap();
    for (place, right) in
        [(&machine.file.clone(), "[lend]\nmax_celsius = 70\n"), (&settings, "[lend]\nidle_minutes = 20\n")]
    {
        put(place, b"[lend]\nmaximum = 1\n");
        machine.lends_nothing(&format!("{}:2:1", place.display())).await;
        // Rules that come meanwhile mend nothing.
        let version = if *place == machine.file { 6 } else { 7 };
        machine.say(machine.by_root(&machine.policy(version, &text_of(version))));
        let told = machine.follows(version).await.is_some();
        assert_eq!(told, *place == machine.file, "IT hears of its own file, not of the person's");
        machine.lends_nothing(&format!("{}:2:1", place.display())).await;
        put(place, right.as_bytes());
        machine.lends_under(version).await;
    }
    machine.say(machine.by_root(&machine.policy(8, "[lend]\nmaximum = 1\n")));
    machine.lends_nothing("policy version 8:2:1").await;
    machine.push(9).await;
    let rules = machine.rules().await;
    let value = |key: &str| rules.rules.iter().find(|rule| rule.key == key).unwrap().value.clone();
    assert_eq!(value("lend.max_celsius"), RuleValue::Number(70.0));
    assert_eq!(value("lend.idle_minutes"), RuleValue::Number(20.0));
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_own_word_loosens_the_organisations() {
    let mut machine = Machine::new(1).await;
    let text = "[lend]\nidle_minutes = 30\nmax_celsius = 60\ncalls = true\nhours = [\"never\"]\n";
    let loose = "[lend]\nenabled = true\nidle_minutes = 1\nmax_celsius = 0\ncalls = false\nhours = []\n";
    fs::write(machine.home.path().join("settings.toml"), loose).unwrap();
    machine.say(machine.by_root(&machine.policy(1, text)));
    assert_eq!(machine.follows(1).await, None);
    let rules = machine.rules().await;
    for (key, value) in [
        ("lend.idle_minutes", RuleValue::Number(30.0)),
        ("lend.max_celsius", RuleValue::Number(60.0)),
        ("lend.calls", RuleValue::Switch(true)),
    ] {
        let rule = rules.rules.iter().find(|rule| rule.key == key).unwrap();
        assert_eq!((&rule.value, rule.locked), (&value, true), "{key}");
    }
    crate::support::until(machine.node(), |status| matches!(status.lending, LendingView::Waiting { .. })).await;
    // And not through the door.
    let looser = lull_types::Request::SetRule { key: "lend.idle_minutes".into(), value: Some(RuleValue::Number(1.0)) };
    let fault = lull_node::NodeApi::call(&**machine.node(), looser).await.unwrap_err();
    assert_eq!(fault.code, Code::Forbidden);
    assert!(fault.message.contains("its signed policy, version 1"), "{fault}");
    // Control: where the organisation is silent, their word counts.
    machine.say(machine.by_root(&machine.policy(2, &text_of(2))));
    machine.lends_under(2).await;
    machine.stop().await;
}

/// A disk that takes nothing: the later policy cannot be kept, the relay hears of it, and what it replaces is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_told_of_and_nothing_is_lent_under_the_older_policy() {
    let mut machine = Machine::new(1).await;
    machine.push(5).await;
    // What is written goes here first.
    let way = machine.home.path().join("policy.new");
    fs::create_dir(&way).unwrap();
    machine.say(machine.by_root(&machine.policy(6, &text_of(6))));
    let fault = machine.complains().await;
    assert_eq!(fault.code, Code::Storage, "{fault}");
    machine.lends_nothing("it is version 5, and version 6 is known already").await;
    fs::remove_dir(&way).unwrap();
    machine.push(6).await;
    assert!(matches!(status(&**machine.node()).await.lending, LendingView::Lending { .. }));
    machine.stop().await;
}
