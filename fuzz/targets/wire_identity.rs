//! The chain root → invitation → device → sealing key, and the token that people paste.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lull_fuzz::{bounded, parts, raw_signed, round_trip};
use lull_wire::{
    PublicKey, SecretKey, Token,
    identity::{Device, DeviceChain, GROUPS_MAX, name_fits, node_id},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || match kind % 4 {
        0 => {
            if let Some(chain) = round_trip::<DeviceChain>(body)
                && let Ok(device) = chain.verify(&key(1).public())
            {
                assert_sound(&device);
            }
        }
        1 => chain_of_any_claims(body),
        2 => token(&String::from_utf8_lossy(body)),
        _ => token(&format!("lull1-{}", URL_SAFE_NO_PAD.encode(body))),
    });
});

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

/// Everyone signs whatever the input says: only what the documents claim can be wrong.
fn chain_of_any_claims(body: &[u8]) {
    let parts = parts(body);
    let [(_, invitation), (_, device), (_, sealing)] = parts.as_slice() else { return };
    let chain = DeviceChain { invitation: raw_signed(invitation, &key(1)), device: raw_signed(device, &key(2)) };
    let root: PublicKey = key(1).public();
    if let Ok(device) = chain.verify(&root) {
        assert_sound(&device);
    }
    if let Ok((device, _)) = chain.verify_sealing(&root, &raw_signed(sealing, &key(3))) {
        assert_eq!(device.key, key(3).public(), "a sealing key counts that its device never signed");
    }
}

fn assert_sound(device: &Device) {
    assert_eq!(device.node, node_id(&device.key));
    assert!(name_fits(&device.name) && device.groups.len() <= GROUPS_MAX && device.groups.iter().all(|g| name_fits(g)));
}

fn token(text: &str) {
    if let Ok(token) = text.parse::<Token>() {
        let again: Token = token.to_string().parse().expect("a token survives being written");
        assert_eq!(again.to_string(), token.to_string());
        assert!(token.invitation.open(&token.root).is_ok_and(|said| said.key == token.secret().public()));
    }
}
