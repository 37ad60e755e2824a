//! Buses: asking a service that may be there, be gone or be silent, and hearing what it says by itself.

use std::{collections::HashMap, future::pending, io::ErrorKind};

use futures::{FutureExt as _, StreamExt as _};
use zbus::{
    Connection, Error, MatchRule, Message, MessageStream,
    connection::Builder,
    message::Type,
    names::OwnedUniqueName,
    zvariant::{DynamicType, OwnedValue, Type as Signature},
};

use crate::{Environment, voice::Voice};

/// Where the system's bus listens unless the environment says otherwise.
const SYSTEM_ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
/// The bus' own name and interface.
const BUS: &str = "org.freedesktop.DBus";
/// The interface of properties.
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Signals kept while an answer is awaited. More than these, and the answer waits behind them until it is too late.
const SIGNALS_MAX: usize = 256;

/// All of an object's properties.
pub(crate) type Properties = HashMap<String, OwnedValue>;

/// Connects to the system's bus. `None`: there is none.
pub(crate) async fn system(voice: &Voice) -> Result<Option<Connection>, String> {
    let address = voice.config.environment.get("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or(SYSTEM_ADDRESS);
    voice
        .answer("the system bus", async {
            match Builder::address(address)?.build().await {
                Ok(bus) => Ok(Some(bus)),
                Err(error) if nobody_listens(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
}

/// Connects to the session's bus. `None`: there is none.
pub(crate) async fn session(voice: &Voice) -> Result<Option<Connection>, String> {
    let Some(address) = session_address(&voice.config.environment) else { return Ok(None) };
    let bus = async { Builder::address(address.as_str())?.build().await };
    voice.answer("the session bus", bus).await.map(Some)
}

fn session_address(environment: &Environment) -> Option<String> {
    if let Some(address) = environment.get("DBUS_SESSION_BUS_ADDRESS") {
        return Some(address.to_owned());
    }
    let socket = format!("{}/bus", environment.get("XDG_RUNTIME_DIR")?);
    std::fs::exists(&socket).unwrap_or(false).then(|| format!("unix:path={socket}"))
}

fn nobody_listens(error: &Error) -> bool {
    let (Error::InputOutput(error) | Error::Connection(error, _)) = error else { return false };
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// One service on a bus, there or not. It is never started by being asked.
pub(crate) struct Service {
    bus: Connection,
    name: &'static str,
    path: &'static str,
    owner: Option<OwnedUniqueName>,
    owners: MessageStream,
    signals: Option<MessageStream>,
}

/// What a service did by itself.
pub(crate) enum Event {
    /// It said something.
    Signal(Message),
    /// It came, went or was replaced.
    Owner,
}

impl Service {
    /// Looks for `name`, and hears from now on what is said by it at `path` and below.
    pub(crate) async fn find(bus: &Connection, name: &'static str, path: &'static str) -> zbus::Result<Self> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(BUS)?
            .interface(BUS)?
            .member("NameOwnerChanged")?
            .add_arg(name)?
            .build();
        let owners = MessageStream::for_match_rule(rule, bus, None).await?;
        let mut service = Self { bus: bus.clone(), name, path, owner: None, owners, signals: None };
        service.look_again().await?;
        Ok(service)
    }

    /// Looks again who the service is. Signals are taken from this very peer only: on the system bus anyone may send
    /// some that look like the service's.
    pub(crate) async fn look_again(&mut self) -> zbus::Result<()> {
        let asked = self.bus.call_method(Some(BUS), "/org/freedesktop/DBus", Some(BUS), "GetNameOwner", &self.name);
        self.owner = match asked.await {
            Ok(answer) => Some(answer.body().deserialize()?),
            Err(Error::MethodError(name, ..)) if name.as_str().ends_with(".NameHasNoOwner") => None,
            Err(error) => return Err(error),
        };
        self.signals = match &self.owner {
            None => None,
            Some(owner) => {
                let rule = MatchRule::builder()
                    .msg_type(Type::Signal)
                    .sender(owner.clone())?
                    .path_namespace(self.path)?
                    .build();
                Some(MessageStream::for_match_rule(rule, &self.bus, Some(SIGNALS_MAX)).await?)
            }
        };
        Ok(())
    }

    /// Whether anyone is behind the name.
    pub(crate) const fn is_there(&self) -> bool {
        self.owner.is_some()
    }

    /// Calls a method of the object at `path`.
    pub(crate) async fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + DynamicType,
        R: serde::de::DeserializeOwned + Signature,
    {
        let Some(owner) = &self.owner else { return Err(Error::Failure(format!("nobody is {}", self.name))) };
        let answer = self.bus.call_method(Some(owner), path, Some(interface), method, body).await?;
        answer.body().deserialize()
    }

    /// Reads one property.
    pub(crate) async fn get<T>(&self, path: &str, interface: &str, property: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<Error>,
    {
        let value: OwnedValue = self.call(path, PROPERTIES, "Get", &(interface, property)).await?;
        T::try_from(value).map_err(Into::into)
    }

    /// Reads all properties of one interface.
    pub(crate) async fn get_all(&self, path: &str, interface: &str) -> zbus::Result<Properties> {
        self.call(path, PROPERTIES, "GetAll", &interface).await
    }

    /// The next thing that the service does by itself.
    ///
    /// # Errors
    /// When the bus is gone.
    pub(crate) async fn event(&mut self) -> Result<Event, String> {
        let signal = async {
            match &mut self.signals {
                Some(signals) => signals.next().await,
                None => pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            owner = self.owners.next() => owner.and_then(Result::ok).map(|_| Event::Owner),
            signal = signal => signal.and_then(Result::ok).map(Event::Signal),
        };
        event.ok_or_else(|| format!("the bus of {} is gone", self.name))
    }

    /// The same if it has happened already.
    pub(crate) fn event_now(&mut self) -> Option<Result<Event, String>> {
        self.event().now_or_never()
    }
}

/// Whether a message is this signal.
pub(crate) fn is(message: &Message, member: &str) -> bool {
    message.header().member().is_some_and(|name| name == member)
}

/// A named value of a type; `None` when it is missing or of another type.
pub(crate) fn value<T: TryFrom<OwnedValue>>(properties: &mut Properties, name: &str) -> Option<T> {
    T::try_from(properties.remove(name)?).ok()
}
