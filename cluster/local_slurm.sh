#!/usr/bin/env bash
# A real Slurm on one machine, to try the job scripts before a cluster does:
#   cluster/local_slurm.sh start FOLDER    installs slurm-wlm and munge (Debian, as root) if missing, starts all daemons
#   source FOLDER/env                      now sbatch, srun, squeue, scontrol talk to it
#   cluster/local_slurm.sh stop FOLDER     ends them; FOLDER keeps the logs
# Everything it writes is in FOLDER; it listens on two ports of this machine, 16817 and 16818 or KANTOR_SLURM_PORT. Partitions: low, which high preempts.
set -euo pipefail

say() { echo "local_slurm: $*" >&2; }

install_slurm() {
  if command -v slurmctld slurmd munged >/dev/null; then return; fi
  [ "$(id -u)" -eq 0 ] || { say "Slurm is not installed, and only root can install it"; exit 77; }
  command -v apt-get >/dev/null || { say "Slurm is not installed, and there is no apt-get"; exit 77; }
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install --yes --no-install-recommends slurm-wlm munge; } >"$folder/install.log" 2>&1 \
    || { say "slurm-wlm and munge could not be installed; see $folder/install.log"; exit 77; }
}

configure() {
  local port=${KANTOR_SLURM_PORT:-16817} host cpus=8  # more than there are: ranks share the cores here
  host=$(hostname -s)
  mkdir -p "$folder"/{state,spool}
  cat >"$folder/slurm.conf" <<CONF
ClusterName=local
# Not 1 every time: MPI names shared memory after the job (see env.sh), and a Slurm ended by force cleans nothing up.
FirstJobId=$((RANDOM % 30000 * 1000 + 1))
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# No control groups, no accounting: neither is there in a container.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=pmi2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,preempt_reorder_count=1
# A job that makes room gets two minutes to write its checkpoint; on a free machine it needs a second.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=120
# On a busy machine a command waits for an answer rather than fail after ten seconds.
MessageTimeout=100
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=1024 State=UNKNOWN
PartitionName=low Nodes=$host Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=120
PartitionName=high Nodes=$host MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
CONF
  cat >"$folder/env" <<ENV
export SLURM_CONF="$folder/slurm.conf"
ENV
}

start() {
  mkdir -p "$folder"
  install_slurm
  configure
  export SLURM_CONF="$folder/slurm.conf"
  [ -e "$folder/munge.key" ] || head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 400 "$folder/munge.key"
  # --force: the folder's owners and modes are not those of /etc/munge.
  munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" >"$folder/start.log" 2>&1
  slurmctld -c >>"$folder/start.log" 2>&1
  slurmd >>"$folder/start.log" 2>&1
  for _ in $(seq 100); do
    if sinfo --noheader --format=%T --partition=low 2>/dev/null | grep -q idle; then say "ready"; return; fi
    sleep 0.2
  done
  say "the node did not come up; see the logs in $folder"
  exit 1
}

stop() {
  local daemon pid
  export SLURM_CONF="$folder/slurm.conf"
  timeout 20 scancel --signal=KILL --full --user="$(id -un)" 2>/dev/null || true  # ranks do not end with the daemons
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$folder/$daemon.pid" 2>/dev/null || true)
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
  done
}

case "${1:-}" in
  start | stop) folder=$(mkdir -p "${2:?folder}" && cd "$2" && pwd); "$1" ;;
  *) sed -n '2,6p' "$0"; exit 2 ;;
esac
