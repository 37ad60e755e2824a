//! A person signs in at a real OpenID provider with the real command line, relay and node: what they are called then,
//! what that is worth, and what it is not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../crates/lull-oidc/tests/support/mod.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
};

use lull_tests::{Node, NodeRole, Org, Programs};
use support::{Browser, Provider};

fn push(org: &Org, policy: &str) {
    let file = org.path().join("policy.toml");
    std::fs::write(&file, policy).unwrap();
    org.admin(&["policy", "push", &file.to_string_lossy()]).unwrap();
}

/// `lull login`, as far as the page it prints.
fn begin(programs: &Programs, node: &Node) -> (Child, String) {
    let mut login =
        programs.lull(&node.home).arg("login").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(login.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (login, url.trim().to_owned())
}

fn ended(mut login: Child) -> (bool, String) {
    let mut said = String::new();
    login.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (login.wait().unwrap().success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_counts_as_who_they_are() {
    let (provider, programs) = (Provider::start().await, Programs::find().unwrap());
    let org = Org::create("Acme").unwrap();
    let _relay = org.relay().unwrap();
    let node = org.node("desk", NodeRole::Dedicated).unwrap();
    let ask = || programs.output(&node.home, &["chat", "What is Lull?"]).map_err(|error| error.to_string());

    let none = programs.lull(&node.home).arg("login").output().unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("has no sign-in"), "{none:?}");

    let login = format!(
        "[login]\nissuer = \"{}\"\nclient = \"lull\"\nscopes = [\"email\", \"profile\", \"groups\"]\nrequired = true\n",
        provider.issuer
    );
    push(&org, &login);
    let refused = ask().unwrap_err();
    assert!(refused.contains("lull login"), "{refused}");

    // Somebody else's token, or the wrong person's patience: declining is no login.
    let (child, url) = begin(&programs, &node);
    let mut browser = Browser::new();
    let callback = browser.log_in(&url, "ada").await;
    let page = browser.open(&callback).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let (success, said) = ended(child);
    assert!(success && said.contains("ada@lull.example") && said.contains("research"), "{said}");
    ask().unwrap();

    // What they are called counts for quotas, by person and by the provider's groups.
    for quota in ["user = \"ada@lull.example\"", "group = \"admins\"", "each = true"] {
        push(&org, &format!("{login}[[quotas]]\n{quota}\ntokens_per_day = 1\n"));
        let refused = ask().unwrap_err();
        assert!(refused.contains("quota_used"), "{quota}: {refused}");
    }
    push(&org, &format!("{login}[[quotas]]\nuser = \"bob@lull.example\"\ntokens_per_day = 1\n"));
    ask().unwrap();

    // It opens no label: those are for groups that root has signed.
    push(&org, &format!("{login}[labels.confidential]\naskers = [\"research\"]\n"));
    let args = ["chat", "--label", "confidential", "What is Lull?"];
    let refused = programs.output(&node.home, &args).unwrap_err().to_string();
    assert!(refused.contains("for members of research"), "{refused}");

    let audit = org.admin(&["audit"]).unwrap();
    assert!(audit.contains("ada@lull.example logged in"), "{audit}");
}
