"""Files and modules with tools in them, imported; what goes wrong in them as one sentence with its place."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from rtchat.errors import UsageError


def import_tools(what: str) -> ModuleType:
    """Import a file (`my_tools.py`, anything with a folder in it) or a module (`package.tools`).

    Raises:
        UsageError: It is not there, or raises; says file, line and exception.
    """
    return _from_file(Path(what)) if _is_file(what) else _from_module(what)


def _is_file(text: str) -> bool:
    return text.endswith(".py") or "/" in text or "\\" in text


def _from_file(path: Path) -> ModuleType:
    path = path.expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"There is no tools file {path}.", hint="Check --tools.")
    # Its own name in sys.modules: dataclasses and type hints look a class's module up there.
    name = f"rtchat_tools_{path.stem}_{hashlib.sha1(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.", hint="Its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # its neighbours can be imported; last, so that they hide nothing
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _cannot_load(path, error) from None
    return module


def _from_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and name.startswith(error.name):
            each = " ".join(f"--tools {one.strip()}" for one in name.split(","))
            hint = f"Name each by itself: {each}." if "," in name else f"A file needs its ending: {name}.py."
            raise UsageError(f"There is no tool and no module '{name}'.", hint=hint) from None
        raise _cannot_load(None, error) from None


def _cannot_load(path: Path | None, error: BaseException) -> UsageError:
    """One sentence with the file, the line (in `path`, if it passed there) and the exception."""
    said = f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0]
    if isinstance(error, SyntaxError) and error.filename:
        return UsageError(f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}.")
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if path is not None and frame.filename == str(path)]
    where = (inside or frames)[-1]
    return UsageError(f"{where.filename}:{where.lineno}: {said}.", hint="The tools could not be loaded.")
