//! When the window has painted: seen from outside, on the screen.

use std::{
    collections::BTreeSet,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConnectionExt as _, ImageFormat},
    rust_connection::RustConnection,
};

use super::session::Session;

/// How often the screen is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Every so many lines of the screen are looked at.
const LINES_APART: usize = 16;
/// An empty page on an empty screen has two colours; letters with soft edges have many more.
const COLOURS_MIN: usize = 16;
/// No window takes this long; it only keeps a broken run from hanging.
const HANG: Duration = Duration::from_secs(60);

/// Milliseconds from the start of a window to a page on the screen. The window is closed again.
pub(super) fn first(session: &Session) -> Result<f64> {
    let screen = Screen::of(session)?;
    screen.wait(false)?;
    let began = Instant::now();
    let mut window = Window(session.window_command().spawn().context("the window does not start")?);
    screen.wait(true)?;
    let took = began.elapsed();
    window.close()?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Waits until a page is on the screen.
pub(super) fn seen(session: &Session) -> Result<()> {
    Screen::of(session)?.wait(true)
}

/// A window of the bench's own; killed when dropped.
struct Window(Child);

impl Window {
    fn close(&mut self) -> Result<()> {
        lull_tests::signal(self.0.id(), "TERM")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Screen {
    server: RustConnection,
    root: u32,
    size: (u16, u16),
}

impl Screen {
    fn of(session: &Session) -> Result<Self> {
        let (server, number) = RustConnection::connect(Some(session.display()))?;
        let screen = server.setup().roots.get(number).context("the X server has no screen")?;
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        Ok(Self { server, root, size })
    }

    /// Waits until there is a page, or none.
    fn wait(&self, painted: bool) -> Result<()> {
        let began = Instant::now();
        while (self.colours()? >= COLOURS_MIN) != painted {
            ensure!(began.elapsed() < HANG, "the screen never shows {}", if painted { "a page" } else { "nothing" });
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// How many colours the screen has on the lines that are looked at.
    fn colours(&self) -> Result<usize> {
        let line = |y: u16| {
            let y = i16::try_from(y)?;
            Ok(self.server.get_image(ImageFormat::Z_PIXMAP, self.root, 0, y, self.size.0, 1, !0)?)
        };
        let asked: Vec<_> = (0..self.size.1).step_by(LINES_APART).map(line).collect::<Result<_>>()?;
        let mut colours = BTreeSet::new();
        for line in asked {
            let points = line.reply()?.data;
            colours.extend(points.chunks_exact(4).map(|point| [point[0], point[1], point[2]]));
        }
        Ok(colours.len())
    }
}
