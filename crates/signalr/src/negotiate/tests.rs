use super::*;

fn json(answer: &Answer) -> String {
    let text = serde_json::to_string(answer).unwrap();
    assert_eq!(&serde_json::from_str::<Answer>(&text).unwrap(), answer);
    text
}

#[test]
fn versions_are_chosen_as_clients_expect() {
    assert_eq!(Version::choose(None), Ok(Version::V0));
    assert_eq!(Version::choose(Some("0")), Ok(Version::V0));
    assert_eq!(Version::choose(Some("1")), Ok(Version::V1));
    assert_eq!(Version::choose(Some("42")), Ok(Version::V1));
    for asked in ["", "x", "1.0", "99999999999"] {
        let error = Version::choose(Some(asked)).unwrap_err();
        assert_eq!(error.to_string(), "The client requested a non-integer protocol version.");
    }
    assert_eq!(
        Version::choose(Some("-1")).unwrap_err().to_string(),
        "The client requested version '-1', but the server does not support this version."
    );
}

#[test]
fn version_1_has_id_and_token() {
    let answer = Answer::V1 {
        connection_id: "id".into(),
        connection_token: "token".into(),
        transports: Transport::ALL.to_vec(),
        use_stateful_reconnect: false,
        token_lifetime_seconds: None,
    };
    assert_eq!(
        json(&answer),
        concat!(
            r#"{"negotiateVersion":1,"connectionId":"id","connectionToken":"token","availableTransports":["#,
            r#"{"transport":"WebSockets","transferFormats":["Text","Binary"]},"#,
            r#"{"transport":"ServerSentEvents","transferFormats":["Text"]},"#,
            r#"{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}"#
        )
    );
}

#[test]
fn version_0_has_no_token() {
    let answer = Answer::V0 { connection_id: "id".into(), transports: vec![Transport::ServerSentEvents] };
    assert_eq!(
        json(&answer),
        concat!(
            r#"{"negotiateVersion":0,"connectionId":"id","availableTransports":["#,
            r#"{"transport":"ServerSentEvents","transferFormats":["Text"]}]}"#
        )
    );
}

#[test]
fn absent_keys_are_left_out() {
    let resumable = Answer::V1 {
        connection_id: "i".into(),
        connection_token: "t".into(),
        transports: vec![],
        use_stateful_reconnect: true,
        token_lifetime_seconds: Some(3600),
    };
    assert!(
        json(&resumable)
            .ends_with(r#""availableTransports":[],"useStatefulReconnect":true,"tokenLifetimeSeconds":3600}"#)
    );
    let bare = Answer::Redirect { url: "https://b".into(), access_token: None };
    assert_eq!(json(&bare), r#"{"url":"https://b"}"#);
    let with_token = Answer::Redirect { url: "https://b".into(), access_token: Some("t".into()) };
    assert_eq!(json(&with_token), r#"{"url":"https://b","accessToken":"t"}"#);
    let refused = Answer::from(VersionError::NotAnInteger);
    assert_eq!(json(&refused), r#"{"error":"The client requested a non-integer protocol version."}"#);
}

#[test]
fn an_answer_of_no_kind_is_refused() {
    assert!(serde_json::from_str::<Answer>("{}").is_err());
    assert!(serde_json::from_str::<Answer>(r#"{"negotiateVersion":1,"connectionId":"a"}"#).is_err());
}
