use lull_types::{ModelPlace, ModelView};
use serde::Serialize;

use crate::{Lang, clock, reason, words};

/// The models, here and in the pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelsPage {
    /// By name.
    pub rows: Vec<ModelRow>,
    /// What to do while there are none.
    pub empty: Option<&'static str>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: &'static str,
    /// How many computers offer it.
    pub lenders: String,
    /// Its size on this machine.
    pub size: Option<String>,
    /// How much it takes in.
    pub context: Option<String>,
    /// How fast it was at its best.
    pub speed: Option<String>,
    /// Why it cannot be used here.
    pub fault: Option<String>,
    /// Whether a question can be asked of it now.
    pub usable: bool,
}

/// The page from the node's answer.
#[must_use]
pub fn models(lang: Lang, models: &[ModelView]) -> ModelsPage {
    let rows: Vec<ModelRow> = models.iter().map(|model| row(lang, model)).collect();
    let empty = rows.is_empty().then(|| words::models_empty(lang));
    ModelsPage { rows, empty }
}

fn row(lang: Lang, model: &ModelView) -> ModelRow {
    let place = match model.place {
        ModelPlace::Here => words::place_here(lang),
        ModelPlace::Pool => words::place_pool(lang),
        ModelPlace::Both => words::place_both(lang),
        ModelPlace::Nowhere => words::place_nowhere(lang),
    };
    let lenders = match model.lenders {
        0 => words::lenders_none(lang).into(),
        1 => words::lenders_one(lang).into(),
        lenders => words::lenders_many(lang, clock::number(lang, lenders.into())),
    };
    let fast = |tps: f32| tps.is_finite() && tps > 0.0;
    let digits = |tps: f32| usize::from(tps < 10.0);
    ModelRow {
        name: reason::foreign(&model.name),
        place,
        lenders,
        size: model.bytes.map(|bytes| clock::size(lang, bytes)),
        context: model.context.map(|tokens| words::context(lang, clock::number(lang, tokens.into()))),
        speed: model
            .decode_tps
            .filter(|tps| fast(*tps))
            .map(|tps| words::speed(lang, clock::decimal(lang, tps.into(), digits(tps)))),
        fault: model.fault.as_ref().map(|fault| reason::foreign(&fault.message)),
        usable: model.lenders > 0,
    }
}
