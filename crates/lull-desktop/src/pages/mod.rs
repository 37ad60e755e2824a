//! The window's pages as data: every text is ready to be shown.

mod about;
mod connect;
mod home;
mod models;
mod privacy;
mod settings;

pub use about::{AboutPage, about};
pub use connect::{ConnectPage, Snippet, connect};
pub use home::{Bar, GAVE_DAYS, Gave, HomePage, home};
pub use models::{ModelRow, ModelsPage, models};
pub use privacy::{Fact, PrivacyPage, RanRow, privacy};
pub use settings::{Control, Lock, Section, Setting, SettingsPage, Source, Unit, Value, settings};
