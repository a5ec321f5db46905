// The .NET client: a driver is built for each version, if an SDK and its packages are available.

import { execFileSync } from "node:child_process";
import { basename, join, resolve } from "node:path";
import { COMBINATIONS_OF_JAVASCRIPT } from "../combinations.mjs";
import { Driver } from "./driven.mjs";

const PROJECT = resolve(import.meta.dirname, "../dotnet/Driver.csproj");
const PLACE = process.env.FANFARE_DOTNET ?? resolve(import.meta.dirname, "../../../target/dotnet");
const SDK = 10;
/** What cannot be had of it is said once. */
let missing;

/** The versions that are tested: long-term support, the current one, and the first that renews its token. */
export const VERSIONS = ["8.0.34", "10.0.15", "11.0.0"];

/** What matrix() needs of a version, and others to open tabs. */
export function dotnetClient(version) {
  const name = `dotnet-${version.split(".")[0]}`;
  const reason = build(version);
  const renews = Number(version.split(".")[0]) >= 11;
  let driver;
  return {
    name,
    title: `.NET: ${version.split(".")[0]}`,
    versions: { "Microsoft.AspNetCore.SignalR.Client": version },
    reason,
    combinations: COMBINATIONS_OF_JAVASCRIPT,
    renews,
    notes: renews ? { expired: "it renews its token on the open connection, and does not have to come back" } : {},
    async start() {
      driver = await Driver.start(name, "dotnet", [join(PLACE, version, "Driver.dll")]);
    },
    connect: (options) => driver.connect(options),
    stop: () => driver?.stop(),
  };
}

function build(version) {
  return buildDotnet(PROJECT, version, `the .NET client ${version}`, [`-p:Client=${version}`]).reason;
}

/** Builds a program of .NET into a folder of its own; the `reason` why it cannot be, if so. */
export function buildDotnet(project, name, what, more = []) {
  const program = join(PLACE, name, basename(project).replace(".csproj", ".dll"));
  missing ??= sdk();
  if (missing !== "") {
    return { program, reason: missing };
  }
  const intermediate = join(PLACE, `obj-${name}/`);
  const args = ["build", project, "-c", "Release", "--nologo", "-v", "q", ...more];
  args.push(`-p:BaseIntermediateOutputPath=${intermediate}`, "-o", join(PLACE, name));
  try {
    execFileSync("dotnet", args, { encoding: "utf8", stdio: "pipe" });
    return { program };
  } catch (error) {
    // A compile error is a fault of the program, and no reason to skip.
    if (!/error NU\d+|Unable to load the service index/.test(`${error.stdout}`)) {
      throw new Error(`${what} does not build:\n${error.stdout}${error.stderr}`);
    }
    return { program, reason: `the packages of ${what} could not be fetched from NuGet` };
  }
}

function sdk() {
  try {
    const version = execFileSync("dotnet", ["--version"], { encoding: "utf8", stdio: "pipe" }).trim();
    return Number(version.split(".")[0]) >= SDK ? "" : `the .NET SDK is ${version}, and ${SDK} is needed`;
  } catch {
    return "there is no .NET SDK on this machine (`dotnet`)";
  }
}
