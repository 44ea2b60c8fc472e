#!/bin/busybox sh
# shellcheck shell=dash
# The initramfs's /init: loads the numbered modules, mounts the root, the kernel's modules and the files of this run, and
# hands over to the root's init.
#
# The disks come in a fixed order: root, modules, files, output, state, shared folders.
busybox() { /bin/busybox "$@"; }

busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
read -r up _ </proc/uptime
echo "vm: stage kernel $up" >/dev/ttyS1
for module in /modules/*; do
    [ ! -e "$module" ] || busybox insmod "$module"
done
tries=0
while [ ! -b /dev/vdc ] && [ $tries -lt 200 ]; do
    busybox usleep 50000
    tries=$((tries + 1))
done
mount_all() {
    busybox mount -t ext4 -o rw,noatime /dev/vda /root &&
        busybox mount -t ext4 -o ro /dev/vdb /root/usr/lib/modules &&
        busybox mount -t ext4 -o ro /dev/vdc /root/files
}
if ! mount_all; then
    echo "vm: note: no root disk" >/dev/ttyS1
    busybox poweroff -f
fi
for directory in proc sys dev; do
    busybox mount --move "/$directory" "/root/$directory"
done
exec /bin/busybox switch_root /root /sbin/init
