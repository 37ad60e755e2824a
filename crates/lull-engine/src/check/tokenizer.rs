//! `tokenizer.json`: a vocabulary without gaps or doubles, merges of tokens that are there, and steps with bounds.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use lull_types::Fault;
use serde_json::Value;

use super::{broken, has, json, shown, steps};

/// What `tokenizer.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// One more than the highest id.
    pub size: u32,
    /// Tokens beside the ordinary vocabulary.
    pub added: Vec<Added>,
    /// Whether the very first space of a text was put there by the tokeniser and is not text.
    pub strips_first_space: bool,
}

/// A token beside the ordinary vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Whether it is a control token, which writes nothing.
    pub special: bool,
}

/// The largest vocabulary that is believed, in tokens.
const TOKENS_MAX: u64 = 1 << 20;
/// Tokens beside the ordinary vocabulary.
const ADDED_MAX: usize = 1 << 16;
/// The longest text of a token, in bytes.
const TOKEN_BYTES_MAX: usize = 2 << 10;

/// Checks the file; gives what it says, and the texts of all tokens.
pub(super) fn check(folder: &Path, names: &[String]) -> Result<(Tokens, HashSet<String>), Fault> {
    let path = folder.join("tokenizer.json");
    if !has(names, "tokenizer.json") {
        return Err(broken(
            &path,
            "the file is missing; put the one that was published with the model beside the weights and import again \
             (a tokeniser rebuilt from GGUF metadata would differ from it)",
        ));
    }
    let tokenizer = json::read(&path, json::TOKENIZER)?;
    tokens(&tokenizer).map_err(|what| broken(&path, what))
}

pub(super) fn tokens(tokenizer: &Value) -> Result<(Tokens, HashSet<String>), String> {
    let vocabulary = vocabulary(tokenizer)?;
    merges(tokenizer, &vocabulary)?;
    let added = added(tokenizer, &vocabulary)?;
    let size = size(&vocabulary, &added)?;
    let decoding = steps::check(tokenizer, size)?;
    if decoding.by_fallback {
        let special = |text: &str| added.iter().any(|added| added.special && added.text == text);
        let odd = |text: &&&str| text.starts_with("<0x") && !is_byte(text) && !special(text);
        if let Some(text) = vocabulary.keys().find(odd) {
            return Err(format!("its token \"{}\" is no byte", shown(text)));
        }
    }
    let texts =
        vocabulary.into_keys().chain(added.iter().map(|added| added.text.as_str())).map(str::to_owned).collect();
    Ok((Tokens { size, added, strips_first_space: decoding.strips_first_space }, texts))
}

/// The texts of the ordinary vocabulary with their ids.
fn vocabulary(tokenizer: &Value) -> Result<HashMap<&str, u64>, String> {
    let kind = tokenizer.pointer("/model/type").and_then(Value::as_str);
    let mut found = HashMap::new();
    let bounded = |text: &str, id: u64| match text.len() {
        0..=TOKEN_BYTES_MAX => Ok(()),
        _ => Err(format!("its token {id} is longer than {TOKEN_BYTES_MAX} bytes")),
    };
    match (kind, tokenizer.pointer("/model/vocab")) {
        (Some("BPE") | None, Some(Value::Object(vocab))) => {
            for (text, id) in vocab {
                let id = id.as_u64().filter(|&id| id < TOKENS_MAX);
                let id = id.ok_or("a token's id is not a number or too high")?;
                bounded(text, id)?;
                found.insert(text.as_str(), id);
            }
        }
        (Some("Unigram"), Some(Value::Array(vocab))) if (vocab.len() as u64) < TOKENS_MAX => {
            for (id, entry) in (0..).zip(vocab) {
                let score = entry.get(1).and_then(Value::as_f64);
                let text = entry.get(0).and_then(Value::as_str).filter(|_| score.is_some_and(f64::is_finite));
                let text = text.ok_or_else(|| format!("its token {id} has no text or no score"))?;
                bounded(text, id)?;
                found.insert(text, id);
            }
            let unknown = tokenizer.pointer("/model/unk_id").and_then(Value::as_u64);
            if unknown.is_some_and(|id| id >= vocab.len() as u64) {
                return Err("its token for unknown words (unk_id) is not there".into());
            }
        }
        (Some("BPE" | "Unigram") | None, _) => {
            return Err("it has no vocabulary; it is not a Hugging Face tokeniser".into());
        }
        (Some(kind), _) => {
            return Err(format!("its kind \"{}\" is not that of a language model (BPE, Unigram)", shown(kind)));
        }
    }
    if found.is_empty() {
        return Err("it has no vocabulary; it is not a Hugging Face tokeniser".into());
    }
    Ok(found)
}

/// Whether each merge joins two tokens to a third.
fn merges(tokenizer: &Value, vocabulary: &HashMap<&str, u64>) -> Result<(), String> {
    let prefix = tokenizer.pointer("/model/continuing_subword_prefix").and_then(Value::as_str).unwrap_or_default();
    let Some(merges) = tokenizer.pointer("/model/merges") else { return Ok(()) };
    let merges = merges.as_array().ok_or("its merges are not a list")?;
    let mut joined = String::new();
    for (number, merge) in merges.iter().enumerate() {
        let pair = match merge {
            Value::String(text) => text.split_once(' '),
            Value::Array(pair) if pair.len() == 2 => pair[0].as_str().zip(pair[1].as_str()),
            _ => None,
        };
        let (first, second) = pair.ok_or_else(|| format!("its merge {number} is not a pair of tokens"))?;
        joined.clear();
        joined.push_str(first);
        let Some(end) = second.strip_prefix(prefix) else {
            return Err(format!("the second token of its merge {number} does not begin with \"{}\"", shown(prefix)));
        };
        joined.push_str(end);
        if ![first, second, &joined].into_iter().all(|token| vocabulary.contains_key(token)) {
            return Err(format!("its merge {number} needs a token that it does not have"));
        }
    }
    let dropout = tokenizer.pointer("/model/dropout").and_then(Value::as_f64).unwrap_or(0.0);
    if dropout != 0.0 {
        return Err("it leaves out merges at random (dropout), which is for training only; set it to null".into());
    }
    Ok(())
}

fn added(tokenizer: &Value, vocabulary: &HashMap<&str, u64>) -> Result<Vec<Added>, String> {
    let list = match tokenizer.get("added_tokens") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= ADDED_MAX => list,
        Some(_) => return Err(format!("its added tokens are not a list of at most {ADDED_MAX}")),
    };
    let each = |token: &Value| {
        let text = token.get("content")?.as_str().filter(|text| (1..=TOKEN_BYTES_MAX).contains(&text.len()))?;
        Some(Added {
            id: token.get("id")?.as_u64().filter(|&id| id < TOKENS_MAX)? as u32,
            text: text.to_owned(),
            special: token.get("special").and_then(Value::as_bool).unwrap_or(false),
        })
    };
    let added: Option<Vec<Added>> = list.iter().map(each).collect();
    let added = added.ok_or("an added token has no text or no proper id")?;
    let (mut ids, mut texts) = (HashSet::new(), HashSet::new());
    for token in &added {
        let elsewhere = vocabulary.get(token.text.as_str()).is_some_and(|&id| id != u64::from(token.id));
        if !ids.insert(token.id) || !texts.insert(token.text.as_str()) || elsewhere {
            return Err(format!("its added token {} stands in it twice", token.id));
        }
    }
    Ok(added)
}

/// How many ids there are, none of them twice and none left out.
fn size(vocabulary: &HashMap<&str, u64>, added: &[Added]) -> Result<u32, String> {
    let highest = vocabulary.values().copied().chain(added.iter().map(|added| added.id.into())).max().unwrap_or(0);
    let mut taken = vec![false; highest as usize + 1];
    for &id in vocabulary.values() {
        if std::mem::replace(&mut taken[id as usize], true) {
            return Err(format!("two of its tokens have the id {id}"));
        }
    }
    for token in added {
        if std::mem::replace(&mut taken[token.id as usize], true) && !vocabulary.contains_key(token.text.as_str()) {
            return Err(format!("two of its tokens have the id {}", token.id));
        }
    }
    match taken.iter().position(|taken| !taken) {
        Some(gap) => Err(format!("no token has the id {gap}, and others have higher ones; it is incomplete")),
        None => Ok(taken.len() as u32),
    }
}

/// Whether a token's text stands for one byte, as `<0x0A>` does.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|text| text.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
