//! Chat templates: programs in Jinja that come with a model and make one text of a conversation. They are strangers'
//! programs, so they run on fuel, with a bound on what they write and on their time. Any engine can use this.

mod source;
mod watch;

use std::{collections::BTreeMap, error::Error as _, fmt::Write as _, io, time::Duration};

use chrono::Utc;
use lull_types::{Code, Fault, Message, Role};
use minijinja::{Environment, Error, ErrorKind, Value, context, value::Kwargs};

use crate::guard;

use watch::Watch;

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// Instructions that one rendering may take. A usual one takes about forty for each message.
pub const FUEL: u64 = 5_000_000;
/// The time that one rendering may take. A process that is frozen meanwhile does not lose any.
pub const TIME_MAX: Duration = Duration::from_secs(1);
/// What a rendering may write beside the conversation itself, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 4 << 20;
/// How often it may write the conversation.
const REPEATS_MAX: usize = 2;
/// How deep macros, loops and blocks of a template may nest. minijinja allows 500; less suits every thread's stack.
const RECURSION_MAX: usize = 200;
/// The widest indentation of JSON, in spaces.
const INDENT_MAX: usize = 16;
/// Exit status of a worker whose template did not end.
pub const EXIT_TEMPLATE: i32 = 6;
/// The longest refusal of a template that is passed on, in characters.
const REFUSAL_CHARS_MAX: usize = 200;
/// The name that mistral.rs gives a template; errors of minijinja mention it.
const NAME: &str = "chat_template";

/// A chat template as a model's files give it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chat {
    /// Its text.
    pub template: String,
    /// What begins a text.
    pub bos_token: Option<String>,
    /// What ends an answer.
    pub eos_token: Option<String>,
    /// What stands for unknown words.
    pub unk_token: Option<String>,
}

/// A template that is ready to render.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    chat: Chat,
    watch: Watch,
}

impl Template {
    /// Reads a template. When a rendering takes longer than [`TIME_MAX`], `late` is called on a thread of its own; see
    /// [`end_worker`].
    ///
    /// # Errors
    /// [`Code::ModelBroken`] when it is no template; [`Code::WorkerMemory`] when there is none for a thread.
    pub fn new(chat: Chat, late: impl Fn() + Send + 'static) -> Result<Self, Fault> {
        if chat.template.len() > TEMPLATE_BYTES_MAX {
            return Err(broken(format_args!("it is longer than {} KiB", TEMPLATE_BYTES_MAX >> 10)));
        }
        let text = source::adapted(&chat.template).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        let mut environment = Environment::new();
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_lstrip_blocks(true);
        environment.set_trim_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        environment.add_template_owned(NAME, text).map_err(|error| broken(describe(&error)))?;
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        let watch = Watch::new(TIME_MAX, late).map_err(|error| {
            Fault::new(Code::WorkerMemory, format!("the worker may not have the memory for a thread: {error}"))
        })?;
        Ok(Self { environment, chat, watch })
    }

    /// The text of a conversation, up to where the answer begins.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when the template refuses the conversation, [`Code::ModelBroken`] when it is broken or does
    /// too much. No sentence holds anything of the conversation.
    pub fn render(&self, messages: &[Message]) -> Result<String, Fault> {
        let _watched = self.watch.begin();
        let template = self.environment.get_template(NAME).map_err(|error| broken(describe(&error)))?;
        let said: usize = messages.iter().map(|message| message.content.len()).sum();
        let most = said.saturating_mul(REPEATS_MAX).saturating_add(OUTPUT_BYTES_MAX);
        let mut out = Bounded { text: Vec::new(), most };
        let turns: Vec<_> = messages.iter().map(turn).collect();
        let conversation = context! {
                messages => turns,
                add_generation_prompt => true,
                bos_token => self.chat.bos_token,
                eos_token => self.chat.eos_token,
                unk_token => self.chat.unk_token,
                date_string => Utc::now().format("%d, %B, %Y").to_string(),
                enable_thinking => true,
                reasoning_effort => "medium",
        };
        match guard::surviving(|| template.render_captured_to(conversation, &mut out).map(drop)) {
            None => Err(broken("it trips over itself")),
            Some(Ok(())) => String::from_utf8(out.text).map_err(|_| broken("it writes what is not text")),
            Some(Err(error)) => Err(self.fault(&error, most, messages.is_empty())),
        }
    }

    /// What went wrong, without a word of the conversation.
    fn fault(&self, error: &Error, most: usize, empty: bool) -> Fault {
        if let Some(refusal) = refusal(error) {
            // What stands in the template itself is not of the conversation.
            let own = Some(plain(&refusal)).filter(|_| !refusal.is_empty() && self.chat.template.contains(&refusal));
            let own = own.map_or_else(String::new, |own| format!(": {own}"));
            let text = format!("the model's chat template refuses the conversation{own}; look at its roles and order");
            return Fault::new(Code::BadRequest, text);
        }
        match error.kind() {
            ErrorKind::OutOfFuel => broken(format_args!("it takes more than {FUEL} steps for one conversation")),
            ErrorKind::WriteFailure => broken(format_args!("it writes more than {most} bytes for one conversation")),
            _ if empty => {
                Fault::new(Code::BadRequest, "the model's chat template takes no empty conversation; say something")
            }
            _ => broken(describe(error)),
        }
    }
}

/// Ends a worker whose template does not end, with a line that its node can read.
pub fn end_worker() {
    let seconds = TIME_MAX.as_secs();
    guard::exit(EXIT_TEMPLATE, &format!("the model's chat template did not end within {seconds} s"))
}

fn turn(message: &Message) -> BTreeMap<&'static str, &str> {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    BTreeMap::from([("role", role), ("content", message.content.as_str())])
}

fn broken(what: impl std::fmt::Display) -> Fault {
    Fault::new(Code::ModelBroken, format!("the model's chat template is broken: {what}; import another build of it"))
}

/// The kind of an error and its line; its details may quote the conversation.
fn describe(error: &Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" in line {line}"));
    // Before it has run it can quote only itself.
    let detail = match error.kind() {
        ErrorKind::SyntaxError => error.detail().map(|detail| format!(" ({})", plain(detail))),
        _ => None,
    };
    format!("{}{}{line}", error.kind(), detail.unwrap_or_default())
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REFUSAL_CHARS_MAX).collect()
}

/// A template's own refusal, as the source of an error.
#[derive(Debug, thiserror::Error)]
#[error("the template refuses")]
struct Refusal(String);

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "the template refuses").with_source(Refusal(message)))
}

fn refusal(error: &Error) -> Option<String> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(Refusal(message)) = inner.downcast_ref() {
            return Some(message.clone());
        }
        source = inner.source();
    }
    None
}

fn strftime_now(format: &str) -> Result<String, Error> {
    let mut text = String::new();
    // A format that is none is an error of writing.
    write!(text, "{}", Utc::now().format(format))
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "not a format of dates"))?;
    Ok(text)
}

fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let unfit = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut json = Vec::new();
    if let Ok(indent) = options.get::<usize>("indent") {
        if indent > INDENT_MAX {
            return Err(Error::new(ErrorKind::InvalidOperation, "too wide an indentation"));
        }
        let spaces = b" ".repeat(indent);
        let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
        serde::Serialize::serialize(value, &mut serializer).map_err(unfit)?;
    } else {
        serde_json::to_writer(&mut json, value).map_err(unfit)?;
    }
    let json = String::from_utf8_lossy(&json);
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\'' => safe.push_str("\\u0027"),
            c => safe.push(c),
        }
    }
    Ok(Value::from_safe_string(safe))
}

/// Takes no more than `most` bytes.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
