# For the scripts beside this one, which read it.

# Runs a command, passes SIGUSR1 on to it and ends with its exit code. Not exec: the caller's trap cleans up. In the background: a
# signal reaches the trap at once, and ends the wait, not the command.
run() {
    "$@" &
    command=$!
    trap 'kill -USR1 $command' USR1
    wait $command
    code=$?
    while kill -0 $command 2>/dev/null; do
        wait $command
        code=$?
    done
    exit $code
}
