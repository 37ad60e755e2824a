use lull_types::Sampling;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use crate::{
    error::ApiError,
    fields::{Fields, Plain},
};

/// The widest choice that `top_k` can ask for, in tokens.
const TOP_K_MAX: i64 = 1 << 20;

/// Everything that decides how tokens are chosen, and how many.
pub(crate) fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, ApiError> {
    let default = Sampling::default();
    let (frequency_penalty, presence_penalty) =
        (number(fields, "frequency_penalty", -2.0, 2.0)?, number(fields, "presence_penalty", -2.0, 2.0)?);
    Ok(Sampling {
        temperature: number(fields, "temperature", 0.0, 2.0)?.unwrap_or(1.0),
        // 0 keeps the likeliest token alone, and so does the smallest positive number.
        top_p: number(fields, "top_p", 0.0, 1.0)?.map_or(1.0, |p| p.max(f32::MIN_POSITIVE)),
        top_k: top_k(fields)?,
        min_p: number(fields, "min_p", 0.0, 1.0)?.unwrap_or(default.min_p),
        frequency_penalty: frequency_penalty.unwrap_or(default.frequency_penalty),
        presence_penalty: presence_penalty.unwrap_or(default.presence_penalty),
        repetition_penalty: number(fields, "repetition_penalty", 0.01, 100.0)?.unwrap_or(default.repetition_penalty),
        bias: fields.take::<Bias>("logit_bias")?.map_or_else(Vec::new, |bias| bias.0),
        seed: seed(fields)?,
        max_tokens: max_tokens(fields)?,
        stop: stop(fields)?,
        logprobs: logprobs(fields)?,
    })
}

fn number(fields: &mut Fields<'_>, name: &str, least: f32, most: f32) -> Result<Option<f32>, ApiError> {
    let Some(value) = fields.take::<f64>(name)? else { return Ok(None) };
    if !(f64::from(least)..=f64::from(most)).contains(&value) {
        let message = format!("\"{name}\" is {value}; a number from {least} to {most} is possible.");
        return Err(ApiError::invalid(name, message));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it lies between two f32")]
    Ok(Some(value as f32))
}

/// Both 0 and -1 mean everywhere: all of them.
fn top_k(fields: &mut Fields<'_>) -> Result<u32, ApiError> {
    match fields.take::<i64>("top_k")? {
        None | Some(-1) => Ok(0),
        Some(count) if count <= TOP_K_MAX => u32::try_from(count).map_err(|_| bad_top_k(count)),
        Some(count) => Err(bad_top_k(count)),
    }
}

fn bad_top_k(count: i64) -> ApiError {
    ApiError::invalid("top_k", format!("\"top_k\" is {count}; 0 to {TOP_K_MAX} are possible."))
}

/// Any whole number of 64 bits, signed or not; without one, a random one.
fn seed(fields: &mut Fields<'_>) -> Result<u64, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seed {
        Unsigned(u64),
        Signed(i64),
    }
    impl Plain for Seed {
        const EXPECTED: &'static str = "a whole number of at most 64 bits";
    }
    match fields.take("seed")? {
        Some(Seed::Unsigned(seed)) => Ok(seed),
        Some(Seed::Signed(seed)) => Ok(seed.cast_unsigned()),
        None => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|_| {
                let message = "The system gives no randomness; give a \"seed\".";
                ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            })?;
            Ok(u64::from_le_bytes(bytes))
        }
    }
}

/// Without one the answer may fill the model's context, as everywhere.
fn max_tokens(fields: &mut Fields<'_>) -> Result<u32, ApiError> {
    let (old, new) = (fields.take::<u64>("max_tokens")?, fields.take::<u64>("max_completion_tokens")?);
    let (name, count) = match (old, new) {
        (None, None) => return Ok(Sampling::MAX_TOKENS_MAX),
        (Some(old), Some(new)) if old != new => {
            let message = "\"max_tokens\" and \"max_completion_tokens\" say different things; give one of them.";
            return Err(ApiError::invalid("max_tokens", message));
        }
        (_, Some(count)) => ("max_completion_tokens", count),
        (Some(count), None) => ("max_tokens", count),
    };
    if count == 0 {
        return Err(ApiError::invalid(name, format!("\"{name}\" is 0; at least 1 is possible.")));
    }
    u32::try_from(count).ok().filter(|count| *count <= Sampling::MAX_TOKENS_MAX).ok_or_else(|| {
        let message = format!("\"{name}\" is {count}; at most {} is possible.", Sampling::MAX_TOKENS_MAX);
        ApiError::invalid(name, message)
    })
}

fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Many(Vec<String>),
    }
    impl Plain for Stop {
        const EXPECTED: &'static str = "a text or a list of texts";
    }
    let stops = match fields.take("stop")? {
        None => Vec::new(),
        Some(Stop::One(stop)) => vec![stop],
        Some(Stop::Many(stops)) => stops,
    };
    if stops.len() > Sampling::STOPS_MAX {
        let message = format!("\"stop\" has {} texts; at most {} are possible.", stops.len(), Sampling::STOPS_MAX);
        return Err(ApiError::invalid("stop", message));
    }
    if stops.iter().any(|stop| stop.is_empty() || stop.len() > Sampling::STOP_BYTES_MAX) {
        let message = format!("Each text in \"stop\" has 1 to {} bytes.", Sampling::STOP_BYTES_MAX);
        return Err(ApiError::invalid("stop", message));
    }
    Ok(stops)
}

fn logprobs(fields: &mut Fields<'_>) -> Result<Option<u8>, ApiError> {
    let wanted = fields.take::<bool>("logprobs")?.unwrap_or(false);
    let top = fields.take::<u64>("top_logprobs")?;
    if top.is_some() && !wanted {
        let message = "\"top_logprobs\" needs \"logprobs\": true.";
        return Err(ApiError::invalid("top_logprobs", message));
    }
    if !wanted {
        return Ok(None);
    }
    let top = top.unwrap_or(0);
    u8::try_from(top).ok().filter(|top| *top <= Sampling::LOGPROBS_MAX).map(Some).ok_or_else(|| {
        let message = format!("\"top_logprobs\" is {top}; at most {} is possible.", Sampling::LOGPROBS_MAX);
        ApiError::invalid("top_logprobs", message)
    })
}

/// `logit_bias`: token ids as texts, each with a number from -100 to 100.
struct Bias(Vec<(u32, f32)>);

impl Plain for Bias {
    const EXPECTED: &'static str =
        "an object that gives at most 1024 token ids, such as \"42\", a number from -100 to 100 each";
}

impl<'de> Deserialize<'de> for Bias {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Bias;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of token ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bias, A::Error> {
                let mut bias = Vec::new();
                while let Some((id, value)) = map.next_entry::<String, f32>()? {
                    let number = id.parse().map_err(|_| A::Error::custom(format!("{id:.40?} is not a token id")))?;
                    if !(-100.0..=100.0).contains(&value) {
                        return Err(A::Error::custom(format!("{value} does not lie between -100 and 100")));
                    }
                    if bias.len() == Sampling::BIAS_MAX {
                        return Err(A::Error::custom(format!("more than {} tokens", Sampling::BIAS_MAX)));
                    }
                    bias.push((number, value));
                }
                Ok(Bias(bias))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
