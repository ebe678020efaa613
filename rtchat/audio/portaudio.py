"""PortAudio through PyAudio: the one module that imports it, and that turns its exceptions into `DeviceError`.

PyAudio is imported when the first `PortAudio` is made, so whoever needs no sound needs no PyAudio.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rtchat.audio.quiet import quiet_libraries
from rtchat.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Callback = Callable[[bytes | None, int, Mapping[str, float], int], tuple[bytes | None, int]]
    """What PyAudio calls on its own thread: (input, frames, times, flags) -> (output, `GO_ON` or `STOP`)."""

GO_ON, STOP = 0, 2
"""paContinue and paAbort."""

INPUT_OVERFLOW, OUTPUT_UNDERFLOW = 2, 4
"""paInputOverflow and paOutputUnderflow, the flags of a callback."""

_UNAVAILABLE, _HOST_ERROR = -9985, -9999
"""paDeviceUnavailable and paUnanticipatedHostError."""

_WRONG_SHAPE = (-9997, -9998, -9994)
"""paInvalidSampleRate, paInvalidChannelCount, paSampleFormatNotSupported: another rate or channel count may do."""


class ShapeRefused(DeviceError):
    """The device opens, but not at this rate or with this number of channels."""


class PortAudio:
    """PortAudio, initialised; `close` releases it and every stream still open.

    Raises:
        DeviceError: PyAudio or PortAudio is not installed, or there is no sound system for it to start on.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stack.enter_context(quiet_libraries())
        try:
            self._module = _import()
            self._library: Any = self._module.PyAudio()
        except OSError as error:
            self._stack.close()
            raise _no_device() from error
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Close every stream and PortAudio itself."""
        try:
            self._library.terminate()
        finally:
            self._stack.close()

    def infos(self) -> list[dict[str, Any]]:
        """PortAudio's own description of each device, in the order of their numbers; there is one at least.

        Raises:
            DeviceError: There is no sound device.
        """
        try:
            infos = [self._library.get_device_info_by_index(i) for i in range(self._library.get_device_count())]
        except OSError as error:
            raise _no_device() from error
        if not infos:
            raise _no_device()
        return infos

    def host_apis(self) -> list[dict[str, Any]]:
        """PortAudio's description of each host API (ALSA, Core Audio, WASAPI...)."""
        return [self._library.get_host_api_info_by_index(i) for i in range(self._library.get_host_api_count())]

    def default_host_api(self) -> int:
        """The host API whose default devices are the ones to use, by its number."""
        # On Windows PortAudio's own default is MME, which adds some 100 ms; WASAPI is the system's real interface.
        names = [str(api["name"]) for api in self.host_apis()]
        if "Windows WASAPI" in names:
            return names.index("Windows WASAPI")
        return int(self._library.get_default_host_api_info()["index"])

    def open(
        self,
        *,
        rate: int,
        channels: int,
        block: int,
        callback: Callback,
        input_device: int | None = None,
        output_device: int | None = None,
        name: str,
    ) -> Any:
        """Open and start a 16-bit callback stream on one or two devices.

        Args:
            rate: Hertz.
            channels: Of either direction.
            block: Frames of one callback.
            callback: Runs on PortAudio's thread.
            input_device: Number of the microphone, None for no input.
            output_device: Number of the loudspeaker, None for no output.
            name: What an error calls it.

        Raises:
            ShapeRefused: Another rate or channel count may be accepted.
            DeviceError: It is busy, gone or broken.
        """
        try:
            return self._library.open(
                rate=rate,
                channels=channels,
                format=self._module.paInt16,
                input=input_device is not None,
                output=output_device is not None,
                input_device_index=input_device,
                output_device_index=output_device,
                frames_per_buffer=block,
                stream_callback=callback,
            )
        except (OSError, ValueError) as error:
            raise _translated(error, name) from error


def _import() -> Any:
    try:
        import pyaudio
    except ModuleNotFoundError as error:
        raise DeviceError(
            "Sound needs PyAudio, which is not installed.",
            hint="Install it with `pip install 'rtchat[audio]'` (Debian and Ubuntu first need the package "
            "portaudio19-dev; macOS `brew install portaudio`), or use `rtchat text`.",
        ) from error
    except ImportError as error:
        raise DeviceError(
            f"PyAudio is installed but cannot be loaded: {error}.",
            hint="Install PortAudio (Debian and Ubuntu: `apt install libportaudio2`; macOS: `brew install "
            "portaudio`), or use `rtchat text`.",
        ) from error
    return pyaudio


def _no_device() -> DeviceError:
    # On ALSA alone PortAudio starts and lists nothing. On PulseAudio it does not even start without the server,
    # and calls that an unanticipated host error.
    return DeviceError(
        "No sound device was found.",
        hint="Plug one in or start the sound server (PulseAudio, PipeWire), give files with --input-wav and "
        "--output-wav, or use `rtchat text`.",
    )


def _translated(error: Exception, name: str) -> DeviceError:
    code = error.errno if isinstance(error, OSError) else None
    if code in _WRONG_SHAPE:
        return ShapeRefused(f"{name} refuses this sample rate or number of channels.")
    if code == _UNAVAILABLE:
        return DeviceError(
            f"{name} is busy or gone.",
            hint="Close the program that uses it, or choose another one: `rtchat devices` lists them.",
        )
    if code == _HOST_ERROR:
        return DeviceError(
            f"{name} is listed but does not work.",
            hint="No real device may be behind it, or another program holds it: `rtchat devices` lists the others.",
        )
    return DeviceError(
        f"{name} cannot be opened: {_sentence(error)}.",
        hint="Choose another one with --input-device or --output-device: `rtchat devices` lists them.",
    )


def _sentence(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text.strip().rstrip(".").lower() or "no reason given"
