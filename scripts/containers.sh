# Sourced by the scripts that build images or run containers: podman and podman-compose, and images for a machine that
# reaches no image registry.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

podman_compose_version=1.6.0
# Storage of its own: the images below bear the names of published ones, and must not shadow them for anything else.
containers=$cache/containers
export CONTAINERS_CONF=$containers/containers.conf CONTAINERS_STORAGE_CONF=$containers/storage.conf

# Installs what is missing and writes podman's configuration.
install_containers() {
    local missing=() nofile nproc
    [ "$(id -u)" -eq 0 ] || die "containers are run as root here: start this as root"
    command -v podman >/dev/null || missing+=(podman catatonit)
    command -v runc >/dev/null || missing+=(runc)
    command -v iptables >/dev/null || missing+=(iptables)
    [ -x /usr/lib/podman/netavark ] || missing+=(netavark)
    [ -x /usr/lib/podman/aardvark-dns ] || missing+=(aardvark-dns)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl ca-certificates)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"

    podman_compose=$cache/podman-compose-$podman_compose_version/bin/podman-compose
    if [ ! -x "$podman_compose" ]; then
        say "installing podman-compose $podman_compose_version"
        rm -rf "$cache/podman-compose-$podman_compose_version"
        mkdir -p "$cache"
        python3 -m venv "$cache/podman-compose-$podman_compose_version" >&2
        retry "$cache/podman-compose-$podman_compose_version/bin/python" -m pip install --quiet \
            --disable-pip-version-check "podman-compose==$podman_compose_version" >&2 ||
            { rm -rf "$cache/podman-compose-$podman_compose_version"; die "podman-compose cannot be installed"; }
    fi

    # podman's own defaults may exceed the hard limits (conmon's is 32768 processes), and crun does not start where
    # cgroups are mixed.
    nofile=$(ulimit -Hn) nproc=$(ulimit -Hu)
    case $nofile in unlimited) nofile=1048576 ;; esac
    if [ "$nproc" = unlimited ] || [ "$nproc" -gt 32768 ]; then nproc=32768; fi
    mkdir -p "$containers"
    cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=1024:$nofile", "nproc=$nproc:$nproc"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[network]
network_backend = "netavark"
network_config_dir = "$containers/networks"
CONF
    cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$containers/storage"
runroot = "/run/souk-containers-$(echo "$containers" | cksum | cut -d " " -f 1)"
CONF
}

# Debian's base image, made from the packages of this machine's own sources.
debian_image() {
    local mirror work image=docker.io/library/debian:bookworm-slim
    podman image exists "$image" && return
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
    [ -n "$mirror" ] || die "/etc/apt/sources.list.d/debian.sources names no mirror"
    say "making $image from Debian's packages (half a minute)"
    work=$(mktemp -d "$containers/rootfs-XXXXXX")
    if ! retry debootstrap --variant=minbase bookworm "$work" "$mirror" >"$containers/debootstrap.log" 2>&1; then
        tail -n 20 "$containers/debootstrap.log" >&2
        rm -rf "$work"
        die "debootstrap failed"
    fi
    rm -rf "$work"/etc/apt/sources.list "$work"/var/lib/apt/lists/* "$work"/var/cache/apt/archives/*.deb
    cp /etc/apt/sources.list.d/debian.sources "$work/etc/apt/sources.list.d/"
    tar -C "$work" -c . | podman import --quiet - "$image" >/dev/null
    rm -rf "$work"
}

# build_image <name> <file in scripts/images> [<argument of podman build>...]: an image with the part of the published
# one that compose.yaml relies on. A layer whose instruction has not changed is not made anew.
build_image() {
    local name=$1 file=$2
    shift 2
    say "image $name"
    podman build --quiet --format docker --pull=never --tag "$name" --file "scripts/images/$file" "$@" scripts/images \
        >/dev/null || die "the image $name cannot be built"
}
