//! Tokens in the forms of Entra, Auth0 and Keycloak, with discovery documents and key sets of the tests' own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Tab};
use fanfare_token::{PublicJwk, SigningKey};
use serde_json::{Value, json};

const ENTRA: &str = "https://login.microsoftonline.example/{tenantid}/v2.0";
const AUTH0: &str = "https://acme.eu.auth0.example/";
const KEYCLOAK: &str = "https://sso.example/realms/acme";

/// An issuer: the key set and the discovery document that names it.
async fn discovered(issuer: &str, keys: Vec<PublicJwk>) -> (String, [Stub; 2]) {
    let keys = Stub::with_keys(keys).await;
    let document = json!({ "issuer": issuer, "jwks_uri": format!("{}/keys", keys.url()) });
    let discovery = Stub::start(document.to_string()).await;
    (format!("{}/.well-known/openid-configuration", discovery.url()), [keys, discovery])
}

/// A key of the curve P-256, and its JWK.
fn p256() -> (EcdsaKeyPair, PublicJwk) {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).expect("a key");
    // A byte for the form of the point, then both halves.
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let jwk = PublicJwk { kty: "EC".into(), crv: "P-256".into(), kid: "ec-1".into(), x, y, ..PublicJwk::default() };
    (pair, jwk)
}

/// A token of ES256, without a `kid`.
fn es256(pair: &EcdsaKeyPair, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT" })), part(claims));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn dated(mut claims: Value) -> Value {
    (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now() - 60), json!(now() - 60), json!(now() + 3600));
    claims
}

fn entra(tenant: &str, key: &SigningKey) -> String {
    let claims = json!({
        "aud": "api://fanfare", "iss": ENTRA.replace("{tenantid}", tenant), "tid": tenant, "ver": "2.0",
        "sub": "_kq7Vd0fQ", "oid": "8b1a9953-c461-4f5b-8c19-0123456789ab", "preferred_username": "anna+test@example.org",
        "roles": ["Source.Admin"], "groups": ["2f6e-4d"], "scp": "access_as_user", "sid": "00a1-b2",
    });
    key.sign(&dated(claims)).expect("signed")
}

fn auth0(pair: &EcdsaKeyPair) -> String {
    es256(
        pair,
        &dated(json!({
            "iss": AUTH0, "sub": "auth0|64f0c2", "aud": ["https://api.example", "https://acme.eu.auth0.example/userinfo"],
            "azp": "client", "scope": "openid profile", "org_id": "org_9", "https://app.example/roles": ["read:alerts"],
        })),
    )
}

fn keycloak(key: &SigningKey, organizations: Value) -> String {
    let claims = json!({
        "iss": KEYCLOAK, "sub": "f:1c:j\u{fc}rgen", "aud": "account", "typ": "Bearer", "azp": "shop", "sid": "s-7",
        "organization": organizations, "realm_access": { "roles": ["offline_access"] },
        "resource_access": { "shop.example.com": { "roles": ["tickets/approve", "Super Admin"] } },
    });
    key.sign(&dated(claims)).expect("signed")
}

/// Several issuers of users, each with its own claims.
fn section(issuer: &str, discovery: &str, more: &str) -> String {
    format!(
        "[[issuer]]\nissuer = \"{issuer}\"\ndiscovery = \"{discovery}\"\nusers = true\norgs = [\"*\"]\nroles = [\"*\"]\n{more}"
    )
}

async fn hears_its_org(node: &Node, tab: &mut Tab, org: &str) {
    node.publish(&[NewEvent::alert(org, &format!("of {org}"))]).await;
    assert_eq!(tab.expect("toast").await["title"], format!("of {org}"));
}

#[tokio::test]
async fn tokens_of_entra_auth0_and_keycloak_are_taken_as_they_are_made() {
    let keys = [(); 2].map(|()| SigningKey::generate().expect("a key"));
    let (pair, ec) = p256();
    let (at_entra, _entra) = discovered(ENTRA, vec![keys[0].jwk()]).await;
    let (at_auth0, _auth0) = discovered(AUTH0, vec![ec]).await;
    let (at_keycloak, _keycloak) = discovered(KEYCLOAK, vec![keys[1].jwk()]).await;
    let of_keycloak = r#"realm = "keycloak"
audience = "account"
claims = { org = "organization", roles = 'resource_access."shop.example.com".roles' }"#;
    let settings = Settings::default()
        .section(&section(
            ENTRA,
            &at_entra,
            "realm = \"entra\"\ntenants = [\"t-1\", \"t-2\"]\naudience = \"api://fanfare\"\n\
             claims = { user = \"oid\", org = \"tid\", roles = [\"roles\", \"groups\"] }",
        ))
        .section(&section(
            AUTH0,
            &at_auth0,
            "realm = \"auth0\"\naudience = \"https://api.example\"\n\
             claims = { org = \"org_id\", roles = \"https://app.example/roles\" }",
        ))
        .section(&section(KEYCLOAK, &at_keycloak, of_keycloak));
    let hubs = format!("[hub.\"{HUB}\"]\n[hub.\"/hubs/approvers\"]\nrequire_roles = [\"tickets/approve\"]\n");
    let node = Node::start_with(Settings { hubs, ..settings }).await;

    let tokens = [entra("t-1", &keys[0]), auth0(&pair), keycloak(&keys[1], json!({ "acme-gmbh": { "id": "42" } }))];
    let explained = [
        ["user       8b1a9953-c461-4f5b-8c19-0123456789ab", "org        t-1", "roles      Source.Admin, 2f6e-4d"],
        ["user       auth0|64f0c2", "org        org_9", "roles      read:alerts"],
        ["user       f:1c:j\u{fc}rgen", "org        acme-gmbh", "roles      tickets/approve, Super Admin"],
    ];
    let mut tabs = Vec::new();
    for ((token, org), parts) in tokens.iter().zip(["t-1", "org_9", "acme-gmbh"]).zip(explained) {
        let mut tab = node.tab_with(token).await;
        hears_its_org(&node, &mut tab, org).await;
        let told = node.fanfare(&["token", "--explain", token]).await;
        assert!(parts.iter().all(|part| told.stdout.contains(part)), "{}{}", told.stdout, told.stderr);
        tabs.push(tab);
    }
    let approvers = Connect::new("/hubs/approvers", &tokens[2]).negotiate(node.address()).await.expect("an answer");
    assert_eq!(approvers.status, 200);
    // Entra's users belong to the first issuer. A logout applies to every realm.
    for (number, (user, tab)) in ["8b1a9953-c461-4f5b-8c19-0123456789ab", "auth0|64f0c2", "f:1c:j\u{fc}rgen"]
        .into_iter()
        .zip(&mut tabs)
        .enumerate()
    {
        let body = json!({ "user": user, "org": "any", "session": null, "reason": "bye" });
        node.publish(&[NewEvent::new("auth.UserLoggedOut", &format!("out-{number}"), &body)]).await;
        assert_eq!(tab.expect("logout").await["reason"], "bye", "{user}");
        assert_eq!(tab.next().await, Message::Close(None, false));
        assert_eq!(node.negotiate(&tokens[number]).await, 401, "{user}");
    }
}

#[tokio::test]
async fn what_issuers_do_not_make_is_refused_by_claim_and_reason() {
    let keys = [(); 2].map(|()| SigningKey::generate().expect("a key"));
    let (pair, ec) = p256();
    // The keys of both in one set: each key names what it may sign.
    let (at_entra, _entra) = discovered(ENTRA, vec![keys[0].jwk(), ec]).await;
    let (at_keycloak, _keycloak) = discovered(KEYCLOAK, vec![keys[1].jwk()]).await;
    let settings = Settings::default()
        .section(&section(
            ENTRA,
            &at_entra,
            "realm = \"entra\"\ntenants = [\"t-1\"]\naudience = \"api://fanfare\"\nclaims = { user = \"oid\", org = \"tid\" }",
        ))
        .section(&section(
            KEYCLOAK,
            &at_keycloak,
            "realm = \"keycloak\"\naudience = \"account\"\nclaims = { org = \"organization\" }",
        ));
    let node = Node::start_with(settings).await;
    let in_es256 = es256(
        &pair,
        &dated(json!({ "iss": ENTRA.replace("{tenantid}", "t-1"), "aud": "api://fanfare",
        "oid": "anna", "tid": "t-1" })),
    );
    assert_eq!(node.negotiate(&in_es256).await, 200, "one key of the set can have signed it, though it names none");
    for (what, token, reason) in [
        ("a tenant that is not listed", entra("t-9", &keys[0]), "unknown_issuer"),
        ("the pattern itself", entra("{tenantid}", &keys[0]), "unknown_issuer"),
        ("the key of another issuer", keycloak(&keys[0], json!(["acme"])), "unknown_key"),
        ("an org that is a number with a fraction", keycloak(&keys[1], json!(1.5)), "invalid_claim"),
        ("an org that is a list of lists", keycloak(&keys[1], json!([["acme"]])), "invalid_claim"),
    ] {
        assert_eq!(node.negotiate(&token).await, 401, "{what}");
        let line = node.lines("token refused").pop().expect("a line");
        assert_eq!(line["reason"], reason, "{what}: {line}");
        assert!(node.metric("fanfare_tokens_refused_total", reason).await >= 1.0, "{what}");
    }
}
