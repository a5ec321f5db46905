/** Why a client is closed for good. */
export interface End {
  /**
   * `logged-out`: the user was logged out, or the token is refused (401). `forbidden`: the user may not use this hub
   * (403). `ended`: the hub closed the connection with the error. `stopped`: the page has stopped the client.
   */
  readonly reason: "logged-out" | "forbidden" | "ended" | "stopped";
  readonly error?: Error;
}

export type ConnectionState = "connecting" | "connected" | "reconnecting" | "closed";

/** The connection was lost while a call ran: it may have been carried out or not. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}
