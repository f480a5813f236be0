#!/bin/sh
# A Slurm of one node from Debian's packages, in a temporary folder, for a command.
#
#   tests/cluster/slurm.sh COMMAND...
#   tests/cluster/slurm.sh srun --mpi=pmix -n 2 target/release/gpt1-pretrain ...
#   tests/cluster/slurm.sh sbatch --wait job.sh
#
# The node has as many cores as this machine (or GPT1_SLURM_CPUS), its own keys, ports and state, and is gone at the end; a Slurm
# that this machine may belong to is not touched. Ends with the command's exit code; 77 with the reason if it cannot be started
# here. Needs root, and apt-get install slurm-wlm munge (and openmpi-bin for --mpi=pmix).
set -u
. "$(dirname "$0")/run.sh"

skip() {
    echo "skipped: $1" >&2
    for log in "${folder:-/nowhere}"/*.log; do
        if [ -s "$log" ]; then tail -n 5 "$log" >&2; fi
    done
    exit 77
}

if [ $# -lt 1 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 1
fi
[ "$(id -u)" = 0 ] || skip 'slurmd needs root'
for program in munged slurmctld slurmd srun; do
    command -v "$program" >/dev/null 2>&1 || skip "there is no $program (apt-get install slurm-wlm munge)"
done

folder=$(mktemp -d)
chmod 755 "$folder"
daemons=
clean() {
    for process in $daemons; do kill "$process" 2>/dev/null; done
    # Steps outlive slurmd: each has a process of its own, which knows this folder.
    for process in $(pgrep slurmstepd 2>/dev/null); do
        if grep -q "$folder" "/proc/$process/environ" 2>/dev/null; then kill -9 "$process" 2>/dev/null; fi
    done
    for process in $daemons; do wait "$process" 2>/dev/null; done
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

host=$(hostname -s)
port=$((20000 + $$ % 20000))
mkdir -m 700 "$folder/munge" "$folder/state" "$folder/spool"
mkdir -m 755 "$folder/socket"
dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 2>/dev/null
chmod 600 "$folder/munge/key"
cat >"$folder/slurm.conf" <<CONF
ClusterName=gpt1
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/socket/munge
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=${GPT1_SLURM_KILL_WAIT:-30}
NodeName=$host NodeAddr=127.0.0.1 CPUs=${GPT1_SLURM_CPUS:-$(nproc)} State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE OverSubscribe=YES State=UP
CONF
SLURM_CONF=$folder/slurm.conf
export SLURM_CONF

munged --foreground --force --socket="$folder/socket/munge" --key-file="$folder/munge/key" --log-file="$folder/munge/log" \
    --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" >"$folder/munged.log" 2>&1 &
daemons=$!
slurmctld -D >"$folder/ctld-said.log" 2>&1 &
daemons="$daemons $!"
slurmd -D >"$folder/slurmd-said.log" 2>&1 &
daemons="$daemons $!"
i=0
until sinfo -h -o %T 2>/dev/null | grep -q idle; do
    i=$((i + 1))
    [ $i -le 100 ] || skip 'no node is idle after 20 s'
    for process in $daemons; do kill -0 "$process" 2>/dev/null || skip 'a daemon of Slurm does not stay'; done
    sleep 0.2
done

run "$@"
