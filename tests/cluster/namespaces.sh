#!/bin/sh
# Two network namespaces as two machines, joined by a link of a rate and a delay; Open MPI between them, for a command.
#
#   tests/cluster/namespaces.sh RATE DELAY COMMAND...
#   tests/cluster/namespaces.sh 1gbit 0.1ms mpirun -n 2 target/release/gpt1-pretrain ...
#
# RATE is tc's (10gbit), or `none`; DELAY is one way, `0` for none. In COMMAND mpirun is Open MPI's, told to put one rank on each
# machine and to start its daemon there by `ip netns exec` in place of ssh. Ends with the command's exit code; 77 with the reason if
# this machine cannot do it. Needs root, iproute2 and Open MPI 4.
set -u
. "$(dirname "$0")/run.sh"

skip() {
    echo "skipped: $1" >&2
    exit 77
}

if [ $# -lt 3 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 1
fi
rate=$1 delay=$2
shift 2
[ "$(id -u)" = 0 ] || skip 'namespaces need root'
for program in ip tc mpirun.openmpi; do
    command -v "$program" >/dev/null 2>&1 || skip "there is no $program (apt-get install iproute2 openmpi-bin)"
done

# Names of this process's own, so that several can run.
a=gpt1a$$ b=gpt1b$$
folder=$(mktemp -d)
clean() {
    for namespace in "$a" "$b"; do
        ip netns pids "$namespace" 2>/dev/null | while read -r process; do kill -9 "$process" 2>/dev/null; done
        ip netns del "$namespace" 2>/dev/null
    done
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

ip netns add "$a" 2>"$folder/why" && ip netns add "$b" 2>"$folder/why" \
    || skip "no network namespaces here: $(cat "$folder/why")"
ip link add "va$$" netns "$a" type veth peer name "vb$$" netns "$b" 2>"$folder/why" \
    || skip "no veth pair here: $(cat "$folder/why")"
for end in "$a va$$ 1" "$b vb$$ 2"; do
    # shellcheck disable=SC2086
    set_up() {
        ip -n "$1" addr add "10.77.0.$3/24" dev "$2" && ip -n "$1" link set "$2" up && ip -n "$1" link set lo up
    }
    # shellcheck disable=SC2086
    set_up $end || skip 'the link cannot be set up'
done
# The delay first, the rate below it: a packet waits in the link's queue, then travels.
for end in "$a va$$" "$b vb$$"; do
    namespace=${end% *} device=${end#* } parent=root
    if [ "$delay" != 0 ]; then
        tc -n "$namespace" qdisc add dev "$device" root handle 1: netem delay "$delay" limit 100000 2>"$folder/why" \
            && parent='parent 1:' || echo "without a delay: this kernel has no netem ($(tail -n 1 "$folder/why"))" >&2
    fi
    if [ "$rate" != none ]; then
        # shellcheck disable=SC2086
        tc -n "$namespace" qdisc add dev "$device" $parent tbf rate "$rate" burst 1mbit latency 50ms 2>"$folder/why" \
            || skip "this kernel shapes no link: $(tail -n 1 "$folder/why")"
    fi
done

# A launch agent is called as ssh is: options, the machine's name, then words for its shell.
cat >"$folder/agent" <<AGENT
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
case \$1 in
10.77.0.1) namespace=$a ;;
*) namespace=$b ;;
esac
shift
exec ip netns exec \$namespace sh -c "\$*"
AGENT
chmod +x "$folder/agent"
printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' >"$folder/hosts"
mkdir "$folder/bin"
cat >"$folder/bin/mpirun" <<MPIRUN
#!/bin/sh
exec mpirun.openmpi --hostfile $folder/hosts --map-by node --bind-to none "\$@"
MPIRUN
chmod +x "$folder/bin/mpirun"

PATH=$folder/bin:$PATH
export PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm_rsh_agent="$folder/agent" \
    OMPI_MCA_oob_tcp_if_include=10.77.0.0/24 OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_btl=self,tcp OMPI_MCA_pml=ob1 \
    OMPI_MCA_orte_keep_fqdn_hostnames=1 OMPI_MCA_plm=rsh OMPI_MCA_ras=^slurm
run ip netns exec "$a" "$@"
