use anyhow::{Result, bail};
use lull_tests::{Answer, Org, Relay, files_hold};

use crate::step;

/// Shows what the relay knows of the jobs, and looks for what it must not know.
pub(crate) fn relay_view(org: &Org, relay: &Relay, answers: &[(&str, Answer)]) -> Result<()> {
    step("\nAll that the relay could see of the first question:");
    let log = relay.process.log();
    if let Some((_, answer)) = answers.first() {
        let job = answer.job.to_string();
        for line in log.lines().filter(|line| line.contains(&job)) {
            println!("  {line}");
        }
    }
    let mut searched = 0;
    for (question, answer) in answers {
        let start: String = answer.text.trim().chars().take(24).collect();
        for needle in [question.as_bytes(), start.as_bytes()] {
            let (found, bytes) = files_hold(&org.dir().join("relay"), needle)?;
            searched = bytes + log.len();
            if found || log.as_bytes().windows(needle.len()).any(|window| window == needle) {
                bail!("the relay's files hold content: that must never happen");
            }
        }
    }
    let count = answers.len();
    println!("  None of the {count} questions and answers is in its log or database ({searched} bytes searched).");
    Ok(())
}

/// Who answered, and how fast.
pub(crate) fn summary(answer: &Answer) -> String {
    let speed = answer.speed().map(|speed| format!(" · {speed:.0} tokens/s")).unwrap_or_default();
    let tokens = answer.usage.completion_tokens;
    format!("answered by {} · {tokens} tokens{speed} · first token after {:.1} ms", answer.by.name, answer.first_ms())
}

/// The closing table.
pub(crate) fn table(answers: &[(&str, Answer)]) {
    step("\nquestion                                        answered by   tokens   tokens/s   first token");
    for (question, answer) in answers {
        let question: String = question.chars().take(46).collect();
        let speed = answer.speed().map_or("-".into(), |speed| format!("{speed:.0}"));
        println!(
            "{question:<46}  {:<11}  {:>7}  {speed:>9}  {:>8.1} ms",
            answer.by.name,
            answer.usage.completion_tokens,
            answer.first_ms()
        );
    }
    println!(
        "\nTimes and speeds are measured on this machine. lull-demo is a tiny model that knows this FAQ and nothing else."
    );
}
