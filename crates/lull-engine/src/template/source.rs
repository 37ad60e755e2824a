//! Small changes to a template's text, without which templates written for Python do not parse. They are those of
//! mistral.rs 0.8.1, in its order, so that both render alike.

use regex::Regex;

/// Python's way to count down, which minijinja does not know.
const DESCENDING_RANGE: &str = r"range\((?P<expr>[^,]+),\s*-1,\s*-1\)";

/// The text as minijinja can read it.
pub(super) fn adapted(source: &str) -> Result<String, regex::Error> {
    let text = source.replace("[::-1]", "|reverse");
    let mut text = Regex::new(DESCENDING_RANGE)?.replace_all(&text, "range(${expr})|reverse").into_owned();
    // GLM-4 reads a key of messages that nobody sends.
    if text.contains("{{ meta }}") {
        text = text.replace(r#"{%- set meta = message.get("metadata", "") %}"#, "").replace("{{ meta }}", "");
    }
    // SmolLM3 marks for its training what the model wrote.
    if text.contains("{% generation %}") && text.contains("{% endgeneration %}") {
        text = text.replace("{% generation %}", "").replace("{% endgeneration %}", "");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pythons_becomes_jinjas() {
        for (python, jinja) in [
            ("{% for m in messages[::-1] %}", "{% for m in messages|reverse %}"),
            ("range(messages|length - 1, -1, -1)", "range(messages|length - 1)|reverse"),
            ("range(1, -1, 2)", "range(1, -1, 2)"),
            ("a{% generation %}b{% endgeneration %}c", "abc"),
            ("a{% generation %}b", "a{% generation %}b"),
            ("x{%- set meta = message.get(\"metadata\", \"\") %}y{{ meta }}z", "xyz"),
        ] {
            assert_eq!(adapted(python).unwrap(), jinja);
        }
    }
}
