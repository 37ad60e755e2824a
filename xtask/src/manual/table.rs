//! Every key of a policy: what may stand there, and which of two words counts. Titles and meanings are the catalogue's.

use lull_policy::{
    APP_BYTES_MAX, APPS_MAX, CELSIUS_MAX, CELSIUS_MIN, DISK_GIB_MAX, IDLE_MINUTES_MAX, MEMORY_PERCENT_MAX,
    OTHER_CORES_MAX, THREADS_MAX, WATTS_PER_THREAD_MAX,
};

/// The most names in one list, and the longest name, in bytes: as `lull-policy` bounds them.
pub(super) const NAMES_MAX: u64 = 256;
pub(super) const NAME_BYTES_MAX: u64 = 128;
/// The most labels of its own, and the most quotas, that an organisation may have.
pub(super) const LABELS_MAX: u64 = 32;
pub(super) const QUOTAS_MAX: u64 = 256;
/// The most tokens of a quota, and the most checks for each thousand jobs and in an hour.
pub(super) const TOKENS_MAX: u64 = 1_000_000_000_000_000;
const CHECKS_PER_THOUSAND_MAX: u64 = 1_000;
const CHECKS_PER_HOUR_MAX: u64 = 100_000;

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Flag,
    /// Of what, in words; `or_zero`: 0 switches the rule off.
    Whole {
        min: u64,
        max: u64,
        of: &'static str,
        or_zero: bool,
    },
    Number {
        min: f64,
        max: f64,
        of: &'static str,
    },
    Hours,
    Apps {
        most: usize,
        bytes: usize,
    },
    Tier,
    /// A table that says something by being there.
    Exists,
    /// Names of groups, sites or models.
    Names(&'static str),
    Machines,
    Hash,
    Text(&'static str),
    Url,
    Quota,
}

/// One key.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    /// What counts where nobody says anything.
    pub(super) default: &'static str,
    /// Which of two words counts.
    pub(super) stricter: &'static str,
    /// A line, or more, of a policy.
    pub(super) example: &'static str,
}

/// A table of the file: its name, and what it is about.
pub(super) const TABLES: [(&str, &str); 9] = [
    ("lend", "When a machine lends, and how much of it"),
    ("sandbox", "How well models are locked in"),
    ("labels", "Which machines may see a job, and who may send it"),
    ("sites", "Where machines are"),
    ("models", "Which models may be used"),
    ("use", "Who may use the pool"),
    ("quotas", "How much somebody may use"),
    ("login", "How people say who they are"),
    ("checks", "How answers are checked"),
];

const FALSE: &str = "`false`";
const TRUE: &str = "`true`";
const BOTH: &str = "only what stands in both lists";

const fn row(
    key: &'static str,
    kind: Kind,
    default: &'static str,
    stricter: &'static str,
    example: &'static str,
) -> Row {
    Row { key, kind, default, stricter, example }
}

const fn whole(min: u64, max: u64, of: &'static str) -> Kind {
    Kind::Whole { min, max, of, or_zero: false }
}

/// Every key, in the order of the file.
#[rustfmt::skip]
pub(super) const ROWS: [Row; 37] = [
    row("lend.enabled", Kind::Flag, "nothing is lent before the machine's owner agrees", "`false`; `true` forces nothing", "enabled = false"),
    row("lend.idle_minutes", whole(1, IDLE_MINUTES_MAX as u64, "minutes"), "5", "the longer", "idle_minutes = 15"),
    row("lend.on_battery", Kind::Flag, FALSE, FALSE, "on_battery = false"),
    row("lend.metered", Kind::Flag, FALSE, FALSE, "metered = false"),
    row("lend.hours", Kind::Hours, "always", "only hours that both allow", "hours = [\"Mon-Fri 18:00-08:00\", \"Sat-Sun\"]"),
    row("lend.max_celsius", Kind::Whole { min: CELSIUS_MIN as u64, max: CELSIUS_MAX as u64, of: "degrees Celsius", or_zero: true }, "80", "the lower; 0 is the loosest", "max_celsius = 75"),
    row("lend.other_cores", Kind::Number { min: 0.0, max: OTHER_CORES_MAX, of: "processor cores; 0 switches the rule off" }, "0.6", "the lower; 0 is the loosest", "other_cores = 0.5"),
    row("lend.calls", Kind::Flag, TRUE, TRUE, "calls = true"),
    row("lend.films", Kind::Flag, TRUE, TRUE, "films = true"),
    row("lend.full_screen", Kind::Flag, TRUE, TRUE, "full_screen = true"),
    row("lend.remote", Kind::Flag, TRUE, TRUE, "remote = true"),
    row("lend.apps", Kind::Apps { most: APPS_MAX, bytes: APP_BYTES_MAX }, "none", "all names of both", "apps = [\"blender\"]"),
    row("lend.threads", whole(1, THREADS_MAX as u64, "threads"), "as many as fit", "the fewer", "threads = 4"),
    row("lend.memory_percent", whole(1, MEMORY_PERCENT_MAX as u64, "percent of the machine's memory"), "50", "the less", "memory_percent = 40"),
    row("lend.disk_gib", whole(1, DISK_GIB_MAX as u64, "GiB"), "50", "the less", "disk_gib = 30"),
    row("lend.watts_per_thread", Kind::Number { min: 0.1, max: WATTS_PER_THREAD_MAX, of: "watts" }, "6", "the organisation's, and of its two the machine's file's: nothing is decided by it", "watts_per_thread = 4.5"),
    row("sandbox.tier", Kind::Tier, "`\"basic\"`", "`\"full\"`", "tier = \"full\""),
    row("labels.NAME", Kind::Exists, "`public`, `internal` and `confidential` are always there", "it exists where either names it", "[labels.project-x]"),
    row("labels.NAME.lenders", Kind::Names("groups"), "all machines", BOTH, "lenders = [\"finance\", \"hr\"]"),
    row("labels.NAME.askers", Kind::Names("groups"), "everybody", BOTH, "askers = [\"finance\"]"),
    row("labels.NAME.sites", Kind::Names("sites"), "everywhere", BOTH, "sites = [\"berlin\"]"),
    row("labels.NAME.tier", Kind::Tier, "what `sandbox.tier` asks for", "`\"full\"`", "tier = \"full\""),
    row("labels.NAME.dedicated", Kind::Flag, FALSE, TRUE, "dedicated = true"),
    row("sites.NAME", Kind::Names("groups"), "no machine is anywhere", BOTH, "berlin = [\"berlin-office\"]"),
    row("models.allow", Kind::Names("models"), "all models", BOTH, "allow = [\"lull-demo\", \"qwen3-4b\"]"),
    row("models.bytes.NAME", Kind::Hash, "whatever files have that name", "where two differ, nobody uses that model", "qwen3-4b = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""),
    row("use.groups", Kind::Names("groups"), "everybody who has joined", BOTH, "groups = [\"staff\"]"),
    row("quotas.NAME", Kind::Quota, "no limit", "every quota of both holds", "[[quotas]]\ngroup = \"interns\"\neach = true\ntokens_per_day = 100000"),
    row("login.issuer", Kind::Url, "nobody signs in", "the whole table of the machine's file", "issuer = \"https://id.acme.example\""),
    row("login.client", Kind::Text("the client id, 1 to 128 bytes"), "must be there beside `issuer`", "the whole table of the machine's file", "client = \"lull\""),
    row("login.groups_claim", Kind::Text("the claim's name"), "`\"groups\"`", "the whole table of the machine's file", "groups_claim = \"roles\""),
    row("login.user_claim", Kind::Text("the claim's name"), "`\"email\"`", "the whole table of the machine's file", "user_claim = \"preferred_username\""),
    row("login.scopes", Kind::Names("scopes"), "`[\"email\", \"profile\"]`", "the whole table of the machine's file", "scopes = [\"email\", \"groups\"]"),
    row("login.required", Kind::Flag, FALSE, "the whole table of the machine's file", "required = true"),
    row("checks.by", Kind::Machines, "nothing is checked", BOTH, "by = [\"3f9a1c07d2b84e5590a1b2c3d4e5f607\"]"),
    row("checks.per_thousand_jobs", whole(1, CHECKS_PER_THOUSAND_MAX, "checks"), "20", "the more", "per_thousand_jobs = 50"),
    row("checks.per_hour", whole(1, CHECKS_PER_HOUR_MAX, "checks"), "1200", "the more", "per_hour = 600"),
];
