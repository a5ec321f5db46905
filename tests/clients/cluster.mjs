// Three nodes on one broker behind nginx, as tests of the official client need them.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BrokerServer } from "./broker-server.mjs";
import { FanfareNode, developmentKey } from "./fanfare-node.mjs";
import { OUTPUT, freePorts } from "./platform.mjs";
import { event, poison } from "./poison.mjs";
import { Proxy } from "./servers.mjs";

const STORED_MS = 60_000;

/** Addresses of this machine, on which the same two ports are free. */
async function apartPlaces(count) {
  const ports = await freePorts(2);
  return Array.from({ length: count }, (_, number) => ({ host: `127.0.0.${number + 2}`, ports }));
}

export class Cluster {
  nodes = [];
  #folder = mkdtempSync(join(tmpdir(), "fanfare-cluster-"));
  #broker;
  #proxy;

  /** `count` nodes; with `apart` each has an address of its own, and all the same ports, as containers have. */
  static async start(name, count = 3, { apart = false } = {}) {
    const cluster = new Cluster();
    try {
      const logs = join(OUTPUT, "logs");
      mkdirSync(logs, { recursive: true });
      const log = join(logs, `${name}-nats.log`);
      cluster.#broker = await BrokerServer.start("nats", cluster.#folder, await freePorts(2), log);
      const options = { broker: `url = "${cluster.#broker.url}"`, key: developmentKey() };
      const places = apart ? await apartPlaces(count) : Array.from({ length: count }, () => ({}));
      const nodes = places.map((place, number) => FanfareNode.start(`${name}-${number + 1}`, { ...options, ...place }));
      cluster.nodes = await Promise.all(nodes);
      if (!apart) {
        const ports = cluster.nodes.map((node) => node.port);
        cluster.#proxy = await Proxy.start(name, ports);
      }
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** The hub behind the proxy. */
  get hub() {
    return this.nodes[0].hub(this.#proxy.port);
  }

  token(user) {
    return this.nodes[0].token(user);
  }

  /** Puts records into the log that no node can use. */
  poison(count) {
    return poison(this.#broker.url, count);
  }

  /** Puts an event into the log as a producer of the broker does, whether or not its type is known. */
  event(type, data) {
    return event(this.#broker.url, type, data);
  }

  /** Publishes an alert through one node after the other, with the same id, until one has stored it. */
  async alert(title) {
    const deadline = Date.now() + STORED_MS;
    for (let turn = 0; ; turn += 1) {
      const node = this.nodes[Math.floor(Math.random() * this.nodes.length)];
      try {
        return await node.alert(title, { id: title });
      } catch (error) {
        if (Date.now() > deadline) {
          throw error;
        }
        await sleep(20);
      }
    }
  }

  /** Stops and starts every node, one after the other. */
  async roll() {
    for (const node of this.nodes) {
      await node.stop();
      await node.again();
    }
  }

  /** Kills every node without a word and starts it again, one after the other. */
  async killEach() {
    for (const node of this.nodes) {
      await node.kill();
      await node.again();
    }
  }

  logs(since) {
    return this.nodes.map((node) => node.log(since)).join("\n");
  }

  async end() {
    await this.#proxy?.end();
    await Promise.all(this.nodes.map((node) => node.end()));
    await this.#broker?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
