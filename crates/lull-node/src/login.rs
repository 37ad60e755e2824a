//! Its person logs in at the organisation's provider; what the provider says goes to the relay, which checks it.

use lull_oidc::{App, Flow};
use lull_types::{Code, Fault, PersonView};
use lull_wire::{control::FromNode, login_nonce, random};
use tokio::sync::{Mutex, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{link::LinkState, rulebook::Rulebook};

/// Who works at this machine, as far as it is known.
#[derive(Debug)]
pub(crate) struct Logins {
    pub(crate) rulebook: Rulebook,
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) person: watch::Sender<Option<PersonView>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Ends the login before, when another begins.
    before: Mutex<CancellationToken>,
}

impl Logins {
    pub(crate) fn new(
        rulebook: Rulebook,
        link: watch::Receiver<LinkState>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { rulebook, link, person: watch::Sender::default(), tasks, stop, before: Mutex::default() }
    }

    /// Begins a login: the page at the provider that its person must open in a browser on this machine.
    ///
    /// # Errors
    /// [`Code::Forbidden`] where the organisation has no sign-in, [`Code::RelayUnreachable`], and those of [`Flow`].
    pub(crate) async fn begin(&self) -> Result<String, Fault> {
        let none =
            || Fault::new(Code::Forbidden, "this organisation has no sign-in: its machines' tokens say who asks");
        let login = self.rulebook.org().login.ok_or_else(none)?;
        let away = || Fault::new(Code::RelayUnreachable, "signing in needs the relay, which is away; try again later");
        let session = self.link.borrow().session().cloned().ok_or_else(away)?;
        let (salt, device) = (random(), self.rulebook.identity.borrow().device.key);
        let scopes = login.scopes.into_iter().collect();
        let app = App { issuer: login.issuer, client_id: login.client, scopes };
        let flow = Flow::begin(&app, &login_nonce(&device, &salt)).await?;
        let url = flow.url().to_owned();
        let given_up = self.stop.child_token();
        std::mem::replace(&mut *self.before.lock().await, given_up.clone()).cancel();
        self.person.send_replace(Some(PersonView::Waiting { url: url.clone() }));
        let person = self.person.clone();
        self.tasks.spawn(async move {
            match flow.finish(given_up.clone().cancelled_owned()).await {
                Ok(login) => session.say(FromNode::Login { id_token: login.id_token, salt }),
                Err(_) if given_up.is_cancelled() => {}
                Err(error) => drop(person.send_replace(Some(PersonView::Refused { fault: error.into() }))),
            }
        });
        Ok(url)
    }
}
