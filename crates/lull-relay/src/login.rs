//! People who say who they are: their provider's word is checked here, and counts for quotas, shares and the audit log.
//! It opens no label: lenders know nothing of it, and believe root alone about groups.

use std::sync::{Arc, Mutex, PoisonError};

use lull_oidc::{Trust, Verifier};
use lull_policy::{Login, OrgRules};
use lull_types::{Code, Fault, NodeId};
use lull_wire::{control::FromRelay, identity::Device, login_nonce};
use tokio::sync::{Semaphore, watch};

use crate::{
    actor::{Event, encode},
    clock,
    fabric::Fabric as _,
    shared::Shared,
};

/// How long a login counts, in seconds: 30 days, or until the machine is shut out.
const LOGIN_S: u64 = 30 * 86_400;
/// Logins that are checked at once.
const CHECKING_MAX: usize = 16;

/// Whom a node's person is, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name that rules use.
    pub user: String,
    /// The provider's groups: they count for quotas and shares.
    pub groups: Vec<String>,
    /// Until when, in seconds since 1970.
    pub until_s: u64,
}

/// The one place that talks to the provider.
pub(crate) struct Logins {
    rules: watch::Receiver<Arc<OrgRules>>,
    verifier: Mutex<Option<(Login, Arc<Verifier>)>>,
    checking: Semaphore,
}

impl Logins {
    pub(crate) fn new(rules: watch::Receiver<Arc<OrgRules>>) -> Self {
        Self { rules, verifier: Mutex::default(), checking: Semaphore::new(CHECKING_MAX) }
    }

    /// The verifier for the provider that the rules name; it is kept, because it holds the provider's keys.
    fn verifier(&self) -> Result<Arc<Verifier>, Fault> {
        let rules = self.rules.borrow().clone();
        let none = || Fault::new(Code::Forbidden, "this organisation has no sign-in: no rule `login` is in its policy");
        let login = rules.login.as_ref().ok_or_else(none)?;
        let mut kept = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verifier)) = kept.as_ref().filter(|(of, _)| of == login) {
            return Ok(verifier.clone());
        }
        let usual = login.user_claim == Login::USER_CLAIM;
        let trust = Trust {
            issuer: login.issuer.clone(),
            client_id: login.client.clone(),
            groups_claim: login.groups_claim.clone(),
            user_claim: (!usual).then(|| login.user_claim.clone()),
        };
        let verifier = Arc::new(Verifier::new(trust)?);
        *kept = Some((login.clone(), verifier.clone()));
        Ok(verifier)
    }

    async fn check(&self, device: &Device, id_token: &str, salt: &[u8; 32]) -> Result<Person, Fault> {
        let _place = self.checking.acquire().await.map_err(|_| Fault::new(Code::Busy, "the relay is stopping"))?;
        let now_s = clock::now_s();
        let person = self.verifier()?.verify(id_token, &login_nonce(&device.key, salt), now_s).await?;
        Ok(Person { user: person.user, groups: person.groups, until_s: now_s + LOGIN_S })
    }
}

/// Checks what a node's person brings from their provider, and tells the node.
pub(crate) async fn login(shared: Arc<Shared>, device: Device, generation: u64, id_token: String, salt: [u8; 32]) {
    let node = device.node;
    let answer = match shared.logins.check(&device, &id_token, &salt).await {
        Ok(person) => match shared.ledger.login(node, person.clone(), clock::now_s()).await {
            Ok(()) => {
                tracing::info!(%node, user = person.user, "logged in");
                let _ = shared.events.send(Event::Person { node, generation, person: person.clone() }).await;
                told(&person)
            }
            Err(error) => FromRelay::LoginRefused(Fault::new(Code::Storage, error.to_string())),
        },
        Err(fault) => {
            tracing::info!(%node, code = %fault.code, reason = fault.message, "a login was refused");
            FromRelay::LoginRefused(fault)
        }
    };
    shared.fabric.send(node, encode(&answer));
}

/// What a node hears of its person.
pub(crate) fn told(person: &Person) -> FromRelay {
    let Person { user, groups, until_s } = person.clone();
    FromRelay::Person { user, groups, until_s }
}

/// The person who last logged in at a node, if that still counts.
pub(crate) async fn known(shared: &Shared, node: NodeId) -> Option<Person> {
    let person = shared.ledger.person(node).await.inspect_err(|error| {
        tracing::error!(%error, %node, "the ledger does not say who logged in");
    });
    person.ok().flatten().filter(|person| person.until_s > clock::now_s())
}
