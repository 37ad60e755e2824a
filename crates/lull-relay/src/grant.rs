use lull_core::scheduler::{GRANT_OPEN_MAX_MS, Granted, Reserve};
use lull_types::{NodeId, Pseudonym};
use lull_wire::{
    SecretKey, Signed, control,
    job::{GRANT_OPEN_S, Grant},
    policy::DenyList,
};
use ring::hmac;

use crate::clock;

const _: () = assert!(GRANT_OPEN_MAX_MS == GRANT_OPEN_S * 1_000, "grant and slot end together");

/// Signs grants, and gives requesters the names that lenders may know.
pub(crate) struct Granter {
    key: SecretKey,
    pseudonyms: hmac::Key,
}

impl Granter {
    pub(crate) fn new(key: SecretKey, secret: &[u8; 32]) -> Self {
        Self { key, pseudonyms: derive(secret, b"lull pseudonym key 1") }
    }

    /// The same for one requester, lender and day; nobody without the relay's secret can link two of them.
    fn pseudonym(&self, submitter: NodeId, lender: NodeId) -> Pseudonym {
        let day = clock::day_of(clock::now_s()).to_le_bytes();
        let tag = hmac::sign(&self.pseudonyms, &[submitter.0.as_slice(), &lender.0, &day].concat());
        let mut name = [0; 16];
        name.copy_from_slice(&tag.as_ref()[..16]);
        Pseudonym(name)
    }

    pub(crate) fn reservation(&self, reserve: &Reserve) -> control::Reserve {
        control::Reserve {
            job: reserve.submit.job,
            epoch: reserve.submit.epoch,
            model: reserve.model,
            label: reserve.submit.label.clone(),
            pseudonym: self.pseudonym(reserve.submitter, reserve.lender),
            prompt_tokens: reserve.submit.prompt_tokens,
            max_tokens: reserve.submit.max_tokens,
        }
    }

    pub(crate) fn grant(&self, granted: &Granted) -> Option<Signed<Grant>> {
        let grant = Grant {
            job: granted.submit.job,
            epoch: granted.submit.epoch,
            lender: granted.lender,
            nonce: granted.nonce,
            model: granted.model,
            label: granted.submit.label.clone(),
            pseudonym: self.pseudonym(granted.submitter, granted.lender),
            submitter_key: granted.submit.submitter_key,
            not_after_s: clock::now_s() + GRANT_OPEN_S,
        };
        Signed::sign(&grant, &self.key).ok()
    }
}

impl Granter {
    /// Whom other machines must not deal with, signed.
    pub(crate) fn deny_list(&self, list: &DenyList) -> Option<Signed<DenyList>> {
        Signed::sign(list, &self.key).ok()
    }
}

/// A key for one purpose.
pub(crate) fn derive(secret: &[u8; 32], purpose: &[u8]) -> hmac::Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose);
    hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
}

/// What decides which checker checks whom: nobody else can foresee it.
pub(crate) fn judge_seed(secret: &[u8; 32]) -> u64 {
    let tag = hmac::sign(&derive(secret, b"lull judge seed 1"), b"");
    tag.as_ref().iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// The 64 bytes that QUIC's stateless resets are keyed with: the same after a restart.
pub(crate) fn reset_key(secret: &[u8; 32]) -> [u8; 64] {
    let key = derive(secret, b"lull stateless reset key 1");
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(hmac::sign(&key, &[1]).as_ref());
    bytes[32..].copy_from_slice(hmac::sign(&key, &[2]).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_stable_for_one_pair_and_foreign_to_others() {
        let granter = Granter::new(SecretKey::generate(), &[1; 32]);
        let other = Granter::new(SecretKey::generate(), &[2; 32]);
        let (a, b, c) = (NodeId([1; 16]), NodeId([2; 16]), NodeId([3; 16]));
        assert_eq!(granter.pseudonym(a, b), granter.pseudonym(a, b));
        assert_ne!(granter.pseudonym(a, b), granter.pseudonym(b, a));
        assert_ne!(granter.pseudonym(a, b), granter.pseudonym(a, c));
        assert_ne!(granter.pseudonym(a, b), other.pseudonym(a, b));
        assert_ne!(reset_key(&[1; 32]), reset_key(&[2; 32]));
    }
}
