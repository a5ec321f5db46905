"""The files under test, and the programs that check them."""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "target" / "tools"
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "debug"


def text(path):
    """What a file of the repository says."""
    return (ROOT / path).read_text(encoding="utf-8")


def tool(name):
    """A program: of the tests' own environment, unpacked beside it, or the machine's. None if there is none."""
    places = [Path(sys.prefix) / "bin" / name]
    places += [
        TOOLS / package / "usr" / folder / name for package in ("prometheus", "nginx") for folder in ("bin", "sbin")
    ]
    places.append(TOOLS / "nats" / name)
    for place in places:
        if place.is_file():
            return str(place)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def built(name):
    """A program of this repository, as the build before the tests made it."""
    program = BUILT / name
    assert program.is_file(), f"{program} is missing: cargo build --workspace --bins makes it"
    return str(program)


def needs(name):
    """Skips a test where a program could not be fetched."""
    return unittest.skipUnless(tool(name), f"there is no {name} on this machine")


def run(*command, **options):
    """Runs a program that ends soon, and keeps what it says."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, **options
    )


def stages():
    """The stages of the Dockerfile: what each starts from and its lines."""
    found, lines = {}, []
    for line in text("Dockerfile").replace("\\\n", " ").splitlines():
        start = re.match(r"FROM (?:--platform=\S+ )?(\S+) AS (\S+)$", line)
        if start:
            lines = []
            found[start[2]] = (start[1], lines)
        elif not line.startswith("#"):
            lines.append(line)
    return found


def exposed(stage):
    """The ports that a stage exposes."""
    lines = [line.split()[1:] for line in stages()[stage][1] if line.startswith("EXPOSE ")]
    return {int(port) for ports in lines for port in ports}


def known_variables():
    """The environment variables that the services read."""
    sources = [
        path.read_text(encoding="utf-8") for folder in ("services", "crates") for path in (ROOT / folder).rglob("*.rs")
    ]
    return set(re.findall(r'"((?:FANFARE|OTEL)_[A-Z_]+)"', "\n".join(sources)))


def lay_out(folder, files):
    """Puts files where a container would have them, below a folder of the test."""
    for path, content in files.items():
        place = Path(folder) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")


def check_configuration(folder, path="/etc/fanfare/fanfare.toml"):
    """What `fanfare check` says of a configuration that was laid out."""
    return run(built("fanfare"), "check", "--config", Path(folder) / path.lstrip("/"))


def assert_sound(case, said):
    """A configuration without a fault; a program that was built without its broker cannot tell."""
    if "this build has no" in said.stderr:
        case.skipTest(said.stderr.strip())
    case.assertEqual(said.returncode, 0, said.stderr)


def drain_seconds(configuration):
    """How long a node with this configuration takes to say goodbye."""
    return int(re.search(r"^drain_seconds = (\d+)$", configuration, re.M)[1])
