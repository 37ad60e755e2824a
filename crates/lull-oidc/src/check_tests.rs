use serde_json::{Value, json};

use crate::{
    check::{Header, SKEW_S, TOKEN_BYTES_MAX, check},
    crypto,
    error::TokenError,
    forge::{CLIENT, ISSUER, NONCE, NOW_S, Signer, claims, coded, keys, message, trust, with, with_secret},
    keys::KeySet,
    person::{GROUP_BYTES_MAX, GROUPS_MAX, Person},
    verifier::Trust,
};

fn look_as(trust: &Trust, token: &str, keys: &KeySet) -> Result<Person, TokenError> {
    crypto::install();
    check(token, &Header::read(token)?, keys, trust, NONCE, NOW_S)
}

fn look(token: &str, keys: &KeySet) -> Result<Person, TokenError> {
    look_as(&trust(), token, keys)
}

/// A well-signed token with these claims, looked at.
fn of(claims: &Value) -> Result<Person, TokenError> {
    let signer = Signer::ed();
    look(&signer.token(&json!({"alg": "EdDSA", "kid": "k1"}), claims), &keys(&[("k1", &signer)]))
}

#[test]
fn a_token_of_each_accepted_kind_names_its_person() {
    let expected = Person {
        subject: "u-17".into(),
        user: "ada@lull.example".into(),
        groups: vec!["research".into(), "admins".into()],
        groups_dropped: 0,
        until_s: NOW_S + 3600,
    };
    let kinds = [("RS256", Signer::rsa()), ("PS256", Signer::rsa()), ("ES256", Signer::ec()), ("EdDSA", Signer::ed())];
    for (algorithm, signer) in kinds {
        let token = signer.token(&json!({"alg": algorithm, "kid": "k1", "typ": "JWT"}), &claims());
        assert_eq!(look(&token, &keys(&[("k1", &signer)])), Ok(expected.clone()), "{algorithm}");
        let unnamed = signer.token(&json!({"alg": algorithm}), &claims());
        assert_eq!(look(&unnamed, &keys(&[("k1", &signer)])), Ok(expected.clone()), "{algorithm} without a kid");
    }
}

#[test]
fn each_wrong_claim_is_refused_with_its_own_reason() {
    use TokenError as E;
    let (past, future) = (json!(NOW_S - SKEW_S), json!(NOW_S + SKEW_S + 1));
    let cases = [
        ("iss", json!("https://evil.example"), E::Issuer),
        ("iss", json!("https://id.example/"), E::Issuer),
        ("iss", json!([ISSUER]), E::Claim("iss")),
        ("iss", Value::Null, E::Missing("iss")),
        ("aud", json!("other"), E::Audience),
        ("aud", json!([]), E::Audience),
        ("aud", json!(["other", "third"]), E::Audience),
        ("aud", json!([CLIENT, "other"]), E::NoParty),
        ("aud", json!([CLIENT, 7]), E::Claim("aud")),
        ("aud", json!(7), E::Claim("aud")),
        ("aud", Value::Null, E::Missing("aud")),
        ("azp", json!("other"), E::Party),
        ("azp", json!([CLIENT]), E::Claim("azp")),
        ("exp", past, E::Expired),
        ("exp", json!(0), E::Expired),
        ("exp", json!("9999999999"), E::Claim("exp")),
        ("exp", json!(-1), E::Claim("exp")),
        ("exp", json!(1e300), E::Claim("exp")),
        ("exp", Value::Null, E::Missing("exp")),
        ("iat", future.clone(), E::Future),
        ("iat", json!(true), E::Claim("iat")),
        ("iat", Value::Null, E::Missing("iat")),
        ("nbf", future, E::NotYet),
        ("nbf", json!("soon"), E::Claim("nbf")),
        ("nonce", json!("5feceb66ffc86f38d952786c6d696c78"), E::Nonce),
        ("nonce", json!(""), E::Nonce),
        ("nonce", json!([NONCE]), E::Claim("nonce")),
        ("nonce", Value::Null, E::Missing("nonce")),
        ("sub", Value::Null, E::Missing("sub")),
        ("sub", json!(17), E::Claim("sub")),
        ("sub", json!(""), E::Claim("sub")),
        ("sub", json!("x".repeat(256)), E::Claim("sub")),
        ("sub", json!("a\u{0}b"), E::Claim("sub")),
        ("email", json!("ada\u{1b}[2K@lull.example"), E::UserControl),
        ("email", json!("ada@lull.example\n"), E::UserControl),
        ("email", json!("é".repeat(65)), E::UserTooLong),
        ("email_verified", json!(false), E::EmailUnverified),
        ("email_verified", json!("false"), E::EmailUnverified),
        ("groups", json!("admins"), E::GroupsNotList("groups".into())),
        ("groups", json!({"admins": true}), E::GroupsNotList("groups".into())),
    ];
    for (name, value, reason) in cases {
        assert_eq!(of(&with(name, value.clone())), Err(reason), "{name}: {value}");
    }
}

#[test]
fn clocks_may_differ_by_five_minutes_and_no_more() {
    for (name, value) in [("exp", NOW_S - SKEW_S + 1), ("iat", NOW_S + SKEW_S), ("nbf", NOW_S + SKEW_S)] {
        assert!(of(&with(name, json!(value))).is_ok(), "{name}");
    }
    assert!(of(&with("nbf", Value::Null)).is_ok(), "nbf is optional");
    assert_eq!(of(&with("exp", json!(1_800_000_100.75))).map(|person| person.until_s), Ok(1_800_000_100));
}

#[test]
fn several_audiences_need_the_party_that_asked() {
    let mut claims = with("aud", json!(["other", CLIENT]));
    claims["azp"] = json!(CLIENT);
    assert!(of(&claims).is_ok());
    claims["azp"] = json!("other");
    assert_eq!(of(&claims), Err(TokenError::Party));
    assert!(of(&with("aud", json!([CLIENT]))).is_ok(), "a list of one is one");
}

#[test]
fn only_signatures_of_the_four_kinds_are_looked_at() {
    let signer = Signer::rsa();
    let held = keys(&[("k1", &signer)]);
    let refused = |algorithm: &str| Err(TokenError::Algorithm(algorithm.to_owned()));
    let jwk = signer.jwk("k1");
    assert_eq!(look(&with_secret(&claims(), jwk["n"].as_str().unwrap()), &held), refused("HS256"));
    assert_eq!(look(&with_secret(&claims(), &jwk.to_string()), &held), refused("HS256"));
    for algorithm in ["none", "None", "NONE", "", "HS384", "RS384", "RS512", "PS512", "ES384", "RSA-OAEP", "rs256"] {
        let header = json!({"alg": algorithm, "kid": "k1"});
        assert_eq!(look(&format!("{}.", message(&header, &claims())), &held), refused(algorithm));
        assert_eq!(look(&signer.token(&header, &claims()), &held), refused(algorithm));
    }
}

#[test]
fn a_shared_secret_among_the_keys_verifies_nothing() {
    let held = KeySet::from_values(vec![json!({"kty": "oct", "kid": "k1", "k": coded("secret")})]);
    let token = with_secret(&claims(), "secret");
    assert_eq!(look(&token, &held), Err(TokenError::Algorithm("HS256".into())));
    let token = Signer::ed().token(&json!({"alg": "EdDSA", "kid": "k1"}), &claims());
    assert_eq!(look(&token, &held), Err(TokenError::KeyUnknown));
}

#[test]
fn a_signature_must_be_that_of_the_named_key() {
    let (signer, stranger) = (Signer::ec(), Signer::ec());
    let held = keys(&[("k1", &signer), ("k2", &Signer::ec())]);
    let header = |kid: &str| json!({"alg": "ES256", "kid": kid});
    assert_eq!(look(&stranger.token(&header("k1"), &claims()), &held), Err(TokenError::Signature));
    assert_eq!(look(&signer.token(&header("k2"), &claims()), &held), Err(TokenError::Signature));
    assert_eq!(look(&signer.token(&header("k3"), &claims()), &held), Err(TokenError::KeyUnknown));
    assert_eq!(look(&signer.token(&json!({"alg": "ES256"}), &claims()), &held), Err(TokenError::KeyAmbiguous));
    // The right key's name, and another kind of signature than it is for.
    let token = Signer::ed().token(&json!({"alg": "EdDSA", "kid": "k1"}), &claims());
    assert_eq!(look(&token, &held), Err(TokenError::KeyUnknown));
    // Its own key, carried along in the header.
    let mut own = header("k1");
    own["jwk"] = stranger.jwk("k1");
    assert_eq!(look(&stranger.token(&own, &claims()), &held), Err(TokenError::Signature));
    // PKCS #1 where PSS is said.
    let rsa = Signer::rsa();
    let token = rsa.token(&json!({"alg": "RS256", "kid": "k1"}), &claims());
    let signature = token.rsplit('.').next().unwrap();
    let swapped = format!("{}.{signature}", message(&json!({"alg": "PS256", "kid": "k1"}), &claims()));
    assert_eq!(look(&swapped, &keys(&[("k1", &rsa)])), Err(TokenError::Signature));
}

#[test]
fn keys_for_other_purposes_verify_nothing() {
    let signer = Signer::ec();
    let token = signer.token(&json!({"alg": "ES256", "kid": "k1"}), &claims());
    for (name, value) in [("use", json!("enc")), ("alg", json!("ES384")), ("key_ops", json!(["sign"]))] {
        let mut key = signer.jwk("k1");
        key[name] = value;
        assert_eq!(look(&token, &KeySet::from_values(vec![key])), Err(TokenError::KeyUnknown), "{name}");
    }
    let unknown = json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "x"});
    let broken = json!({"kty": "EC", "kid": 7});
    let short = json!({"kty": "EC", "kid": "k1", "crv": "P-256", "x": "AA", "y": "AA"});
    let held = KeySet::from_values(vec![unknown, broken, json!("text"), short, signer.jwk("k1")]);
    assert!(look(&token, &held).is_ok(), "keys that are not understood are passed over");
}

#[test]
fn damaged_tokens_are_refused() {
    let signer = Signer::ed();
    let held = keys(&[("k1", &signer)]);
    let header = json!({"alg": "EdDSA", "kid": "k1"});
    let token = signer.token(&header, &claims());
    let signature_at = token.rfind('.').unwrap() + 1;
    for cut in [0, 1, 10, token.find('.').unwrap() + 5, signature_at - 1] {
        assert_eq!(look(&token[..cut], &held), Err(TokenError::Malformed), "cut at {cut}");
    }
    for cut in [signature_at, signature_at + 40] {
        assert_eq!(look(&token[..cut], &held), Err(TokenError::Signature), "cut at {cut}");
    }
    let encrypted = format!("{token}.x.y");
    let listed = signer.token(&header, &json!(["no", "claims"]));
    let text = format!("{}.e30.x", coded("no JSON"));
    let list = format!("{}.e30.x", coded(r#"["EdDSA", "k1", null, null]"#));
    for garbage in ["", "..", "a.b.c", "\u{0}\u{ffff}.é.x", &encrypted, &listed, &text, &list] {
        assert_eq!(look(garbage, &held), Err(TokenError::Malformed), "{garbage}");
    }
    let mut changed = claims();
    changed["groups"] = json!(["admins", "board"]);
    let swapped = format!("{}.{}", message(&header, &changed), &token[signature_at..]);
    assert_eq!(look(&swapped, &held), Err(TokenError::Signature));
}

#[test]
fn tokens_for_another_purpose_or_with_unknown_demands_are_refused() {
    let signer = Signer::ed();
    let held = keys(&[("k1", &signer)]);
    let token = |name: &str, value: Value| {
        let mut header = json!({"alg": "EdDSA", "kid": "k1"});
        header[name] = value;
        look(&signer.token(&header, &claims()), &held)
    };
    assert_eq!(token("typ", json!("at+jwt")), Err(TokenError::Type("at+jwt".into())));
    assert_eq!(token("typ", json!("logout+jwt")), Err(TokenError::Type("logout+jwt".into())));
    assert_eq!(token("crit", json!(["b64"])), Err(TokenError::Critical));
    assert!(token("typ", json!("jwt")).is_ok());
}

#[test]
fn a_token_has_sixteen_kib_at_most() {
    let signer = Signer::ed();
    let held = keys(&[("k1", &signer)]);
    let sized = |filling: usize| {
        signer.token(&json!({"alg": "EdDSA", "kid": "k1"}), &with("filling", json!("x".repeat(filling))))
    };
    let longest = (0..).map(|less| sized(12_000 - less)).find(|token| token.len() <= TOKEN_BYTES_MAX).unwrap();
    assert!(longest.len() > TOKEN_BYTES_MAX - 8);
    assert!(look(&longest, &held).is_ok());
    assert_eq!(look(&sized(12_010), &held), Err(TokenError::TooLong));
}

#[test]
fn the_user_is_the_first_name_there_is_or_exactly_the_one_wanted() {
    let mut claims = claims();
    let signer = Signer::ed();
    let held = keys(&[("k1", &signer)]);
    let user = |claims: &Value, wanted: Option<&str>| {
        let trust = Trust { user_claim: wanted.map(Into::into), ..trust() };
        let token = signer.token(&json!({"alg": "EdDSA", "kid": "k1"}), claims);
        look_as(&trust, &token, &held).map(|person| person.user)
    };
    assert_eq!(user(&claims, Some("preferred_username")), Ok("ada".into()));
    assert_eq!(user(&claims, Some("upn")), Err(TokenError::UserMissing("upn".into())));
    claims["email"] = json!("");
    assert_eq!(user(&claims, None), Ok("ada".into()));
    assert_eq!(user(&claims, Some("email")), Err(TokenError::UserMissing("email".into())));
    claims["preferred_username"] = json!(7);
    assert_eq!(user(&claims, None), Ok("u-17".into()));
    claims["sub"] = json!("x".repeat(129));
    assert_eq!(user(&claims, None), Err(TokenError::UserTooLong));
}

#[test]
fn groups_that_do_not_fit_are_left_out_and_counted() {
    let mut listed = vec![json!("research"), json!(7), json!(""), json!("a\nb"), json!("research")];
    listed.push(json!("x".repeat(GROUP_BYTES_MAX)));
    listed.push(json!("x".repeat(GROUP_BYTES_MAX + 1)));
    let person = of(&with("groups", json!(listed))).unwrap();
    assert_eq!(person.groups, ["research".to_owned(), "x".repeat(GROUP_BYTES_MAX)]);
    assert_eq!(person.groups_dropped, 4);
    let many: Vec<String> = (0..GROUPS_MAX + 3).map(|number| format!("g{number}")).collect();
    let person = of(&with("groups", json!(many))).unwrap();
    assert_eq!((person.groups.len(), person.groups_dropped), (GROUPS_MAX, 3));
    assert_eq!(person.groups, many[..GROUPS_MAX]);
    assert!(of(&with("groups", Value::Null)).unwrap().groups.is_empty(), "no claim, no groups");
    let trust = Trust { groups_claim: "roles".into(), ..trust() };
    let signer = Signer::ed();
    let token = signer.token(&json!({"alg": "EdDSA"}), &with("roles", json!(["lead"])));
    assert_eq!(look_as(&trust, &token, &keys(&[("k1", &signer)])).unwrap().groups, ["lead"]);
}
