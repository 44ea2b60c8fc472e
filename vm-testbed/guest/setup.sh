#!/bin/sh
# Run once by busybox's init, the way systemd would set the machine up: mounts, cgroups, the loopback device, services.
#
# The kernel's command line says which cgroups: vm.cgroup=v2 (the default), hybrid or v1.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cgroup=$(sed -n 's/.*vm\.cgroup=\([a-z0-9]*\).*/\1/p' /proc/cmdline)

mount -t tmpfs -o mode=755 run /run
mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount --make-rshared /

unified() {
    mkdir -p "$1"
    mount -t cgroup2 -o nsdelegate cgroup2 "$1"
}
legacy() {
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    awk 'NR > 1 && $4 == 1 { print $1 }' /proc/cgroups | while read -r controller; do
        mkdir "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
    done
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
}
case $cgroup in
v1) legacy ;;
hybrid)
    legacy
    unified /sys/fs/cgroup/unified
    ;;
*)
    unified /sys/fs/cgroup
    # As under systemd, nothing runs in the root, and its children have every controller.
    mkdir /sys/fs/cgroup/init
    while read -r pid; do
        echo "$pid" >/sys/fs/cgroup/init/cgroup.procs
    done </sys/fs/cgroup/cgroup.procs 2>/dev/null
    sed 's/[^ ]*/+&/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    ;;
esac
echo guest >/proc/sys/kernel/hostname
ip link set lo up
for script in /etc/rc.d/S*; do
    [ ! -x "$script" ] || "$script" start
done
