// Every proxy for which a configuration is shipped: the real program, with that configuration and a test's ports.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");
const TOOLS = join(ROOT, "target/tools");
const SHIPPED = join(ROOT, "deploy/proxies");

const shipped = (file) => readFileSync(join(SHIPPED, file), "utf8");
const program = (name) => [join(TOOLS, "proxies/bin", name)].find((place) => existsSync(place));
const unpacked = (name, file) => [join(TOOLS, name, file), join("/", file)].find((place) => existsSync(place));
const libraries = (name) => {
  const folders = [`usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`].map((one) => join(TOOLS, name, one));
  return { LD_LIBRARY_PATH: folders.filter((place) => existsSync(place)).join(":") };
};

/** Replaces text that must exist; each pair is the shipped text and its replacement. */
function changed(text, pairs) {
  return pairs.reduce((all, [ours, theirs]) => {
    if (!all.includes(ours)) {
      throw new Error(`the shipped file has no ${JSON.stringify(ours)} any more`);
    }
    return all.replaceAll(ours, theirs);
  }, text);
}

/** The nodes' names, as addresses of this machine, and their ports. */
function places(text, { nodes: [{ port, admin }] }) {
  return text
    .replace(/fanout-(\d)(?=[:/, }])/g, (_, number) => `127.0.0.${Number(number) + 1}`)
    .replace(/(127\.0\.0\.\d(?::|, port_value: ))8080/g, `$1${port}`)
    .replaceAll("9090", admin);
}

/**
 * Each: `find` gives the program, or nothing; `write` puts the configuration into a folder and gives arguments and
 * environment. `set` has the nodes and the port to listen on.
 */
export const PROXIES = {
  caddy: {
    find: () => program("caddy"),
    write(folder, set) {
      const text = changed(shipped("caddy/Caddyfile"), [[":8080 {", `http://:${set.port} {\n\tbind 127.0.0.1`]]);
      writeFileSync(join(folder, "Caddyfile"), places(text, set));
      const env = { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
      return { args: ["run", "--config", "Caddyfile", "--adapter", "caddyfile"], env };
    },
  },
  haproxy: {
    find: () => unpacked("haproxy", "usr/sbin/haproxy"),
    write(folder, set) {
      const text = changed(shipped("haproxy/haproxy.cfg"), [
        ["bind :8080", `bind 127.0.0.1:${set.port}`],
        ["maxconn 40000", "maxconn 400"],
      ]);
      writeFileSync(join(folder, "haproxy.cfg"), places(text, set));
      return { args: ["-db", "-f", "haproxy.cfg"], env: libraries("haproxy") };
    },
  },
  apache: {
    find: () => unpacked("apache2-bin", "usr/sbin/apache2"),
    write(folder, set) {
      const text = changed(shipped("apache/fanfare.conf"), [
        ["Listen 8080", `Listen 127.0.0.1:${set.port}`],
        ["*:8080>", `*:${set.port}>`],
      ]);
      writeFileSync(join(folder, "fanfare.conf"), places(text, set));
      writeFileSync(join(folder, "httpd.conf"), apacheServer(folder, this.find()));
      return { args: ["-DFOREGROUND", "-f", join(folder, "httpd.conf")], env: { ...libraries("apache2-bin"), APACHE_LOG_DIR: folder } };
    },
  },
  traefik: {
    find: () => program("traefik"),
    write(folder, set) {
      const start = changed(shipped("traefik/traefik.yml"), [
        [":8080", `127.0.0.1:${set.port}`],
        ["/etc/traefik/routes.yml", join(folder, "routes.yml")],
      ]);
      writeFileSync(join(folder, "traefik.yml"), start);
      writeFileSync(join(folder, "routes.yml"), places(shipped("traefik/routes.yml"), set));
      return { args: [`--configFile=${join(folder, "traefik.yml")}`] };
    },
  },
  envoy: {
    find: () => program("envoy"),
    write(folder, set) {
      const text = changed(shipped("envoy/envoy.yaml"), [
        ["{address: 0.0.0.0, port_value: 8080}", `{address: 127.0.0.1, port_value: ${set.port}}`],
      ]);
      writeFileSync(join(folder, "envoy.yaml"), places(text, set));
      const quiet = ["--use-dynamic-base-id", "--concurrency", "2", "--log-level", "warning", "--drain-time-s", "1"];
      return { args: ["-c", "envoy.yaml", ...quiet] };
    },
  },
  yarp: {
    find: dotnet,
    write(folder, set) {
      const text = changed(shipped("yarp/appsettings.json"), [["http://0.0.0.0:8080", `http://127.0.0.1:${set.port}`]]);
      writeFileSync(join(folder, "appsettings.json"), places(text, set));
      const build = join(folder, "build");
      mkdirSync(build);
      for (const file of ["Fanfare.Proxy.csproj", "Program.cs"]) {
        writeFileSync(join(build, file), shipped(`yarp/${file}`));
      }
      execFileSync(dotnet(), ["build", "-c", "Release", "-o", join(folder, "out")], { cwd: build, stdio: "pipe" });
      return { args: [join(folder, "out/Fanfare.Proxy.dll")] };
    },
  },
};

/** The surroundings of our file in Debian's package: modules, and the server's user. */
function apacheServer(folder, binary) {
  const modules = join(binary, "../../lib/apache2/modules");
  const names = "mpm_event authz_core proxy proxy_http proxy_balancer lbmethod_byrequests slotmem_shm rewrite headers";
  const loaded = names.split(" ").map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`);
  const user = process.getuid() === 0 ? ["User nobody", "Group nogroup"] : [];
  return [
    `ServerRoot ${folder}`,
    `DefaultRuntimeDir ${folder}`,
    `PidFile ${folder}/httpd.pid`,
    "ServerName 127.0.0.1",
    `ErrorLog ${folder}/error.log`,
    ...loaded,
    ...user,
    "StartServers 1",
    "ServerLimit 2",
    "ThreadsPerChild 64",
    "MaxRequestWorkers 128",
    `Include ${folder}/fanfare.conf`,
    "",
  ].join("\n");
}

/** The .NET SDK, if one with the required version is installed. */
function dotnet() {
  const folders = [process.env.DOTNET_ROOT, ...(process.env.PATH ?? "").split(":"), join(homedir(), ".dotnet")];
  const found = folders.filter(Boolean).map((folder) => join(folder, "dotnet"));
  return found.find((place) => existsSync(place));
}
