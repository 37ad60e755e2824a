//! Other ways to ask some of the FAQ's questions, so that a person need not find the exact words.

/// A question of the FAQ, and how else it is asked.
pub(crate) const PHRASES: &[(&str, &[&str])] = &[
    (
        "What is Lull?",
        &["What's this?", "What is this program?", "Lull?", "What does Lull do?", "Tell me about this project."],
    ),
    (
        "Can you explain Lull at length?",
        &["Tell me more about Lull.", "Give me a long explanation.", "Explain Lull in detail."],
    ),
    ("Who is Lull for?", &["Who should use Lull?", "Who uses Lull?"]),
    ("Why is it called Lull?", &["Where does the name come from?", "What does the name mean?"]),
    ("Is Lull free?", &["What does Lull cost?", "How much is Lull?", "Is Lull open source?"]),
    ("What licence does Lull have?", &["What license does Lull have?", "Which license is it?"]),
    ("What is Lull written in?", &["Which programming language is Lull written in?"]),
    ("How is Lull different from a cloud service?", &["Why not use the cloud?", "What is the difference to ChatGPT?"]),
    ("Does Lull need the internet?", &["Does Lull work offline?", "Do I need internet?"]),
    ("What can this release do?", &["Which features are there?", "What works today?"]),
    ("What is planned for Lull?", &["What comes next?", "What is on the roadmap?"]),
    ("What is a node?", &["What do you call a machine?", "Node?"]),
    ("What is a lender?", &["Who runs my job?"]),
    ("What is a submitter?", &["Who asks?"]),
    ("What is the relay?", &["What is a relay?", "What does the relay do?", "Relay?"]),
    ("What is a worker?", &["What does the worker do?"]),
    ("What is an offer?", &["What does my node tell the relay?"]),
    ("How does a job travel?", &["How does Lull work?", "What happens when I ask something?"]),
    (
        "How do I install Lull?",
        &["Installation?", "How do I set up Lull?", "How do I build Lull?", "How do I get Lull?"],
    ),
    ("How do I try Lull?", &["Is there a quick demo?", "How do I run the demo?", "How do I get started?"]),
    (
        "Which systems does Lull run on?",
        &["Does Lull run on Windows?", "Does Lull run on a Mac?", "Is Linux supported?"],
    ),
    ("How much memory do I need?", &["How much RAM does Lull need?", "What are the hardware requirements?"]),
    ("Do I need a graphics card?", &["Does Lull need a GPU?", "Can Lull use my GPU?"]),
    ("Is there a desktop app?", &["Is there an app?", "Does Lull have a window?"]),
    ("How do I uninstall Lull?", &["How do I get rid of Lull?", "How do I remove Lull?"]),
    ("Where does Lull keep its data?", &["Where are the files?", "Where is my data stored?"]),
    ("How do I start a relay?", &["How do I set up the relay?", "How do I run the relay?"]),
    ("What is the root key?", &["Root key?", "Who has the root key?"]),
    ("How do I create a token?", &["How do I invite a machine?", "How do I make a token?"]),
    ("How long is a token valid?", &["When does a token expire?"]),
    (
        "How do I enrol a machine?",
        &["How do I enroll a machine?", "How do I join?", "How do I add a computer?", "How do I enroll a node?"],
    ),
    ("Why does my token not work?", &["My token is refused.", "Enrolment fails."]),
    ("How do I start a node?", &["How do I run a node?"]),
    ("What does dedicated mean?", &["What is a dedicated node?", "What does --dedicated do?"]),
    ("How do I stop a node?", &["How do I quit Lull?", "How do I stop Lull?"]),
    ("Can I use Lull without lending?", &["Can I only ask?", "Do I have to lend?"]),
    ("What is yielding?", &["How does yielding work?", "What happens when I come back?"]),
    (
        "Will Lull slow down my computer?",
        &["Is my computer slower with Lull?", "Will I notice Lull?", "Does Lull make my laptop slow?"],
    ),
    ("Will Lull drain my battery?", &["What about my battery?"]),
    ("How do I pause lending?", &["How do I pause Lull?", "Can I pause?", "Pause"]),
    ("Can I see what ran on my machine?", &["What ran here?", "What did others run on my computer?"]),
    (
        "What happens to a job when its machine goes away?",
        &["What if a machine is switched off during a job?", "What happens when a lender disappears?"],
    ),
    ("Can the relay read my prompts?", &["Does the relay see my questions?", "Is the relay able to read what I ask?"]),
    (
        "Can the lender read my prompts?",
        &["Can the other machine read my question?", "Can someone else read my prompts?"],
    ),
    ("What can the relay see?", &["What does the relay know?"]),
    ("Is my prompt written to a log?", &["Does Lull log my questions?", "Are prompts logged?"]),
    (
        "How does Lull seal a job?",
        &["Which encryption does Lull use?", "How are prompts encrypted?", "Is it encrypted?"],
    ),
    ("Does Lull send data to its makers?", &["Is there telemetry?", "Does Lull phone home?"]),
    ("Can my boss see what I ask?", &["Does my employer see my questions?"]),
    ("Does Lull watch what I do?", &["Does Lull spy on me?"]),
    (
        "Is Lull safe for confidential data?",
        &["May I send confidential data?", "Is Lull secure?", "Is my data private?"],
    ),
    ("Are my questions used for training?", &["Does Lull train on my data?"]),
    ("What is a label?", &["What are labels?", "Which labels are there?", "Labels?"]),
    ("What is the default label?", &["Which label does my job get?"]),
    ("How do I set a label?", &["How do I label a job?", "How do I use labels?"]),
    ("How do I ask a question?", &["How do I chat?", "How do I use the chat?"]),
    ("How do I choose a model?", &["How do I switch the model?"]),
    ("How do I see whether Lull works?", &["How do I check the status?", "Is Lull running?"]),
    ("How do I get help for a command?", &["What commands are there?", "Help"]),
    ("Does Lull have an API?", &["Is there an OpenAI API?", "Is Lull compatible with OpenAI?"]),
    ("How do I use Lull with my tools?", &["How do I connect my editor?", "What is the base URL?"]),
    ("Do I need an API key?", &["What is the API key?", "Where do I get an API key?", "How do I create an API key?"]),
    ("Does the API stream?", &["Is streaming supported?"]),
    ("Which models can Lull run?", &["What models are supported?"]),
    ("Which models are available?", &["How do I list the models?", "List models"]),
    ("How do I add a model?", &["How do I import a model?", "How do I use my own model?", "Add a model"]),
    ("How do I remove a model?", &["How do I delete a model?"]),
    ("Are the answers always right?", &["Can I trust the answers?", "Does Lull make mistakes?"]),
    ("What is lull-demo?", &["What model are you?", "What is the demo model?", "Are you a real model?"]),
    ("Which ports does Lull use?", &["Which port does the relay use?", "What ports are needed?"]),
    ("Which firewall rule do I need?", &["How do I configure the firewall?"]),
    ("What happens when the relay is down?", &["What if the relay fails?"]),
    ("Why do I see no free node?", &["No node is free.", "Why is there no lender?"]),
    ("Why is my model not found?", &["Unknown model", "Model not found"]),
    ("Why can my node not reach the relay?", &["The relay is not reachable.", "Cannot connect to the relay"]),
    ("Why is the answer slow?", &["Lull is slow.", "Why does it take so long?"]),
    ("Where do I ask for help?", &["Where do I report a bug?", "How do I get support?"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo_model::faq;

    #[test]
    fn every_phrase_belongs_to_a_question() {
        let entries = faq::parse(include_str!("../../../docs/faq.md")).unwrap();
        for (question, _) in PHRASES {
            assert!(entries.iter().any(|e| e.question == *question), "{question}");
        }
    }

    #[test]
    fn no_phrase_is_a_question_of_its_own() {
        let entries = faq::parse(include_str!("../../../docs/faq.md")).unwrap();
        for phrase in PHRASES.iter().flat_map(|(_, phrases)| *phrases) {
            assert!(entries.iter().all(|e| e.question != *phrase), "{phrase}");
        }
    }
}
