#!/bin/busybox sh
# The initramfs's /init: loads the numbered modules, mounts the root and the kernel's modules, hands over to the root's init.
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
while [ ! -b /dev/vdb ] && [ $tries -lt 200 ]; do
    busybox usleep 50000
    tries=$((tries + 1))
done
if ! busybox mount -t ext4 -o rw,noatime /dev/vda /root || ! busybox mount -t ext4 -o ro /dev/vdb /root/usr/lib/modules; then
    echo "vm: no root disk" >/dev/ttyS1
    busybox poweroff -f
fi
for directory in proc sys dev; do
    busybox mount --move "/$directory" "/root/$directory"
done
exec /bin/busybox switch_root /root /sbin/init
