//! Which sensors of input can see: the X server alone must not be believed on a Wayland desktop, because it never
//! hears of what is typed into a window that is not its own.

use tokio::sync::watch;

/// What one sensor of input sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sight {
    /// Not known: it has not looked yet, or cannot.
    #[default]
    Blind,
    /// There is nothing of its kind.
    Nothing,
    /// There is a Wayland desktop, but it does not tell of input.
    Mute,
    /// It sees.
    Seeing,
}

/// What all of them see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sights {
    pub(super) mutter: Sight,
    pub(super) wayland: Sight,
    pub(super) x11: Sight,
}

impl Sights {
    /// Whether the X server's idle counter may be believed.
    ///
    /// # Errors
    /// Why not.
    pub(super) const fn x11_counts(self) -> Result<(), &'static str> {
        match (self.wayland, self.mutter) {
            (Sight::Nothing | Sight::Seeing, _) | (_, Sight::Seeing) => Ok(()),
            (Sight::Mute, _) => Err("the desktop is Wayland and says nothing about input"),
            (Sight::Blind, _) => Err("what the Wayland desktop says about input is not known"),
        }
    }

    /// Whether anyone but Mutter sees.
    pub(super) fn without_mutter(self) -> bool {
        self.wayland == Sight::Seeing || self.x11 == Sight::Seeing
    }
}

/// Where sensors of input tell each other what they see.
#[derive(Debug, Clone, Default)]
pub(super) struct Eyes(watch::Sender<Sights>);

impl Eyes {
    /// One sensor's own eye: blind until it says otherwise, and blind again when this is dropped.
    pub(super) fn open(&self, which: fn(&mut Sights) -> &mut Sight) -> Eye {
        Eye { eyes: self.clone(), which, changes: self.0.subscribe() }
    }
}

/// One sensor's own eye.
#[derive(Debug)]
pub(super) struct Eye {
    eyes: Eyes,
    which: fn(&mut Sights) -> &mut Sight,
    changes: watch::Receiver<Sights>,
}

impl Eye {
    /// What it sees from now on.
    pub(super) fn set(&self, sight: Sight) {
        self.eyes.0.send_if_modified(|all| std::mem::replace((self.which)(all), sight) != sight);
    }

    /// What everyone sees.
    pub(super) fn all(&self) -> Sights {
        *self.changes.borrow()
    }

    /// Waits until anyone sees something else.
    pub(super) async fn changed(&mut self) {
        // It cannot fail: this holds a sender.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.set(Sight::Blind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x11_alone_counts_only_where_there_is_no_wayland() {
        let sights = |wayland, mutter| Sights { mutter, wayland, x11: Sight::Seeing };
        assert!(sights(Sight::Nothing, Sight::Nothing).x11_counts().is_ok());
        assert!(sights(Sight::Nothing, Sight::Blind).x11_counts().is_ok());
        assert!(sights(Sight::Seeing, Sight::Nothing).x11_counts().is_ok());
        assert!(sights(Sight::Mute, Sight::Seeing).x11_counts().is_ok());
        assert!(sights(Sight::Mute, Sight::Nothing).x11_counts().is_err());
        assert!(sights(Sight::Mute, Sight::Blind).x11_counts().is_err());
        assert!(sights(Sight::Blind, Sight::Nothing).x11_counts().is_err());
    }

    #[test]
    fn an_eye_that_is_gone_is_blind() {
        let eyes = Eyes::default();
        let other = eyes.open(|all| &mut all.x11);
        let eye = eyes.open(|all| &mut all.wayland);
        eye.set(Sight::Seeing);
        assert_eq!(other.all().wayland, Sight::Seeing);
        drop(eye);
        assert_eq!(other.all().wayland, Sight::Blind);
    }
}
