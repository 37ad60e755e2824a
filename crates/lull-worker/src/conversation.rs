use std::alloc::System;

use cap::Cap;
use lull_engine::{Vocabulary, template::Template};
use lull_types::{Code, Fault, Message};

/// The memory of this process, so that a template cannot have more of it than its share.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);
/// What a template may take while it renders, in bytes. A worker that is refused more dies and says so.
const TEMPLATE_MEMORY_MAX: usize = 256 << 20;

/// A conversation as the ids that an answer follows: through the model's template, within bounds, and its tokeniser.
///
/// # Errors
/// When the template refuses it, `encode` cannot read the text, or both make nothing of it.
pub fn ids(
    template: &Template,
    vocabulary: &Vocabulary,
    messages: &[Message],
    encode: impl FnOnce(String) -> Result<Vec<u32>, Fault>,
) -> Result<Vec<u32>, Fault> {
    let mut ids = encode(rendered(template, messages)?)?;
    if ids.is_empty() {
        let (code, what) = match messages {
            [] => (Code::BadRequest, "an empty conversation; say something"),
            _ => (Code::ModelBroken, "a conversation; import another build of it"),
        };
        return Err(Fault::new(code, format!("the model's chat template makes nothing of {what}")));
    }
    // The template and the tokeniser may both have put the same control token in front.
    if ids.len() > 1 && ids[0] == ids[1] && vocabulary.bytes(ids[0]).is_empty() {
        ids.remove(0);
    }
    match ids.iter().find(|&&id| id as usize >= vocabulary.len()) {
        Some(id) => {
            Err(Fault::new(Code::ModelBroken, format!("the tokeniser gave token {id}, which it does not have")))
        }
        None => Ok(ids),
    }
}

/// The text of a conversation, rendered within bounds.
fn rendered(template: &Template, messages: &[Message]) -> Result<String, Fault> {
    let bounded = MEMORY.set_limit(MEMORY.allocated().saturating_add(TEMPLATE_MEMORY_MAX));
    bounded.map_err(|()| Fault::new(Code::WorkerMemory, "the worker has no memory left for the template"))?;
    let text = template.render(messages);
    // There is always more than nothing.
    let _ = MEMORY.set_limit(usize::MAX);
    text
}
