#!/bin/sh
# Started by either init when the machine is up: makes the places of shared files, runs the command, reports, powers off.
#
# The host hears `vm: …` lines on ttyS1; the command's output is on ttyS2, the kernel's own on ttyS0.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
say() { echo "vm: $*" >/dev/ttyS1; }
stage() {
    read -r up _ </proc/uptime
    say "stage $1 $up"
}
stty -F /dev/ttyS1 raw -echo
stage system

# Modules load by themselves where the kernel asks for them; these two it never asks for.
modprobe -a br_netfilter tun 2>/dev/null
mkdir -p /state /out
mount -t ext4 -o noatime /dev/vde /state || say "note: no state disk"
# Each line: the device of a shared folder, or `-` for what is among the files, and its path, the same as on the host.
while read -r device path; do
    if [ "$device" = - ]; then
        source=/files/tree$path
    else
        source=/shares/$device
        mkdir -p "$source"
        mountpoint -q "$source" || mount -t ext4 -o ro "/dev/$device" "$source"
    fi
    if [ -d "$source" ]; then
        mkdir -p "$path"
    else
        mkdir -p "${path%/*}"
        : >"$path"
    fi
    mount --bind "$source" "$path"
done </files/places

LIGHTER_VM_BOOT=$(sed -n 's/.*vm\.boot=\([0-9]*\).*/\1/p' /proc/cmdline)
export LIGHTER_VM_BOOT LIGHTER_VM_CONTROL=/dev/ttyS1 LIGHTER_VM_STATE=/state LIGHTER_VM_OUT=/out
stage ready
case $(cat /proc/cmdline) in
*vm.interactive*)
    stty -F /dev/ttyS2 sane
    setsid --ctty --wait /files/command </dev/ttyS2 >/dev/ttyS2 2>&1
    status=$?
    ;;
*)
    # Through a pipe, as under cargo: a terminal would be drawn on. What still holds it afterwards is not waited for.
    stty -F /dev/ttyS2 raw -echo
    mkfifo /run/vm-output
    cat /run/vm-output >/dev/ttyS2 &
    copy=$!
    setsid --wait /files/command </dev/null >/run/vm-output 2>&1
    status=$?
    (
        sleep 5
        kill $copy
    ) 2>/dev/null &
    wait $copy
    ;;
esac
stage ended
tar -C /out -cf /dev/vdd . 2>/dev/null
umount /state 2>/dev/null || mount -o remount,ro /state 2>/dev/null
sync
say "exit $status"
busybox poweroff -f
