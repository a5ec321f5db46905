// A broker's server for one platform, with free ports and its own folder.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ServiceProcess } from "./service-process.mjs";

const TOOLS = resolve(import.meta.dirname, "../../target/tools");
const KAFKA = join(TOOLS, "kafka");
const NATS = join(TOOLS, "nats/nats-server");

export class BrokerServer {
  #process;

  /** Starts the server of a broker, `nats` or `kafka`, and waits until it is ready. `ports` are two free ones. */
  static async start(broker, folder, ports, logFile) {
    const server = new BrokerServer();
    mkdirSync(folder, { recursive: true });
    const { program, args, ready } = broker === "nats" ? nats(folder, ports) : kafka(folder, ports);
    if (!existsSync(program) && program.includes("/")) {
      throw new Error(`${program} is missing: scripts/setup.sh test installs it`);
    }
    server.url = `${broker}://127.0.0.1:${ports[0]}`;
    server.name = broker;
    server.#process = new ServiceProcess(broker, program, args, { logFile, cwd: folder });
    await server.#process.says(ready);
    return server;
  }

  log(since) {
    return this.#process.log(since);
  }

  stop() {
    return this.#process.stop();
  }
}

function nats(folder, [port]) {
  const config = join(folder, "server.conf");
  writeFileSync(config, `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${folder}" }\n`);
  return { program: NATS, args: ["--config", config], ready: "Server is ready" };
}

function kafka(folder, [port, controller]) {
  const config = join(folder, "server.properties");
  const properties = {
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controller}`,
    "log.dirs": join(folder, "data"),
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "auto.create.topics.enable": false,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(config, lines.join(""));
  const java = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", join(KAFKA, "*")];
  const storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", "fanfareTestsClusterIdA", "-c", config];
  execFileSync("java", [...java, ...storage], { stdio: "pipe" });
  return { program: "java", args: [...java, "kafka.Kafka", config], ready: "Kafka Server started" };
}
