#!/usr/bin/env bash
# Fetches what the tests of other platforms need, from a Debian mirror, and unpacks it; installs
# nothing. Needs no root, but a Debian or Ubuntu machine. Running it again changes nothing.
#
#   usage: tests/platforms/prepare.sh
#
# FALCOPY_PLATFORMS says where (default ${XDG_CACHE_HOME:-$HOME/.cache}/falcopy/platforms):
#   arm64/      Debian 12 for arm64: libpython3.11 with its headers, and glibc
#   bullseye/   Debian 11's glibc (2.31) for amd64
#   bookworm/   Debian 12's (2.36)
#   qemu/       QEMU's user-mode emulator of arm64
# The last line on standard output is the setting for the tests, to be evaluated by a shell.
set -euo pipefail

folder=${FALCOPY_PLATFORMS:-${XDG_CACHE_HOME:-$HOME/.cache}/falcopy/platforms}
# The mirror that this machine uses itself.
mirror=${FALCOPY_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | grep -m1 '/debian/$')}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'platforms: %s\n' "$*" >&2; }

# Fetches packages with all they need, by an apt of its own (this machine's is not touched), and
# unpacks them into a folder.
#   fetch NAME SUITE ARCHITECTURE PACKAGE...
fetch() {
  local name=$1 suite=$2 architecture=$3 apt=$folder/$1.apt
  shift 3
  say "fetching $* for $architecture from Debian $suite"
  rm -rf "$apt" "${folder:?}/$name.partial"
  mkdir -p "$apt"/{lists/partial,archives/partial,etc} "$folder/$name.partial"
  : >"$apt/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/etc/sources.list"
  local options=(
    -q -y -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status"
    -o Dir::Cache="$apt" -o Dir::Cache::archives="$apt/archives"
    -o Dir::Etc::sourcelist="$apt/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=
    -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
    -o Debug::NoLocking=1
  )
  apt-get "${options[@]}" update >&2
  apt-get "${options[@]}" --no-install-recommends --download-only install "$@" >&2
  local package
  for package in "$apt"/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/$name.partial"
  done
  rm -rf "$apt" "${folder:?}/$name"
  mv "$folder/$name.partial" "$folder/$name"
}

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9

version=$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-16)
if [[ $(cat "$folder/ready" 2>/dev/null) != "$version" ]]; then
  fetch arm64 bookworm arm64 libpython3.11 libpython3.11-dev
  fetch bullseye bullseye amd64 libc6 libgcc-s1
  fetch bookworm bookworm amd64 libc6 libgcc-s1
  fetch qemu bookworm "$(dpkg --print-architecture)" qemu-user-static
  # Of 200 MB of emulators one is used.
  find "$folder/qemu" -type f ! -name qemu-aarch64-static -delete
  echo "$version" >"$folder/ready"
fi

printf 'export FALCOPY_PLATFORMS=%q\n' "$folder"
