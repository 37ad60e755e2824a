use proptest::{option, prelude::*};

use super::*;
use crate::{Checks, Denied, ModelRules, Policy};

const WHOLE: &str = r#"
[labels.confidential]
lenders = ["finance", "hr"]
askers = ["finance"]
sites = ["berlin"]
tier = "full"
dedicated = true

[labels.project-x]

[sites]
berlin = ["berlin-office"]
boston = ["boston-office"]

[models]
allow = ["lull-demo"]
[models.bytes]
lull-demo = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

[use]
groups = ["staff"]

[[quotas]]
group = "interns"
each = true
tokens_per_day = 100000

[login]
issuer = "https://id.example.org"
client = "lull"

[checks]
by = ["3f9a1c07d2b84e5590a1b2c3d4e5f607"]
per_hour = 24
"#;

fn groups(names: &str) -> Vec<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

fn org(text: &str) -> OrgRules {
    Policy::parse("policy.toml", text).unwrap().org
}

#[test]
fn a_whole_policy_is_read_and_shown_in_one_form() {
    let policy = Policy::parse("policy.toml", WHOLE).unwrap();
    let org = &policy.org;
    assert_eq!(
        org.all_labels().iter().map(Label::as_str).collect::<Vec<_>>(),
        ["public", "internal", "confidential", "project-x"]
    );
    assert_eq!(org.quotas[0].tokens_per_day, 100_000);
    assert_eq!(org.login.as_ref().unwrap().groups_claim, "groups");
    let canonical = policy.to_string();
    assert_eq!(Policy::parse("again", &canonical).unwrap(), policy);
    assert_eq!(Policy::parse("again", &canonical).unwrap().to_string(), canonical);
    let keys: Vec<_> = org.words().into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    assert!(keys.contains(&r#"labels.confidential.lenders = ["finance", "hr"]"#.to_owned()), "{keys:?}");
    assert!(
        keys.contains(&"quotas.1 = { group = \"interns\", each = true, tokens_per_day = 100000 }".to_owned()),
        "{keys:?}"
    );
}

#[test]
fn what_cannot_be_followed_is_named_with_its_place() {
    for (text, said) in [
        (
            "[labels.confidential]\nlender = [\"a\"]",
            "p:2:1: `lender` is not a known key in `[labels.confidential]`; did you mean `lenders`?",
        ),
        ("[labels.Secret]\nlenders = []", "\"Secret\" is not a label"),
        ("[labels]\nconfidential = 1", "p:2:16: `labels.confidential` is a whole number, not a table"),
        ("[labels.internal]\nlenders = \"all\"", "p:2:11: `lenders` is a text; write at most 256 names"),
        ("[labels.internal]\nlenders = [\" a\"]", "p:2:12: `lenders` holds \" a\", which is no name"),
        ("[labels.internal]\ntier = \"none\"", "p:2:8: `tier` is \"none\"; write `tier = \"basic\"`"),
        ("[labels.internal]\ndedicated = 1", "p:2:13: `dedicated` is a whole number"),
        ("[sites]\nberlin = \"b\"", "p:2:10: `berlin` is a text"),
        ("[models]\nallowed = []", "did you mean `allow`?"),
        ("[models.bytes]\na = \"00\"", "p:2:5: \"00\" is not a hash"),
        ("[use]\ngroup = []", "did you mean `groups`?"),
        ("[[quotas]]\ngroup = \"a\"", "a quota has no `tokens_per_day`"),
        ("[[quotas]]\ntokens_per_day = -1", "p:2:18: `tokens_per_day` is -1"),
        ("[[quotas]]\ngroup = \"a\"\nuser = \"b\"\ntokens_per_day = 1", "names a group and a user"),
        ("[quotas]\n", "`quotas` is a table; write each as `[[quotas]]`"),
        ("[login]\nissuer = \"https://a\"", "`[login]` has no `client`"),
        ("[login]\nissuer = \"http://a\"\nclient = \"b\"", "write an address with https://"),
        ("[login]\nissuer = \"http://localhost.evil\"\nclient = \"b\"", "write an address with https://"),
        ("[checks]\nper_hour = 0", "`per_hour` is 0; write a whole number from 1 to 100000"),
        ("[checks]\nby = [\"gpu-1\"]", "p:2:6: `by` holds \"gpu-1\", which is no id; write whole ids"),
        ("[label]\n", "did you mean `labels`?"),
    ] {
        let found = Policy::parse("p", text).unwrap_err().to_string();
        assert!(found.contains(said), "{text}\n   said: {found}\n expect: {said}");
    }
    assert!(crate::Settings::parse("s", "[labels.internal]\n").is_err(), "a person has no labels to give");
}

#[test]
fn who_may_ask_what() {
    let rules = org(WHOLE);
    let ask = |label: &str, model: &str, of: &str| rules.may_ask(&label.parse().unwrap(), model, &groups(of));
    assert_eq!(ask("confidential", "lull-demo", "staff finance"), Ok(()));
    assert!(matches!(ask("confidential", "lull-demo", "finance"), Err(Denied::User(_))));
    assert!(matches!(ask("confidential", "lull-demo", "staff"), Err(Denied::Asker { .. })));
    assert!(matches!(ask("internal", "llama", "staff"), Err(Denied::Model(..))));
    assert!(matches!(ask("secret", "lull-demo", "staff"), Err(Denied::LabelUnknown(..))));
    assert_eq!(ask("project-x", "lull-demo", "staff"), Ok(()));
}

#[test]
fn where_a_label_may_run() {
    let rules = org(WHOLE);
    let label = Label::confidential();
    let lend = |of: &str| rules.may_lend(&label, &groups(of));
    assert_eq!(lend("hr berlin-office"), Ok(()));
    assert!(matches!(lend("sales berlin-office"), Err(Denied::Lender { .. })));
    assert!(matches!(lend("hr boston-office"), Err(Denied::Site { at, .. }) if at == "boston"));
    assert!(matches!(lend("hr"), Err(Denied::Site { .. })));
    assert!(matches!(lend("hr berlin-office boston-office"), Err(Denied::Site { .. })), "two sites are none");
    let here = |tier, dedicated| rules.may_lend_here(&label, &groups("hr berlin-office"), tier, dedicated);
    assert_eq!(here(Some(Tier::Full), true), Ok(()));
    assert!(matches!(here(Some(Tier::Basic), true), Err(Denied::Tier(..))));
    assert!(matches!(here(None, true), Err(Denied::Tier(..))));
    assert!(matches!(here(Some(Tier::Full), false), Err(Denied::Dedicated(_))));
    let other = ModelHash([9; 32]);
    assert!(matches!(rules.may_run("lull-demo", &other), Err(Denied::Bytes(_))));
    assert_eq!(rules.may_run("lull-demo", rules.models.bytes.get("lull-demo").unwrap()), Ok(()));
}

fn any_names() -> impl Strategy<Value = Option<Names>> {
    option::of(prop::collection::btree_set(
        prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned),
        0..4,
    ))
}

fn ids(names: Names) -> Names {
    names.into_iter().map(|name| lull_types::NodeId([name.as_bytes()[0]; 16]).to_string()).collect()
}

fn any_label() -> impl Strategy<Value = Label> {
    prop::sample::select(vec!["public", "internal", "confidential", "x", "y"]).prop_map(|name| name.parse().unwrap())
}

pub(crate) fn any_org() -> impl Strategy<Value = OrgRules> {
    let tier = option::of(prop::sample::select(Tier::ALL.to_vec()));
    let rule = (any_names(), any_names(), any_names(), tier, option::of(any::<bool>()))
        .prop_map(|(lenders, askers, sites, tier, dedicated)| LabelRule { lenders, askers, sites, tier, dedicated });
    let labels = prop::collection::btree_map(any_label(), rule, 0..4);
    let site = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let sites = prop::collection::btree_map(site, any_names().prop_map(Option::unwrap_or_default), 0..3);
    let bytes = prop::collection::btree_map("[a-c]", any::<[u8; 1]>().prop_map(|[b]| ModelHash([b % 2; 32])), 0..3);
    let quota = (option::of("[a-c]"), option::of("[a-c]"), any::<bool>(), 0_u64..5)
        .prop_map(|(group, model, each, tokens_per_day)| Quota { group, user: None, model, each, tokens_per_day });
    let quotas = prop::collection::btree_set(quota, 0..3).prop_map(|quotas| quotas.into_iter().collect::<Vec<_>>());
    (labels, sites, any_names(), bytes, any_names(), quotas, any_names()).prop_map(
        |(labels, sites, allow, bytes, users, quotas, by)| OrgRules {
            labels,
            sites,
            models: ModelRules { allow, bytes },
            users,
            quotas,
            login: None,
            checks: Checks { by: by.map(ids), ..Checks::default() },
        },
    )
}

proptest! {
    #[test]
    fn the_canonical_form_reads_back(org in any_org()) {
        let policy = Policy { org, ..Policy::default() };
        prop_assert_eq!(Policy::parse("a", &policy.to_string()).unwrap(), policy);
    }

    #[test]
    fn two_policies_together_allow_nothing_that_one_forbids(
        one in any_org(),
        other in any_org(),
        label in any_label(),
        of in prop::collection::vec("[a-d]", 0..4),
        model in "[a-c]",
        hash in 0_u8..2,
        tier in prop::sample::select(vec![None, Some(Tier::Basic), Some(Tier::Full)]),
        dedicated in any::<bool>(),
    ) {
        let both = one.stricter(&other);
        let hash = ModelHash([hash; 32]);
        let label_is_one_s = one.all_labels().contains(&label) && other.all_labels().contains(&label);
        for part in [&one, &other] {
            // A label exists where either says so; a part that does not know it says nothing about it.
            if label_is_one_s {
                prop_assert!(part.may_send(&label, &of).is_ok() || both.may_send(&label, &of).is_err());
                prop_assert!(part.may_ask(&label, &model, &of).is_ok() || both.may_ask(&label, &model, &of).is_err());
            }
            prop_assert!(part.may_run(&model, &hash).is_ok() || both.may_run(&model, &hash).is_err());
            // A site may be known to the other part only.
            if label_is_one_s && part.sites.keys().eq(both.sites.keys()) {
                let here = |rules: &OrgRules| rules.may_lend_here(&label, &of, tier, dedicated).is_ok();
                prop_assert!(here(part) || !here(&both) || one.sites != other.sites);
            }
        }
        prop_assert_eq!(both.stricter(&both).words(), both.words());
    }
}
