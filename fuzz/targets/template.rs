//! A chat template, which is a stranger's program, with a fixed conversation: it ends on its fuel, and nothing of the
//! conversation gets into what is said about it. One that takes more memory than a worker is given ends this process, as
//! it does a worker. (What runs on too long, the fuzzer's own clock ends.)
#![no_main]

use std::sync::Once;

use lull_engine::guard::is_catching;
use lull_engine::template::{Chat, OUTPUT_BYTES_MAX, Template};
use lull_fuzz::{assert_short, ending_beyond};
use lull_types::{Message, Role};

/// What a worker is given for rendering, in bytes: `TEMPLATE_MEMORY_MAX` of `lull-worker-mistral`.
const GIVEN_BYTES: usize = 256 << 20;
/// A word that stands only in the conversation.
const SECRET: &str = "hollyhock";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // The fuzzer's own ends the process at every panic; a worker survives those of the template's interpreter.
        let last = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !is_catching() {
                last(info);
            }
        }));
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains(SECRET) {
        return;
    }
    let say = |role, content: &str| Message { role, content: content.into() };
    let messages =
        [say(Role::System, "Be brief."), say(Role::User, SECRET), say(Role::Assistant, "b<c"), say(Role::User, "d")];
    let chat =
        Chat { template: text.into(), bos_token: Some("<s>".into()), eos_token: Some("</s>".into()), unk_token: None };
    ending_beyond(GIVEN_BYTES, || {
        let rendered = Template::new(chat, || {}).and_then(|template| template.render(&messages));
        match rendered {
            Ok(text) => assert!(text.len() <= OUTPUT_BYTES_MAX + 100, "{} bytes were written", text.len()),
            Err(fault) => {
                assert!(!fault.message.contains(SECRET), "a fault quotes the conversation");
                assert_short(Some(fault.message));
            }
        }
    });
});
