# What differs from site to site, and nothing else does: every job script sources this file first.
# Edit it, or point KANTOR_SITE at your own copy.

# Modules of this cluster that bring the MPI that mpi4py was built for (and CUDA for GPU jobs). Example:
#   module load mpich cuda

# Where kantor is installed: the folder of `kantor` and `python`; default: the .venv beside this folder.
KANTOR_BIN="${KANTOR_BIN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin}"

# How Slurm talks to that MPI: `srun --mpi=list` shows what it can. pmi2 for MPICH, pmix for Open MPI.
KANTOR_MPI="${KANTOR_MPI:-pmi2}"

# One thread a core of the task; kantor's threads and BLAS must not compete with the other ranks of the node.
export KANTOR_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OMP_NUM_THREADS="$KANTOR_NUM_THREADS" OPENBLAS_NUM_THREADS="$KANTOR_NUM_THREADS"

# Where checkpoints go: a file system that all nodes see and that outlives the job.
KANTOR_CHECKPOINTS="${KANTOR_CHECKPOINTS:-${SLURM_SUBMIT_DIR:-$PWD}/checkpoints}"

# Where real data sets are (see the README), if not in the default place.
# export KANTOR_DATA=/projects/tables

export PATH="$KANTOR_BIN:$PATH"

# MPICH names the memory that the ranks of a node share after the job and the step, and a job that came back has the
# same name again: what a killed run left behind would be taken for its own ("Message truncated" in MPI_Init). So that
# goes first, on every node, where it is ours, older than two seconds and no process has it open.
clear_what_a_killed_run_left() {
  srun --mpi=none --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 bash -c '
    find /dev/shm -maxdepth 1 -name "mpich_*" -user "$(id -u)" -mmin +0.03 2>/dev/null | while read -r left; do
      grep -qsF "$left" /proc/[0-9]*/maps || rm -f "$left"
    done' || echo "what a killed run may have left in /dev/shm could not be cleared" >&2
}

# Run a command on all ranks of the job. A rank that dies takes the others with it: nobody waits for it.
on_all_ranks() {
  if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then clear_what_a_killed_run_left; fi
  srun --mpi="$KANTOR_MPI" --kill-on-bad-exit=1 "$@"
}

# What to do with the exit code of kantor: 130 means a signal came, the state is on disk, and the job goes on later; 143
# and 138 that SIGTERM or SIGUSR1 came while it was still loading. A job that somebody cancelled is no longer running,
# and stays cancelled.
finish_or_requeue() {
  local code=$1
  case "$code" in 130 | 138 | 143) ;; *) exit "$code" ;; esac
  if [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
    echo "interrupted; the job goes back into the queue and goes on from its checkpoint"
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
  fi
  exit "$code"
}
