//! What the model is shown: the FAQ, its questions in other words, and small talk with one honest answer.

use super::faq::Entry;
use super::phrases::PHRASES;
use super::rng::Rng;

/// The answer to a greeting.
const GREETING: &str =
    "Hello! I am lull-demo, a tiny demo model. Ask me something about Lull, for example: What is Lull?";
/// The answer to everything that the FAQ does not cover.
const DEFAULT: &str = "I am lull-demo, a tiny demo model. I only know the questions of the Lull FAQ, and this is not one \
of them. For real work, add a real model with `lull models add`.";

const GREETINGS: [&str; 14] = [
    "Hello",
    "Hi",
    "Hey",
    "Hi there!",
    "Hello!",
    "Good morning",
    "Good evening!",
    "Who are you?",
    "What are you?",
    "Hello, who are you?",
    "Hi, how are you?",
    "How are you?",
    "Test",
    "Are you there?",
];

const OFF_TOPIC: [&str; 44] = [
    "Write a poem about the sea.",
    "Tell me a joke.",
    "What is 2 + 2?",
    "What is the capital of France?",
    "Translate this into German.",
    "Summarise this text.",
    "Write a Python function that sorts a list.",
    "What is the weather like today?",
    "Who won the world cup?",
    "Tell me a story.",
    "Write an email to my boss.",
    "What time is it?",
    "How old are you?",
    "Explain quantum physics.",
    "What should I cook tonight?",
    "Sing a song.",
    "Count to ten.",
    "Say hello in French.",
    "What is love?",
    "Write a haiku.",
    "How do I learn to swim?",
    "Fix my code.",
    "What is the meaning of life?",
    "Who is the president?",
    "Give me three names for a cat.",
    "How far away is the moon?",
    "Write a long story about a dragon.",
    "What is machine learning?",
    "What is Rust?",
    "How do I bake bread?",
    "Do you like music?",
    "Help me.",
    "Draw a picture.",
    "What is Docker?",
    "Repeat after me.",
    "Thank you!",
    "Are you human?",
    "Is the earth round?",
    "Where is Berlin?",
    "Why is the sky blue?",
    "Can you help me with my homework?",
    "List five animals.",
    "asdf",
    "Once upon a time",
];

const OPENINGS: [&str; 16] = [
    "What is",
    "Tell me about",
    "How do I find",
    "Write about",
    "Explain",
    "Who was",
    "Where is",
    "Can you describe",
    "How do I make",
    "Why is there",
    "Do you know",
    "Write a story about",
    "Give me ideas for",
    "How big is",
    "What do you think of",
    "When was",
];
const THINGS: [&str; 48] = [
    "the sea",
    "a horse",
    "Paris",
    "the moon",
    "football",
    "my car",
    "Shakespeare",
    "a tree",
    "history",
    "a cake",
    "Python",
    "the law",
    "a river",
    "Mozart",
    "cancer",
    "my cat",
    "an apple",
    "winter",
    "a bridge",
    "Excel",
    "the news",
    "a recipe",
    "chess",
    "gravity",
    "Japan",
    "my garden",
    "a good book",
    "physics",
    "the sun",
    "coffee",
    "a holiday in Spain",
    "World War II",
    "the human heart",
    "bitcoin",
    "JavaScript",
    "a birthday party",
    "dinosaurs",
    "the stock market",
    "my holiday",
    "a marathon",
    "birds",
    "the French Revolution",
    "an old castle",
    "mathematics",
    "jazz",
    "a wedding speech",
    "vitamins",
    "volcanoes",
];

const BEFORE: [&str; 8] =
    ["Hi, ", "Hello! ", "Hey, ", "Please tell me: ", "Can you tell me: ", "Quick question: ", "Please: ", "So, "];
const AFTER: [&str; 5] = [" Thanks!", " Please.", "?", " Thank you.", "!"];
const SYSTEM: [&str; 5] = [
    "You are a helpful assistant.",
    "You are lull-demo.",
    "Be brief.",
    "Answer the user's question.",
    "You are a helpful, honest and harmless AI assistant. Answer in one paragraph.",
];

/// Beginnings of questions and how else people begin them.
const REPHRASINGS: [(&str, &[&str]); 11] = [
    ("What is ", &["What's ", "Explain ", "Tell me about ", "What exactly is ", "Describe "]),
    ("What does ", &["Explain what does ", "And what does "]),
    ("How do I ", &["How can I ", "How to ", "How do you ", "How would I ", "I want to ", "How should I "]),
    ("How does ", &["In what way does ", "Explain how does "]),
    ("Can I ", &["May I ", "Could I ", "Is it possible to ", "Am I able to "]),
    ("Can ", &["Could ", "Is it true that "]),
    ("Which ", &["What "]),
    ("Why ", &["For what reason ", "How come "]),
    ("Where ", &["In what place ", "Tell me where "]),
    ("Does ", &["Will ", "Do you know: does "]),
    ("Is ", &["Tell me, is "]),
];

/// A question with the answer that is right for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// One or more turns, perhaps after a system message.
#[derive(Clone, Debug)]
pub(crate) struct Chat {
    pub(crate) system: Option<&'static str>,
    pub(crate) turns: Vec<Turn>,
}

fn turn(question: &str, answer: &str) -> Turn {
    Turn { question: question.to_owned(), answer: answer.to_owned() }
}

/// The question in slightly other words.
pub(crate) fn vary(question: &str, rng: &mut Rng) -> String {
    let phrases = PHRASES.iter().find(|(known, _)| *known == question).map_or(&[][..], |(_, phrases)| phrases);
    let mut text = question.to_owned();
    if !phrases.is_empty() && rng.chance(0.5) {
        rng.pick(phrases).clone_into(&mut text);
    } else if rng.chance(0.4) {
        let known = REPHRASINGS.iter().find_map(|(from, to)| Some((text.strip_prefix(from)?, to)));
        if let Some((rest, to)) = known {
            text = format!("{}{rest}", rng.pick(to));
        }
    }
    if rng.chance(0.5) {
        text = text.trim_end_matches('?').to_owned();
    }
    if rng.chance(0.2) {
        let before = rng.pick(&BEFORE);
        text = format!("{before}{text}");
    }
    if rng.chance(0.1) {
        text.push_str(rng.pick(&AFTER));
    }
    match rng.below(10) {
        0..=3 => text.to_lowercase(),
        4 => text.to_uppercase().chars().take(1).chain(text.chars().skip(1)).collect(),
        _ => text,
    }
}

fn small_talk(rng: &mut Rng) -> Turn {
    match rng.below(10) {
        0..=2 => turn(&loosely(rng.pick(&GREETINGS), rng), GREETING),
        3..=6 => turn(&loosely(rng.pick(&OFF_TOPIC), rng), DEFAULT),
        _ => {
            let (opening, thing) = (rng.pick(&OPENINGS), rng.pick(&THINGS));
            turn(&loosely(&format!("{opening} {thing}?"), rng), DEFAULT)
        }
    }
}

fn loosely(text: &str, rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => text.to_lowercase(),
        1 => text.trim_end_matches(['?', '.', '!']).to_owned(),
        _ => text.to_owned(),
    }
}

/// There is one turn of small talk for so many questions.
const SMALL_TALK_PER: usize = 5;

/// One pass over the FAQ: every entry once, `exact` of them word for word, and some small talk between.
pub(crate) fn epoch(entries: &[Entry], exact: f64, rng: &mut Rng) -> Vec<Chat> {
    let mut turns: Vec<Turn> = Vec::new();
    for entry in entries {
        let question = if rng.chance(exact) { entry.question.clone() } else { vary(&entry.question, rng) };
        turns.push(turn(&question, &entry.answer));
    }
    turns.extend((0..entries.len() / SMALL_TALK_PER).map(|_| small_talk(rng)));
    rng.shuffle(&mut turns);
    let mut chats = Vec::new();
    while !turns.is_empty() {
        let length = [1, 1, 1, 1, 1, 1, 2, 2, 3][rng.below(9)].min(turns.len());
        let system = rng.chance(0.05).then(|| rng.pick(&SYSTEM));
        chats.push(Chat { system, turns: turns.split_off(turns.len() - length) });
    }
    chats
}

/// Everything that the tokenizer learns from.
pub(crate) fn tokenizer_texts(entries: &[Entry]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for entry in entries {
        texts.extend([entry.answer.clone(), entry.question.clone(), entry.question.to_lowercase()]);
        texts.push("user\nassistant\n".to_owned());
    }
    texts.extend(OFF_TOPIC.iter().chain(&GREETINGS).map(|s| (*s).to_owned()));
    texts.extend(PHRASES.iter().flat_map(|(_, phrases)| phrases.iter().map(|s| (*s).to_owned())));
    texts.extend([GREETING.to_owned(), DEFAULT.to_owned()]);
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_asks_every_question_once() {
        let entries: Vec<Entry> =
            (0..30).map(|i| Entry { question: format!("What is {i}?"), answer: format!("It is {i}.") }).collect();
        let chats = epoch(&entries, 1.0, &mut Rng::new(3));
        let turns: Vec<&Turn> = chats.iter().flat_map(|c| &c.turns).collect();
        for entry in &entries {
            assert_eq!(turns.iter().filter(|t| t.question == entry.question).count(), 1);
        }
        assert_eq!(turns.len(), 36);
    }

    #[test]
    fn variants_keep_the_heart_of_the_question() {
        let mut rng = Rng::new(5);
        for _ in 0..100 {
            assert!(vary("What is a page?", &mut rng).to_lowercase().contains("a page"));
        }
    }
}
