//! The sandbox in sentences.

use lull_types::{Layer, Layers, SandboxReport, Shortfall, Tier};

/// Why a machine is below the tier that its rules ask for.
pub(super) fn below(required: Tier, missing: &Layers, shortfalls: &[Shortfall]) -> String {
    format!(
        "the sandbox on this machine lacks what its rules demand (tier {required}): {}",
        with_reasons(missing, shortfalls)
    )
}

/// The tier, the layers, and what is missing.
pub(super) fn summary(required: Tier, report: &SandboxReport) -> String {
    let SandboxReport { layers, shortfalls } = report;
    let tier = Tier::of(layers);
    let name = tier.map_or("none", Tier::name);
    let mut text = format!("{name}: {} of {} layers", layers.len(), Layer::ALL.len());
    let missing: Layers = Layer::ALL.into_iter().filter(|layer| !layers.contains(layer)).collect();
    if !missing.is_empty() {
        text += &format!(" (missing: {})", with_reasons(&missing, shortfalls));
    }
    if tier < Some(required) {
        text += &format!("; the rules ask for {required}, so no job runs here");
    }
    text
}

/// Layers with the reasons for their absence; those that share one stand together.
fn with_reasons(missing: &Layers, shortfalls: &[Shortfall]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for layer in missing {
        let shortfall = shortfalls.iter().find(|shortfall| shortfall.layer == *layer);
        let why = shortfall.map_or("no reason is known", |shortfall| shortfall.why.as_str());
        match groups.iter_mut().find(|(said, _)| *said == why) {
            Some((_, names)) => names.push(layer.name()),
            None => groups.push((why, vec![layer.name()])),
        }
    }
    let texts: Vec<String> = groups.into_iter().map(|(why, names)| format!("{}: {why}", names.join(", "))).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missing: &[(Layer, &str)]) -> SandboxReport {
        let is_missing = |layer: &Layer| missing.iter().any(|(other, _)| other == layer);
        SandboxReport {
            layers: Layer::ALL.into_iter().filter(|layer| !is_missing(layer)).collect(),
            shortfalls: missing.iter().map(|(layer, why)| Shortfall { layer: *layer, why: (*why).into() }).collect(),
        }
    }

    #[test]
    fn one_sentence_says_what_there_is_and_what_to_change() {
        let spaces = "user namespaces are not allowed here";
        let no_spaces = [(Layer::OwnRoot, spaces), (Layer::OwnNetwork, spaces), (Layer::OwnIpc, spaces)];
        for (required, missing, expected) in [
            (Tier::Full, &[][..], "full: 13 of 13 layers"),
            (
                Tier::Full,
                &[(Layer::Ports, "Linux 6.7 or newer has it")],
                "full: 12 of 13 layers (missing: ports: Linux 6.7 or newer has it)",
            ),
            (
                Tier::Basic,
                &no_spaces,
                "basic: 10 of 13 layers (missing: own_root, own_network, own_ipc: user namespaces are not allowed here)",
            ),
            (
                Tier::Full,
                &[(Layer::OwnRoot, "a"), (Layer::Scope, "b")],
                "basic: 11 of 13 layers (missing: own_root: a; scope: b); the rules ask for full, so no job runs here",
            ),
            (
                Tier::Basic,
                &[(Layer::Files, "no Landlock")],
                "none: 12 of 13 layers (missing: files: no Landlock); the rules ask for basic, so no job runs here",
            ),
        ] {
            assert_eq!(summary(required, &report(missing)), expected);
        }
    }

    #[test]
    fn a_layer_without_a_reason_is_missing_all_the_same() {
        let text = below(Tier::Basic, &Layers::from([Layer::Files]), &[]);
        assert!(text.ends_with("(tier basic): files: no reason is known"), "{text}");
    }
}
