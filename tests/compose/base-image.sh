#!/usr/bin/env bash
# tests/compose/base-image.sh TAG PROGRAM…
#
# A stand-in for gcr.io/distroless/cc-debian13:nonroot, for a machine that can pull no image: the same kind of thing,
# only smaller. The C libraries that the programs need, taken from this machine, and who `nonroot` is; no shell.
set -euo pipefail
tag=$1
shift
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

libraries=$(ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u)
for library in $libraries; do
    case ${library##*/} in
        # What the image that it stands for has too.
        ld-linux* | libc.so.6 | libm.so.6 | libgcc_s.so.1 | libstdc++.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1) ;;
        *)
            echo "$library is not in the runtime image: the programs must not need it" >&2
            exit 1
            ;;
    esac
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
mkdir -p "$root/etc" "$root/home/nonroot" "$root/run" "$root/usr" "$root/tmp"
chmod 755 "$root"
chmod 1777 "$root/tmp"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
tar -C "$root" --numeric-owner --owner=0 --group=0 -c . | docker import \
    -c 'USER 65532:65532' -c 'WORKDIR /home/nonroot' \
    -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$tag" >/dev/null
