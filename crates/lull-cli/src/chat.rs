use std::{
    borrow::Cow,
    io::{IsTerminal as _, Read as _},
    path::Path,
    time::{Duration, Instant},
};

use lull_node::{NodeApi, RemoteNode};
use lull_types::{
    Answered, ChatEvent, ChatRequest, Code, Fault, FinishReason, JobTimings, Message, Request, Response, Role,
    Sampling, Usage,
};

use crate::{args, output, output::Failure};

const DEMO: &str = "lull-demo";
/// How long a node may take to open its door.
const START_MAX: Duration = Duration::from_secs(2);
/// How often to look whether it has.
const START_LOOK: Duration = Duration::from_millis(50);

pub(crate) async fn run(home: &Path, args: args::Chat) -> Result<(), Failure> {
    let node = started(home).await?;
    let model = match &args.model {
        Some(model) => model.clone(),
        None => best_model(&node).await?,
    };
    let request = ChatRequest {
        model,
        messages: messages(&args)?,
        label: args.label.clone(),
        sampling: Sampling {
            temperature: args.temperature,
            seed: args.seed.unwrap_or_else(|| u64::from_le_bytes(lull_wire::random())),
            max_tokens: args.max_tokens,
            ..Sampling::default()
        },
    };
    let mut chat = node.chat(request).await?;
    let mut shown = Shown::new(&args);
    while let Some(event) = chat.next().await {
        shown.event(&event)?;
        if let ChatEvent::Failed(fault) = event {
            return Err(fault.into());
        }
        if event.is_last() {
            return Ok(());
        }
    }
    Err(Failure::new(6, "the node stopped before the answer was whole; start it again with: lull node run"))
}

/// The running node. One that was started in the same breath gets a moment to open its door.
pub(crate) async fn started(home: &Path) -> Result<RemoteNode, Failure> {
    let until = Instant::now() + START_MAX;
    loop {
        match RemoteNode::connect(home).await {
            Err(fault) if fault.code == Code::NotRunning && Instant::now() < until => {
                tokio::time::sleep(START_LOOK).await;
            }
            other => return Ok(other?),
        }
    }
}

fn messages(args: &args::Chat) -> Result<Vec<Message>, Failure> {
    let prompt = if args.prompt == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        let sentence = |error| format!("the question on standard input cannot be read ({error}): send text in UTF-8");
        read.map_err(|error| Fault::new(Code::BadRequest, sentence(error)))?;
        text
    } else {
        args.prompt.clone()
    };
    let system = args.system.iter().map(|content| Message { role: Role::System, content: content.clone() });
    Ok(system.chain([Message { role: Role::User, content: prompt }]).collect())
}

/// The model most machines lend now; the demo only when there is no other.
async fn best_model(node: &RemoteNode) -> Result<String, Failure> {
    let Response::Models { models, .. } = node.call(Request::Models).await? else {
        return Err(Failure::new(1, "the node gave an answer that does not fit the question"));
    };
    let real = models.into_iter().filter(|model| model.lenders > 0 && model.name != DEMO);
    let best = real.max_by(|a, b| a.lenders.cmp(&b.lenders).then_with(|| b.name.cmp(&a.name)));
    Ok(best.map_or_else(|| DEMO.into(), |model| model.name))
}

/// The answer on standard output, everything else on standard error.
struct Shown {
    json: bool,
    notes: bool,
    by: Option<Answered>,
    ends_in_newline: bool,
}

impl Shown {
    fn new(args: &args::Chat) -> Self {
        Self { json: args.json, notes: !args.quiet && !args.json, by: None, ends_in_newline: true }
    }

    fn event(&mut self, event: &ChatEvent) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(event).map_err(|error| Failure::new(1, error.to_string()))?;
            return output::line(&line);
        }
        let text = event.text();
        if !text.is_empty() {
            self.ends_in_newline = text.ends_with('\n');
            output::text(&harmless(text))?;
        }
        match event {
            ChatEvent::Queued { ahead } if self.notes => eprintln!("waiting for a machine ({ahead} before this)"),
            ChatEvent::Started { by, .. } => self.by = Some(by.clone()),
            ChatEvent::Done { finish, usage, timings } => self.done(*finish, *usage, *timings)?,
            ChatEvent::Failed(_) => self.newline()?,
            _ => {}
        }
        Ok(())
    }

    fn newline(&mut self) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.ends_in_newline, true) {
            output::line("")?;
        }
        Ok(())
    }

    fn done(&mut self, finish: FinishReason, usage: Usage, timings: JobTimings) -> Result<(), Failure> {
        self.newline()?;
        if self.notes {
            let by = self.by.as_ref().map_or("somebody".into(), |by| harmless(&by.name));
            let cut = if finish == FinishReason::Length { " · cut off at the limit" } else { "" };
            let dim = if std::io::stderr().is_terminal() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            eprintln!("{}{}{cut}{}", dim.0, summary(&by, usage, timings), dim.1);
        }
        Ok(())
    }
}

/// A stranger's text without what a terminal would obey: codes that clear it, name it or write its clipboard, and marks
/// that turn the direction of writing around.
fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(obeyed) { text.replace(obeyed, "\u{fffd}").into() } else { text.into() }
}

#[expect(clippy::cast_precision_loss, reason = "a speed for people")]
fn summary(by: &str, usage: Usage, timings: JobTimings) -> String {
    let first_ms = timings.first_token_us as f64 / 1e3;
    let rest_s = timings.total_us.saturating_sub(timings.first_token_us) as f64 / 1e6;
    let later = usage.completion_tokens.saturating_sub(1);
    let speed = if rest_s > 0.0 && later > 0 {
        format!(" · {:.0} tokens/s", f64::from(later) / rest_s)
    } else {
        String::new()
    };
    format!(
        "answered by {by} · {} tokens{speed} · first token after {first_ms:.0} ms (measured)",
        usage.completion_tokens
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_cannot_give_orders_to_the_terminal() {
        assert_eq!(
            harmless("a\u{1b}]0;PWNED\u{7}b\u{1b}[2J\u{9b}c\u{202e}d\r"),
            "a\u{fffd}]0;PWNED\u{fffd}b\u{fffd}[2J\u{fffd}c\u{fffd}d\u{fffd}"
        );
        let fine = "Größe:\t1\n\u{200d}👩\u{200d}🔬 שלום";
        assert!(matches!(harmless(fine), Cow::Borrowed(same) if same == fine));
    }
}
