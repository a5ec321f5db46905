// A proxy to the fan-out that can be cut: to a client this looks like a lost network.

import { connect, createServer } from "node:net";

export class CutLine {
  #server;
  #target;
  #sockets = new Set();
  #whole = true;

  /** Listens on a free port; `to` sets the target later. */
  static async open() {
    const line = new CutLine();
    line.#server = createServer((client) => line.#carry(client));
    await new Promise((listening) => line.#server.listen(0, "127.0.0.1", listening));
    return line;
  }

  get port() {
    return this.#server.address().port;
  }

  to(port) {
    this.#target = port;
  }

  /** Breaks open connections, and refuses new ones until it is restored. */
  cut() {
    this.#whole = false;
    for (const socket of this.#sockets) {
      socket.resetAndDestroy();
    }
  }

  mend() {
    this.#whole = true;
  }

  async close() {
    this.cut();
    await new Promise((closed) => this.#server.close(closed));
  }

  #carry(client) {
    if (!this.#whole) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.#target, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
