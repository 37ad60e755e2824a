//! What a tokeniser does before and after its model: normalisers, splitters, post-processors and decoders, each a
//! list of small steps. A step may be a regular expression, or make a text longer; both multiply.

use serde_json::Value;

/// Steps of one list, and of lists in it.
const STEPS_MAX: usize = 64;
/// The longest regular expression or text of a step, in bytes. The longest in use has 900.
const PATTERN_BYTES_MAX: usize = 4 << 10;
/// How often all normalisers together may make a text longer.
const GROWTH_MAX: usize = 1 << 10;
/// The longest table of SentencePiece characters, in bytes. Usual ones have 320 KB.
const CHARSMAP_BYTES_MAX: usize = 2 << 20;
/// Tokens that a post-processor may put around a text.
const PIECES_MAX: usize = 64;

/// How a tokeniser turns tokens into text.
pub(super) struct Decoding {
    /// Whether bytes that are no token of the vocabulary have tokens of their own.
    pub(super) by_fallback: bool,
    /// Whether the very first space of a text is not text.
    pub(super) strips_first_space: bool,
}

/// Checks all lists of steps.
pub(super) fn check(tokenizer: &Value, size: u32) -> Result<Decoding, String> {
    if tokenizer.get("truncation").is_some_and(|truncation| !truncation.is_null()) {
        return Err(
            "it cuts long texts off (truncation), so that answers would be to half a question; set it to null".into()
        );
    }
    pads(tokenizer.get("padding").unwrap_or(&Value::Null))?;
    let normalizers = steps(tokenizer, "normalizer", "normalizers")?;
    let mut growth = 1_usize;
    for step in &normalizers {
        growth = growth.saturating_mul(text(step, "content").len().max(1)).saturating_add(text(step, "prepend").len());
        if text(step, "precompiled_charsmap").len() > CHARSMAP_BYTES_MAX {
            return Err(format!("its table of characters is longer than {} MiB", CHARSMAP_BYTES_MAX >> 20));
        }
    }
    if growth > GROWTH_MAX {
        return Err(format!("its normalizer may make a text more than {GROWTH_MAX} times longer"));
    }
    let splitters = steps(tokenizer, "pre_tokenizer", "pretokenizers")?;
    let decoders = steps(tokenizer, "decoder", "decoders")?;
    for step in normalizers.iter().chain(&splitters).chain(&decoders) {
        let pattern = step.get("pattern").map_or("", |pattern| {
            let text = pattern.get("Regex").or_else(|| pattern.get("String")).unwrap_or(pattern);
            text.as_str().unwrap_or_default()
        });
        if pattern.len().max(text(step, "content").len()) > PATTERN_BYTES_MAX {
            return Err(format!("a pattern in it is longer than {} KiB", PATTERN_BYTES_MAX >> 10));
        }
    }
    around(&steps(tokenizer, "post_processor", "processors")?, size)?;
    decoding(&decoders)
}

/// All steps of a list, those of lists in it included.
fn steps<'a>(tokenizer: &'a Value, name: &str, inner: &str) -> Result<Vec<&'a Value>, String> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = tokenizer.get(name).into_iter().filter(|step| !step.is_null()).collect();
    let mut seen = 0;
    while let Some(step) = waiting.pop() {
        seen += 1;
        if seen > STEPS_MAX {
            return Err(format!("its {name} has more than {STEPS_MAX} steps"));
        }
        if step.get("type").and_then(Value::as_str).is_none() {
            return Err(format!("a step of its {name} has no type"));
        }
        match step.get(inner).and_then(Value::as_array) {
            Some(list) => waiting.extend(list.iter().rev().take(STEPS_MAX + 1)),
            None => found.push(step),
        }
    }
    Ok(found)
}

/// Whether it would put padding into a text.
fn pads(padding: &Value) -> Result<(), String> {
    let longest = padding.get("strategy").and_then(Value::as_str) == Some("BatchLongest");
    let multiple = padding.get("pad_to_multiple_of").is_some_and(|multiple| !multiple.is_null());
    if padding.is_null() || (longest && !multiple) {
        return Ok(());
    }
    Err("it fills short texts up (padding), and a model would read the filling; set it to null".into())
}

/// What post-processors put around a text: few tokens, all of them there.
fn around(processors: &[&Value], size: u32) -> Result<(), String> {
    let mut pieces = 0;
    for step in processors {
        let known = |id: Option<&Value>| id.and_then(Value::as_u64).is_some_and(|id| id < size.into());
        for name in ["single", "pair"] {
            pieces += step.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        }
        for name in ["sep", "cls"] {
            if step.get(name).and_then(Value::as_array).is_some_and(|pair| !known(pair.get(1))) {
                return Err(format!("its post_processor puts in a token ({name}) that it does not have"));
            }
        }
        let special = step.get("special_tokens").and_then(Value::as_object);
        for token in special.into_iter().flat_map(|table| table.values()) {
            let ids = token.get("ids").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            pieces += ids.len();
            if ids.is_empty() || !ids.iter().all(|id| known(Some(id))) {
                return Err("its post_processor puts in a token that it does not have".into());
            }
        }
    }
    if pieces > PIECES_MAX {
        return Err(format!("its post_processor puts in more than {PIECES_MAX} tokens"));
    }
    Ok(())
}

fn decoding(decoders: &[&Value]) -> Result<Decoding, String> {
    let is = |step: &&&Value, name: &str| step.get("type").and_then(Value::as_str) == Some(name);
    let by_fallback = decoders.iter().any(|step| is(&step, "ByteFallback"));
    if !by_fallback && !decoders.iter().any(|step| is(&step, "ByteLevel")) {
        return Err("it decodes neither by bytes (ByteLevel) nor with a fallback to bytes (ByteFallback)".into());
    }
    let strips = |step: &&Value| {
        let starts = step.get("start").and_then(Value::as_u64).unwrap_or(0) > 0;
        (is(&step, "Strip") && starts && text(step, "content") == " ")
            || (is(&step, "Metaspace") && step.get("prepend_scheme").and_then(Value::as_str) != Some("never"))
    };
    Ok(Decoding { by_fallback, strips_first_space: decoders.iter().any(strips) })
}

fn text<'a>(step: &'a Value, name: &str) -> &'a str {
    step.get(name).and_then(Value::as_str).unwrap_or_default()
}
