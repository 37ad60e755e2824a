//! A chat template, which is a stranger's program, with a fixed conversation: it ends on its fuel, within its memory,
//! and nothing of the conversation gets into what is said about it. (What runs on too long, the fuzzer's own clock ends.)
#![no_main]

use lull_engine::template::{Chat, OUTPUT_BYTES_MAX, Template};
use lull_fuzz::{assert_short, bounded_beyond};
use lull_types::{Message, Role};

/// What a template may take, in bytes.
const BASE_BYTES: usize = 256 << 20;
/// A word that stands only in the conversation.
const SECRET: &str = "hollyhock";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains(SECRET) {
        return;
    }
    let say = |role, content: &str| Message { role, content: content.into() };
    let messages =
        [say(Role::System, "Be brief."), say(Role::User, SECRET), say(Role::Assistant, "b<c"), say(Role::User, "d")];
    let chat =
        Chat { template: text.into(), bos_token: Some("<s>".into()), eos_token: Some("</s>".into()), unk_token: None };
    bounded_beyond(BASE_BYTES, data.len(), || {
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
