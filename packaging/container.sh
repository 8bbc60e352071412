#!/usr/bin/env bash
# Builds the image of packaging/Containerfile: packaging/container.sh [TAG]. It
# needs podman or docker, and a network for the image of Go and its modules.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in podman docker; do
  command -v "$tool" >/dev/null || continue
  exec "$tool" build -f packaging/Containerfile -t "${1:-hwprofd}" .
done
echo "container.sh: neither podman nor docker is installed" >&2
exit 1
