//! Settings and rules: what a person chose, what the organisation decided, and what follows from both.
//! It must never know a clock, a file, a socket or who asks: text in, values out.

mod admit;
mod edit;
mod error;
mod hours;
mod org;
mod read;
mod read_org;
mod resolve;
mod rules;
mod view;

pub use admit::{Denied, Here, Wanted};
pub use edit::{EditError, loosens, set, set_enabled};
pub use error::PolicyError;
pub use hours::{DAY_MINUTES, Hours, HoursError, WINDOWS_MAX, Window};
pub use org::{Checks, LabelRule, Login, ModelRules, Names, OrgRules, Quota};
pub use read::TEXT_BYTES_MAX;
pub use resolve::{Effective, OrgRow, Resolved, Row, Source, resolve};
pub use rules::{
    APP_BYTES_MAX, APPS_MAX, CELSIUS_MAX, CELSIUS_MIN, DISK_GIB_MAX, IDLE_MINUTES_MAX, LendRules, MEMORY_PERCENT_MAX,
    OTHER_CORES_MAX, Policy, SandboxRules, Settings, THREADS_MAX, WATTS_PER_THREAD_MAX,
};
