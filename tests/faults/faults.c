/* Makes the file system fail, and the clock jump, for one folder and one process. Built and preloaded by tests/faults.rs.
 *
 *   GPT1_FAULT_DIR    the folder (a real path); what lies elsewhere, /proc and /sys above all, works as ever
 *   GPT1_FAULT_KIND   write: the calls that need room fail with ENOSPC; read: those that read fail with EIO; clock: the wall clock
 *                     jumps by up to ten years at every look; panic: once the folder is there (a checkpoint), the monotonic clock fails the main
 *                     thread, which Rust's library takes for a defect of the program
 *   GPT1_FAULT_AT     the first call that fails, from 1; a write of more than one byte is half done, as on a disk that fills up
 *   GPT1_FAULT_ONCE   if set, no call after it fails
 *   GPT1_FAULT_COUNT  a file to write the number of calls into at the end
 *
 * Calls that the program makes without the C library (renameat2, the maps of memory) are not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *dir = "", *kind = "";
static size_t dir_length;
static long at;
static int once;
static atomic_long n_calls;

__attribute__((constructor)) static void begin(void) {
    const char *value;
    if ((value = getenv("GPT1_FAULT_DIR"))) dir = value;
    if ((value = getenv("GPT1_FAULT_KIND"))) kind = value;
    if ((value = getenv("GPT1_FAULT_AT"))) at = atol(value);
    once = getenv("GPT1_FAULT_ONCE") != NULL;
    dir_length = strlen(dir);
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("GPT1_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&n_calls));
        fclose(file);
    }
}

static int is_watched(const char *path) {
    return dir_length && path && !strncmp(path, dir, dir_length) && (path[dir_length] == '/' || !path[dir_length]);
}

static int is_watched_fd(int fd) {
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_watched(path);
}

/* Counts a call of this kind, and says whether it fails: 2 if it is the first to. */
static int fails(const char *of_kind, int watched) {
    if (!watched || strcmp(kind, of_kind)) return 0;
    long n = atomic_fetch_add(&n_calls, 1) + 1;
    if (!at || n < at) return 0;
    return n == at ? 2 : !once;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(error) return errno = (error), -1

/* Calls that need room. */
#define WRITES(name, watched, parameters, arguments) \
    int name parameters { \
        if (fails("write", watched)) FAIL(ENOSPC); \
        return REAL(name) arguments; \
    }
WRITES(fsync, is_watched_fd(fd), (int fd), (fd))
WRITES(fdatasync, is_watched_fd(fd), (int fd), (fd))
WRITES(ftruncate, is_watched_fd(fd), (int fd, off_t size), (fd, size))
WRITES(ftruncate64, is_watched_fd(fd), (int fd, off64_t size), (fd, size))
WRITES(rename, is_watched(to), (const char *from, const char *to), (from, to))
WRITES(renameat, is_watched(to), (int a, const char *from, int b, const char *to), (a, from, b, to))
WRITES(mkdir, is_watched(path), (const char *path, mode_t mode), (path, mode))
WRITES(mkdirat, is_watched(path), (int at_fd, const char *path, mode_t mode), (at_fd, path, mode))
WRITES(symlink, is_watched(path), (const char *target, const char *path), (target, path))
WRITES(link, is_watched(path), (const char *from, const char *path), (from, path))

ssize_t write(int fd, const void *bytes, size_t n) {
    int failing = fails("write", is_watched_fd(fd));
    if (failing == 2 && !once && n > 1) return REAL(write)(fd, bytes, n / 2);
    if (failing) FAIL(ENOSPC);
    return REAL(write)(fd, bytes, n);
}

#define MOVES(of_kind, error, name, fd, parameters, arguments) \
    ssize_t name parameters { \
        if (fails(of_kind, is_watched_fd(fd))) FAIL(error); \
        return REAL(name) arguments; \
    }
MOVES("write", ENOSPC, writev, fd, (int fd, const struct iovec *v, int n), (fd, v, n))
MOVES("write", ENOSPC, pwrite, fd, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
MOVES("write", ENOSPC, pwrite64, fd, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
MOVES("write", ENOSPC, pwritev, fd, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o))
MOVES("write", ENOSPC, pwritev64, fd, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o))
MOVES("write", ENOSPC, sendfile, fd, (int fd, int in, off_t *o, size_t n), (fd, in, o, n))
MOVES("write", ENOSPC, sendfile64, fd, (int fd, int in, off64_t *o, size_t n), (fd, in, o, n))
MOVES("write", ENOSPC, copy_file_range, fd, (int in, off64_t *i, int fd, off64_t *o, size_t n, unsigned f), (in, i, fd, o, n, f))
MOVES("read", EIO, read, fd, (int fd, void *b, size_t n), (fd, b, n))
MOVES("read", EIO, readv, fd, (int fd, const struct iovec *v, int n), (fd, v, n))
MOVES("read", EIO, pread, fd, (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
MOVES("read", EIO, pread64, fd, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))
MOVES("read", EIO, preadv, fd, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o))
MOVES("read", EIO, preadv64, fd, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, n, o))

/* Opening a file to be made needs room. */
#define OPENS(name, last, parameters, arguments) \
    int name parameters { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list list; \
            va_start(list, last); \
            mode = va_arg(list, mode_t); \
            va_end(list); \
        } \
        if (flags & O_CREAT ? fails("write", is_watched(path)) : 0) FAIL(ENOSPC); \
        if (flags & (O_WRONLY | O_RDWR) ? 0 : fails("read", is_watched(path))) FAIL(EIO); \
        return REAL(name) arguments; \
    }
OPENS(open, flags, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, flags, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, flags, (int at_fd, const char *path, int flags, ...), (at_fd, path, flags, mode))
OPENS(openat64, flags, (int at_fd, const char *path, int flags, ...), (at_fd, path, flags, mode))

/* The wall clock. The monotonic one does not jump: that is what it is for. */
static time_t jump(void) {
    if (strcmp(kind, "clock")) return 0;
    unsigned long x = 0x9e3779b97f4a7c15ul * (unsigned long)(at + atomic_fetch_add(&n_calls, 1) + 1);
    return (time_t)((x >> 20) % (20l * 31557600)) - 10l * 31557600;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    if (fails("panic", id == CLOCK_MONOTONIC && gettid() == getpid() && !access(dir, F_OK))) FAIL(EINVAL);
    int result = REAL(clock_gettime)(id, now);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    int result = REAL(gettimeofday)(now, zone);
    if (!result) now->tv_sec += jump();
    return result;
}

time_t time(time_t *result) {
    time_t now = REAL(time)(NULL) + jump();
    if (result) *result = now;
    return now;
}
