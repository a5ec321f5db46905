//! Decodes arbitrary bytes as hub messages, and encodes the result again.

#![no_main]

use fanfare_signalr::handshake::Request;
use fanfare_signalr::{Decoded, Message, Protocol};
use libfuzzer_sys::fuzz_target;

const PROTOCOL: Protocol = Protocol::MessagePack;
const LIMIT: usize = 32 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let _ = Request::parse(bytes, LIMIT);
    let mut rest = bytes;
    while let Ok(Some(frame)) = PROTOCOL.split(rest, LIMIT) {
        let Ok(decoded) = PROTOCOL.decode(frame.body) else { return };
        if let Decoded::Message { message, .. } = decoded {
            reread(&message);
        }
        rest = &rest[frame.consumed..];
    }
});

/// Bytes are compared, not messages: NaN differs from itself.
fn reread(message: &Message<'_>) {
    let mut written = Vec::new();
    PROTOCOL.encode(message, &mut written);
    let frame = PROTOCOL.split(&written, usize::MAX).expect("a message").expect("a whole message");
    match PROTOCOL.decode(frame.body) {
        Ok(Decoded::Message { message, .. }) => {
            let mut again = Vec::new();
            PROTOCOL.encode(&message, &mut again);
            assert_eq!(again, written);
        }
        other => panic!("{other:?} from {written:x?}"),
    }
}
