# Sets this clone up: system packages, .venv, pinned and hashed Python packages. Sourced by script/rtchat and script/test.
#
# Nothing here writes on standard output or reads standard input, so that pipes through script/rtchat work. A stamp in
# .venv says what was set up from which files; with it in place the whole costs a checksum. What cannot be installed is
# named, and the rest goes on. Kept to bash 3.2, which is what macOS has.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
log=
absent= # system packages that could not be installed, each with a space before it
updated= # has apt's index been renewed?
install="apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends"

say() { printf 'rtchat: %s\n' "$*" >&2; }

die() { # die SENTENCE HINT
    say "$1"
    say "$2"
    [ -z "$log" ] || say "details: $log"
    exit 1
}

# --- the stamp ------------------------------------------------------------------------------------------------------

fingerprint() { # of what the set-up depends on; the path too, because a virtual environment cannot be moved
    { cat "$root/pyproject.toml" "$root/constraints.txt" "$root/script/lib.sh" && echo "$root"; } | cksum
}

is_set_up() { # is_set_up KIND: done before, from the same files, and nothing that was absent has come since
    local was lacking package
    [ -x "$venv/bin/python" ] && [ -x "$venv/bin/rtchat" ] && [ -r "$venv/.set-up-$1" ] || return 1
    { read -r was && read -r lacking || true; } <"$venv/.set-up-$1"
    [ "$was" = "$(fingerprint)" ] || return 1
    for package in $lacking; do
        ! installed "$package" || return 1
    done
    absent=${lacking:+ $lacking}
}

# --- system packages ------------------------------------------------------------------------------------------------

# Which package does what, for the sentence that names it when it cannot be installed.
purpose() {
    case $1 in
    espeak-ng) echo "the embedded server has no voice" ;;
    portaudio* | gcc | libc6-dev | python3*-dev) echo "no microphone and no loudspeaker" ;;
    pulseaudio-utils) echo "changes of devices are noticed late, and not by name" ;;
    libasound2-plugins) echo "no sound through PulseAudio or PipeWire" ;;
    apertium*) echo "no translation without a key" ;;
    *) echo "some tests are skipped" ;;
    esac
}

packages() { # packages KIND: what this system's package manager calls what is needed
    case $(manager) in
    brew)
        echo espeak-ng portaudio
        [ "$1" != test ] || echo sox tmux flite haproxy
        [ "$1" != test ] || command -v npm >/dev/null || echo node
        ;;
    *)
        echo espeak-ng libasound2-plugins pulseaudio-utils portaudio19-dev gcc libc6-dev apertium apertium-eng-spa
        [ "$1" != test ] || echo pulseaudio alsa-utils flite pocketsphinx-testdata sox tmux haproxy openssl
        # Whoever brings npm may call it otherwise: the program counts, not the package.
        [ "$1" != test ] || command -v npm >/dev/null || echo nodejs npm
        ;;
    esac
}

manager() { # apt, brew or nothing
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        echo apt
    elif command -v brew >/dev/null; then
        echo brew
    fi
}

installed() { # installed PACKAGE
    case $(manager) in
    apt) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    brew) [ -d "$(brew --prefix)/opt/$1" ] ;;
    *) return 1 ;;
    esac
}

is_root() { [ "$(id -u)" = 0 ]; }

may_install() { # root, or sudo, which may ask for a password where somebody is there to type it
    is_root && return
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 2 ] && say "sudo, for system packages:" && sudo -v; }
}

apt() { # apt COMMAND ARGUMENT...: quietly, without a question
    local sudo=sudo
    ! is_root || sudo=
    $sudo env DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1
}

get() { # get PACKAGE...: installs those that are not there; true if all are there in the end
    local package list= failed=
    for package in "$@"; do
        installed "$package" || list="$list $package"
    done
    [ -n "$list" ] || return 0
    case $(manager) in
    apt)
        may_install || return 1
        say "system packages:$list"
        apt dpkg --configure -a || true # an earlier run may have been interrupted right there
        [ -n "$updated" ] || ! apt apt-get -q update || updated=yes
        # Together is quick; one by one saves the rest when one of them does not exist here or does not come.
        # shellcheck disable=SC2086
        apt $install $list && return
        for package in $list; do
            apt $install "$package" || failed=yes
        done
        ;;
    brew)
        say "system packages:$list"
        for package in $list; do
            HOMEBREW_NO_AUTO_UPDATE=1 brew install --quiet "$package" >>"$log" 2>&1 || failed=yes
        done
        ;;
    *) return 1 ;;
    esac
    [ -z "$failed" ]
}

name_absent() { # name_absent PACKAGE...: says what is not there, what that means and what would bring it
    local package reasons= reason
    for package in "$@"; do
        installed "$package" && continue
        absent="$absent $package"
        reason=$(purpose "$package")
        case "$reasons" in *"$reason"*) ;; *) reasons="$reasons${reasons:+; }$reason" ;; esac
    done
    [ -n "$absent" ] || return 0
    say "could not install all system packages: $reasons"
    case $(manager) in
    apt) say "going on without; to have it all: sudo apt-get install$absent" ;;
    brew) say "going on without; to have it all: brew install$absent" ;;
    *) say "going on without; to have it all, install what this system calls$absent, then: rm -r $venv" ;;
    esac
}

# --- Python ---------------------------------------------------------------------------------------------------------

usable() { # usable PYTHON: 3.11 to 3.14, able to make a virtual environment
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

find_python() { # prints the interpreter to use; 3.14 last, because speech recognition has no wheel for it yet
    local name
    for name in python3 python3.13 python3.12 python3.11 python3.14; do
        usable "$name" || continue
        [ "$name" != python3 ] || ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 14))' || continue
        command -v "$name" && return
    done
    return 1
}

get_python() { # get_python PACKAGE...: installs one where there is none, and those at the same time
    local version
    case $(manager) in
    apt)
        get python3 python3-venv python3-dev "$@" || true
        find_python >/dev/null && return
        for version in 3.13 3.12 3.11; do # the default is too old; a newer one may be there beside it
            apt-cache show "python$version-venv" >/dev/null 2>&1 || continue
            get "python$version" "python$version-venv" "python$version-dev" || true
            find_python >/dev/null && return
        done
        ;;
    brew) get python@3.13 ;;
    esac
    find_python >/dev/null
}

has_headers() { # has_headers PYTHON: can C extensions be built for it?
    [ -r "$("$1" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
}

section() { # section NAME: that section of constraints.txt as a requirements file; prints its path
    local file="$venv/requirements-$1.txt"
    awk -v name="$1:" '/^# --- /{ on = $3 == name } on' "$root/constraints.txt" >"$file"
    echo "$file"
}

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1
}

locked() { # locked SECTION [OPTION...]: exactly those versions, and only files with those hashes
    # Nothing is left to resolve; pip up to 23.2 would also try newer ones, where a package asks for an extra of another.
    pip install --no-deps --require-hashes "${@:2}" -r "$(section "$1")"
}

make_venv() { # make_venv PYTHON
    # A set-up that was cut short may have left anything: start over (what pip has downloaded it keeps).
    if [ -e "$venv/.unfinished" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || ! usable "$venv/bin/python"; then
        "$1" -m venv --clear "$venv" >>"$log" 2>&1 || die "could not make the virtual environment .venv with $1." \
            "Is the disk full, or the folder read-only?"
    fi
    touch "$venv/.unfinished"
}

# --- all of it ------------------------------------------------------------------------------------------------------

set_up() { # set_up KIND: run (script/rtchat) or test (what script/test needs as well)
    is_set_up "$1" && return
    (install_everything "$1") </dev/null 9<"$root/script" || exit
    is_set_up "$1" || exit
}

install_everything() { # install_everything KIND, with file descriptor 9 to lock
    local kind=$1 python version wanted kept=
    # Of two at once, the second waits and then finds it done.
    ! command -v flock >/dev/null || flock -n 9 || { say "waiting for another set-up of this folder" && flock 9; }
    ! is_set_up "$kind" || return 0
    trap 'say "stopped; run this again to go on from here"; rm -f "$log"; exit 130' INT TERM
    log=$(mktemp "${TMPDIR:-/tmp}/rtchat-set-up.XXXXXX")
    say "setting up in $venv (once; a minute or two)"

    wanted=$(packages "$kind" | tr '\n' ' ')
    # shellcheck disable=SC2086
    python=$(find_python) || { get_python $wanted && python=$(find_python); } ||
        die "needs Python 3.11 to 3.14 with its venv module, and could not install it." \
            "Install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv; macOS: brew install python@3.13), then run this again."
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ "$(manager)" != apt ] || has_headers "$python" || wanted="$wanted python$version-dev"
    # shellcheck disable=SC2086
    get $wanted || name_absent $wanted

    say "Python packages, for Python $version"
    make_venv "$python"
    { locked run && locked build && pip install --no-deps --no-build-isolation --editable "$root"; } || give_up
    locked recognizer ||
        { kept=$log && say "could not install pocketsphinx: without a key nobody hears you (typing works). Details: $log"; }
    locked audio --no-build-isolation || case "$absent" in
    *portaudio* | *gcc* | *libc6-dev* | *-dev*) ;; # said already
    *) kept=$log && say "could not build PyAudio: no microphone and no loudspeaker (typing works). Details: $log" ;;
    esac
    locked echo ||
        say "could not install livekit: no echo cancelling, so the microphone is off while the assistant speaks"
    [ "$kind" != test ] || locked test || give_up
    [ "$kind" != test ] || locked llama --only-binary :all: ||
        say "could not install xllamacpp: not tested before llama.cpp's server"

    printf '%s\n%s\n' "$(fingerprint)" "${absent# }" >"$venv/.set-up-$kind"
    [ "$kind" != test ] || cp "$venv/.set-up-test" "$venv/.set-up-run"
    rm -f "$venv/.unfinished"
    [ -n "$kept" ] || rm -f "$log"
    say "ready after $SECONDS s"
}

# --- stock clients, for the tests ------------------------------------------------------------------------------------

set_up_clients() { # other people's clients, in places of their own; without them their tests are skipped
    local clients=$root/.venv-clients from=$root/tests/clients stamp npm=
    stamp=$({ cat "$from/requirements.txt" "$from/npm/package-lock.json" && echo "$root" &&
        "$venv/bin/python" -V && command -v npm; } 2>/dev/null | cksum)
    [ "$(cat "$clients/.set-up" 2>/dev/null)" != "$stamp" ] || return 0
    (
        ! command -v flock >/dev/null || flock 9
        [ "$(cat "$clients/.set-up" 2>/dev/null)" != "$stamp" ] || exit 0
        SECONDS=0
        log=$(mktemp "${TMPDIR:-/tmp}/rtchat-clients.XXXXXX")
        say "stock clients of the Realtime API, for the tests (once; a minute)"
        if command -v npm >/dev/null; then
            (cd "$from/npm" && npm ci --ignore-scripts --no-audit --no-fund) >>"$log.npm" 2>&1 &
            npm=$!
        fi
        # Not compiled now: most modules of these packages are never imported.
        "$venv/bin/python" -m venv --clear "$clients" >>"$log" 2>&1 &&
            "$clients/bin/python" -m pip --disable-pip-version-check --no-input install --no-compile --no-deps \
                --require-hashes -r "$from/requirements.txt" >>"$log" 2>&1 ||
            { say "could not install them from Python's packages. Details: $log" && exit 1; }
        [ -z "$npm" ] || wait "$npm" || { say "could not install them from npm's. Details: $log.npm" && exit 1; }
        echo "$stamp" >"$clients/.set-up"
        rm -f "$log" "$log.npm"
        say "ready after $SECONDS s"
    ) </dev/null 9<"$root/script"
}

give_up() { # pip failed, and has put things back itself
    rm -f "$venv/.unfinished"
    die "could not install the Python packages: $(sed -n 's/^ *ERROR: //p' "$log" | tail -n 1)" \
        "Is the network there? Run this again to go on from here."
}
