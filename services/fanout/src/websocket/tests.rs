use super::*;

/// A masked client frame, as a browser writes it.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame_header(Opcode::Text, payload.len(), &mut frame);
    frame[0] = first;
    frame[1] |= 0x80;
    let mask = [0x11, 0x22, 0x33, 0x44];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    frame
}

/// All that a stream gives when it arrives in pieces of the given size; data pieces joined per message.
fn read_all(stream: &[u8], piece: usize) -> Result<Vec<String>, FrameError> {
    let mut reader = FrameReader::default();
    let mut seen = Vec::new();
    let mut message = Vec::new();
    for chunk in stream.chunks(piece) {
        let mut chunk = chunk.to_vec();
        let mut rest = &mut chunk[..];
        loop {
            let (used, received) = reader.read(rest)?;
            let gave = received.is_some();
            match received {
                Some(Received::Data { bytes, end }) => {
                    message.extend_from_slice(bytes);
                    if end {
                        seen.push(format!("message {}", String::from_utf8_lossy(&message)));
                        message.clear();
                    }
                }
                Some(Received::Ping(payload)) => seen.push(format!("ping {}", payload.len())),
                Some(Received::Pong(_)) => seen.push("pong".to_owned()),
                Some(Received::Close(code)) => seen.push(format!("close {code:?}")),
                None => {}
            }
            rest = &mut rest[used..];
            if rest.is_empty() || (used == 0 && !gave) {
                break;
            }
        }
    }
    Ok(seen)
}

#[test]
fn a_stream_reads_the_same_however_it_is_cut() {
    let long = "x".repeat(70_000);
    let medium = "y".repeat(300);
    let mut stream = client_frame(0x81, b"hello");
    stream.extend(client_frame(0x01, b"two "));
    stream.extend(client_frame(0x89, b"ping"));
    stream.extend(client_frame(0x80, b"parts"));
    stream.extend(client_frame(0x82, medium.as_bytes()));
    stream.extend(client_frame(0x81, b""));
    stream.extend(client_frame(0x8a, b""));
    stream.extend(client_frame(0x82, long.as_bytes()));
    stream.extend(client_frame(0x88, &[0x03, 0xe8]));
    let expected = [
        "message hello".to_owned(),
        "ping 4".to_owned(),
        "message two parts".to_owned(),
        format!("message {medium}"),
        "message ".to_owned(),
        "pong".to_owned(),
        format!("message {long}"),
        "close Some(1000)".to_owned(),
    ];
    for piece in [1, 2, 3, 7, 64, 4096, stream.len()] {
        assert_eq!(read_all(&stream, piece).as_deref(), Ok(&expected[..]), "pieces of {piece}");
    }
}

#[test]
fn broken_framing_is_named() {
    let cases: [(Vec<u8>, FrameError); 13] = [
        (client_frame(0xc1, b"x"), FrameError::ReservedBits),
        (client_frame(0x83, b"x"), FrameError::UnknownOpcode(3)),
        (vec![0x81, 0x01, b'x'], FrameError::NotMasked),
        (client_frame(0x09, b"x"), FrameError::BadControl),
        (client_frame(0x89, &[0; 126]), FrameError::BadControl),
        (client_frame(0x80, b"x"), FrameError::BadFragment),
        ([client_frame(0x01, b"x"), client_frame(0x81, b"y")].concat(), FrameError::BadFragment),
        ([&[0x82, 0xff][..], &[0xff; 12]].concat(), FrameError::BadLength),
        (client_frame(0x88, &[3]), FrameError::BadClose),
        (client_frame(0x88, &999u16.to_be_bytes()), FrameError::BadClose),
        (client_frame(0x88, &1005u16.to_be_bytes()), FrameError::BadClose),
        (client_frame(0x88, &5000u16.to_be_bytes()), FrameError::BadClose),
        (client_frame(0x88, &[0x03, 0xe8, 0xce, 0xba, 0xed, 0xa0, 0x80]), FrameError::BadClose),
    ];
    for (stream, error) in cases {
        for piece in [1, stream.len()] {
            assert_eq!(read_all(&stream, piece), Err(error));
        }
    }
}

#[test]
fn frames_of_each_length_form_carry_their_length() {
    for (length, header) in [(0, vec![0x82, 0]), (125, vec![0x82, 125]), (126, vec![0x82, 126, 0, 126])] {
        let mut out = Vec::new();
        frame_header(Opcode::Binary, length, &mut out);
        assert_eq!(out, header);
    }
    let mut out = Vec::new();
    frame_header(Opcode::Text, 65_536, &mut out);
    assert_eq!(out, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn the_accept_key_is_that_of_the_rfc() {
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn an_opening_handshake_is_checked() {
    let mut headers = http::HeaderMap::new();
    assert_eq!(check_upgrade(&headers), Ok(None));
    headers.insert("connection", "keep-alive, Upgrade".parse().expect("valid"));
    headers.insert("upgrade", "WebSocket".parse().expect("valid"));
    assert_eq!(check_upgrade(&headers), Err(UpgradeError::Version));
    headers.insert("sec-websocket-version", "13".parse().expect("valid"));
    assert_eq!(check_upgrade(&headers), Err(UpgradeError::Key));
    headers.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().expect("valid"));
    assert!(matches!(check_upgrade(&headers), Ok(Some(_))));
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(0u8.., 0..400), piece in 1usize..50) {
        let _ = read_all(&bytes, piece);
    }
}
