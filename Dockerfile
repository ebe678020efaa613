# rtchat in a container, not as root:
#
#   docker build -t rtchat .
#   docker run --rm -it rtchat text "What time is it?"
#
# With the loudspeaker and microphone of a host that runs PulseAudio or PipeWire (its socket comes in, and its user):
#
#   docker run --rm -it --user "$(id -u)" -e OPENAI_API_KEY \
#       -v "$XDG_RUNTIME_DIR/pulse/native:/run/pulse/native" -e PULSE_SERVER=unix:/run/pulse/native rtchat interactive
#
# Translation without a key is 90 MB more: docker build --build-arg MORE=apertium-eng-spa -t rtchat .

FROM python:3.13-slim-trixie AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev portaudio19-dev
WORKDIR /src
COPY constraints.txt ./
# One requirements file for each section: run.txt, recognizer.txt, build.txt, audio.txt, echo.txt, test.txt.
RUN awk '/^# --- /{ file = substr($3, 1, length($3) - 1) ".txt" } file { print > file }' constraints.txt
RUN python3 -m venv /build && /build/bin/pip install --require-hashes -r build.txt
RUN /build/bin/pip wheel --no-deps --no-build-isolation --require-hashes -r audio.txt --wheel-dir /wheels
RUN python3 -m venv --without-pip /opt/rtchat && \
    /build/bin/pip --python /opt/rtchat/bin/python install --require-hashes -r run.txt -r recognizer.txt -r echo.txt
# ALSA's way to PulseAudio, without the video codecs that its package would bring along.
RUN mkdir /alsa /plugins && cd /alsa && apt-get download libasound2-plugins && dpkg -x libasound2-plugins_*.deb . && \
    cp --parents usr/lib/*/alsa-lib/libasound_module_*_pulse.so /plugins
COPY . .
RUN /build/bin/pip wheel --no-deps --no-build-isolation . --wheel-dir /wheels && \
    /build/bin/pip --python /opt/rtchat/bin/python install --no-deps /wheels/*.whl

FROM python:3.13-slim-trixie
ARG MORE=
RUN apt-get update && apt-get install -y --no-install-recommends espeak-ng libportaudio2 libpulse0 pulseaudio-utils $MORE && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /plugins /
RUN printf 'pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n' >/etc/asound.conf && \
    printf 'autospawn = no\nenable-shm = no\n' >/etc/pulse/client.conf.d/container.conf
COPY --from=build /opt/rtchat /opt/rtchat
# Any user of the host may be this one (--user), so its home is anybody's.
RUN useradd --create-home rtchat && chmod 777 /home/rtchat
ENV HOME=/home/rtchat PATH=/opt/rtchat/bin:$PATH
WORKDIR /home/rtchat
USER rtchat
ENTRYPOINT ["rtchat"]
