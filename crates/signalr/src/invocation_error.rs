//! Error texts of failed calls. Clients show them to users and tests compare them, so they are those of every SignalR
//! server.

/// The hub has no such method.
#[must_use]
pub fn unknown_method(target: &str) -> String {
    format!("Unknown hub method '{target}'")
}

/// The call failed before its method ran; the client is not sent the reason.
#[must_use]
pub fn failed(target: &str) -> String {
    format!("Failed to invoke '{target}' due to an error on the server.")
}

/// The call failed before its method ran; with detailed errors.
#[must_use]
pub fn failed_with(target: &str, kind: &str, detail: &str) -> String {
    format!("{} {kind}: {detail}", failed(target))
}

/// The method failed; the client is not sent the reason.
#[must_use]
pub fn unexpected(target: &str) -> String {
    format!("An unexpected error occurred invoking '{target}' on the server.")
}

/// The method failed; with detailed errors, or with a text for the client.
#[must_use]
pub fn unexpected_with(target: &str, kind: &str, detail: &str) -> String {
    format!("{} {kind}: {detail}", unexpected(target))
}

/// The user may not call the method.
#[must_use]
pub fn unauthorized(target: &str) -> String {
    format!("Failed to invoke '{target}' because user is unauthorized")
}

/// A streaming method was called for a single result.
#[must_use]
pub fn stream_expected(target: &str) -> String {
    format!("The client attempted to invoke the streaming '{target}' method with a non-streaming invocation.")
}

/// A method with a single result was called for a stream.
#[must_use]
pub fn stream_unexpected(target: &str) -> String {
    format!("The client attempted to invoke the non-streaming '{target}' method with a streaming invocation.")
}

/// The id belongs to a call that still runs.
#[must_use]
pub fn id_in_use(invocation_id: &str) -> String {
    format!("Invocation ID '{invocation_id}' is already in use.")
}

/// The call uploads a different number of streams than the method has.
#[must_use]
pub fn stream_count(sent: usize, expected: usize) -> String {
    format!("Client sent {sent} stream(s), Hub method expects {expected}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_ones_clients_know() {
        let cases = [
            (unknown_method("X"), "Unknown hub method 'X'"),
            (failed("X"), "Failed to invoke 'X' due to an error on the server."),
            (failed_with("X", "T", "m"), "Failed to invoke 'X' due to an error on the server. T: m"),
            (unexpected("X"), "An unexpected error occurred invoking 'X' on the server."),
            (
                unexpected_with("ThrowException", "InvalidOperationException", "m"),
                "An unexpected error occurred invoking 'ThrowException' on the server. InvalidOperationException: m",
            ),
            (unauthorized("X"), "Failed to invoke 'X' because user is unauthorized"),
            (
                stream_expected("X"),
                "The client attempted to invoke the streaming 'X' method with a non-streaming invocation.",
            ),
            (
                stream_unexpected("X"),
                "The client attempted to invoke the non-streaming 'X' method with a streaming invocation.",
            ),
            (id_in_use("4"), "Invocation ID '4' is already in use."),
            (stream_count(1, 2), "Client sent 1 stream(s), Hub method expects 2."),
        ];
        for (built, known) in cases {
            assert_eq!(built, known);
        }
    }
}
