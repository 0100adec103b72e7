# Sourced by the other scripts: shared functions.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Outside the tree, so that nothing is fetched again after `make clean` or a fresh clone.
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/souk

# Where rustup puts cargo, with or without a line in the shell's profile.
PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

# To stderr: some scripts print a path on stdout and nothing else.
say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command that fetches something, and up to twice more if it fails: networks fail now and then.
retry() {
    local pause
    for pause in 3 10; do
        "$@" && return
        say "failed, retrying in $pause s: $*"
        sleep "$pause"
    done
    "$@"
}

# Installs system packages: as root, or through passwordless sudo.
apt_install() {
    local sudo=()
    command -v apt-get >/dev/null || die "missing: $*. This system has no apt-get: install them its own way."
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || die "missing: $*. Install with: sudo apt-get install $*"
        sudo=(sudo -n)
    fi
    say "installing from the system's packages: $*"
    retry "${sudo[@]}" apt-get update -q >&2
    retry "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# fetch <url> <file>
fetch() {
    command -v curl >/dev/null || command -v wget >/dev/null || apt_install curl ca-certificates
    if command -v curl >/dev/null; then
        retry curl -fsSL --proto-redir '=https' --connect-timeout 20 --max-time 600 -o "$2" "$1" >&2
    else
        retry wget -q --timeout=20 -O "$2" "$1" >&2
    fi
}
