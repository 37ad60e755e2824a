use serde_json::{Value, json};

use crate::{
    error::{ProviderError, TokenError},
    forge::{CLIENT, NONCE, NOW_S, Signer, claims},
    http::BODY_BYTES_MAX,
    person::Person,
    stub::{Said, Stub},
    verifier::{Trust, Verifier},
};

/// A provider with one key, and who trusts it.
async fn provider(signer: &Signer) -> (Stub, Verifier) {
    let stub = Stub::start().await;
    stub.say("/jwks", json!({"keys": [signer.jwk("k1")]}));
    let verifier = Verifier::new(Trust::new(stub.issuer.clone(), CLIENT)).unwrap();
    (stub, verifier)
}

async fn look(verifier: &Verifier, stub: &Stub, signer: &Signer, kid: &str, now_s: u64) -> Result<Person, TokenError> {
    let mut claims = claims();
    claims["iss"] = json!(stub.issuer);
    claims["iat"] = json!(now_s);
    claims["nbf"] = json!(now_s);
    claims["exp"] = json!(now_s + 60);
    let token = signer.token(&json!({"alg": "EdDSA", "kid": kid}), &claims);
    verifier.verify(&token, NONCE, now_s).await
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_after_an_hour() {
    let signer = Signer::ed();
    let (stub, verifier) = provider(&signer).await;
    assert_eq!(stub.asked("/jwks"), 0, "nothing is asked before the first token");
    for second in 0..3599 {
        assert!(look(&verifier, &stub, &signer, "k1", NOW_S + second).await.is_ok());
    }
    assert_eq!(stub.asked("/jwks"), 1);
    assert!(look(&verifier, &stub, &signer, "k1", NOW_S + 3600).await.is_ok());
    assert_eq!(stub.asked("/jwks"), 2);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute() {
    let (signer, next) = (Signer::ed(), Signer::ed());
    let (stub, verifier) = provider(&signer).await;
    assert!(look(&verifier, &stub, &signer, "k1", NOW_S).await.is_ok());
    for second in 0..60 {
        let refused = look(&verifier, &stub, &next, "k2", NOW_S + second).await;
        assert_eq!(refused, Err(TokenError::KeyUnknown));
    }
    assert_eq!(stub.asked("/jwks"), 1, "within the first minute nothing is fetched again");
    for second in 60..120 {
        let refused = look(&verifier, &stub, &next, "k2", NOW_S + second).await;
        assert_eq!(refused, Err(TokenError::KeyUnknown));
    }
    assert_eq!(stub.asked("/jwks"), 2, "one fetch in the second minute");
    stub.say("/jwks", json!({"keys": [next.jwk("k2")]}));
    assert_eq!(look(&verifier, &stub, &next, "k2", NOW_S + 119).await, Err(TokenError::KeyUnknown));
    assert!(look(&verifier, &stub, &next, "k2", NOW_S + 120).await.is_ok(), "the new key counts");
    assert_eq!(
        look(&verifier, &stub, &signer, "k1", NOW_S + 121).await,
        Err(TokenError::KeyUnknown),
        "the old is gone"
    );
}

#[tokio::test]
async fn a_forgery_has_nothing_fetched() {
    let (signer, stranger) = (Signer::ed(), Signer::ed());
    let (stub, verifier) = provider(&signer).await;
    assert!(look(&verifier, &stub, &signer, "k1", NOW_S).await.is_ok());
    for minute in 1..50 {
        let forged = look(&verifier, &stub, &stranger, "k1", NOW_S + minute * 60).await;
        assert_eq!(forged, Err(TokenError::Signature));
    }
    assert!(matches!(verifier.verify("a.b.c", NONCE, NOW_S).await, Err(TokenError::Malformed)));
    assert_eq!(stub.asked("/jwks"), 1);
}

#[tokio::test]
async fn keys_outlive_a_provider_that_is_away_for_a_day_at_most() {
    let signer = Signer::ed();
    let (stub, verifier) = provider(&signer).await;
    assert!(look(&verifier, &stub, &signer, "k1", NOW_S).await.is_ok());
    stub.say("/jwks", Said { status: 503, body: String::new(), location: None });
    let day = NOW_S + 24 * 60 * 60;
    assert!(look(&verifier, &stub, &signer, "k1", day - 1).await.is_ok());
    let refused = look(&verifier, &stub, &signer, "k1", day + 60).await;
    assert!(matches!(refused, Err(TokenError::Provider(ProviderError::Status { status: 503, .. }))), "{refused:?}");
    stub.say("/jwks", json!({"keys": [signer.jwk("k1")]}));
    let soon = look(&verifier, &stub, &signer, "k1", day + 64).await;
    assert!(soon.is_err(), "not asked again at once");
    assert!(look(&verifier, &stub, &signer, "k1", day + 65).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_stop_the_keys() {
    let (signer, next) = (Signer::ed(), Signer::ed());
    let (stub, verifier) = provider(&signer).await;
    assert!(look(&verifier, &stub, &signer, "k1", NOW_S).await.is_ok());
    stub.say("/jwks", json!({"keys": [next.jwk("k2")]}));
    assert!(look(&verifier, &stub, &next, "k2", NOW_S - 1000).await.is_ok());
}

#[tokio::test]
async fn many_at_once_share_one_fetch() {
    let signer = Signer::ed();
    let (stub, verifier) = provider(&signer).await;
    let looks = (0..50).map(|_| look(&verifier, &stub, &signer, "k1", NOW_S));
    for looked in futures_join(looks).await {
        assert!(looked.is_ok());
    }
    assert_eq!(stub.asked("/jwks"), 1);
}

/// All of them at the same time.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(ready) = future.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(waiting.iter_mut().filter_map(|(_, output)| output.take()).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_provider_that_misbehaves_gives_no_keys() {
    let signer = Signer::ed();
    let ask = async |path: &str, said: &dyn Fn(&Stub) -> Said| {
        let (stub, verifier) = provider(&signer).await;
        stub.say(path, said(&stub));
        match look(&verifier, &stub, &signer, "k1", NOW_S).await {
            Err(TokenError::Provider(error)) => (error, stub.asked("/elsewhere")),
            other => panic!("{path}: {other:?}"),
        }
    };
    let discovery = "/.well-known/openid-configuration";
    let changed = |name: &'static str, value: &'static str| {
        move |stub: &Stub| {
            let mut document = stub.document();
            document[name] = Value::from(value);
            document.into()
        }
    };
    let (error, _) = ask(discovery, &changed("issuer", "https://id.example")).await;
    assert!(matches!(error, ProviderError::OtherIssuer { .. }), "{error}");
    let (error, _) = ask(discovery, &changed("jwks_uri", "http://id.example/jwks")).await;
    assert_eq!(error, ProviderError::Insecure { what: "its keys" });
    let text = |status, body: String| move |_: &Stub| Said { status, body: body.clone(), location: None };
    let (error, _) = ask(discovery, &text(200, "<html>".into())).await;
    assert!(matches!(error, ProviderError::Malformed { .. }), "{error}");
    let (error, _) = ask("/jwks", &text(200, "[]".into())).await;
    assert!(matches!(error, ProviderError::Malformed { .. }), "{error}");
    let (error, _) = ask("/jwks", &text(200, " ".repeat(BODY_BYTES_MAX + 1))).await;
    assert!(matches!(error, ProviderError::TooMuch { .. }), "{error}");
    let elsewhere =
        |stub: &Stub| Said { status: 302, body: String::new(), location: Some(format!("{}/elsewhere", stub.issuer)) };
    let (error, followed) = ask("/jwks", &elsewhere).await;
    assert!(matches!(error, ProviderError::Status { status: 302, .. }), "{error}");
    assert_eq!(followed, 0, "no redirect is followed");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_said_to_be_so() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let verifier = Verifier::new(Trust::new(format!("http://{nobody}"), CLIENT)).unwrap();
    let token = Signer::ed().token(&json!({"alg": "EdDSA"}), &claims());
    let refused = verifier.verify(&token, NONCE, NOW_S).await;
    assert_eq!(refused, Err(TokenError::Provider(ProviderError::Unreachable { host: nobody.to_string() })));
    let unsafe_one = Verifier::new(Trust::new("http://id.example", CLIENT));
    assert!(matches!(unsafe_one, Err(ProviderError::Issuer(_))));
}
