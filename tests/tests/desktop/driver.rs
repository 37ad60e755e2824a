//! A hand in the window: WebDriver over HTTP, through tauri-driver and WebKitWebDriver.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    session::{Session, until, window_program},
    stage::{GUARD, Program},
};

/// How WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window that is driven. It closes when this is dropped.
pub(crate) struct Driver {
    _program: Program,
    base: String,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Driver {
    /// Opens the window of this session's node.
    pub(crate) fn start(session: &Session) -> Self {
        let driver = std::env::var_os("LULL_TAURI_DRIVER").map_or_else(|| "tauri-driver".into(), PathBuf::from);
        let (port, native) = (free_port(), free_port());
        let mut command = session.command(driver);
        command.args(["--port", &port.to_string(), "--native-port", &native.to_string()]);
        let program = Program::start("tauri-driver", "none: cargo install tauri-driver", &mut command);
        // The second is WebKitWebDriver's own, to which the first hands everything on.
        for port in [port, native] {
            until("a driver's door", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        }
        let mut driver = Self { _program: program, base: format!("http://127.0.0.1:{port}") };
        let wanted = json!({ "tauri:options": { "application": window_program() } });
        let made = driver.send("/session", json!({ "capabilities": { "alwaysMatch": wanted } }));
        driver.base = format!("{}/session/{}", driver.base, made["sessionId"].as_str().unwrap());
        driver
    }

    fn send(&self, path: &str, body: Value) -> Value {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(GUARD)).build();
        let mut reply = ureq::Agent::from(agent).post(format!("{}{path}", self.base)).send_json(body).unwrap();
        let said: Value = reply.body_mut().read_json().unwrap();
        assert!(reply.status().is_success(), "{path}: {said}");
        said["value"].clone()
    }

    /// Runs a function's body in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.send("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Waits until a function's body returns something true.
    pub(crate) fn until(&self, script: &str) -> Value {
        let began = Instant::now();
        loop {
            let value = self.run(script);
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(began.elapsed() < GUARD, "never: {script}\n{}", self.run("return document.body.innerText"));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Types into the first element of a CSS selector.
    pub(crate) fn fill(&self, css: &str, text: &str) {
        self.send(&format!("/element/{}/value", self.find(css)), json!({ "text": text }));
    }

    /// Clicks the first element of a CSS selector.
    pub(crate) fn click(&self, css: &str) {
        self.send(&format!("/element/{}/click", self.find(css)), json!({}));
    }

    fn find(&self, css: &str) -> String {
        self.until(&format!("return document.querySelector({}) !== null", json!(css)));
        let found = self.send("/element", json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A test that failed in the middle leaves a window behind otherwise.
        drop(ureq::delete(&self.base).call());
    }
}
