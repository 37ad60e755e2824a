use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// The most fields of one object.
const FIELDS_MAX: usize = 64;
/// The longest field name that is repeated to the client, in characters.
const NAME_CHARS_MAX: usize = 64;

/// What an object must be, in an error's words.
pub(crate) const OBJECT: &str = "an object with at most 64 fields, none of them twice";

/// What a field can hold.
pub(crate) trait Plain: DeserializeOwned {
    /// What it must be, in an error's words: "must be ...".
    const EXPECTED: &'static str;
}

impl Plain for String {
    const EXPECTED: &'static str = "a text";
}

impl Plain for bool {
    const EXPECTED: &'static str = "true or false";
}

impl Plain for f64 {
    const EXPECTED: &'static str = "a number";
}

impl Plain for u64 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
}

impl Plain for i64 {
    const EXPECTED: &'static str = "a whole number";
}

impl Plain for BTreeMap<String, String> {
    const EXPECTED: &'static str = "an object of texts";
}

impl Plain for Vec<IgnoredAny> {
    const EXPECTED: &'static str = "a list";
}

/// A JSON object whose fields are taken one by one, so that none is overlooked.
///
/// The values stay in the body's own text until they are taken: what a client sends is not blown up in memory.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    left: Vec<(String, &'a RawValue)>,
    /// What stands before a field's name in an error, such as `messages[0].`.
    prefix: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(text: &'a str, prefix: &str) -> Result<Self, serde_json::Error> {
        let Pairs(left) = serde_json::from_str(text)?;
        Ok(Self { left, prefix: prefix.into() })
    }

    /// The name of a field as an error calls it.
    pub(crate) fn path(&self, name: &str) -> String {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        format!("{}{name}", self.prefix)
    }

    /// Takes a field's text; none if it is absent or null.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(other, _)| other == name)?;
        let (_, value) = self.left.swap_remove(at);
        Some(value.get()).filter(|text| *text != "null")
    }

    /// Takes a field; none if it is absent or null.
    pub(crate) fn take<T: Plain>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| ApiError::mistyped(&self.path(name), T::EXPECTED))
    }

    /// Takes a field that must be there.
    pub(crate) fn need<T: Plain>(&mut self, name: &str) -> Result<T, ApiError> {
        self.take(name)?.ok_or_else(|| ApiError::missing(&self.path(name)))
    }

    /// Refuses a field that is there and not null.
    pub(crate) fn refuse(&mut self, name: &str, why: &str) -> Result<(), ApiError> {
        match self.raw(name) {
            None => Ok(()),
            Some(_) => {
                let path = self.path(name);
                Err(ApiError::unsupported(&path, format!("\"{path}\" is not supported yet: {why}")))
            }
        }
    }

    /// Refuses whatever is left.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        self.left.first().map_or(Ok(()), |(name, _)| Err(ApiError::unknown(&self.path(name))))
    }
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if pairs.iter().any(|(other, _)| *other == name) {
                        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                        return Err(A::Error::custom(format!("the field {name:?} is there twice")));
                    }
                    if pairs.len() == FIELDS_MAX {
                        return Err(A::Error::custom(format!("more than {FIELDS_MAX} fields in one object")));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
