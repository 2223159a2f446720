# Boots a Debian of its own: namespaces of its own, a file system that forgets, and systemd as process 1. The first one that
# `unshare` starts. $1: a Debian, which stays as it is; $2: an empty folder; $3: a cgroup2 of the host.
set -e
debian=$1 work=$2 groups=$3
mkdir "$groups/test"
for controller in cpu memory pids; do echo "+$controller" >"$groups/cgroup.subtree_control" 2>/dev/null || true; done
echo $$ >"$groups/test/cgroup.procs"
exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child sh -ec '
  mount --make-rprivate /
  mount -t tmpfs tmpfs "$2"
  mkdir "$2/upper" "$2/work" "$2/root"
  mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
  cd "$2/root"
  mount -t proc proc proc
  # What belongs to the whole kernel is not for a machine that is only a test.
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs -o mode=755 tmpfs dev
  for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  pivot_root . .
  umount --lazy .
  # As a machine has it: what systemd mounts for a service is made in a namespace of its own, and arrives by propagation.
  mount --make-rshared /
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0
' sh "$debian" "$work"
