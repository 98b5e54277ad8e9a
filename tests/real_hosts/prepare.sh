#!/usr/bin/env bash
# Makes the chroot of the real-host tests: Debian sid with its own sysdig and Stratoshark, and no
# Python. Needs root and a Debian or Ubuntu machine. Running it again changes nothing;
# --refresh upgrades what is there.
#
#   usage: tests/real_hosts/prepare.sh [--refresh]
#
# FALCOPY_CHROOT says where (default ${XDG_CACHE_HOME:-$HOME/.cache}/falcopy/sid). The last two
# lines on standard output are the settings for the tests, to be evaluated by a shell.
set -euo pipefail

chroot_dir=${FALCOPY_CHROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/falcopy/sid}
# Outside any folder that a package owns. The official plugin_api.h, for the test of our own.
headers=opt/falcosecurity
ready=opt/falcopy-ready
hosts=(sysdig stratoshark)
# Snapshots and slow mirrors serve index files past their date.
apt_options=(
  -q -y --no-install-recommends
  -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3
  -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-unsafe-io
)

say() { printf 'real hosts: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command in the chroot. /proc and /dev are mounted in a mount namespace of its own, so
# that nothing stays mounted, however this ends.
inside() {
  unshare --mount --propagation private -- /bin/sh -euc '
    root=$1; shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"' sh "$chroot_dir" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@" </dev/null >&2
}

bootstrap() {
  [[ ! -x $chroot_dir/usr/bin/apt-get ]] || return 0
  if ! command -v debootstrap >/dev/null; then
    say "installing debootstrap"
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" install debootstrap >&2
  fi
  say "bootstrapping Debian sid in $chroot_dir"
  # Renamed when complete: an interrupted run never leaves half a system under the final name.
  rm -rf --one-file-system "$chroot_dir.partial"
  debootstrap --variant=minbase sid "$chroot_dir.partial" >&2
  mv "$chroot_dir.partial" "$chroot_dir"
}

install_hosts() {
  say "installing ${hosts[*]}"
  cp /etc/resolv.conf "$chroot_dir/etc/resolv.conf"
  inside apt-get "${apt_options[@]}" update
  inside apt-get "${apt_options[@]}" install "${hosts[@]}"
  # Unpacked, not installed: the package's dependencies are a development environment.
  rm -rf "${chroot_dir:?}/$headers"
  mkdir -p "$chroot_dir/$headers"
  inside sh -euc "cd /$headers
    apt-get ${apt_options[*]} download libfalcosecurity0-dev
    dpkg-deb -x libfalcosecurity0-dev_*.deb .
    rm libfalcosecurity0-dev_*.deb"
  inside apt-get clean
}

# The whole point of the chroot.
refuse_python() {
  local found
  found=$(find "$chroot_dir/" -xdev \( -name 'python[0-9]*' -o -name 'libpython*' -o -path '*/bin/python*' \) -print)
  [[ -z $found ]] || die "the chroot must have no Python, but has:"$'\n'"$found"
}

[[ $EUID -eq 0 ]] || die "needs root, for debootstrap and chroot"
mkdir -p "$(dirname "$chroot_dir")"
exec 9>"$chroot_dir.lock"
flock 9

version=$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-16)
if [[ ${1:-} == --refresh || $(cat "$chroot_dir/$ready" 2>/dev/null) != "$version" ]]; then
  bootstrap
  install_hosts
  refuse_python
  echo "$version" >"$chroot_dir/$ready"
fi
inside sh -c "dpkg-query --show '*falcosecurity0.*' ${hosts[*]}" || true

printf 'export FALCOPY_CHROOT=%q\n' "$chroot_dir"
printf 'export FALCOPY_OFFICIAL_HEADER_DIR=%q\n' "$chroot_dir/$headers/usr/include/falcosecurity/plugin"
