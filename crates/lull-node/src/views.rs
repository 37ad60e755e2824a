//! What the node shows of itself, from what its parts show. Pure.

use std::collections::BTreeMap;

use lull_types::{LendingView, LinkView, ModelPlace, ModelView, SandboxView, StatusView, WorkerState};
use lull_wire::control::CatalogueModel;

use crate::{
    VERSION, identity::Identity, lender::LenderView, link::LinkState, shelf::Shelved, submitter::SubmitterView,
};

pub(crate) fn status(
    identity: &Identity,
    link: &LinkState,
    view: &LendingView,
    sandbox: SandboxView,
    lender: &LenderView,
    submitter: SubmitterView,
    api: Option<String>,
) -> StatusView {
    StatusView {
        // For whoever knows the rules to say.
        accepts: Vec::new(),
        person: None,
        node: identity.device.node,
        name: identity.device.name.clone(),
        org: identity.statement.org.clone(),
        groups: identity.device.groups.clone(),
        relay: link_view(identity, link),
        lending: lending(view, lender),
        sandbox,
        workers: lender.workers.clone(),
        api,
        jobs_lent: lender.lent,
        jobs_asked: submitter.asked,
        version: VERSION.into(),
    }
}

fn link_view(identity: &Identity, link: &LinkState) -> LinkView {
    let relay = identity.relay.clone();
    match link {
        LinkState::Up(session) => LinkView::Up { relay, certificate_until_s: session.certificate_until_s },
        LinkState::Down(reason) | LinkState::Over(reason) => LinkView::Down { relay, reason: reason.clone() },
    }
}

/// What the lending machine shows, with what the lender knows beside it.
fn lending(view: &LendingView, lender: &LenderView) -> LendingView {
    let LendingView::Lending { words, finishing, .. } = view else { return view.clone() };
    let offered = lender.shelf.usable().filter(|model| !lender.broken.contains_key(&model.hash)).count();
    let models = match offered {
        0 => ", but it has no model that works; see `lull models list`".to_owned(),
        1 => ", with 1 model".to_owned(),
        more => format!(", with {more} models"),
    };
    let loading = lender.workers.iter().any(|worker| worker.state == WorkerState::Loading);
    let loading = if loading { "; a model is being loaded" } else { "" };
    LendingView::Lending {
        words: format!("{words}{models}{loading}"),
        free_slots: lender.free,
        slots: lender.slots,
        finishing: *finishing,
    }
}

/// All models known here or in the pool, by name.
pub(crate) fn models(lender: &LenderView, catalogue: &[CatalogueModel]) -> Vec<ModelView> {
    let mut models: BTreeMap<String, ModelView> = BTreeMap::new();
    for known in catalogue {
        models.insert(known.name.clone(), in_pool(known));
    }
    for shelved in &lender.shelf.models {
        let pool = models.remove(&shelved.name);
        models.insert(shelved.name.clone(), here(shelved, pool, lender));
    }
    models.into_values().collect()
}

fn in_pool(known: &CatalogueModel) -> ModelView {
    ModelView {
        name: known.name.clone(),
        hash: known.hash,
        place: if known.lenders > 0 { ModelPlace::Pool } else { ModelPlace::Nowhere },
        lenders: known.lenders,
        bytes: None,
        context: known.context,
        decode_tps: known.decode_tps,
        fault: None,
    }
}

fn here(shelved: &Shelved, pool: Option<ModelView>, lender: &LenderView) -> ModelView {
    let lenders = pool.as_ref().map_or(0, |pool| pool.lenders);
    let mut view = ModelView {
        name: shelved.name.clone(),
        hash: None,
        place: ModelPlace::Here,
        lenders,
        bytes: None,
        context: pool.as_ref().and_then(|pool| pool.context),
        decode_tps: pool.as_ref().and_then(|pool| pool.decode_tps),
        fault: None,
    };
    let mut offered_here = 0;
    match &shelved.model {
        Ok(model) => {
            view.hash = Some(model.hash);
            view.bytes = Some(model.bytes);
            view.context = Some(model.context);
            view.fault = lender.broken.get(&model.hash).cloned();
            let own = lender.speeds.get(&model.hash).and_then(|speed| speed.decode_tps);
            view.decode_tps = view.decode_tps.into_iter().chain(own).reduce(f32::max);
            offered_here = u32::from(lender.offering && view.fault.is_none());
        }
        Err(fault) => view.fault = Some(fault.clone()),
    }
    if lenders > offered_here {
        view.place = ModelPlace::Both;
    }
    view
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lull_types::{Code, Fault, ModelHash};

    use lull_models::Format;

    use super::*;
    use crate::shelf::{LocalModel, Shelf};

    fn local(name: &str, byte: u8) -> Shelved {
        let (name, folder) = (name.to_owned(), "/nowhere".into());
        let model = LocalModel {
            name: name.clone(),
            hash: ModelHash([byte; 32]),
            folder,
            format: Format::Gguf,
            context: 64,
            bytes: 7,
        };
        Shelved { name, model: Ok(model) }
    }

    fn pooled(name: &str, lenders: u32) -> CatalogueModel {
        CatalogueModel { name: name.into(), hash: None, lenders, context: Some(32), decode_tps: Some(9.0) }
    }

    #[test]
    fn a_model_is_where_it_is() {
        let fault = Fault::new(Code::ModelBroken, "cut off");
        let cut = Shelved { name: "cut".into(), model: Err(fault.clone()) };
        let shelf = Shelf { models: vec![local("alone", 1), local("shared", 2), cut] };
        let lender = LenderView { offering: true, shelf: Arc::new(shelf), ..LenderView::default() };
        let views = models(&lender, &[pooled("alone", 1), pooled("shared", 2), pooled("far", 1), pooled("gone", 0)]);
        let places: Vec<_> = views.iter().map(|view| (view.name.as_str(), view.place)).collect();
        let expected = [
            ("alone", ModelPlace::Here),
            ("cut", ModelPlace::Here),
            ("far", ModelPlace::Pool),
            ("gone", ModelPlace::Nowhere),
            ("shared", ModelPlace::Both),
        ];
        assert_eq!(places, expected);
        assert_eq!(views[1].fault, Some(fault));
        assert_eq!((views[0].bytes, views[0].context), (Some(7), Some(64)));
    }

    #[test]
    fn a_machine_that_lends_says_with_what() {
        let words = "you have been away for 5 min".to_owned();
        let view = LendingView::Lending { words, free_slots: 0, slots: 0, finishing: false };
        let lender = LenderView { slots: 2, free: 1, ..LenderView::default() };
        let shown = lending(&view, &lender);
        assert!(matches!(shown, LendingView::Lending { free_slots: 1, slots: 2, .. }), "{shown:?}");
        assert!(shown.words().contains("no model that works"), "{shown:?}");
    }
}
