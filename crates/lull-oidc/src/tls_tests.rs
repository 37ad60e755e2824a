//! Over https a provider is believed only with a certificate that this machine trusts.
#![cfg(target_os = "linux")]

use std::{fs, path::Path, process::Command, sync::Arc};

use rcgen::generate_simple_self_signed;
use serde_json::json;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::{
    error::{ProviderError, TokenError},
    forge::{CLIENT, NONCE, NOW_S, Signer, claims},
    stub::Stub,
    verifier::{Trust, Verifier},
};

/// Where the process that trusts other certificates finds them.
const FOLDER: &str = "LULL_TLS_TEST";

/// Makes a certificate and its key; its text for a list of trusted ones.
fn certify(folder: &Path, file: &str, name: &str) -> String {
    let made = generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(folder.join(format!("{file}.cert")), made.cert.der()).unwrap();
    fs::write(folder.join(format!("{file}.key")), made.signing_key.serialize_der()).unwrap();
    made.cert.pem()
}

/// What comes of a token of a provider with that certificate, at 127.0.0.1.
async fn looked(folder: &Path, file: &str) -> Result<String, TokenError> {
    let certificate = CertificateDer::from(fs::read(folder.join(format!("{file}.cert"))).unwrap());
    let key = PrivateKeyDer::Pkcs8(fs::read(folder.join(format!("{file}.key"))).unwrap().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let stub = Stub::start_tls(config.unwrap()).await;
    let signer = Signer::ec();
    stub.say("/jwks", json!({"keys": [signer.jwk("k1")]}));
    let mut claims = claims();
    claims["iss"] = json!(stub.issuer);
    let token = signer.token(&json!({"alg": "ES256", "kid": "k1"}), &claims);
    let verifier = Verifier::new(Trust::new(stub.issuer.clone(), CLIENT)).unwrap();
    verifier.verify(&token, NONCE, NOW_S).await.map(|person| person.user)
}

/// What a machine trusts is read from the environment, which is changed for a process of its own: this test again.
#[tokio::test]
async fn only_a_provider_with_a_trusted_certificate_is_believed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        assert_eq!(looked(folder, "trusted").await, Ok("ada@lull.example".into()));
        for file in ["stranger", "misnamed"] {
            let refused = looked(folder, file).await;
            assert!(matches!(refused, Err(TokenError::Provider(ProviderError::Unreachable { .. }))), "{refused:?}");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trusted = certify(folder.path(), "trusted", "127.0.0.1") + &certify(folder.path(), "misnamed", "id.example");
    certify(folder.path(), "stranger", "127.0.0.1");
    let list = folder.path().join("trusted.pem");
    fs::write(&list, trusted).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls_tests::only_a_provider_with_a_trusted_certificate_is_believed", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", &list)
        .env_remove("SSL_CERT_DIR")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
