#!/usr/bin/env bash
# Installs ijk as a systemd service, or takes it away again. Running it twice changes nothing more;
# settings, credentials and runs are never overwritten, and stay when it is uninstalled.
#
#   scripts/install.sh [--prefix DIR] [--destdir DIR] [--binary FILE] [--cores LIST] [--uninstall]
#
#   --prefix DIR    where programs go (default /usr/local)
#   --destdir DIR   a tree to install into instead of this machine: nothing is started or enabled
#   --binary FILE   the command (default target/release/ijk; built if it is missing)
#   --cores LIST    cores of the service, for example 0,2,3: the last two become those of the
#                   kernel and feed threads (new settings only), the others do the rest
#   --uninstall     removes programs, unit and drop-in
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
prefix=/usr/local destdir="" binary="" cores="" uninstall=no

usage() {
    echo "install.sh: $1" >&2
    sed -n '5,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
    --uninstall) uninstall=yes; shift; continue ;;
    --help | -h) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --prefix | --destdir | --binary | --cores) ;;
    *) usage "unknown option $1" ;;
    esac
    [ $# -ge 2 ] || usage "$1 needs a value"
    case "$1" in
    --prefix) prefix="$2" ;;
    --destdir) destdir="${2%/}" ;;
    --binary) binary="$2" ;;
    --cores) cores="$2" ;;
    esac
    shift 2
done
case "$prefix" in /*) prefix="${prefix%/}" ;; *) usage "--prefix must be absolute: $prefix" ;; esac
case "$cores" in *[!0-9,]*) usage "--cores: numbers with commas between them: $cores" ;; esac

sysconf=/etc
units="$destdir/etc/systemd/system"
conf="$destdir$sysconf/ijk"
commands=(ijk)

# The machine's own service manager is told only when this machine is meant, and it runs.
manager() {
    if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then "$@"; fi
}

remove() {
    manager systemctl disable --now ijk.service || true
    rm -f "$units/ijk.service" "$units/ijk.service.d/10-cores.conf"
    rmdir "$units/ijk.service.d" 2>/dev/null || true
    rm -f "$destdir/usr/lib/sysusers.d/ijk.conf"
    for name in "${commands[@]}"; do
        rm -f "$destdir$prefix/bin/$name" "$destdir$prefix/share/man/man1/$name"*.1
        rm -f "$destdir$prefix/share/bash-completion/completions/$name"
    done
    rm -rf "$destdir$prefix/share/doc/ijk"
    manager systemctl daemon-reload
    echo "removed; settings stay in $conf, runs in $destdir/var/lib/ijk"
}

# Writes stdin to $1 with mode $2 unless the very same is there.
put() {
    mkdir -p "$(dirname "$1")"
    local new
    new="$(mktemp "$(dirname "$1")/.ijk-install.XXXXXX")"
    cat >"$new"
    chmod "$2" "$new"
    if cmp -s "$new" "$1" && [ "$(stat -c %a "$1")" = "${2#0}" ]; then
        rm -f "$new"
    else
        mv -f "$new" "$1"
        echo "$1"
    fi
}

# As put, but what is there stays.
put_new() {
    if [ -e "$1" ]; then cat >/dev/null; else put "$1" "$2"; fi
}

fill() {
    local kernel=-1 feed=-1
    if [[ "$cores" == *,* ]]; then
        kernel="$(echo "$cores" | awk -F, '{ print $(NF - 1) }')"
        feed="${cores##*,}"
    fi
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@SYSCONFDIR@|$sysconf|g" \
        -e "s|@KERNEL_CORE@|$kernel|g" -e "s|@FEED_CORE@|$feed|g" "$here/scripts/systemd/$1"
}

if [ "$uninstall" = yes ]; then
    remove
    exit 0
fi
if [ -z "$binary" ]; then
    binary="${CARGO_TARGET_DIR:-$here/target}/release/ijk"
    [ -x "$binary" ] || (cd "$here" && cargo build --release --locked --bin ijk)
fi
[ -x "$binary" ] || usage "no command at $binary"

put "$destdir$prefix/bin/ijk" 0755 <"$binary"
pages="$(mktemp -d)"
trap 'rm -rf "$pages"' EXIT
"$binary" man --out "$pages" >/dev/null
for page in "$pages"/*.1; do
    put "$destdir$prefix/share/man/man1/$(basename "$page")" 0644 <"$page"
done
"$binary" completions bash | put "$destdir$prefix/share/bash-completion/completions/ijk" 0644
for page in operating formats controls risk-codes; do
    put "$destdir$prefix/share/doc/ijk/$page.md" 0644 <"$here/docs/$page.md"
done
put "$destdir/usr/lib/sysusers.d/ijk.conf" 0644 <"$here/scripts/systemd/ijk.sysusers"
fill ijk.service | put "$units/ijk.service" 0644
if [ -n "$cores" ]; then
    printf '[Service]\nCPUAffinity=%s\n' "${cores//,/ }" |
        put "$units/ijk.service.d/10-cores.conf" 0644
fi
fill ijk.toml | put_new "$conf/ijk.toml" 0644
fill ijk.env | put_new "$conf/ijk.env" 0644
mkdir -p "$conf/credentials"
chmod 0700 "$conf/credentials"
# Empty files are no credentials, but the unit starts with them.
for name in account gateway; do
    put_new "$conf/credentials/$name" 0400 </dev/null
done

manager systemd-sysusers
manager systemctl daemon-reload
if [ -z "$destdir" ]; then
    echo "next: $conf/ijk.toml, $conf/ijk.env, $conf/credentials; then systemctl start ijk"
fi
