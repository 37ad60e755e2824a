//! The window: opening, asking, closing, and starting Lull twice.

use lull_desktop::Action;
use lull_node::NodeApi as _;
use lull_types::{Page, Request, Response};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, WindowClass},
};

use crate::{
    driver::Driver,
    session::{Session, family, name, until},
    stage::screen::Finger,
    tray::label,
    tray_stand_in::Panel,
};

/// The app's windows that can be seen, as the screen numbers them.
fn windows(finger: &Finger) -> Vec<u32> {
    let children = finger.server.query_tree(finger.root).unwrap().reply().unwrap().children;
    let is_ours = |window: &u32| {
        let property = finger.server.get_property(false, *window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 16).unwrap();
        // One that has just gone has no name.
        property.reply().is_ok_and(|name| name.value == b"Lull") && {
            let state = finger.server.get_window_attributes(*window).unwrap().reply();
            state.is_ok_and(|state| u8::from(state.map_state) == 2)
        }
    };
    children.into_iter().filter(is_ours).collect()
}

/// The one window, once it can be seen.
fn window(finger: &Finger) -> u32 {
    until("a window", || !windows(finger).is_empty());
    let [window] = windows(finger)[..] else { panic!("more than one window") };
    window
}

/// Covers everything.
fn cover(finger: &Finger) -> u32 {
    let window = finger.server.generate_id().unwrap();
    let aux = CreateWindowAux::new().override_redirect(1);
    let class = WindowClass::INPUT_OUTPUT;
    finger.server.create_window(0, window, finger.root, 0, 0, 640, 480, 0, class, 0, &aux).unwrap();
    finger.server.map_window(window).unwrap();
    finger.sync();
    window
}

fn is_above(finger: &Finger, upper: u32, lower: u32) -> bool {
    let order = finger.server.query_tree(finger.root).unwrap().reply().unwrap().children;
    let place = |window| order.iter().position(|other| *other == window).unwrap();
    place(upper) > place(lower)
}

/// What the button in a window's corner does.
fn close(finger: &Finger, window: u32) {
    let atom = |name: &[u8]| finger.server.intern_atom(false, name).unwrap().reply().unwrap().atom;
    let data = [atom(b"WM_DELETE_WINDOW"), 0, 0, 0, 0];
    let message = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), data);
    finger.server.send_event(false, window, EventMask::NO_EVENT, message).unwrap();
    finger.sync();
}

fn web_views(pid: u32) -> Vec<u32> {
    let is_web = |pid: &u32| name(*pid).is_some_and(|name| name.starts_with("WebKit"));
    family(pid).into_iter().filter(is_web).collect()
}

#[test]
fn a_window_opens_from_the_menu_and_leaves_nothing_when_it_closes() {
    let session = Session::new();
    let finger = session.screen.finger();
    let mut panel = Panel::on(session.bus.address());
    let mut app = session.app_with(|command| {
        command.arg("--background");
    });
    let item = panel.item();
    // Nobody has answered the first page yet.
    close(&finger, window(&finger));
    until("the end of the first window", || family(app.pid()).len() == 1);
    session.welcomed();
    assert!(windows(&finger).is_empty());

    item.choose(&label(&session, Action::Open));
    let window = window(&finger);
    until("its web view", || web_views(app.pid()).len() >= 2);
    let views = family(app.pid()).into_iter().filter(|pid| *pid != app.pid()).collect::<Vec<_>>();
    close(&finger, window);
    until("the end of the web view", || views.iter().all(|pid| name(*pid).is_none()));
    assert!(web_views(app.pid()).is_empty());
    assert!(session.enrolled.home.join("window/place.json").exists(), "its place is kept");
    assert!(app.stop().unwrap().success());
}

#[test]
fn a_second_start_shows_the_window_of_the_first() {
    let session = Session::new();
    let finger = session.screen.finger();
    let mut panel = Panel::on(session.bus.address());
    let mut app = session.app_with(|_| {});
    let item = panel.item();
    let first = window(&finger);
    session.welcomed();
    // It hears what it is asked when its page has loaded.
    until("its web view", || web_views(app.pid()).len() >= 2);
    let cover = cover(&finger);
    assert!(is_above(&finger, cover, first));
    until("the window in front", || {
        let second = session.command(session.app_program()).status().unwrap();
        assert!(second.success(), "the second start ends well");
        is_above(&finger, first, cover)
    });
    assert_eq!(window(&finger), first, "it is the same window");

    let open = web_views(app.pid());
    item.choose(&label(&session, Action::Quit));
    until("the end of all processes", || open.iter().chain([&app.pid()]).all(|pid| name(*pid).is_none()));
    assert!(windows(&finger).is_empty());
    drop(app.kill());
}

#[test]
fn a_question_is_answered_by_the_other_machine() {
    let session = Session::new();
    let mut panel = Panel::on(session.bus.address());
    // The window that is driven is the only one: a home has one at a time.
    let mut app = session.app_with(|command| {
        command.arg("--background").env("LULL_WINDOW", "/bin/true");
    });
    panel.item();
    session.welcomed();
    until("a model", || {
        let Response::Models { models, .. } = session.ask(Request::Models) else { panic!("no models") };
        models.iter().any(|model| model.lenders > 0)
    });
    let driver = Driver::start(&session);
    driver.until("return document.querySelector('nav') !== null");
    // Whoever asks for a page of the open window gets it.
    session.runtime.block_on(async {
        let node = lull_node::RemoteNode::connect(&session.enrolled.home).await.unwrap();
        node.call(Request::Show { page: Some(Page::Chat) }).await.unwrap();
    });
    driver.until("return location.hash.startsWith('#/chat')");
    driver.fill("textarea", "What is Lull?");
    driver.until("return document.querySelector('[aria-label=Send]:not([disabled])') !== null");
    driver.click("[aria-label=Send]");
    let answer = driver.until(
        "const told = [...document.querySelectorAll('article')].map((article) => article.innerText);
         return told.find((text) => text.includes('answered by lender') && text.includes('tokens/s'))",
    );
    println!("the window shows: {answer}");
    let lent = session.runtime.block_on(async {
        let lender = lull_node::RemoteNode::connect(&session.lender.home).await.unwrap();
        lender.call(Request::Status).await.unwrap()
    });
    let Response::Status(lent) = lent else { panic!("no status") };
    assert_eq!(lent.jobs_lent, 1, "the other machine answered");
    // The page may go nowhere else.
    driver.run("location.href = 'http://127.0.0.1:9/'; return true");
    assert!(driver.run("return location.href").as_str().unwrap().starts_with("tauri://localhost/"));
    drop(driver);
    assert!(app.stop().unwrap().success());
}
