//! A relay that lies about who asks, who lends, what the label is and what the bytes are called.

use super::*;

/// Jobs that are lied about.
const LIES: u64 = 100_000;

#[derive(Debug, Default)]
struct Stops {
    jobs: u64,
    forbidden: u64,
    label_altered: u64,
    /// How often each was the first to say no.
    asker_before_asking: u64,
    lender_before_accepting: u64,
    asker_before_sealing: u64,
    lender_before_opening: u64,
    ran: u64,
}

/// What is so, and what the relay makes of it.
#[derive(Debug)]
struct Lie {
    label: Label,
    model: String,
    asker: Vec<String>,
    /// What the grant says.
    granted_label: Label,
    hash: ModelHash,
    lender: Machine,
    /// What the lender calls these bytes.
    called: String,
}

impl Lie {
    fn any(dice: &mut Dice) -> Self {
        let label = oracle::label(dice);
        let granted_label = if dice.roll(3) == 0 { oracle::label(dice) } else { label.clone() };
        let (named, has) = (dice.roll(oracle::MODELS), dice.roll(oracle::MODELS));
        let has = if dice.roll(4) == 0 { has } else { named };
        let lender = Machine::new(dice.roll(MACHINES as u64) as usize, dice);
        let hash = oracle::bytes(has, dice.roll(oracle::BYTES));
        let (asker, model, called) = (oracle::groups(dice), oracle::model(named), oracle::model(has));
        Self { label, model, asker, granted_label, hash, lender, called }
    }

    fn tell(&self, before: &OrgRules, now: &OrgRules, stops: &mut Stops) {
        let Self { label, model, asker, granted_label, hash, lender, called } = self;
        let here = Here { groups: &lender.groups, tier: lender.tier, dedicated: lender.dedicated };
        let wanted = |asker| Wanted { label: granted_label, model: called, hash, asker };
        // Each by their own rules; groups are those of certificates that lead to root, whatever the relay claims.
        let asks = before.may_ask(label, model, asker).is_ok();
        let accepts = before.may_serve(here, wanted(None)).is_ok();
        let seals = granted_label == label
            && now.may_ask(label, model, asker).is_ok()
            && now.may_lend(label, &lender.groups).is_ok()
            && now.may_run(model, hash).is_ok();
        let opens = now.may_serve(here, wanted(Some(asker))).is_ok();

        let of_asker = oracle::asking(now, label, model, asker, true);
        let of_bytes = oracle::running(now, model, *hash);
        let place = |rules: &OrgRules, label: &Label| {
            let mut no = oracle::lending(rules, label, &lender.groups);
            no.extend(oracle::hosting(rules, label, lender.tier, lender.dedicated));
            no.extend(oracle::running(rules, called, *hash));
            no
        };
        let mut to_lender = place(now, granted_label);
        to_lender.extend(oracle::asking(now, granted_label, called, asker, true));
        assert_eq!(asks, oracle::asking(before, label, model, asker, true).is_empty(), "asking: {self:?} {before:?}");
        assert_eq!(accepts, place(before, granted_label).is_empty(), "accepting: {self:?} {before:?}");
        assert_eq!(opens, to_lender.is_empty(), "opening: {self:?} {now:?}");
        let to_asker =
            of_asker.is_empty() && of_bytes.is_empty() && oracle::lending(now, label, &lender.groups).is_empty();
        assert_eq!(seals, to_asker && granted_label == label, "sealing: {self:?} {now:?}");

        let forbidden = !of_asker.is_empty() || !of_bytes.is_empty() || !place(now, label).is_empty();
        let runs = asks && accepts && seals && opens;
        assert!(!(runs && forbidden), "ran where it may not: {self:?} {now:?}");
        // If its lender alone is honest, too: as long as the label is the one that was sealed.
        assert!(!(opens && granted_label == label) || to_lender.is_empty());
        stops.jobs += 1;
        stops.forbidden += u64::from(forbidden);
        stops.label_altered += u64::from(granted_label != label);
        let stop = match (asks, accepts, seals, opens) {
            (false, ..) => &mut stops.asker_before_asking,
            (_, false, ..) => &mut stops.lender_before_accepting,
            (_, _, false, _) => &mut stops.asker_before_sealing,
            (.., false) => &mut stops.lender_before_opening,
            (true, true, true, true) => &mut stops.ran,
        };
        *stop += 1;
    }
}

#[test]
fn a_lying_relay_finds_nobody_who_goes_along() {
    let mut dice = Dice(0x6c75_6c6c);
    let mut stops = Stops::default();
    let (mut before, mut now) = (OrgRules::default(), OrgRules::default());
    for n in 0..LIES {
        if n % 10 == 0 {
            // Now and then rules change between the reservation and the stream.
            before = if dice.roll(4) == 0 { now } else { oracle::rules(&mut dice) };
            now = if dice.roll(2) == 0 { oracle::rules(&mut dice) } else { before.clone() };
        }
        Lie::any(&mut dice).tell(&before, &now, &mut stops);
    }
    println!("{stops:#?}");
    let Stops { asker_before_asking, lender_before_accepting, asker_before_sealing, lender_before_opening, .. } = stops;
    assert!(stops.jobs == LIES && stops.forbidden > LIES / 3 && stops.ran > LIES / 20);
    for count in [asker_before_asking, lender_before_accepting, asker_before_sealing, lender_before_opening] {
        assert!(count > 500, "somebody never had to say no: {stops:?}");
    }
}
