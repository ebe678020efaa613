"""Commands that list what there is: devices, profiles, models, voices, settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

profiles_app = typer.Typer(no_args_is_help=True, help="Who the assistant can be.")
config_app = typer.Typer(no_args_is_help=True, help="What is set, and where.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (devices, models, voices):
        app.command()(command)
    app.add_typer(profiles_app, name="profiles")
    app.add_typer(config_app, name="config")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool) -> None:
    """Print rows as a table for people, or as one JSON object a line."""
    if as_json:
        import json

        for row in rows:
            print(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    if terminal:
        Console(highlight=False).print(table)
        return
    # A pipe has no edge, and no colours even where FORCE_COLOR asks for them.
    console = Console(highlight=False, width=1000, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def devices(json: Json = False) -> None:
    """List the sound devices.

    Their numbers and names are what --input-device and --output-device take.
    """
    from rtchat.audio.devices import list_devices

    rows = [
        (
            device.index,
            device.name,
            device.host_api,
            device.inputs,
            device.outputs,
            device.rate,
            " ".join(["input"] * device.default_input + ["output"] * device.default_output),
        )
        for device in list_devices()
    ]
    _table(("number", "name", "system", "inputs", "outputs", "rate", "default"), rows, as_json=json)


def models(json: Json = False) -> None:
    """List the models, their prices and their ends."""
    from rtchat.catalog import MODELS

    if json:
        columns = ("model", "kind", "text", "audio", "minute", "ends", "then")
        every = [
            (m.name, m.kind, _price(m.text), _price(m.audio), m.per_minute, m.shutdown, m.successor)
            for m in MODELS.values()
        ]
        _table(columns, every, as_json=True)
        return
    rows = [
        (m.name, m.kind, f"{m.per_minute}/min" if m.per_minute else _price(m.text), _price(m.audio), m.shutdown)
        for m in MODELS.values()
    ]
    _table(("model", "kind", "text", "audio", "ends"), rows, as_json=False)
    print("Prices: dollars per million tokens (in/cached/out), or per minute of sound.")


def _price(price: object) -> str | None:
    if price is None:
        return None
    parts = [getattr(price, name, None) for name in ("input", "cached", "output")]
    return "/".join(f"{part:g}" for part in parts if part is not None)


def voices(json: Json = False) -> None:
    """List the voices."""
    from rtchat.catalog import VOICES

    _table(("voice", "sounds"), VOICES.items(), as_json=json)


@profiles_app.command("list")
def profiles_list(json: Json = False) -> None:
    """List the profiles: yours, then those that come with rtchat."""
    from rtchat.profiles import list_profiles

    rows = [(each.name, each.description or each.problem, each.path) for each in list_profiles()]
    _table(("profile", "what it is", "file"), rows, as_json=json)


@profiles_app.command("show")
def profiles_show(
    name: Annotated[str, typer.Argument(help="A name or a file.")],
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable's value.")
    ] = None,
) -> None:
    """Show a profile as it is used: inherited, and with its variables filled in."""
    from rtchat.profiles import load_profile
    from rtchat.settings import Settings

    profile = load_profile(name, Settings.load({"var": var}).var)
    print(profile.model_dump_json(indent=2, exclude_none=True))


@config_app.command("show")
def config_show(
    config: Annotated[Path | None, typer.Option("--config", help="The config file, instead of the user's.")] = None,
    json: Json = False,
) -> None:
    """Show every setting, its value and where it comes from. Keys are never shown."""
    from rtchat.settings import Settings, config_path

    settings = Settings.load({}, config)
    _table(("setting", "value", "from"), settings.explain(), as_json=json)
    if not json:
        print(f"Config file: {config or config_path()}")
