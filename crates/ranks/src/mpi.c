/* MPI's handles and constants are macros, or types of the implementation's own: here they become functions of plain integers.
 * All return MPI's error code, 0 for success. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A block for each rank but this one, in their order. */
static int *n_blocks, *first_block;

int gpt1_mpi_start(int *rank, int *n_ranks) {
    int provided, code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, n_ranks);
    if (code != MPI_SUCCESS) return code;
    n_blocks = malloc(sizeof(int) * *n_ranks);
    first_block = malloc(sizeof(int) * *n_ranks);
    if (!n_blocks || !first_block) return MPI_ERR_NO_MEM;
    for (int i = 0; i < *n_ranks; i++) {
        n_blocks[i] = i != *rank;
        first_block[i] = i;
    }
    return MPI_SUCCESS;
}

int gpt1_mpi_request_size(void) { return (int)sizeof(MPI_Request); }

static int exchange(const void *send, void *recv, int n, MPI_Request *request) {
    MPI_Datatype block;
    int code = MPI_Type_contiguous(n, MPI_BYTE, &block);
    if (code == MPI_SUCCESS) code = MPI_Type_commit(&block);
    if (code != MPI_SUCCESS) return code;
    code = MPI_Ialltoallv(send, n_blocks, first_block, block, recv, n_blocks, first_block, block, MPI_COMM_WORLD, request);
    /* What is under way keeps it. */
    MPI_Type_free(&block);
    return code;
}

/* n bytes for each rank, or from each, or in all (broadcast). To gather in place, `send` is null. */
int gpt1_mpi_begin(int what, const void *send, void *recv, int n, MPI_Request *request) {
    switch (what) {
    case 0: return exchange(send, recv, n, request);
    case 1: return MPI_Iallgather(send ? send : MPI_IN_PLACE, n, MPI_BYTE, recv, n, MPI_BYTE, MPI_COMM_WORLD, request);
    case 2: return MPI_Igather(send, n, MPI_BYTE, recv, n, MPI_BYTE, 0, MPI_COMM_WORLD, request);
    case 3: return MPI_Iscatter(send, n, MPI_BYTE, recv, n, MPI_BYTE, 0, MPI_COMM_WORLD, request);
    default: return MPI_Ibcast(recv, n, MPI_BYTE, 0, MPI_COMM_WORLD, request);
    }
}

int gpt1_mpi_test(MPI_Request *request, int *done) { return MPI_Test(request, done, MPI_STATUS_IGNORE); }

int gpt1_mpi_finish(void) { return MPI_Finalize(); }

void gpt1_mpi_abort(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

/* What an error code means, cut to n bytes with the final zero. */
void gpt1_mpi_message(int code, char *text, int n) {
    char whole[MPI_MAX_ERROR_STRING];
    int length;
    if (MPI_Error_string(code, whole, &length) != MPI_SUCCESS) strcpy(whole, "unknown error");
    strncpy(text, whole, n - 1);
    text[n - 1] = 0;
}

/* Closes what a launcher has left open in its processes, which it takes for a sign of their life. */
void gpt1_mpi_close(void) {
    for (int fd = 3; fd < 1024; fd++) close(fd);
}
