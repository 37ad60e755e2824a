use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Connections that may be on their way in at once, in all.
const PENDING_MAX: usize = 2_048;
/// Connections that may be on their way in at once from one address.
const PENDING_PER_IP_MAX: usize = 512;
/// From this many on, a newcomer must first prove that its address is its own.
const RETRY_FROM: usize = 256;

/// Counts the connections that have not said who they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    all: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

/// What to do with a newcomer.
#[derive(Debug)]
pub(crate) enum Verdict {
    Enter(Ticket),
    /// Its address must be proved first.
    Retry,
    /// There are too many; it will try again by itself.
    Ignore,
}

/// A place among those on their way in; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    gate: Gate,
    ip: IpAddr,
}

impl Gate {
    pub(crate) fn knock(&self, ip: IpAddr, address_proved: bool) -> Verdict {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = pending.by_ip.get(&ip).copied().unwrap_or(0);
        if pending.all >= PENDING_MAX || here >= PENDING_PER_IP_MAX {
            return Verdict::Ignore;
        }
        if pending.all >= RETRY_FROM && !address_proved {
            return Verdict::Retry;
        }
        pending.all += 1;
        *pending.by_ip.entry(ip).or_default() += 1;
        Verdict::Enter(Ticket { gate: self.clone(), ip })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut pending = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.all -= 1;
        if let Some(count) = pending.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                pending.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_must_prove_its_address_and_has_a_bound() {
        let gate = Gate::default();
        let ip = IpAddr::from([10, 0, 0, 1]);
        let mut tickets = Vec::new();
        for count in 0..PENDING_PER_IP_MAX {
            match gate.knock(ip, false) {
                Verdict::Enter(ticket) => tickets.push(ticket),
                Verdict::Retry if count >= RETRY_FROM => match gate.knock(ip, true) {
                    Verdict::Enter(ticket) => tickets.push(ticket),
                    other => panic!("{other:?}"),
                },
                other => panic!("{count}: {other:?}"),
            }
        }
        assert!(matches!(gate.knock(ip, true), Verdict::Ignore));
        assert!(matches!(gate.knock(IpAddr::from([10, 0, 0, 2]), true), Verdict::Enter(_)));
        tickets.clear();
        assert!(matches!(gate.knock(ip, false), Verdict::Enter(_)));
        assert!(gate.0.lock().unwrap().by_ip.is_empty());
    }
}
