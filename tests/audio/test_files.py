import asyncio
import io
import os
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from rtchat.audio.codecs import ulaw_encode
from rtchat.audio.files import TRAILING_SILENCE_MS, WavWriter, play_as_microphone, read_wav, record_as_loudspeaker
from rtchat.chunk import WIRE, AudioFormat, level_dbfs
from rtchat.errors import UsageError


def tone(rate: int, seconds: float = 0.5):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)


def riff(kind: int, channels: int, rate: int, bits: int, data: bytes, *, size: int | None = None) -> bytes:
    fmt = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    size = len(data) if size is None else size
    body = (
        b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST\x03\0\0\0abc\0" + b"data" + struct.pack("<I", size)
    )
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def integers(samples, bits: int) -> bytes:
    values = np.round(samples * (2 ** (bits - 1) - 1)).astype("<i4")
    if bits == 8:
        return (values + 128).astype(np.uint8).tobytes()
    return values.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


FORMS = {
    "16-bit 24 kHz": riff(1, 1, 24_000, 16, integers(tone(24_000), 16)),
    "8-bit 8 kHz": riff(1, 1, 8_000, 8, integers(tone(8_000), 8)),
    "24-bit 44.1 kHz stereo": riff(1, 2, 44_100, 24, integers(np.repeat(tone(44_100), 2), 24)),
    "32-bit 48 kHz": riff(1, 1, 48_000, 32, integers(tone(48_000), 32)),
    "float 48 kHz stereo": riff(3, 2, 48_000, 32, np.repeat(tone(48_000), 2).astype("<f4").tobytes()),
    "double 16 kHz": riff(3, 1, 16_000, 64, tone(16_000).astype("<f8").tobytes()),
    "mu-law 8 kHz": riff(7, 1, 8_000, 8, ulaw_encode(integers(tone(8_000), 16))),
    "unfinished header": riff(1, 1, 24_000, 16, integers(tone(24_000), 16), size=0xFFFFFFFF),
    "header never filled in": riff(1, 1, 24_000, 16, integers(tone(24_000), 16), size=0),
    "cut short": riff(1, 1, 24_000, 16, integers(tone(24_000), 16), size=999_999),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_wav_is_heard_the_same(form, tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(FORMS[form])
    pcm = read_wav(path)
    assert WIRE.ms(pcm) == pytest.approx(500, abs=1)
    heard = np.frombuffer(pcm, dtype="<i2")[2400:-2400] / 32768
    time = (np.arange(len(heard)) + 2400) / 24_000
    waves = np.stack([np.sin(2 * np.pi * 440 * time), np.cos(2 * np.pi * 440 * time)], axis=1)
    fit, *_ = np.linalg.lstsq(waves, heard, rcond=None)
    assert np.hypot(*fit) == pytest.approx(0.5, abs=0.02)
    assert np.max(np.abs(heard - waves @ fit)) < 0.03


def test_a_stereo_file_written_by_the_standard_library(tmp_path):
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(integers(np.repeat(tone(44_100), 2), 16))
    assert level_dbfs(read_wav(path)) == pytest.approx(-9.0, abs=0.1)


BAD = {
    "is empty": b"",
    "is not a WAV file": b"ID3\x03 this is an MP3, says its name",
    "is a WAV file without sound": riff(1, 1, 24_000, 16, b""),
    "in a form that is not supported (WAV format 2, 4-bit)": riff(2, 1, 24_000, 4, b"123"),
    "has a broken header": riff(1, 0, 24_000, 16, b"1234"),
}


@pytest.mark.parametrize("complaint", BAD)
def test_a_file_that_cannot_be_used_is_one_sentence(complaint, tmp_path):
    path = tmp_path / "bad.wav"
    path.write_bytes(BAD[complaint])
    with pytest.raises(UsageError) as caught:
        read_wav(path)
    assert complaint in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.wav cannot be read: no such file"):
        read_wav(tmp_path / "nowhere.wav")


def test_standard_input_is_a_file_too(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FORMS["unfinished header"])))
    assert WIRE.ms(read_wav(Path("-"))) == 500


def test_a_written_file_is_whole_after_every_write(tmp_path):
    path = tmp_path / "out.wav"
    writer = WavWriter(path, AudioFormat(24_000, 2))
    for n in range(3):
        with wave.open(str(path)) as file:
            assert (file.getnframes(), file.getnchannels(), file.getframerate()) == (100 * n, 2, 24_000)
        writer.write(bytes(400))
    writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_killing_the_process_leaves_the_file_readable(tmp_path):
    path = tmp_path / "killed.wav"
    code = f"""
from pathlib import Path
from rtchat.audio.files import WavWriter
writer = WavWriter(Path({str(path)!r}))
writer.write(bytes(48_000))
print("written", flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    assert WIRE.ms(read_wav(path)) == 1000


def test_a_pipe_is_written_with_a_length_that_is_unknown(tmp_path):
    code = (
        "from pathlib import Path; from rtchat.audio.files import WavWriter; WavWriter(Path('-')).write(bytes(960))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    path = tmp_path / "piped.wav"
    path.write_bytes(done.stdout)
    assert WIRE.ms(read_wav(path)) == 20


def test_a_file_that_cannot_be_made(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        WavWriter(tmp_path / "no such folder" / "out.wav")


async def test_a_file_as_the_microphone_comes_in_real_time_and_ends_with_silence():
    pcm = b"\1\0" * 1000  # 41.7 ms
    loop = asyncio.get_running_loop()
    begin = loop.time()
    chunks = [chunk async for chunk in play_as_microphone(pcm)]
    took = loop.time() - begin
    assert b"".join(chunk for _, chunk in chunks) == pcm + bytes(880) + WIRE.silence(TRAILING_SILENCE_MS)
    assert {len(chunk) for _, chunk in chunks} == {960}
    assert took >= (60 + TRAILING_SILENCE_MS) / 1000 - 0.01
    assert [at - chunks[0][0] for at, _ in chunks] == pytest.approx([0.02 * n for n in range(len(chunks))])


async def test_a_file_as_the_loudspeaker_takes_sound_in_real_time(tmp_path):
    writer = WavWriter(tmp_path / "out.wav")
    asked: list[tuple[int, float]] = []
    enough = asyncio.Event()

    def fill(frames: int, at: float) -> bytes:
        asked.append((frames, at))
        if len(asked) == 10:
            enough.set()
        return bytes([len(asked), 0]) * frames

    task = asyncio.create_task(record_as_loudspeaker(writer, fill))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await asyncio.wait_for(enough.wait(), 60)
    assert loop.time() - begin >= 0.17
    task.cancel()
    await asyncio.wait([task])
    writer.close()
    assert [at - asked[0][1] for _, at in asked[:10]] == pytest.approx([0.02 * n for n in range(10)])
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.readframes(480 * 10)[:1920] == b"\1\0" * 480 + b"\2\0" * 480
