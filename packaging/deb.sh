#!/usr/bin/env bash
# Builds a Debian package of hwprofd: packaging/deb.sh [ARCH] [FOLDER], where
# ARCH is amd64 (the default), arm64, armhf or riscv64. It needs go and dpkg-deb.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:-amd64} out=${2:-.}
arm=
case $arch in
  amd64|arm64|riscv64) goarch=$arch ;;
  armhf) goarch=arm arm=7 ;;
  *) echo "deb.sh: $arch is none of amd64, arm64, armhf and riscv64" >&2; exit 2 ;;
esac
version=$(git describe --tags --match 'v*' 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g') || true
[ -n "$version" ] || version="0~$(git log -1 --format=%cd --date=format:%Y%m%d).$(git rev-parse --short HEAD)"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -d "$root/usr/bin" "$root/lib/systemd/system" "$root/etc/default" "$root/usr/share/doc/hwprofd" "$root/DEBIAN"
CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=$arm go build -trimpath -ldflags '-s -w' -o "$root/usr/bin/hwprofd" ./cmd/hwprofd
install -m 644 packaging/hwprofd.service "$root/lib/systemd/system/hwprofd.service"
printf '# Options of hwprofd serve, see hwprofd serve --help.\nHWPROFD_OPTIONS=\n' >"$root/etc/default/hwprofd"
install -m 644 LICENSE "$root/usr/share/doc/hwprofd/copyright"
echo /etc/default/hwprofd >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<EOF
Package: hwprofd
Version: $version
Architecture: $arch
Maintainer: hwprofd <hwprofd@users.noreply.github.com>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Section: science
Priority: optional
Homepage: https://github.com/hwprofd/hwprofd
Description: measures and predicts what neural networks cost on a device
 Measures the latency and energy of neural network operators on this machine
 into a table, predicts any network from it, and serves both over HTTP.
EOF
cat >"$root/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable hwprofd.service
  systemctl restart hwprofd.service
fi
EOF
cat >"$root/DEBIAN/prerm" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now hwprofd.service
fi
EOF
# What was measured, in /var/lib/private/hwprofd, stays also on a purge.
cat >"$root/DEBIAN/postrm" <<'EOF'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
EOF
chmod 755 "$root"/DEBIAN/p*
file="$out/hwprofd_${version}_$arch.deb"
dpkg-deb --root-owner-group --build "$root" "$file" >/dev/null
echo "$file"
